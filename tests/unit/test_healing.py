"""Tests that calls which leaked as text become calls, and that all other text passes byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.protocol.healing import Healer, call_in, cut_markup_removed, healed_body, schemas_of

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "write",
            "parameters": {
                "type": "object",
                "properties": {"path": {"type": "string"}, "lines": {"type": "integer"}, "all": {"type": "boolean"}},
            },
        },
    },
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}},
]
JSON_CALL = '<tool_call>\n{"name": "look", "arguments": {"at": "the <b>sky</b>"}}\n</tool_call>'
XML_CALL = (
    "<function=write>\n<parameter=path>\n7\n</parameter>\n<parameter=lines>3</parameter>"
    "<parameter=all>true</parameter>\n</function>"
)
XML_ARGUMENTS = {"path": "7", "lines": 3, "all": True}


def frame(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"finish_reason": reason, "index": 0, "delta": delta}
    chunk = {"choices": [choice], "id": "chatcmpl-abc", "object": "chat.completion.chunk"}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def stream(pieces: list[str], reason: str = "stop") -> list[bytes]:
    return [*(frame({"content": piece}) for piece in pieces), frame({}, reason), b"data: [DONE]\n\n"]


def passed(frames: list[bytes]) -> tuple[bytes, list[str]]:
    healer = Healer(TOOLS)
    out = b"".join(healer.feed(one) for one in frames) + healer.finish()
    return out, healer.healed


def read(out: bytes) -> tuple[str, list[tuple[int, str, Any]], str]:
    """(text, calls, finish reason) of a stream."""
    text, reason = "", ""
    calls: list[tuple[int, str, Any]] = []
    for line in out.split(b"\n\n"):
        if not line or line == b"data: [DONE]":
            continue
        choice = json.loads(line[6:])["choices"][0]
        text += choice["delta"].get("content") or ""
        for call in choice["delta"].get("tool_calls", []):
            assert call["id"]
            calls.append((call["index"], call["function"]["name"], json.loads(call["function"]["arguments"])))
        reason = choice["finish_reason"] or reason
    return text, calls, reason


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


@pytest.mark.rule("healing")
@settings(max_examples=60, deadline=None)
@given(places=st.lists(st.integers(0, 10_000), max_size=12))
def test_a_leaked_call_is_healed_however_the_stream_was_cut(places: list[int]) -> None:
    text = f"I look.\n{JSON_CALL}\n{XML_CALL}</tool_call>"
    out, healed = passed(stream(cut(text, places)))
    said, calls, reason = read(out)
    assert said.strip() == "I look."
    assert calls == [(0, "look", {"at": "the <b>sky</b>"}), (1, "write", XML_ARGUMENTS)]
    assert (reason, healed) == ("tool_calls", ["look", "write"])


@pytest.mark.rule("healing")
@settings(max_examples=100, deadline=None)
@given(pieces=st.lists(st.sampled_from(["<", "tool_call", ">", "\n", "`", "```", "<function=", "a", " ", "{}", "</"])))
def test_what_is_no_call_passes_byte_for_byte(pieces: list[str]) -> None:
    frames = stream(pieces)
    out, healed = passed(frames)
    assert healed == []
    assert read(out)[0] == "".join(pieces)
    if not any("<" in piece for piece in pieces):
        assert out == b"".join(frames)


@pytest.mark.rule("healing")
@pytest.mark.parametrize(
    "text",
    [
        f"Write `{JSON_CALL}` to call.", f"```\n{JSON_CALL}\n```", f"> {JSON_CALL}",
        '<tool_call>{"name": "unknown", "arguments": {}}</tool_call>', "<tool_call>not json</tool_call>",
        "<function=unknown></function>", '<tool_call>{"name": "look", "arg', "<toolbox>", "<", "",
    ],
)  # fmt: skip
def test_quoted_foreign_and_broken_markup_stays_text(text: str) -> None:
    frames = stream([text] if text else [])
    assert passed(frames) == (b"".join(frames), [])
    body = json.dumps({"choices": [{"finish_reason": "stop", "message": {"content": text}}]}).encode()
    assert healed_body(body, TOOLS) == (body, [])


def test_a_call_without_its_end_tag_is_healed_at_the_answers_end() -> None:
    out, _ = passed(stream(['<tool_call>{"name": "look",', ' "arguments": {}}']))
    assert read(out) == ("", [(0, "look", {})], "tool_calls")


def test_a_call_cut_by_the_token_limit_stays_text() -> None:
    frames = stream(['<tool_call>{"name": "look", "arguments": {}}'], "length")
    assert passed(frames) == (b"".join(frames), [])


def test_a_healed_call_comes_after_the_engines_own() -> None:
    own = frame({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "look", "arguments": "{}"}}]})
    out, _ = passed([own, *stream([JSON_CALL], "stop")])
    assert [index for index, _, _ in read(out)[1]] == [0, 1]


def test_a_whole_answer_is_healed_as_a_stream_is() -> None:
    text = f"I look.\n{JSON_CALL}"
    answer = {"id": "chatcmpl-abc", "choices": [{"finish_reason": "stop", "message": {"content": text}}]}
    body, healed = healed_body(json.dumps(answer).encode(), TOOLS)
    choice = json.loads(body)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"], healed) == ("tool_calls", "I look.", ["look"])
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"at": "the <b>sky</b>"}


def test_markup_that_never_ends_is_let_go() -> None:
    pieces = ["<tool_call>", *(["x" * 65536] * 20)]
    out, healed = passed(stream(pieces))
    assert (read(out)[0], healed) == ("".join(pieces), [])


def test_parameters_take_the_type_of_their_schema() -> None:
    assert call_in(XML_CALL, schemas_of(TOOLS)) == ("write", json.dumps(XML_ARGUMENTS))


@pytest.mark.parametrize(("text", "left"), [('<tool_call>\n{"name": "', ""), ("So:\n<function=loo", "So:\n")])
def test_a_call_that_the_limit_cut_is_no_text(text: str, left: str) -> None:
    answer = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "length"}], "id": "x"}
    cut = json.loads(cut_markup_removed(json.dumps(answer).encode(), TOOLS))
    assert cut["choices"][0] == {"message": {"role": "assistant", "content": left}, "finish_reason": "length"}


@pytest.mark.parametrize(
    ("text", "reason"), [('<tool_call>\n{"name": "', "stop"), ("a < b", "length"), ("<b>", "length")]
)
def test_other_answers_that_the_limit_cut_stay_byte_for_byte(text: str, reason: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": reason}]}).encode()
    assert cut_markup_removed(body, TOOLS) == body
