"""Owns bringing a response into the parts of a chat's message, and saying what became of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paddock.protocol.chat_thread import Part
from paddock.protocol.shape import as_object, objects_in

_STATUS = {"completed": "complete", "incomplete": "cut", "cancelled": "stopped", "failed": "failed"}
_TITLE_CHARACTERS_MOST = 60


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an answer. `cause` is paddock's own code of a failure, which is told to the page as it is."""

    status: str
    usage: dict[str, Any] | None
    timings: dict[str, Any] | None
    error: dict[str, Any] | None


def parts_of(base: Sequence[Part], output: Sequence[dict[str, Any]]) -> list[Part]:
    """The parts of a message that is made by a response's items, after what stood there before."""
    parts = [dict(part) for part in base]
    for item in output:
        for made in _parts(item):
            last = parts[-1] if parts else None
            if last is not None and made["type"] == "text" and last["type"] == "text":
                last["text"] += made["text"]
            else:
                parts.append(made)
    return parts


def outcome_of(response: dict[str, Any], cause: str) -> Outcome:
    """How a response ended."""
    error = as_object(response.get("error"))
    usage = as_object(response.get("usage"))
    told = None
    if usage is not None:
        details = as_object(usage.get("input_tokens_details")) or {}
        told = {name: usage.get(name) or 0 for name in ("input_tokens", "output_tokens", "total_tokens")}
        told["cached_tokens"] = details.get("cached_tokens") or 0
    return Outcome(
        status=_STATUS.get(str(response.get("status")), "failed"),
        usage=told,
        timings=as_object(response.get("timings")),
        error={"code": cause or str(error.get("code")), "message": str(error.get("message"))} if error else None,
    )


def title_of(text: str) -> str:
    """The first words of a text, for a chat that has no title."""
    words = re.sub(r"\s+", " ", text[: 20 * _TITLE_CHARACTERS_MOST]).strip(" #*`>-")
    if len(words) <= _TITLE_CHARACTERS_MOST:
        return words
    cut = words[:_TITLE_CHARACTERS_MOST]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut[20:] else cut}…"


def _parts(item: dict[str, Any]) -> list[Part]:
    kind = item.get("type")
    if kind in ("message", "reasoning"):
        text = "".join(str(part.get("text") or "") for part in objects_in(item.get("content")))
        if kind == "message":
            return [{"type": "text", "text": text}]
        return [{"type": "reasoning", "text": text, "duration_s": item.get("duration_s")}]
    if kind not in ("function_call", "mcp_call"):
        return []
    call_id = str(item.get("call_id") or item.get("id"))
    call: Part = {
        "type": "tool_call",
        "call_id": call_id,
        "name": str(item.get("name")),
        "arguments": str(item.get("arguments")),
    }
    output, error = item.get("output"), item.get("error")
    if output is None and error is None:
        return [call]
    said = str(error if output is None else output)
    files = {"files": item["files"]} if item.get("files") else {}
    return [call, {"type": "tool_result", "call_id": call_id, "output": said, "is_error": output is None, **files}]
