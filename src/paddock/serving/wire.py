"""Owns the client's side of one exchange: what was sent to it and when; refuses to know where that comes from."""

from __future__ import annotations

import time
from dataclasses import dataclass

import anyio
from starlette.types import Send

from paddock.serving.passage import Passage

STREAM_HEADERS = (
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
)


@dataclass(kw_only=True)
class Wire:
    """The client's side of the exchange: what was sent so far, and when.

    `opens_s` and `written_s` are on the monotonic clock: when the stream is to be opened without the engine's status,
    and when something was last written. `sign` is there only while a sign of life is being sent, so that neither the
    engine's bytes nor the end overtake it.
    """

    send: Send
    headers: list[tuple[bytes, bytes]]
    opens_s: float
    passage: Passage
    written_s: float = 0.0
    is_open: bool = False
    is_over: bool = False
    has_left: bool = False
    sign: anyio.Event | None = None

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head."""
        self.is_open = True
        self.written_s = time.monotonic()
        await self.send({"type": "http.response.start", "status": status, "headers": [*self.headers, *headers]})

    async def open_stream(self, note: bytes = b"") -> None:
        """Begin a stream with what its dialect opens with."""
        await self.begin(200, [(b"content-type", self.passage.content_type), *STREAM_HEADERS])
        if first := self.passage.opening() + note:
            await self.send({"type": "http.response.body", "body": first, "more_body": True})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Send some of the body, after a sign of life that is on its way."""
        if not more:
            self.is_over = True
        if self.has_left:
            # The exchange is being cancelled. anyio passes over a task whose next read is already there, which a fast
            # engine's always is; waiting here lets the cancellation in.
            await anyio.sleep_forever()
        if self.sign:
            await self.sign.wait()
        await self.send({"type": "http.response.body", "body": data, "more_body": more})
        self.written_s = time.monotonic()

    async def show_life(self, note: bytes) -> None:
        """Open the stream if it is not open yet, and send something that clients pass over."""
        self.sign = anyio.Event()
        try:
            if self.is_open:
                await self.send({"type": "http.response.body", "body": note, "more_body": True})
                self.written_s = time.monotonic()
            else:
                await self.open_stream(note)
        finally:
            self.sign.set()
            self.sign = None

    async def whole(self, status: int, content_type: bytes, body: bytes) -> None:
        """Send an answer in one."""
        self.is_over = True
        length = str(len(body)).encode()
        await self.begin(status, [(b"content-type", content_type), (b"content-length", length)])
        await self.write(body, more=False)
