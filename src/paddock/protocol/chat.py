"""Owns the chat form that other dialects are brought into, and reading the engine's chat stream in chunks. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from paddock.protocol.shape import as_object, is_json, objects_in

# How an engine begins a frame that only says a text, and what else may be in one.
_HEAD = b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"'
_FIELDS = {"choices", "created", "id", "model", "object", "system_fingerprint"}
# A JSON text that is written as it is read.
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]+')
_LEARNED_IN_VAIN_MOST = 8


@dataclass(frozen=True, kw_only=True)
class ChatForm:
    """A request of another dialect as a chat body. `adapted` says what was left out or put otherwise."""

    body: dict[str, Any]
    adapted: tuple[str, ...] = ()


class Frames:
    """Cuts the engine's stream into chunks, however its bytes were split."""

    def __init__(self) -> None:
        self._held = b""
        self._tail = b""
        self._learned_in_vain = 0

    def texts(self, data: bytes) -> list[str] | None:
        """The texts of frames that each say a text and nothing else; None for all other data, which `feed` reads.

        Nearly all frames of an answer differ in their text alone: what stands around it is learned from one that was
        parsed, and the others are compared with that, which costs a fraction of reading them.
        """
        if self._held or not data.startswith(_HEAD):
            return None
        if not self._tail or not data.endswith(self._tail):
            self._learn(data)
            return None
        pieces = data[len(_HEAD) : -len(self._tail)].split(self._tail + _HEAD)
        if not all(_PLAIN.fullmatch(piece) for piece in pieces):
            return None
        self._learned_in_vain = 0
        try:
            return [piece.decode() for piece in pieces]
        except UnicodeDecodeError:
            return None

    def _learn(self, data: bytes) -> None:
        """Remember what follows the text in the first of these frames, if that holds nothing else to be read."""
        if self._learned_in_vain >= _LEARNED_IN_VAIN_MOST:
            return
        self._learned_in_vain += 1
        frame = data.partition(b"\n\n")[0]
        found = _PLAIN.match(frame, len(_HEAD))
        if found is None or b"\n" in frame:
            return
        choice = {"finish_reason": None, "index": 0, "delta": {"content": found[0].decode("utf-8", "replace")}}
        chunks = list(self._read(frame))
        if chunks and chunks[0].keys() <= _FIELDS and chunks[0]["choices"] == [choice]:
            self._tail = frame[found.end() :] + b"\n\n"

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The chunks that are whole by now. Comments and `[DONE]` are passed over."""
        data = self._held + data
        end = data.rfind(b"\n\n")
        if end < 0:
            self._held = data
            return
        self._held = data[end + 2 :]
        yield from self._read(data[:end])

    def finish(self) -> Iterator[dict[str, Any]]:
        """What a stream that ends without its last blank line still holds."""
        rest, self._held = self._held, b""
        yield from self._read(rest)

    @staticmethod
    def _read(data: bytes) -> Iterator[dict[str, Any]]:
        for line in data.split(b"\n"):
            if not line.startswith(b"data:"):
                continue
            try:
                chunk = as_object(json.loads(line[5:]))
            except ValueError:
                continue
            if chunk is not None:
                yield chunk


def usage_of(usage: dict[str, Any]) -> tuple[int, int, int]:
    """(prompt, completion, cached) tokens; what an engine does not tell counts as 0."""
    details = as_object(usage.get("prompt_tokens_details")) or {}
    return (
        _whole(usage.get("prompt_tokens")),
        _whole(usage.get("completion_tokens")),
        _whole(details.get("cached_tokens")),
    )


def calls_in(message: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(id, name, arguments as JSON text) of each call in a whole message."""
    found: list[tuple[str, str, str]] = []
    for place, call in enumerate(objects_in(message.get("tool_calls"))):
        function = as_object(call.get("function")) or {}
        call_id = str(call.get("id") or f"call_{place}")
        found.append((call_id, str(function.get("name") or ""), str(function.get("arguments") or "")))
    return found


def is_cut(arguments: str) -> bool:
    """Whether the text of a call's arguments began and did not become JSON. No text at all is a call without any."""
    return arguments != "" and not is_json(arguments)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
