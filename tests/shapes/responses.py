"""Owns what a Responses answer must look like: the SDK's models, and the rules between events that no model states.

Covered: every event and body against the openai SDK's own models, chosen by `type`, strictly; numbering, order, places,
ids, that deltas add up to what their end says, and that the last event holds what the ones before it said. Not covered:
whether the words are right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

Json = dict[str, Any]
LIFE = ("response.created", "response.queued", "response.in_progress")
LAST = ("response.completed", "response.incomplete", "response.failed")
# What streams the text of an item, by the item's type: the event's name, and the field of its end that has the text.
TEXTS = {
    "message": ("response.output_text", "text"),
    "reasoning": ("response.reasoning_text", "text"),
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}
PART_TYPES = {"message": "output_text", "reasoning": "reasoning_text"}


class ShapeBroken(AssertionError):
    """An answer is not what its dialect promises."""


def must(holds: bool, sentence: str) -> None:
    if not holds:
        raise ShapeBroken(sentence)


def read_events(data: bytes) -> list[Json]:
    """The events of a whole stream's bytes. Comments are passed over; each `event:` line must agree with its data."""
    events: list[Json] = []
    for frame in data.split(b"\n\n"):
        if not frame or frame.startswith(b":"):
            continue
        lines = frame.split(b"\n")
        must(len(lines) == 2 and lines[0].startswith(b"event: ") and lines[1].startswith(b"data: "), f"frame {frame!r}")
        event = json.loads(lines[1][6:])
        must(lines[0][7:].decode() == event.get("type"), f"the line {lines[0]!r} names another event than its data")
        events.append(event)
    return events


def check_response(body: Json) -> None:
    """A whole response object, in any state. Raises ShapeBroken, or pydantic's ValidationError."""
    _validated(Response, body)
    must(bool(body["id"]) and bool(body["model"]), "a response has an id and a model")
    output: list[Json] = body["output"]
    ids = [item.get("id") for item in output]
    must(all(ids) and len(set(ids)) == len(ids), f"each item has an id of its own: {ids}")
    for item in output:
        _check_item(item)
    status = body.get("status")
    must((body["error"] is not None) == (status == "failed"), f"error and status {status} disagree")
    must((body["incomplete_details"] is not None) == (status == "incomplete"), f"details and status {status} disagree")
    if status == "completed":
        must(all(item.get("status") == "completed" for item in output), "all items of a complete response are complete")
        must(body.get("usage") is not None, "a complete response has its usage")
    if usage := body.get("usage"):
        must(usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"], f"usage does not add up: {usage}")
        must(usage["input_tokens_details"]["cached_tokens"] <= usage["input_tokens"], "more was cached than was read")


def check_stream(events: Sequence[Json], *, first: int = 0) -> None:
    """A whole stream's events. Raises ShapeBroken, or pydantic's ValidationError.

    Args:
        first: the sequence number that the first event must have; other than 0, the stream began elsewhere, and only
            its numbers and shapes are looked at.
    """
    for event in events:
        _validate_event(event)
    numbers = [event["sequence_number"] for event in events]
    must(numbers == list(range(first, first + len(events))), f"the numbers have a gap: {numbers}")
    if first == 0:
        _Stream().check(events)


def _validate_event(event: Json) -> None:
    model = _models().get(event.get("type", ""))
    must(model is not None, f"{event.get('type')} is no event of the dialect")
    if event["type"] == "response.failed" and event["response"]["error"]["code"] == "context_length_exceeded":
        # The one code beyond the SDK's own list: what Codex looks for before it shortens the conversation.
        error = {**event["response"]["error"], "code": "server_error"}
        event = {**event, "response": {**event["response"], "error": error}}
    _validated(model, event)


@cache
def _models() -> dict[str, Any]:
    """The model of each event's type."""
    union = get_args(ResponseStreamEvent)[0]
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(union)}


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _validated(model: Any, value: Json) -> None:
    _adapter(model).validate_python(value, strict=True)


def _check_item(item: Json) -> None:
    must(item["type"] in TEXTS, f"{item['type']} is no item of ours")
    must(item.get("status") in ("in_progress", "completed", "incomplete"), f"the status of {item['id']} is missing")
    if item["type"] in ("function_call", "custom_tool_call"):
        must(bool(item["call_id"]) and bool(item["name"]), f"the call {item['id']} has a call_id and a name")
    if item["type"] == "function_call" and item["status"] == "completed":
        must(_is_object(item["arguments"]), f"the arguments of {item['id']} are no JSON object")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


