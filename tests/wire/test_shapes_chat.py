"""Tests that the checks of chat completions accept what the dialect allows and catch what is planted."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.shapes.chat import ShapeBroken, check_chunks, check_completion, read_chunks

Json = dict[str, Any]
USAGE: Json = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
               "prompt_tokens_details": {"cached_tokens": 1}}  # fmt: skip


def piece(delta: Json, reason: str | None = None, **fields: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return {**told, **fields}


def call(arguments: str, at: int = 0, **fields: Any) -> Json:
    return {"tool_calls": [{"index": at, **fields, "function": {"arguments": arguments}}]}


def named(at: int, call_id: str) -> Json:
    function = {"name": "look", "arguments": ""}
    return {"tool_calls": [{"index": at, "id": call_id, "type": "function", "function": function}]}


def good() -> list[Json]:
    return [
        piece({"role": "assistant", "content": None}),
        piece({"reasoning_content": "hm"}),
        piece({"content": "Look"}),
        piece(named(0, "a")),
        piece(call('{"x":')),
        piece(call("1}")),
        piece(named(1, "b")),
        piece(call("{}", 1)),
        piece({}, "tool_calls"),
        piece({}, choices=[], usage=USAGE),
    ]


def body() -> Json:
    calls = [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    told = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE}
    return {**told, "choices": [choice]}


def test_what_the_dialect_allows_is_accepted() -> None:
    check_chunks(good(), has_usage=True)
    check_chunks(good()[:-1], has_usage=False)
    check_chunks([*good()[:5], piece({}, "length")])
    check_chunks([good()[0], piece({"content": "Hi"}), piece({}, "stop")])
    check_completion(body())
    data = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in good())
    assert read_chunks(b": note\n\n" + data + b"data: [DONE]\n\n") == good()
    with pytest.raises(ShapeBroken):
        read_chunks(data)


def delta_of(chunks: list[Json], place: int) -> Json:
    return chunks[place]["choices"][0]["delta"]


def call_of(chunks: list[Json], place: int) -> Json:
    return delta_of(chunks, place)["tool_calls"][0]


FAULTS: dict[str, Callable[[list[Json]], Any]] = {
    "no id": lambda chunks: chunks[2].pop("id"),
    "another id": lambda chunks: chunks[2].update(id="chatcmpl-2"),
    "another model": lambda chunks: chunks[2].update(model="n"),
    "another object": lambda chunks: chunks[2].update(object="chat.completion"),
    "a time as text": lambda chunks: chunks[2].update(created="1"),
    "no index of a choice": lambda chunks: chunks[2]["choices"][0].pop("index"),
    "choices from one": lambda chunks: [one["choices"][0].update(index=1) for one in chunks[:-1]],
    "no role": lambda chunks: delta_of(chunks, 0).pop("role"),
    "the role twice": lambda chunks: delta_of(chunks, 1).update(role="assistant"),
    "no index of a call": lambda chunks: call_of(chunks, 4).pop("index"),
    "a call that skips an index": lambda chunks: call_of(chunks, 6).update(index=2),
    "no id of a call": lambda chunks: call_of(chunks, 3).pop("id"),
    "no type of a call": lambda chunks: call_of(chunks, 3).pop("type"),
    "no name of a call": lambda chunks: call_of(chunks, 3)["function"].pop("name"),
    "the id of a call twice": lambda chunks: call_of(chunks, 4).update(id="a"),
    "two calls of one id": lambda chunks: call_of(chunks, 6).update(id="a"),
    "a lost piece of arguments": lambda chunks: chunks.pop(5),
    "arguments that are no object": lambda chunks: call_of(chunks, 7)["function"].update(arguments="[]"),
    "no finish reason": lambda chunks: chunks.pop(8),
    "two finish reasons": lambda chunks: chunks.insert(8, copy.deepcopy(chunks[8])),
    "words after the finish reason": lambda chunks: chunks.insert(9, piece({"content": "x"})),
    "stop in place of tool_calls": lambda chunks: chunks[8]["choices"][0].update(finish_reason="stop"),
    "a finish reason nobody knows": lambda chunks: chunks[8]["choices"][0].update(finish_reason="end_turn"),
    "usage before the end": lambda chunks: chunks[2].update(usage=USAGE),
    "usage that is not last": lambda chunks: chunks.insert(2, chunks.pop()),
    "usage that does not add up": lambda chunks: chunks[9].update(usage={**USAGE, "total_tokens": 9}),
    "no usage": lambda chunks: chunks.pop(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str) -> None:
    chunks = good()
    FAULTS[fault](chunks)
    with pytest.raises((ShapeBroken, ValidationError)):
        check_chunks(chunks, has_usage=True)


BODY_FAULTS: dict[str, Callable[[Json], Any]] = {
    "no id": lambda one: one.update(id=""),
    "no choices": lambda one: one.update(choices=[]),
    "another role": lambda one: one["choices"][0]["message"].update(role="user"),
    "a call without an id": lambda one: one["choices"][0]["message"]["tool_calls"][0].update(id=""),
    "a call without a name": lambda one: one["choices"][0]["message"]["tool_calls"][0]["function"].update(name=""),
    "a cut call": lambda one: one["choices"][0]["message"]["tool_calls"][0]["function"].update(arguments='{"x'),
    "tool_calls without a call": lambda one: one["choices"][0]["message"].pop("tool_calls"),
    "no finish reason": lambda one: one["choices"][0].update(finish_reason=None),
    "no usage": lambda one: one.pop("usage"),
    "more cached than read": lambda one: one.update(usage={**USAGE, "prompt_tokens_details": {"cached_tokens": 4}}),
}


@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_a_fault_planted_in_a_whole_completion_is_caught(fault: str) -> None:
    one = copy.deepcopy(body())
    BODY_FAULTS[fault](one)
    with pytest.raises((ShapeBroken, ValidationError)):
        check_completion(one)
