"""Owns the framing of server-sent events and the filter that a relayed stream passes; refuses to know sockets."""

from __future__ import annotations

import json
import re
from typing import Any

from paddock.protocol.shape import as_object, is_json, objects_in

_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_MARKS = (b'"usage"', b'"prompt_progress"')
_CALL_MARK = b'"tool_calls"'
_FINISHED_BY_CALL = re.compile(rb'("finish_reason"\s*:\s*)"tool_calls"')
_CONTENT = re.compile(rb'("content"\s*:\s*)"(?:[^"\\]|\\.)+"')
# A frame larger than this is handed on as it comes, unexamined, rather than held.
_HOLD_BYTES = 8 * 2**20


def comment(text: str) -> bytes:
    """An SSE comment, which every client ignores. `text` must not hold a line break."""
    return b": " + text.encode() + b"\n\n"


def cut_call_repaired(body: bytes) -> bytes:
    """A non-streamed chat answer in which a call was cut by the token limit, with `length` as its finish reason.

    The bytes are returned unchanged unless a choice that finished by `tool_calls` has arguments that are not JSON.
    """
    if not _FINISHED_BY_CALL.search(body):
        return body
    try:
        cut = [
            any(_is_cut(call["function"]["arguments"]) for call in choice["message"]["tool_calls"])
            for choice in json.loads(body)["choices"]
            if choice.get("finish_reason") == "tool_calls"
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return body
    # The reasons stand in the body in the order of their choices.
    are_cut = iter(cut)
    return _FINISHED_BY_CALL.sub(lambda found: found[1] + b'"length"' if next(are_cut, False) else found[0], body)


def cut_name_removed(body: bytes) -> bytes:
    """A non-streamed answer to a forced call, without the piece of a name that it holds where the name was cut.

    The engine has no call to put such a piece in and takes it for text; streamed, it says nothing.
    """
    try:
        choices = objects_in(json.loads(body)["choices"])
    except (ValueError, KeyError, TypeError):
        return body
    if any((as_object(choice.get("message")) or {}).get("tool_calls") for choice in choices):
        return body
    return _CONTENT.sub(rb'\1""', body)


class StreamFilter:
    """Passes a stream on in whole frames, unchanged but for the documented amendments.

    Removed: frames with `prompt_progress` and the usage frame (`"choices": []`), where paddock asked for them and the
    client did not. Amended: the finish reason of a tool call that the token limit cut. A frame is parsed only when its
    bytes hold one of the marks; all others are compared, not read. Bytes of an unfinished frame are held until it ends,
    so a broken stream never ends inside a frame.
    """

    def __init__(self, *, keep_usage: bool, keep_progress: bool, watch_calls: bool = False) -> None:
        self._keep_usage = keep_usage
        self._keep_progress = keep_progress
        self._watch_calls = watch_calls
        self._calls: list[bytes] = []
        self._held: bytes = b""
        self._tail = b""
        self.amended: list[str] = []

    @property
    def is_complete(self) -> bool:
        """Whether the stream's last frame, `[DONE]`, has passed: whatever breaks after it breaks nothing."""
        return self._tail.rstrip().endswith(b"data: [DONE]")

    def feed(self, data: bytes) -> bytes:
        """What may go to the client now."""
        self._tail = data[-32:] if len(data) >= 32 else (self._tail + data)[-32:]
        if not self._held and data.endswith(b"\n\n") and not self._is_marked(data):
            return data
        # What was held has no boundary, but may end within one.
        unseen = max(0, len(self._held) - 3)
        data = self._held + data
        end = self._last_boundary(data, unseen)
        if not end:
            self._held = data
            if len(data) <= _HOLD_BYTES:
                return b""
            self._held = b""
            return data
        whole, self._held = data[:end], data[end:]
        return self._examined(whole) if self._is_marked(whole) else whole

    def finish(self) -> bytes:
        """What is left at the orderly end of the stream: an unfinished frame is handed on as it is."""
        rest, self._held = self._held, b""
        return self._examined(rest) if self._is_marked(rest) else rest

    def _is_marked(self, data: bytes) -> bool:
        return any(mark in data for mark in _MARKS) or (self._watch_calls and _CALL_MARK in data)

    @staticmethod
    def _last_boundary(data: bytes, start: int) -> int:
        end = 0
        for mark in (b"\n\n", b"\r\n\r\n", b"\r\r"):
            at = data.rfind(mark, start)
            if at >= 0:
                end = max(end, at + len(mark))
        return end

    def _examined(self, data: bytes) -> bytes:
        kept: list[bytes] = []
        start = 0
        for boundary in _BOUNDARY.finditer(data):
            kept.append(self._one(data[start : boundary.end()]))
            start = boundary.end()
        if start < len(data):
            kept.append(self._one(data[start:]))
        return b"".join(kept)

    def _one(self, event: bytes) -> bytes:
        if self._watch_calls and _CALL_MARK in event:
            event = self._call_watched(event)
        if not any(mark in event for mark in _MARKS):
            return event
        content = as_object(_data_of(event))
        if content is None:
            return event
        is_progress = "prompt_progress" in content
        is_usage = content.get("choices") == [] and as_object(content.get("usage")) is not None
        if (is_progress and not self._keep_progress) or (is_usage and not self._keep_usage):
            # Blank lines before a frame belong to nobody: whether they were sent already depends on the pieces.
            return event[: len(event) - len(event.lstrip(b"\r\n"))]
        return event

    def _call_watched(self, event: bytes) -> bytes:
        """Remember call deltas unread; when the call is said to be finished, read them and check its arguments."""
        if not _FINISHED_BY_CALL.search(event):
            self._calls.append(event)
            return event
        # Only the choices that end here are judged: with several, others are still at their calls.
        ended = _ended_by_call(_data_of(event))
        arguments: dict[tuple[int, int], str] = {}
        for earlier in [*self._calls, event]:
            for key, piece in _argument_pieces(_data_of(earlier)):
                arguments[key] = arguments.get(key, "") + piece
        if not any(_is_cut(text) for (choice, _), text in arguments.items() if choice in ended):
            return event
        self.amended.append("finish_reason length: the call was cut")
        return _FINISHED_BY_CALL.sub(rb'\1"length"', event)


def _ended_by_call(content: Any) -> list[Any]:
    """The indexes of the choices that one chunk says to be finished by `tool_calls`."""
    choices = objects_in((as_object(content) or {}).get("choices"))
    return [choice.get("index", 0) for choice in choices if choice.get("finish_reason") == "tool_calls"]


def _argument_pieces(content: Any) -> list[tuple[tuple[int, int], str]]:
    """(choice index, call index) and argument text of every call delta in one chunk."""
    return [
        (
            (choice.get("index", 0), call.get("index", 0)),
            str((as_object(call.get("function")) or {}).get("arguments") or ""),
        )
        for choice in objects_in((as_object(content) or {}).get("choices"))
        for call in objects_in((as_object(choice.get("delta")) or {}).get("tool_calls"))
    ]


def _data_of(event: bytes) -> Any:
    """The JSON of an event's data lines, or None."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    try:
        return json.loads(b"\n".join(lines))
    except ValueError:
        return None


def _is_cut(arguments: object) -> bool:
    """Whether the text of a call's arguments began and did not become JSON. No text at all is a call without any."""
    return isinstance(arguments, str) and arguments != "" and not is_json(arguments)
