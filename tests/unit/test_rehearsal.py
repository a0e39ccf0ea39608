"""Tests the rehearsal of recorded requests: that they are as recorded, and that each rule catches what breaks it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import BadRequest
from paddock.protocol.strict_reading import listen
from paddock.rehearsal.rehearsal import ANSWER_TOKENS_MOST, Progress, Verdict, rehearse
from paddock.rehearsal.shapes import Shape, clients, expanded, shapes_of
from tests.recorded_shapes import lines_of

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "client-requests"
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
Json = dict[str, Any]
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
pytestmark = pytest.mark.anyio


def test_the_requests_are_those_that_were_recorded() -> None:
    recordings = sorted(RECORDED.glob("*.json"))
    assert recordings
    assert sorted(path.stem for path in recordings) == clients()
    for path in recordings:
        recording = json.loads(path.read_text("utf-8"))
        shapes = shapes_of([recording["client"]])[0]
        assert [shape.body for shape in shapes] == [request["body"] for request in recording["requests"]]
        assert [shape.path for shape in shapes] == [request["path"] for request in recording["requests"]]
        assert {shape.version for shape in shapes} == {recording["version"]}


def test_a_recording_is_written_and_read_as_it_was() -> None:
    text = "oats track field pasture llama trot grass gate fence hay barn"
    recording = {"client": "a", "version": "1", "requests": [{"body": {"deep": [text, "short", 1, None]}}]}
    lines = lines_of(recording).splitlines()
    assert '"filler 6 61"' in lines[1]
    assert expanded(json.loads(lines[1])) == recording["requests"][0]


def test_a_further_turn_is_known_by_what_it_begins_with() -> None:
    follows = {shapes[0].client: [shape.follows for shape in shapes] for shapes in shapes_of([])}
    assert follows["claude-code"] == [None, None, 2]
    assert follows["codex-cli"] == [None, 1]
    assert follows["opencode"] == [None, None, 2]
    assert follows["instructor"] == [None, None, None]


def test_an_unknown_client_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadRequest, match=r"'emacs'.*aider, anthropic-python"):
        shapes_of(["llm", "emacs"])


def shape(body: Json, path: str = CHAT, number: int = 1, follows: int | None = None) -> Shape:
    return Shape(
        client="c", version="1", number=number, method="POST", path=path, headers={"Host": "x", "X-App": "cli"},
        body=body, follows=follows,
    )  # fmt: skip


def frames(*events: Json | str, named: bool = False) -> bytes:
    lines: list[str] = []
    for event in events:
        kind = f"event: {event['type']}\n" if named and isinstance(event, dict) else ""
        lines.append(f"{kind}data: {event if isinstance(event, str) else json.dumps(event)}\n\n")
    return "".join(lines).encode()


def piece(delta: Json, reason: str | None = None, **fields: Any) -> Json:
    return {"id": "a", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **fields}


def call(name: str = "add", arguments: str = "{}") -> Json:
    return {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": name, "arguments": arguments}}]}


def whole(message: Json, reason: str = "stop", read: int = 100, cached: int = 0) -> Json:
    usage = {"prompt_tokens": read, "prompt_tokens_details": {"cached_tokens": cached}}
    return {"id": "a", "model": "m", "choices": [{"message": message, "finish_reason": reason}], "usage": usage}


USAGE: Json = {"id": "a", "choices": [], "usage": {"prompt_tokens": 3}}
STREAM = frames(piece({"content": "a"}), piece({}, "stop"), USAGE, "[DONE]")


async def verdicts(
    *turns: tuple[Shape, int, bytes | Json], sent: list[tuple[str, dict[str, str], Json]] | None = None
) -> dict[str, Verdict]:
    answers = [(status, data if isinstance(data, bytes) else json.dumps(data).encode()) for _, status, data in turns]

    async def ask(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if sent is not None:
            sent.append((path, headers, json.loads(body)))
        return answers.pop(0)

    every: Sequence[Sequence[Shape]] = [[turn[0] for turn in turns]]
    found = [one async for one in rehearse(ask, every, model="m", embeds=False)]
    assert len([one for one in found if isinstance(one, Progress)]) == len(turns)
    return {one.rule: one for one in found if isinstance(one, Verdict)}


async def test_what_is_sent_names_the_model_limits_the_answer_and_leaves_credentials_out() -> None:
    sent: list[tuple[str, dict[str, str], Json]] = []
    asked = shape({"model": "local-model", "messages": [], "stream": True, "max_tokens": 32000})
    await verdicts((asked, 200, STREAM), sent=sent)
    assert sent == [(CHAT, {"X-App": "cli"}, {**(asked.body or {}), "model": "m", "max_tokens": ANSWER_TOKENS_MOST})]


async def test_a_good_answer_passes_every_rule_that_concerns_it() -> None:
    asked: Json = {"messages": [], "stream": True, "stream_options": {"include_usage": True}}
    found = await verdicts((shape(asked), 200, STREAM))
    assert {name: one.status for name, one in found.items()} == {
        "answers": "pass", "shape": "pass", "usage": "pass", "calls": "skip", "choice": "skip", "structure": "skip",
        "prefix": "skip",
    }  # fmt: skip


TEXT_FORM = {"response_format": {"type": "json_schema", "json_schema": {"schema": {"required": ["a"]}}}}
FAULTS: dict[str, tuple[str, Json, int, bytes | Json]] = {
    "a refusal": ("answers", {}, 400, {"error": {"message": "no"}}),
    "a dropped connection": ("answers", {}, 0, b""),
    "no DONE": ("shape", {"stream": True}, 200, STREAM.removesuffix(b"data: [DONE]\n\n")),
    "half a frame": ("shape", {"stream": True}, 200, STREAM[:-3]),
    "two ids": ("shape", {"stream": True}, 200, STREAM.replace(b'"id": "a"', b'"id": "b"', 1)),
    "no reason": ("shape", {"stream": True}, 200, STREAM.replace(b'"stop"', b"null")),
    "an error frame": ("shape", {"stream": True}, 200, frames({"error": {"message": "x"}}) + STREAM),
    "a call without its reason": ("shape", {"stream": True}, 200, frames(piece(call())) + STREAM),
    "not JSON": ("shape", {}, 200, b"<html>"),
    "another form": ("shape", {}, 200, {"choices": "none"}),
    "no usage": ("usage", {}, 200, {**whole({"content": "a"}), "usage": None}),
    "no usage in a stream": (
        "usage", {"stream": True, "stream_options": {"include_usage": True}}, 200,
        STREAM.replace(b'"usage"', b'"other"'),
    ),
    "a call of another tool": ("calls", {"tools": TOOLS}, 200, whole(call("sub"), "tool_calls")),
    "arguments that are no object": ("calls", {"tools": TOOLS}, 200, whole(call(arguments="[1"), "tool_calls")),
    "a forced call that did not come": ("choice", {"tools": TOOLS, "tool_choice": "required"}, 200, whole({})),
    "another call than the forced": (
        "choice",
        {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "sub"}}}, 200,
        whole(call(), "tool_calls"),
    ),
    "prose for JSON": ("structure", TEXT_FORM, 200, whole({"content": "Sure!"})),
    "an object without its field": ("structure", TEXT_FORM, 200, whole({"content": '{"b": 1}'})),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_a_client_would_stumble_over_is_found(fault: str) -> None:
    rule, asked, status, data = FAULTS[fault]
    found = await verdicts((shape({"messages": [], **asked}), status, data))
    assert found[rule].status == "fail"
    assert found[rule].reason.startswith(f"request 1, {CHAT}: ")


@pytest.mark.parametrize(("cached", "status"), [(94, "fail"), (95, "pass"), (100, "pass")])
async def test_a_further_turn_must_reuse_what_was_read(cached: int, status: str) -> None:
    first, second = shape({"messages": []}), shape({"messages": []}, number=2, follows=1)
    said = {"content": "a"}
    found = await verdicts((first, 200, whole(said)), (second, 200, whole(said, read=120, cached=cached)))
    assert found["prefix"].status == status


MESSAGE = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 2, "cache_read_input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "add"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]


def test_a_message_is_heard_whole_and_streamed() -> None:
    heard = listen(MESSAGES, frames(*MESSAGE, named=True), streamed=True)
    assert (heard.faults, heard.text, heard.calls[0].arguments) == ([], "a", '{"a": 1}')
    assert (heard.prompt_tokens, heard.cached_tokens) == (5, 3)
    blocks = [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "t", "name": "add", "input": {"a": 1}}]
    body = {"id": "m", "type": "message", "content": blocks, "stop_reason": "tool_use", "usage": {"input_tokens": 5}}
    again = listen(MESSAGES, json.dumps(body).encode(), streamed=False)
    assert (again.faults, again.text, again.calls) == ([], "a", heard.calls)


@pytest.mark.parametrize("left_out", [0, 1, 3, 4, 7, 8])
def test_a_message_without_one_of_its_events_is_found_out(left_out: int) -> None:
    events = [event for place, event in enumerate(MESSAGE) if place != left_out]
    assert listen(MESSAGES, frames(*events, named=True), streamed=True).faults


def _response(status: str = "completed") -> Json:
    item = {"type": "message", "content": [{"type": "output_text", "text": "a"}]}
    return {"id": "r", "object": "response", "status": status, "output": [item], "usage": {"input_tokens": 4}}


RESPONSE: list[Json] = [
    {"type": "response.created", "sequence_number": 0},
    {"type": "response.output_item.added", "sequence_number": 1},
    {"type": "response.output_text.delta", "sequence_number": 2, "delta": "a"},
    {"type": "response.output_item.done", "sequence_number": 3},
    {"type": "response.completed", "sequence_number": 4, "response": _response()},
]


def test_a_response_is_heard_whole_and_streamed() -> None:
    heard = listen(RESPONSES, frames(*RESPONSE, named=True), streamed=True)
    assert (heard.faults, heard.text, heard.prompt_tokens) == ([], "a", 4)
    assert listen(RESPONSES, json.dumps(_response()).encode(), streamed=False) == heard
    assert listen(RESPONSES, json.dumps(_response("failed")).encode(), streamed=False).faults


@pytest.mark.parametrize("left_out", range(5))
def test_a_response_without_one_of_its_events_is_found_out(left_out: int) -> None:
    events = [event for place, event in enumerate(RESPONSE) if place != left_out]
    assert listen(RESPONSES, frames(*events, named=True), streamed=True).faults
