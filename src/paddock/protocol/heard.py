"""Owns what paddock understood of an engine's answer, put together for a person to read; amends nothing. Pure."""

from __future__ import annotations

import json
from typing import Any

from paddock.protocol.chat import Frames
from paddock.protocol.shape import as_object, objects_in

# In a chat answer, and in one of text completions.
_TEXTS = (("reasoning_content", "reasoning"), ("content", "text"), ("text", "text"))


class Heard:
    """Gathers the events of one answer, streamed or whole; the pieces of a text or a call become one event."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._events: list[dict[str, Any]] = []
        self._pieces: list[str] = []
        self._told: tuple[Any, ...] = ()

    def feed(self, data: bytes) -> None:
        """The next bytes of the engine's stream."""
        for chunk in self._frames.feed(data):
            self._chunk(chunk)

    def whole(self, body: bytes) -> None:
        """A whole answer."""
        try:
            answer = as_object(json.loads(body))
        except ValueError:
            return
        if answer is not None:
            self._chunk(answer)

    def amended(self, what: list[str]) -> None:
        """What paddock put otherwise in the answer."""
        for told in what:
            self._event({"type": "amended", "amended": told})

    def events(self) -> list[dict[str, Any]]:
        """What was understood, in order, by `type`: text, reasoning, call, finish_reason, usage, error, amended."""
        for chunk in self._frames.finish():
            self._chunk(chunk)
        self._close()
        return self._events

    def _chunk(self, chunk: dict[str, Any]) -> None:
        for choice in objects_in(chunk.get("choices")):
            index = choice.get("index", 0)
            said = as_object(choice.get("delta")) or as_object(choice.get("message")) or choice
            for name, kind in _TEXTS:
                if isinstance(text := said.get(name), str) and text:
                    self._piece((kind, index), {}, text)
            for place, call in enumerate(objects_in(said.get("tool_calls"))):
                function = as_object(call.get("function")) or {}
                names = {"id": call.get("id"), "name": function.get("name")}
                self._piece(("call", index, call.get("index", place)), names, str(function.get("arguments") or ""))
            if reason := choice.get("finish_reason"):
                self._event({"type": "finish_reason", "choice": index, "finish_reason": reason})
        for name in ("usage", "error"):
            if chunk.get(name):
                self._event({"type": name, name: chunk[name]})

    def _piece(self, told: tuple[Any, ...], names: dict[str, Any], piece: str) -> None:
        if told != self._told:
            self._close()
            kind, choice, *_ = self._told = told
            self._events.append({"type": kind, "choice": choice, **names})
        self._pieces.append(piece)

    def _event(self, event: dict[str, Any]) -> None:
        self._close()
        self._events.append(event)

    def _close(self) -> None:
        if self._told:
            self._events[-1]["arguments" if self._told[0] == "call" else "text"] = "".join(self._pieces)
        self._told, self._pieces = (), []