class _Stream:
    """Follows a stream event by event."""

    def __init__(self) -> None:
        self.life: list[str] = []
        self.response: Json = {}
        self.added: list[Json] = []
        self.done: list[Json] = []
        self.said: list[str] = []
        self.stage = "closed"

    def check(self, events: Sequence[Json]) -> None:
        must(bool(events), "a stream has events")
        must(events[0]["type"] == LIFE[0], f"the first event is {events[0]['type']}")
        must(events[-1]["type"] in LAST, f"the last event is {events[-1]['type']}")
        for event in events[:-1]:
            must(event["type"] not in LAST, f"events follow {event['type']}")
            if event["type"] in LIFE:
                self._live(event)
            elif event["type"] == "response.output_item.added":
                self._begin(event)
            else:
                self._within(event)
        self._end(events[-1])

    def _live(self, event: Json) -> None:
        kind, response = event["type"], event["response"]
        must(not self.added, f"{kind} comes after items")
        must(not self.life or LIFE.index(kind) > LIFE.index(self.life[-1]), f"{kind} comes after {self.life}")
        must(response["status"] in ("queued", "in_progress"), f"{kind} has status {response['status']}")
        if kind != LIFE[0]:
            must(response["status"] == kind.rpartition(".")[2], f"{kind} has status {response['status']}")
        self._same(response)
        self.life.append(kind)

    def _same(self, response: Json) -> None:
        for name in ("id", "created_at", "model"):
            must(self.response.get(name, response[name]) == response[name], f"the response's {name} changed")
        self.response = response

    def _begin(self, event: Json) -> None:
        item = event["item"]
        must(LIFE[2] in self.life, "an item comes before response.in_progress")
        must(self.stage == "closed", f"{item['id']} begins while another item is open")
        must(event["output_index"] == len(self.added), f"{item['id']} is at {event['output_index']}")
        must(item["id"] not in [one["id"] for one in self.added], f"{item['id']} is there twice")
        must(item["status"] == "in_progress", f"{item['id']} begins as {item['status']}")
        _check_item(item)
        must(not item.get("content") and not item.get("arguments") and not item.get("input"), "an item begins empty")
        self.added.append(item)
        self.said = []
        self.stage = "item"

    def _within(self, event: Json) -> None:
        """An event of the open item: its part begins, its text comes and ends, the part ends, the item ends."""
        kind = event["type"]
        must(self.stage != "closed", f"{kind} belongs to no open item")
        item = self.added[-1]
        must(event["output_index"] == len(self.added) - 1, f"{kind} is at {event['output_index']}")
        must(event.get("item_id", item["id"]) == item["id"], f"{kind} names {event.get('item_id')}, not {item['id']}")
        must(event.get("content_index", 0) == 0, f"{kind} has content_index {event.get('content_index')}")
        text_event, text_field = TEXTS[item["type"]]
        has_part = item["type"] in PART_TYPES
        stages = {
            "response.content_part.added": ("item", "part"),
            f"{text_event}.delta": ("part" if has_part else "item",) * 2,
            f"{text_event}.done": ("part" if has_part else "item", "said"),
            "response.content_part.done": ("said", "through"),
            "response.output_item.done": ("through" if has_part else "said", "closed"),
        }
        must(kind in stages, f"{kind} does not belong to an item of type {item['type']}")
        before, after = stages[kind]
        must(self.stage == before, f"{kind} comes while {item['id']} is at: {self.stage}")
        self.stage = after
        if kind.endswith(".delta"):
            must(event["delta"] != "", "a delta is empty")
            self.said.append(event["delta"])
        elif kind.startswith("response.content_part"):
            must(has_part and event["part"]["type"] == PART_TYPES[item["type"]], f"{kind} has another part")
            must(event["part"]["text"] == "".join(self.said), f"{kind} has another text than the deltas")
        elif kind == "response.output_item.done":
            self._close(event["item"])
        else:
            must(event[text_field] == "".join(self.said), f"{kind} has another text than the deltas")

    def _close(self, item: Json) -> None:
        begun = self.added[-1]
        _check_item(item)
        for name in ("id", "type", "call_id", "name", "namespace", "role"):
            must(item.get(name) == begun.get(name), f"{name} of {begun['id']} changed")
        must(item["status"] != "in_progress", f"{item['id']} ended in progress")
        told = item["content"][0]["text"] if item["type"] in PART_TYPES else item[TEXTS[item["type"]][1]]
        must(told == "".join(self.said), f"{item['id']} ends with another text than the deltas")
        self.done.append(item)

    def _end(self, event: Json) -> None:
        response = event["response"]
        must(response["status"] == event["type"].rpartition(".")[2], f"{event['type']} has {response['status']}")
        self._same(response)
        if event["type"] == "response.failed":
            must(response["error"] is not None, "a failure says what failed")
            must(response["output"][: len(self.done)] == self.done, "the last event's items are not those before it")
            return
        must(self.stage == "closed", "the response ends while an item is open")
        must(LIFE[2] in self.life, "the response ends before it was in progress")
        must(response["output"] == self.done, "the last event's items are not those before it")
        check_response(response)
