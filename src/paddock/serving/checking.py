"""Owns checking finished tool calls against the full schemas of their tools; refuses to change an answer.

Decoding is held to a copy of the schemas that an engine can make a grammar of, and a free answer to none at all. So a
call may be well formed and still not be what its tool asked for: that is told, and the call goes to the client as the
model made it.
"""

from __future__ import annotations

import json
from typing import Any

import anyio.to_thread

from paddock.protocol.chat import Frames, calls_in, is_cut
from paddock.protocol.schema_checking import faults_of
from paddock.protocol.shape import as_object, objects_in

_MARK = b'"tool_calls"'
_HELD_MOST_BYTES = 8 * 2**20
_TOLD_MOST = 8


class Checker:
    """Gathers the calls of one answer. `tools` are those of the request, as the client sent them."""

    def __init__(self, tools: list[Any]) -> None:
        self._functions = {
            str(function.get("name")): function for tool in objects_in(tools) if (function := _function(tool))
        }
        self._held: list[bytes] = []
        self._held_bytes = 0

    def watch(self, data: bytes) -> None:
        """See frames of a stream go by. They are read when it is over."""
        if _MARK in data and self._held_bytes <= _HELD_MOST_BYTES:
            self._held.append(data)
            self._held_bytes += len(data)

    async def unfit(self) -> list[str]:
        """One line for each fault of the calls that went by, such as `get_weather: /city 1 is not of type "string"`."""
        if not self._held or self._held_bytes > _HELD_MOST_BYTES:
            return []
        return await anyio.to_thread.run_sync(lambda: self._faults(_streamed_calls(self._held)))

    async def unfit_in(self, body: bytes) -> list[str]:
        """The same for a whole answer."""
        if _MARK not in body:
            return []
        return await anyio.to_thread.run_sync(lambda: self._faults(_whole_calls(body)))

    def _faults(self, calls: list[tuple[str, str]]) -> list[str]:
        lines: list[str] = []
        for name, arguments in calls:
            if is_cut(arguments):
                # Its finish reason tells of that.
                continue
            function = self._functions.get(name)
            if function is None:
                lines.append(f"{name[:60]}: no such tool was offered")
            elif function.get("parameters") is not None:
                lines += [f"{name[:60]}: {fault}" for fault in faults_of(arguments or "{}", function["parameters"])]
        more = [f"and {len(lines) - _TOLD_MOST} more"] if len(lines) > _TOLD_MOST else []
        return [*lines[:_TOLD_MOST], *more]


def _function(tool: dict[str, Any]) -> dict[str, Any] | None:
    return as_object(tool.get("function"))


def _whole_calls(body: bytes) -> list[tuple[str, str]]:
    try:
        answer = as_object(json.loads(body)) or {}
    except ValueError:
        return []
    messages = (as_object(choice.get("message")) or {} for choice in objects_in(answer.get("choices")))
    return [(name, arguments) for message in messages for _, name, arguments in calls_in(message)]


def _streamed_calls(held: list[bytes]) -> list[tuple[str, str]]:
    calls: dict[tuple[Any, Any], list[str]] = {}
    for chunk in Frames().feed(b"".join(held)):
        for choice in objects_in(chunk.get("choices")):
            for piece in objects_in((as_object(choice.get("delta")) or {}).get("tool_calls")):
                function = as_object(piece.get("function")) or {}
                call = calls.setdefault((choice.get("index", 0), piece.get("index", 0)), ["", ""])
                call[0] = call[0] or str(function.get("name") or "")
                call[1] += str(function.get("arguments") or "")
    return [(name, arguments) for name, arguments in calls.values()]
