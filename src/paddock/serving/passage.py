"""Owns the shape of an answer's way from the engine's chat lane to a client's dialect; translates nothing itself."""

from __future__ import annotations

import json
import re
from typing import Any, Protocol

from paddock.protocol.sse import comment

EVENTS = b"text/event-stream"


class Passage(Protocol):
    """One answer's way to the client, in the client's dialect. Made for one exchange; it keeps state."""

    content_type: bytes
    keeps_turns: bool
    """Whether the dialect tells apart what was said before a tool and after it; else all of it is one text."""

    def opening(self) -> bytes:
        """What may be sent before the engine has answered; called once, when a stream opens."""
        ...

    def life(self, note: str) -> bytes:
        """A sign of life for an open stream that has been silent. `note` holds no line break."""
        ...

    def feed(self, data: bytes) -> bytes:
        """What the client gets for these bytes of the engine's stream, however it was split."""
        ...

    def finish(self) -> bytes:
        """What the client still gets at the orderly end of the engine's stream."""
        ...

    def fail(self, error: dict[str, Any]) -> bytes:
        """What ends an open stream after a failure. `error` is the dialect's own error object."""
        ...

    def whole(self, body: bytes) -> bytes:
        """The client's body for the engine's whole answer."""
        ...


class Straight:
    """The OpenAI lane: the engine's bytes are the client's.

    Args:
        real, asked: the model's id and the name the client asked for; where they differ, the answer has the latter.
    """

    content_type = EVENTS
    keeps_turns = False

    def __init__(self, *, real: str = "", asked: str = "") -> None:
        # Within a JSON text a quote is always escaped: these bytes are never part of what the model said.
        self._real = re.compile(rb'("model":\s*)' + re.escape(json.dumps(real).encode()))
        self._asked = json.dumps(asked).encode() if asked and asked != real else b""

    def opening(self) -> bytes:
        """Nothing: the engine's own first frame opens the stream."""
        return b""

    def life(self, note: str) -> bytes:
        """An SSE comment."""
        return comment(note)

    def feed(self, data: bytes) -> bytes:
        """The bytes themselves, but for the model's name."""
        return self._real.sub(lambda found: found[1] + self._asked, data) if self._asked else data

    def finish(self) -> bytes:
        """Nothing: the engine's own `[DONE]` ended the stream."""
        return b""

    def fail(self, error: dict[str, Any]) -> bytes:
        """One frame with the error; no `[DONE]` follows."""
        body = {"error": {**error, "type": "server_error"}}
        return b"data: " + json.dumps(body, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"

    def whole(self, body: bytes) -> bytes:
        """The bytes themselves, but for the model's name."""
        return self.feed(body)
