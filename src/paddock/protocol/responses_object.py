"""Owns the response object and the items it holds; refuses to know events and where an answer comes from. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from paddock.protocol.chat import is_cut
from paddock.protocol.responses_tools import Origin
from paddock.protocol.shape import as_object

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
# What the answer says of its request, and what it says where the request was silent.
_ECHOED: dict[str, Any] = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "metadata": {},
    "parallel_tool_calls": True, "previous_response_id": None, "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None}, "safety_identifier": None, "service_tier": "default", "store": True,
    "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_logprobs": 0,
    "top_p": 1.0, "truncation": "disabled", "user": None, "background": False,
}  # fmt: skip


@dataclass(kw_only=True)
class Item:
    """One item of the output. Its `pieces` add up to its text: words, or the JSON of a call's arguments."""

    fields: dict[str, Any]
    pieces: list[str]
    delta_event: str
    done_event: str
    delta_fields: str = '"content_index": 0, '
    index: int = 0

    @property
    def text(self) -> str:
        """All that came so far."""
        return "".join(self.pieces)

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.fields["id"])

    @property
    def is_call(self) -> bool:
        """Whether the item is a call of either kind."""
        return self.fields["type"] in ("function_call", "custom_tool_call")

    @property
    def is_custom(self) -> bool:
        """Whether the item is a call of a custom tool, whose input is plain text."""
        return self.fields["type"] == "custom_tool_call"

    def part(self, text: str) -> dict[str, Any] | None:
        """The content part that holds a text; None for a call, which has none."""
        if self.fields["type"] == "message":
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        return {"type": "reasoning_text", "text": text} if self.fields["type"] == "reasoning" else None

    def begun(self) -> dict[str, Any]:
        """The item while nothing of it is known."""
        status = {"status": "in_progress"}
        if self.is_call:
            return {**self.fields, **status, "input" if self.is_custom else "arguments": ""}
        return {**self.fields, **status, "content": []}

    def whole(self) -> dict[str, Any]:
        """The item as it is now."""
        if self.is_custom:
            return {**self.fields, "status": "completed", "input": self.custom_input()}
        if self.is_call:
            status = "incomplete" if is_cut(self.text) else "completed"
            return {**self.fields, "status": status, "arguments": self.text}
        return {**self.fields, "status": "completed", "content": [self.part(self.text)]}

    def done_fields(self) -> dict[str, Any]:
        """What the event says that ends the item's text."""
        if self.is_custom:
            return {"input": self.custom_input()}
        if self.is_call:
            return {"arguments": self.text, "name": self.fields["name"]}
        done: dict[str, Any] = {"content_index": 0, "text": self.text}
        return {**done, "logprobs": []} if self.fields["type"] == "message" else done

    def custom_input(self) -> str:
        """The plain text of a custom call; what cannot be read is given as it is."""
        if is_cut(self.text):
            return self.text
        return str((as_object(json.loads(self.text or "{}")) or {}).get("input", ""))


def text_item(item_id: str, text: str) -> Item:
    """A message of the assistant."""
    return Item(
        fields={"id": item_id, "type": "message", "role": "assistant"},
        pieces=[text],
        delta_event="response.output_text.delta",
        done_event="response.output_text.done",
        delta_fields='"content_index": 0, "logprobs": [], ',
    )


def reasoning_item(item_id: str, text: str) -> Item:
    """The model's thoughts."""
    return Item(
        fields={"id": item_id, "type": "reasoning", "summary": []},
        pieces=[text],
        delta_event="response.reasoning_text.delta",
        done_event="response.reasoning_text.done",
    )


def function_item(item_id: str, call_id: str, origin: Origin, arguments: str) -> Item:
    """A call of a tool, under the name the client gave it."""
    named = {"name": origin.name, **({"namespace": origin.namespace} if origin.namespace else {})}
    kind = "custom_tool_call" if origin.kind == "custom" else "function_call"
    event = "response.custom_tool_call_input" if origin.kind == "custom" else "response.function_call_arguments"
    return Item(
        fields={"id": item_id, "type": kind, "call_id": call_id, **named},
        pieces=[arguments],
        delta_event=f"{event}.delta",
        done_event=f"{event}.done",
        delta_fields="",
    )


@dataclass(kw_only=True)
class Snapshot:
    """The response as it is now.

    Args:
        response_id: its id, such as `resp_…`.
        created_s: when it was asked for, in whole seconds since 1970.
        model: the name that the client asked for.
        request: the client's body, of which the response repeats a part.
    """

    response_id: str
    created_s: int
    model: str
    request: dict[str, Any]
    status: Status = "in_progress"
    output: list[Item] = field(default_factory=list[Item])
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    incomplete: dict[str, Any] | None = None

    def item_id(self, prefix: str) -> str:
        """The id of the next item."""
        return f"{prefix}_{self.response_id.rsplit('_', 1)[-1]}_{len(self.output)}"

    def add(self, item: Item) -> None:
        """Append an item to the output."""
        item.index = len(self.output)
        self.output.append(item)

    def end(self, *, is_unfinished: bool, is_filtered: bool) -> None:
        """The answer is over: complete, or cut short for a reason that is told."""
        self.status = "incomplete" if is_unfinished or is_filtered else "completed"
        if self.status == "incomplete":
            self.incomplete = {"reason": "content_filter" if is_filtered else "max_output_tokens"}

    def fail(self, code: str, message: str) -> None:
        """The answer broke off."""
        self.status = "failed"
        self.error = {"code": code, "message": message}

    def response(self) -> dict[str, Any]:
        """The whole object."""
        said = {name: self.request[name] for name in _ECHOED if self.request.get(name) is not None}
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self.created_s,
            "status": self.status,
            "error": self.error,
            "incomplete_details": self.incomplete,
            "model": self.model,
            "output": [item.whole() for item in self.output],
            "usage": self.usage,
            **_ECHOED,
            **said,
        }
