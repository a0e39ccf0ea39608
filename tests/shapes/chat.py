"""Owns what a chat completion must look like: the SDK's models, and the rules that no model states.

Covered: chunks and bodies against the openai SDK's own models, strictly; one id, roles, indexes, the pieces of calls,
finish reasons, usage. Not covered: whether the words are right; the engine's own fields beside the dialect's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from paddock.protocol.shape import as_object, objects_in
from tests.shapes.responses import ShapeBroken, must

__all__ = ["ShapeBroken", "check_chunks", "check_completion", "read_chunks"]
Json = dict[str, Any]
_CHUNK = TypeAdapter(ChatCompletionChunk)
_BODY = TypeAdapter(ChatCompletion)


def read_chunks(data: bytes) -> list[Json]:
    """The chunks of a whole stream's bytes, which must end with `[DONE]`. Comments are passed over."""
    frames = [frame for frame in data.split(b"\n\n") if frame and not frame.startswith(b":")]
    must(bool(frames) and frames[-1] == b"data: [DONE]", "a stream ends with [DONE]")
    must(all(frame.startswith(b"data: ") for frame in frames), "each frame is one line of data")
    return [json.loads(frame[6:]) for frame in frames[:-1]]


def check_completion(body: Json) -> None:
    """A whole chat completion. Raises ShapeBroken, or pydantic's ValidationError."""
    _BODY.validate_python(body, strict=True)
    must(bool(body["id"]) and bool(body["model"]), "a completion has an id and a model")
    choices: list[Json] = body["choices"]
    must([choice["index"] for choice in choices] == list(range(len(choices))) != [], "choices are numbered from 0")
    for choice in choices:
        calls: list[Json] = choice["message"].get("tool_calls") or []
        _check_calls([{**call["function"], "id": call["id"]} for call in calls], choice["finish_reason"])
    must(body.get("usage") is not None, "a completion has its usage")
    _check_usage(body["usage"])


def check_chunks(chunks: Sequence[Json], *, has_usage: bool | None = None) -> None:
    """A whole stream's chunks. Raises ShapeBroken, or pydantic's ValidationError.

    Args:
        has_usage: whether the last chunk must be that of the usage, or must not be; None: either is right.
    """
    must(bool(chunks), "a stream has chunks")
    for chunk in chunks:
        _CHUNK.validate_python(chunk, strict=True)
    must(len({chunk["id"] for chunk in chunks}) == 1 and bool(chunks[0]["id"]), "all chunks have one id")
    must(len({chunk["model"] for chunk in chunks}) == 1, "all chunks name one model")
    last = chunks[-1]
    ends_with_usage = not last["choices"] and last.get("usage") is not None
    must(has_usage is None or has_usage == ends_with_usage, f"the usage is there: {ends_with_usage}")
    if ends_with_usage:
        _check_usage(last["usage"])
    said = chunks[:-1] if ends_with_usage else chunks
    must(all(chunk["choices"] for chunk in said), "a chunk without choices is not the last, with the usage")
    must(all(chunk.get("usage") is None for chunk in said), "the usage comes once, in a chunk of its own")
    choices = [choice for chunk in said for choice in cast("list[Json]", chunk["choices"])]
    indexes = sorted({choice["index"] for choice in choices})
    must(indexes == list(range(len(indexes))), f"choices are numbered from 0: {indexes}")
    for index in indexes:
        _check_choice([choice for choice in choices if choice["index"] == index])


def _check_choice(choices: Sequence[Json]) -> None:
    """The chunks of one choice."""
    roles = [choice["delta"].get("role") for choice in choices]
    must(roles[0] == "assistant", "the first delta has the role")
    must(not any(roles[1:]), "the role comes once")
    reasons = [choice.get("finish_reason") for choice in choices]
    must([reason is not None for reason in reasons].count(True) == 1, f"one finish reason: {reasons}")
    must(reasons[-1] is not None, "nothing follows the finish reason")
    calls: list[Json] = []
    for choice in choices:
        for call in objects_in(choice["delta"].get("tool_calls")):
            _add_piece(calls, call)
    _check_calls(calls, str(reasons[-1]))


def _add_piece(calls: list[Json], call: Json) -> None:
    function = as_object(call.get("function")) or {}
    if call["index"] == len(calls):
        must(bool(call.get("id")) and bool(function.get("name")), "a call's first piece has its id and its name")
        must(call.get("type") == "function", "a call's first piece has its type")
        calls.append({"id": call["id"], "name": function["name"], "arguments": function.get("arguments") or ""})
        return
    must(0 <= call["index"] < len(calls), f"call {call['index']} comes before those of lower indexes")
    must(not call.get("id") and not function.get("name"), "a call's id and name come once")
    calls[call["index"]]["arguments"] += function.get("arguments") or ""


def _check_calls(calls: Sequence[Json], reason: str) -> None:
    ids = [call["id"] for call in calls]
    must(all(ids) and len(set(ids)) == len(ids), f"each call has an id of its own: {ids}")
    must(reason in ("tool_calls", "length") if calls else reason != "tool_calls", f"{len(calls)} calls and {reason}")
    for call in calls:
        must(bool(call["name"]), "a call has a name")
        must(reason == "length" or _is_object(call["arguments"]), f"no JSON object: {call['arguments']!r}")


def _check_usage(usage: Json) -> None:
    must(usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], f"does not add up: {usage}")
    details = as_object(usage.get("prompt_tokens_details")) or {}
    must((details.get("cached_tokens") or 0) <= usage["prompt_tokens"], "more was cached than was read")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
