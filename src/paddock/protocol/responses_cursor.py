"""Owns reading chat bodies that have parts of a Responses request in them, as Cursor is reported to send. Pure."""

from __future__ import annotations

from typing import Any

from paddock.errors import BadRequest
from paddock.protocol.responses import to_chat
from paddock.protocol.responses_tools import tool_choice_of, tools_of
from paddock.protocol.shape import as_array, as_object, objects_in

_TEXTS = ("input_text", "output_text")
_PARTS = (*_TEXTS, "input_image")


def adapt_cursor(body: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A body of the chat lane in chat form, and what was put otherwise; the very same object where nothing is.

    Covered: `input` in place of `messages`, with all that a Responses request may have beside it; flat tools and custom
    ones, which become functions with one text, `input`; flat choices of a tool; content parts named as in Responses.

    Raises:
        FieldInvalid, BadRequest: as for a Responses request; `previous_response_id`, which that lane does not keep.
    """
    if body.get("messages") is None and isinstance(body.get("input"), (str, list)):
        return _from_input(body)
    notes: dict[str, None] = {}
    changed = {**_messages(body, notes), **_tools(body, notes)}
    return ({**body, **changed}, tuple(notes)) if changed else (body, ())


def _from_input(body: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    if body.get("previous_response_id") is not None:
        sentence = "previous_response_id: chat completions keep nothing. Send it to /v1/responses, or send all items."
        raise BadRequest(sentence, param="previous_response_id")
    form = to_chat(body, response_id="chat")
    chat = {name: value for name, value in form.body.items() if name != "stream_options"}
    if as_object(body.get("stream_options")) is not None:
        chat["stream_options"] = body["stream_options"]
    return chat, ("input: read as messages", *form.adapted)


def _messages(body: dict[str, Any], notes: dict[str, None]) -> dict[str, Any]:
    """The messages with the chat lane's names of content parts, where another lane's stand."""
    messages = as_array(body.get("messages")) or []
    if not any(part.get("type") in _PARTS for one in objects_in(messages) for part in objects_in(one.get("content"))):
        return {}
    notes["messages: content parts renamed as in chat completions"] = None
    return {"messages": [_message(one) for one in messages]}


def _message(message: Any) -> Any:
    read = as_object(message)
    parts = as_array((read or {}).get("content"))
    if read is None or parts is None:
        return message
    return {**read, "content": [_part(part) for part in parts]}


def _part(part: Any) -> Any:
    read = as_object(part) or {}
    if read.get("type") in _TEXTS:
        return {"type": "text", "text": read.get("text")}
    if read.get("type") == "input_image" and isinstance(read.get("image_url"), str):
        return {"type": "image_url", "image_url": {"url": read["image_url"]}}
    return part


def _tools(body: dict[str, Any], notes: dict[str, None]) -> dict[str, Any]:
    """The tools in chat form, where one of them is not, and with them the choice of one."""
    tools, choice = objects_in(body.get("tools")), as_object(body.get("tool_choice"))
    is_flat = any(tool.get("type") == "custom" or _is_flat(tool) for tool in tools)
    if not is_flat and not (choice and _is_flat(choice)):
        return {}
    found = tools_of(body.get("tools"), notes)
    notes["tools: put in the form of chat completions"] = None
    for origin in found.origins.values():
        if origin.kind == "custom":
            notes[f"tools: {origin.name[:40]} is a function with one text, input"] = None
    changed: dict[str, Any] = {"tools": found.tools}
    if choice is not None:
        changed["tool_choice"] = tool_choice_of(choice, found, notes)
    return changed


def _is_flat(one: dict[str, Any]) -> bool:
    return one.get("type") in ("function", "custom") and isinstance(one.get("name"), str) and "function" not in one
