"""Tests that an answer which may hold one call holds one, and is else unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paddock.protocol.one_call import OneCall, one_call_body


def call(index: int, arguments: str) -> dict[str, Any]:
    return {"index": index, "id": f"c{index}", "type": "function", "function": {"name": "f", "arguments": arguments}}


def frame(delta: dict[str, Any], reason: str | None = None) -> bytes:
    chunk = {"choices": [{"finish_reason": reason, "index": 0, "delta": delta}], "id": "x"}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


FIRST = [frame({"tool_calls": [call(0, "{")]}), frame({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})]
SECOND = [frame({"tool_calls": [call(1, "{")]}), frame({"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]})]
END = [frame({}, "tool_calls"), b"data: [DONE]\n\n"]


@pytest.mark.rule("answer-one-call")
@pytest.mark.parametrize("pieces", [1, 2, 100])
def test_calls_after_the_first_do_not_go_on(pieces: int) -> None:
    frames = [*FIRST, *SECOND, *END]
    passed = OneCall()
    out = b"".join(passed.feed(b"".join(frames[at : at + pieces])) for at in range(0, len(frames), pieces))
    assert out == b"".join([*FIRST, *END])
    assert passed.left_out == 1


@pytest.mark.rule("answer-one-call")
def test_a_frame_of_both_keeps_the_first_and_a_last_word_stays() -> None:
    passed = OneCall()
    both = passed.feed(frame({"tool_calls": [call(0, "{}"), call(1, "{}")]}))
    assert json.loads(both[6:])["choices"][0]["delta"]["tool_calls"] == [call(0, "{}")]
    ended = passed.feed(frame({"tool_calls": [call(2, "{}")]}, "tool_calls"))
    assert json.loads(ended[6:])["choices"][0] == {
        "finish_reason": "tool_calls", "index": 0, "delta": {"tool_calls": []}
    }  # fmt: skip
    assert passed.left_out == 2


@pytest.mark.rule("answer-one-call")
def test_a_whole_answer_keeps_its_first_call() -> None:
    body = json.dumps({"choices": [{"message": {"tool_calls": [call(0, "{}"), call(1, "{}")]}}], "id": "x"}).encode()
    made, left_out = one_call_body(body)
    assert json.loads(made) == {"choices": [{"message": {"tool_calls": [call(0, "{}")]}}], "id": "x"}
    assert left_out == 1


@pytest.mark.parametrize(
    "body",
    [b'{"choices": [] }', b'{"tool_calls"', b'{ "choices":[{"message":{"tool_calls": [{}]}}]}', b'["tool_calls"]'],
)
def test_any_other_answer_stays_byte_for_byte(body: bytes) -> None:
    assert one_call_body(body) == (body, 0)
    assert OneCall().feed(b"data: " + body + b"\n\n") == b"data: " + body + b"\n\n"
