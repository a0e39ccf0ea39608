"""Owns asking paddock's own API for an evaluation: which model, how often again, and reading strictly what comes back.

Refuses to know how a request is sent, and to judge an answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from paddock.errors import EngineUnreachable
from paddock.protocol.shape import as_object
from paddock.protocol.strict_reading import CHAT, Heard, listen

# Sends a path and a body; returns the status and the whole body of the answer. 0: the connection broke.
Send = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
_BUSY = (429, 503)
_TRIES, _AGAIN_S = 6, 2.0
_REFUSED = 500


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: `heard` where it was an answer, else why it was refused."""

    heard: Heard | None
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Asks one model."""

    send: Send
    model: str

    async def chat(self, body: Mapping[str, Any]) -> Answer:
        """An answer to a chat request. Raises EngineUnreachable where nothing can be said of the model."""
        status, data = await self._sent(CHAT, body)
        if status != 200:
            return Answer(heard=None, refused=_reason(status, data))
        return Answer(heard=listen(CHAT, data, streamed=bool(body.get("stream"))))

    async def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object that another route answers with. Raises EngineUnreachable."""
        status, data = await self._sent(path, body)
        found = as_object(json.loads(data)) if status == 200 else None
        if found is None:
            raise EngineUnreachable(f"{path} is not answered: {_reason(status, data)}")
        return found

    async def _sent(self, path: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """One exchange, tried again while the model is busy. Raises EngineUnreachable for what is no answer of it."""
        data = json.dumps({**body, "model": self.model}).encode()
        status, answer = await self.send(path, data)
        for _ in range(_TRIES):
            if status not in _BUSY:
                break
            await anyio.sleep(_AGAIN_S)
            status, answer = await self.send(path, data)
        if status == 0 or status >= _REFUSED or status in _BUSY:
            raise EngineUnreachable(f"'{self.model}' does not answer: {_reason(status, answer)}")
        return status, answer


def _reason(status: int, data: bytes) -> str:
    if status == 0:
        return "the connection broke."
    try:
        error = as_object((as_object(json.loads(data)) or {}).get("error")) or {}
    except (ValueError, RecursionError):
        error = {}
    return str(error.get("message") or f"status {status} without a reason.")[:500]
