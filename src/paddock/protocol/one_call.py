"""Owns holding an answer to one tool call where the request asked for no parallel ones. Pure.

Engines leave it to the model whether it calls once or often, whatever the request says.
"""

from __future__ import annotations

import json
import re
from typing import Any

from paddock.protocol.shape import as_object, objects_in

_MARK = b'"tool_calls"'
_BOUNDARY = re.compile(rb"(?<=\n\n)")


def one_call_body(body: bytes) -> tuple[bytes, int]:
    """A whole chat answer with the first call of each choice alone, and how many were left out; itself if none was."""
    if _MARK not in body:
        return body, 0
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return body, 0
    left_out = 0
    for choice in objects_in((as_object(answer) or {}).get("choices")):
        message = as_object(choice.get("message")) or {}
        calls = objects_in(message.get("tool_calls"))
        if len(calls) > 1:
            left_out += len(calls) - 1
            message["tool_calls"] = calls[:1]
    return (json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") if left_out else body), left_out


class OneCall:
    """Passes a stream of whole frames on without any call after the first; other frames stay as they are."""

    def __init__(self) -> None:
        self._left_out: set[tuple[int, int]] = set()

    @property
    def left_out(self) -> int:
        """How many calls did not go on."""
        return len(self._left_out)

    def feed(self, data: bytes) -> bytes:
        """What may go on of some whole frames."""
        if _MARK not in data:
            return data
        return b"".join(self._frame(frame) if _MARK in frame else frame for frame in _BOUNDARY.split(data))

    def _frame(self, frame: bytes) -> bytes:
        try:
            chunk = as_object(json.loads(frame.strip().removeprefix(b"data:")))
        except ValueError:
            return frame
        choices = objects_in((chunk or {}).get("choices"))
        is_changed = False
        for choice in choices:
            delta = as_object(choice.get("delta")) or {}
            calls = objects_in(delta.get("tool_calls"))
            further = [call for call in calls if call.get("index")]
            if further:
                is_changed = True
                self._left_out |= {(choice.get("index", 0), call["index"]) for call in further}
                delta["tool_calls"] = [call for call in calls if not call.get("index")]
        if not is_changed:
            return frame
        if all(_says_nothing(choice) for choice in choices):
            return b""
        return (
            b"data: "
            + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            + b"\n\n"
        )


def _says_nothing(choice: dict[str, Any]) -> bool:
    delta = as_object(choice.get("delta")) or {}
    return not choice.get("finish_reason") and not any(delta.values())
