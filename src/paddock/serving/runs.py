"""Owns exchanges that go on without their client: background responses, watched and cancelled by id.

A run drives the same exchange that would answer a client, and keeps its events. It knows no dialect beyond the
`sequence_number` by which events are asked for, and the names of those that end a stream.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import anyio
from anyio.abc import TaskGroup
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock.errors import TooBusy
from paddock.log import named
from paddock.protocol.sse import comment
from paddock.serving.passage import EVENTS
from paddock.serving.wire import STREAM_HEADERS

_log = named(__name__)
_RUNS_MOST = 64
_LAST = (b"event: response.completed", b"event: response.incomplete", b"event: response.failed")
_UNSTORED = "x-paddock-unstored"
_WHY = "the database could not be written, the log tells why"
_NUMBER = re.compile(rb'"sequence_number":\s*(\d+)')


class Run:
    """One exchange in the background.

    `frames` are (sequence number, the event's bytes), in order; `ending` are those that are added at the end, when the
    outcome is kept: whoever has seen the last event finds the response as that told it.
    """

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.frames: list[tuple[int, bytes]] = []
        self.ending: list[tuple[int, bytes]] = []
        self.status = 0
        self.body = b""
        self.is_over = False
        self._changed = anyio.Event()
        self._left = anyio.Event()

    def cancel(self) -> None:
        """End the exchange, as a client does that leaves."""
        self._left.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._left.is_set()

    async def after(self, number: int) -> AsyncGenerator[bytes]:
        """The events whose sequence number is larger than `number`, as they come, until the run is over."""
        place = 0
        while True:
            changed = self._changed
            while place < len(self.frames):
                seen, frame = self.frames[place]
                place += 1
                if seen > number:
                    yield frame
            if self.is_over:
                return
            await changed.wait()

    async def over(self) -> None:
        """Wait for the run's end."""
        while not self.is_over:
            await self._changed.wait()

    async def drive(self, exchange: ASGIApp, settle: Callable[[Run], Awaitable[None]]) -> None:
        """Carry the exchange out. `settle` is awaited at its end, before those who watch learn of it."""
        try:
            await exchange({"type": "http", "method": "POST", "headers": []}, self._receive, self._send)
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await settle(self)
            finally:
                self.frames += self.ending
                self.is_over = True
                self._notify()

    def _add(self, frame: bytes) -> None:
        found = _NUMBER.search(frame)
        if found is None:
            return
        if frame.startswith(_LAST):
            self.ending = [(int(found[1]), frame)]
        else:
            self.frames.append((int(found[1]), frame))
            self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        data: bytes = message.get("body", b"")
        if self.status != 200:
            self.body += data
            return
        for frame in data.split(b"\n\n"):
            if frame.startswith(b"event:"):
                self._add(frame + b"\n\n")


class Runs:
    """Every run of this paddock, by id."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._runs: dict[str, Run] = {}

    def find(self, run_id: str) -> Run | None:
        """The run of that id while it lasts."""
        return self._runs.get(run_id)

    async def start(
        self,
        run_id: str,
        exchange: ASGIApp,
        *,
        keep: Callable[[], Awaitable[None]],
        settle: Callable[[Run], Awaitable[None]],
    ) -> Run:
        """Begin a run, once there is room for it and `keep` is done. Raises TooBusy, and what `keep` raises."""
        if len(self._runs) >= _RUNS_MOST:
            raise TooBusy(f"{_RUNS_MOST} background responses are being worked on already. Ask again later.")
        run = self._runs[run_id] = Run(run_id)
        is_kept = False
        try:
            await keep()
            is_kept = True
        finally:
            if not is_kept:
                del self._runs[run_id]
        self._tasks.start_soon(self._drive, run, exchange, settle)
        return run

    async def _drive(self, run: Run, exchange: ASGIApp, settle: Callable[[Run], Awaitable[None]]) -> None:
        try:
            await run.drive(exchange, settle)
        except Exception:  # a job loop: what nobody foresaw ends this run alone
            _log.exception("the background response %s broke off", run.id)
        finally:
            del self._runs[run.id]


class Replay:
    """A stream of events to one client, from a run or from what was kept of it. Call it as an ASGI application, once.

    Args:
        frames: the events, as they come.
        keepalive_s: seconds of silence after which a comment is sent.
    """

    def __init__(self, frames: AsyncGenerator[bytes], *, keepalive_s: float) -> None:
        self._frames = frames
        self._keepalive_s = keepalive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the events end or the client leaves."""
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", EVENTS), *STREAM_HEADERS]}
        )
        async with anyio.create_task_group() as group:
            group.start_soon(self._until_left, receive, group.cancel_scope)
            await self._send_all(send)
            group.cancel_scope.cancel()

    async def _send_all(self, send: Send) -> None:
        sender, receiver = anyio.create_memory_object_stream[bytes](0)

        async def pump() -> None:
            async with sender, aclosing(self._frames) as frames:
                async for frame in frames:
                    await sender.send(frame)

        async with anyio.create_task_group() as group, receiver:
            group.start_soon(pump)
            is_over = False
            while not is_over:
                frame = comment("keep-alive")
                with anyio.move_on_after(self._keepalive_s):
                    try:
                        frame = await receiver.receive()
                    except anyio.EndOfStream:
                        frame, is_over = b"", True
                await send({"type": "http.response.body", "body": frame, "more_body": not is_over})

    @staticmethod
    async def _until_left(receive: Receive, exchange: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        exchange.cancel()


class Settled:
    """An exchange whose outcome is kept before its last byte is handed over, so that the next request finds it.

    An answer that could not be kept is handed over all the same, and says so: in `x-paddock-unstored`, which is a
    header of a whole answer and a comment at the end of a stream.
    """

    def __init__(self, exchange: ASGIApp, keep: Callable[[int], Awaitable[bool]]) -> None:
        self._exchange = exchange
        self._keep = keep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the client; `keep` is awaited once with the answer's status, also when the client leaves."""
        status = 0
        head: Message | None = None
        is_kept = False

        async def watched(message: Message) -> None:
            nonlocal status, head, is_kept
            if message["type"] == "http.response.start":
                # Held until there is something of the body: a whole answer is kept before anything of it is out.
                status, head = message["status"], message
                return
            if not message.get("more_body", False) and not is_kept:
                is_kept = True
                if not await self._keep(status):
                    if head is None:
                        message = {**message, "body": message.get("body", b"") + comment(f"{_UNSTORED}: {_WHY}")}
                    else:
                        head["headers"] = [*head.get("headers", []), (_UNSTORED.encode(), _WHY.encode())]
            if head is not None:
                started, head = head, None
                await send(started)
            await send(message)

        try:
            await self._exchange(scope, receive, watched)
        finally:
            if not is_kept:
                with anyio.move_on_after(5, shield=True):
                    await self._keep(status)
