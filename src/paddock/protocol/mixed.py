"""Owns bodies that are sent to chat completions in the shape of Responses; refuses to know who sends them. Pure."""

from __future__ import annotations

from typing import Any

from paddock.protocol.responses import to_chat
from paddock.protocol.shape import as_array, as_object


def from_mixed(body: dict[str, Any], *, response_id: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A body of mixed shape in chat form, and what was done about it; any other body as it is.

    Known of Cursor: `input` in place of `messages`, and flat tools. Raises as `responses.to_chat` does.
    """
    if "messages" not in body and "input" in body:
        form = to_chat(body, response_id=response_id)
        return form.body, ("input: taken for messages", *form.adapted)
    tools = as_array(body.get("tools"))
    if tools is None or not any(_is_flat(tool) for tool in tools):
        return body, ()
    nested = [_nested(tool) if _is_flat(tool) else tool for tool in tools]
    return {**body, "tools": nested}, ("tools: flat ones were nested",)


def _is_flat(tool: Any) -> bool:
    read = as_object(tool) or {}
    return read.get("type") == "function" and "name" in read and "function" not in read


def _nested(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
