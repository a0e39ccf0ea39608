"""Owns how much a server of tools may say: ends its stream when it floods; knows nothing of what is said."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

if TYPE_CHECKING:
    from mcp.client._transport import ReadStream
    from mcp.shared.message import SessionMessage

# What may come within a while, however many calls are under way.
MESSAGES_MOST = 3000
_WHILE_S = 10.0


class Heard:
    """What comes of one connection, counted. `why` tells what ended it; "" while nothing did or it only closed.

    Args:
        on_end: called once, when nothing more comes.
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.why = ""
        self.has_ended = False
        self._on_end = on_end
        self._since_s = 0.0
        self._count = 0

    def over(self, why: str = "") -> None:
        """Nothing more is heard, for the first reason that is told."""
        self.why = self.why or why
        if not self.has_ended:
            self.has_ended = True
            self._on_end()

    def is_flood(self) -> bool:
        """Count one message; whether that is one too many."""
        now_s = anyio.current_time()
        if now_s - self._since_s > _WHILE_S:
            self._since_s, self._count = now_s, 0
        self._count += 1
        return self._count > MESSAGES_MOST


class Counted:
    """A stream of messages that closes when it floods."""

    def __init__(self, inner: ReadStream[SessionMessage | Exception], heard: Heard) -> None:
        self._inner = inner
        self._heard = heard

    async def receive(self) -> SessionMessage | Exception:
        """The next message. Raises anyio.EndOfStream."""
        if not self._heard.has_ended:
            try:
                item = await self._inner.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                self._heard.over()
                raise
            if not self._heard.is_flood():
                return item
            self._heard.over(f"sent more than {MESSAGES_MOST} messages within {_WHILE_S:g} s, and was ended")
        raise anyio.EndOfStream

    async def aclose(self) -> None:
        """Close what it counts."""
        await self._inner.aclose()

    def __aiter__(self) -> ReadStream[SessionMessage | Exception]:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()
