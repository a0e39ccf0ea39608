"""Owns bringing a thread of the page's chats into a request for a response; refuses to know where it is kept. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Part = dict[str, Any]
# Fields of a response's request that settings may hold as they are; engines know those that the dialect does not.
_AS_THEY_ARE = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "seed",
    "max_output_tokens", "stop",
)  # fmt: skip
# How long a call of a tool waits until somebody in the chat has said whether it may be carried out.
_APPROVAL_S = 3600.0
# What settings cannot change: how a chat's answer is made, and from what.
_FIXED = (
    "input", "instructions", "background", "store", "stream", "previous_response_id", "conversation", "prompt",
    "metadata", "model",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message of a thread."""

    role: str
    content: Sequence[Part] = ()


@dataclass(frozen=True, kw_only=True)
class Enclosed:
    """What is attached to a thread: an image's bytes, or a document's text."""

    name: str
    media_type: str
    data: bytes = b""
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How an answer is to be made. `begun` are the parts that it goes on from."""

    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    begun: Sequence[Part] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


def request_of(thread: Sequence[Said], enclosed: Mapping[str, Enclosed], wanted: Wanted) -> dict[str, Any]:
    """The body of `POST /v1/responses` that answers a thread, or goes on with what was begun of its answer."""
    settings = wanted.settings
    extra: dict[str, Any] = settings.get("extra") or {}
    body = {name: value for name, value in extra.items() if name not in _FIXED}
    body |= {name: settings[name] for name in _AS_THEY_ARE if settings.get(name) is not None}
    if wanted.begun:
        # A turn past its thinking cannot think: engines refuse to go on with one where thinking is on.
        body["enable_thinking"] = False
    elif settings.get("thinking") is not None:
        body["enable_thinking"] = settings["thinking"]
    if settings.get("effort") and not wanted.begun:
        body["reasoning"] = {"effort": settings["effort"]}
    items = [item for said in thread for item in _items(said, enclosed)]
    if begun := text_of(wanted.begun, kinds=("text",)):
        items.append(_spoken("assistant", [{"type": "output_text", "text": begun}]))
    if settings.get("tools"):
        # They work in a place of the chat's own.
        body |= {"enable_tools": True, "enabled_tools": settings["tools"], "session_id": wanted.metadata.get("chat_id")}
    if body.get("enable_tools"):
        # Whoever chats is there to be asked, and may come back to it later.
        body |= {"tool_permissions": {"*": "ask"}, "tool_approval_timeout": _APPROVAL_S}
    if settings.get("system"):
        body["instructions"] = settings["system"]
    if wanted.model:
        body["model"] = wanted.model
    return {**body, "input": items, "background": True, "store": True, "metadata": dict(wanted.metadata)}


def text_of(content: Sequence[Part], kinds: Sequence[str] = ("text", "tool_result")) -> str:
    """What parts of these kinds say."""
    said = (part.get("text") or part.get("output") or "" for part in content if part["type"] in kinds)
    return "\n\n".join(text for text in said if text)


def _items(said: Said, enclosed: Mapping[str, Enclosed]) -> list[dict[str, Any]]:
    if said.role == "assistant":
        return _answered(said.content)
    if said.role == "tool":
        return [_item(part) for part in said.content if part["type"] == "tool_result"]
    parts = [made for part in said.content if (made := _part(part, enclosed)) is not None]
    return [_spoken(said.role, parts)] if parts else []


def _answered(content: Sequence[Part]) -> list[dict[str, Any]]:
    """An answer's items. Its thoughts belong to the conversation only where they led to calls."""
    has_calls = any(part["type"] == "tool_call" for part in content)
    items: list[dict[str, Any]] = []
    for part in content:
        if part["type"] == "text" and part["text"]:
            items.append(_spoken("assistant", [{"type": "output_text", "text": part["text"]}]))
        elif part["type"] == "reasoning" and has_calls:
            thoughts = [{"type": "reasoning_text", "text": part["text"]}]
            items.append({"type": "reasoning", "summary": [], "content": thoughts})
        elif part["type"] in ("tool_call", "tool_result"):
            items.append(_item(part))
    return items


def _item(part: Part) -> dict[str, Any]:
    if part["type"] == "tool_call":
        fields = {"name": part["name"], "arguments": part["arguments"]}
        return {"type": "function_call", "call_id": part["call_id"], **fields}
    return {"type": "function_call_output", "call_id": part["call_id"], "output": part["output"]}


def _part(part: Part, enclosed: Mapping[str, Enclosed]) -> dict[str, Any] | None:
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]} if part["text"] else None
    found = enclosed.get(part.get("attachment_id", ""))
    if found is None:
        return None
    if found.text is not None:
        return {"type": "input_text", "text": f"Document {found.name}:\n\n{found.text}"}
    return {
        "type": "input_image",
        "image_url": f"data:{found.media_type};base64,{base64.b64encode(found.data).decode()}",
    }


def _spoken(role: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}
