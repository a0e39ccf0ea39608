"""Owns what a Messages answer must look like: the SDK's models, and the rules between events that no model states.

Covered: every event, body, count and error against the anthropic SDK's own models, chosen by `type`; which event may
follow which, places of blocks, deltas that fit their block, that calls add up to an object, that reason and content
agree. Not covered: whether the words are right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

from anthropic.types import ErrorResponse, Message, MessageTokensCount, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.shapes.responses import ShapeBroken, must

Json = dict[str, Any]
# The deltas that each kind of block is told by, and the field of each.
DELTAS = {
    "text": {"text_delta": "text"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
}
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
__all__ = ["ShapeBroken", "check_count", "check_error", "check_message", "check_stream"]


def check_message(body: Json) -> None:
    """A whole message. Raises ShapeBroken, or pydantic's ValidationError."""
    _validated(Message, body)
    must(bool(body["id"]) and bool(body["model"]), "a message has an id and a model")
    must(set(body) == {*Message.model_fields} & set(body), f"fields that no message has: {sorted(body)}")
    for block in body["content"]:
        must(block["type"] in DELTAS, f"{block['type']} is no block of ours")
        _check_block(block)
    _check_end(body["content"], body["stop_reason"], body["stop_sequence"])
    _check_usage(body["usage"])


def check_count(body: Json) -> None:
    """An answer of count_tokens."""
    _validated(MessageTokensCount, body)
    must(set(body) == {"input_tokens"} and body["input_tokens"] > 0, f"no count of tokens: {body}")


def check_error(body: Json) -> None:
    """The body of an error, or the data of an `error` event."""
    _validated(ErrorResponse, {"request_id": None, **body})
    must(bool(body["error"]["message"]), "an error says what happened")


def check_stream(events: Sequence[Json]) -> None:
    """A whole stream's events. Raises ShapeBroken, or pydantic's ValidationError."""
    must(bool(events), "a stream has events")
    stream = _Stream()
    for event in events:
        must(not stream.is_over, f"{event.get('type')} follows the end")
        _validate_event(event)
        stream.take(event)
    must(stream.is_over, f"the stream ends with {events[-1]['type']}")


def _validate_event(event: Json) -> None:
    kind = event.get("type", "")
    if kind == "ping":
        must(set(event) == {"type"}, f"a ping says nothing: {event}")
    elif kind == "error":
        check_error(event)
    else:
        must(kind in _models(), f"{kind} is no event of the dialect")
        _validated(_models()[kind], event)


@cache
def _models() -> dict[str, Any]:
    """The model of each event's type."""
    union = get_args(RawMessageStreamEvent)[0]
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(union)}


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _validated(model: Any, value: Json) -> None:
    _adapter(model).validate_python(value, strict=True)


def _check_block(block: Json) -> None:
    if block["type"] == "tool_use":
        must(bool(block["id"]) and bool(block["name"]), "a call has an id and a name")
        must(isinstance(block["input"], dict), f"the input of {block['id']} is no object")
    elif block["type"] == "thinking":
        must(bool(block["signature"]), "a thought has its signature")
        must(bool(block["thinking"]), "a thought without words")
    else:
        must(bool(block["text"]), "a text block without text")


def _check_end(content: Sequence[Json], reason: str | None, word: str | None) -> None:
    must(reason is not None, "a message ends for a reason")
    ids = [block["id"] for block in content if block["type"] == "tool_use"]
    must(len(set(ids)) == len(ids), f"two calls share an id: {ids}")
    must((reason == "stop_sequence") == (word is not None), f"reason {reason} and stop_sequence {word!r} disagree")
    if reason != "max_tokens":
        must((reason == "tool_use") == bool(ids), f"reason {reason} with {len(ids)} calls")


def _check_usage(usage: Json) -> None:
    for name in _COUNTS:
        must(isinstance(usage.get(name), int) and usage[name] >= 0, f"usage has no count {name}: {usage}")


class _Stream:
    """Follows a stream event by event."""

    def __init__(self) -> None:
        self.is_over = False
        self._is_begun = False
        self._is_open = False
        self._reason: str | None = None
        self._blocks: list[Json] = []
        self._said: list[str] = []

    def take(self, event: Json) -> None:
        kind = event["type"]
        if kind == "error":
            self.is_over = True
        elif kind == "message_start":
            self._start(event["message"])
        elif kind != "ping":
            must(self._is_begun, f"{kind} comes before message_start")
            getattr(self, f"_{kind}")(event)

    def _start(self, message: Json) -> None:
        must(not self._is_begun, "a message starts twice")
        self._is_begun = True
        must(bool(message["id"]) and bool(message["model"]), "a message has an id and a model")
        must(message["content"] == [] and message["stop_reason"] is None, "a message starts without content and reason")
        _check_usage(message["usage"])

    def _content_block_start(self, event: Json) -> None:
        block = event["content_block"]
        must(self._reason is None, "a block starts after the reason was told")
        must(not self._is_open, f"block {event['index']} starts within another")
        must(event["index"] == len(self._blocks), f"block {event['index']} starts in place {len(self._blocks)}")
        must(block["type"] in DELTAS, f"{block['type']} is no block of ours")
        blank: Json = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
        for name, value in blank[block["type"]].items():
            must(block.get(name) == value, f"a {block['type']} block starts with {name} {block.get(name)!r}")
        self._is_open = True
        self._blocks.append(dict(block))
        self._said = []

    def _content_block_delta(self, event: Json) -> None:
        block, delta = self._at(event), event["delta"]
        field = DELTAS[block["type"]].get(delta["type"], "")
        must(bool(field), f"a {delta['type']} in a {block['type']} block")
        if field == "partial_json":
            self._said.append(delta["partial_json"])
        elif field == "signature":
            block["signature"] = delta["signature"]
        else:
            must(not block.get("signature"), "a thought goes on after its signature")
            block[field] += delta[field]

    def _content_block_stop(self, event: Json) -> None:
        block = self._at(event)
        self._is_open = False
        if block["type"] == "tool_use":
            must(bool(self._said), f"the call {block['id']} has no input")
            block["told"] = "".join(self._said)
        else:
            _check_block(block)

    def _at(self, event: Json) -> Json:
        must(self._is_open and event["index"] == len(self._blocks) - 1, f"block {event['index']} is not open")
        return self._blocks[-1]

    def _message_delta(self, event: Json) -> None:
        must(not self._is_open, "the reason is told within a block")
        must(self._reason is None, "the reason is told twice")
        self._reason = event["delta"]["stop_reason"]
        for block in self._blocks:
            if block["type"] == "tool_use":
                must(self._reason == "max_tokens" or _is_object(block["told"]), f"no object: {block['told']}")
                _check_block(block)
        _check_end(self._blocks, self._reason, event["delta"]["stop_sequence"])
        _check_usage(event["usage"])

    def _message_stop(self, event: Json) -> None:
        must(self._reason is not None, "the message stops without a reason")
        self.is_over = True


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
