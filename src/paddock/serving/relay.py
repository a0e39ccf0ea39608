"""Owns one exchange: opens the engine's answer, forwards its bytes, closes it, in one task; knows no dialect's errors.

A `Relay` is an ASGI response. When the client leaves, the whole exchange is cancelled, which closes the connection to
the engine at once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
from starlette.types import Receive, Scope, Send

from paddock.engine.pool import Lease, Pool
from paddock.errors import BadRequest, EngineNotConnected, EngineTimeout, EngineUnreachable, ImageRefused, PaddockError
from paddock.log import named
from paddock.protocol.sse import StreamFilter, comment, cut_call_repaired
from paddock.serving import choice, images
from paddock.serving.prepare import Prepared

if TYPE_CHECKING:
    from paddock.engine.client import Answer

_log = named(__name__)
# How long a broken connection waits for the engine's owner to notice the exit, so that the next request restarts it.
_SETTLE_S = 0.3
_STREAM_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How the caller's dialect tells an error: as a status with a body, or as one frame within an open stream."""

    refuse: Callable[[PaddockError], tuple[int, bytes]]
    error_frame: Callable[[PaddockError], bytes]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Deadlines of one exchange, in seconds; see the settings of the same names."""

    status_deadline_s: float
    keepalive_s: float
    answer_timeout_s: float


@dataclass(kw_only=True)
class _Wire:
    """The client's side of the exchange: what was sent so far."""

    send: Send
    headers: list[tuple[bytes, bytes]]
    is_open: bool = False

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": [*self.headers, *headers]})
        self.is_open = True

    async def write(self, data: bytes, *, more: bool = True) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def whole(self, status: int, content_type: bytes, body: bytes) -> None:
        length = str(len(body)).encode()
        await self.begin(status, [(b"content-type", content_type), (b"content-length", length)])
        await self.write(body, more=False)


class Relay:
    """One request's way to the engine and back. Call it as an ASGI application, once."""

    def __init__(self, prepared: Prepared, *, pool: Pool, model_id: str, dialect: Dialect, patience: Patience) -> None:
        self._prepared = prepared
        self._pool = pool
        self._model_id = model_id
        self._dialect = dialect
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the client; return when its last byte is handed over or when it has left."""
        wire = _Wire(send=send, headers=_note_headers(self._prepared))
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(watch)
            await self._answer(wire)
            group.cancel_scope.cancel()

    async def _answer(self, wire: _Wire) -> None:
        try:
            if self._prepared.streamed:
                await self._streamed(wire)
            else:
                await self._plain(wire)
        except PaddockError as error:
            if not wire.is_open:
                status, body = self._dialect.refuse(error)
                await wire.whole(status, b"application/json", body)
            else:
                _log.info("stream ended by %s: %s", type(error).__name__, error.message)
                await wire.write(self._dialect.error_frame(error), more=False)

    async def _plain(self, wire: _Wire) -> None:
        """The whole answer with the engine's real status, its bytes as they came."""
        timeout_s = self._patience.answer_timeout_s
        body, content_type = b"", "application/json"
        with anyio.move_on_after(timeout_s) as deadline:
            async with self._opened() as answer:
                if answer.status != 200:
                    raise await answer.refusal()
                content_type = answer.content_type
                body = await answer.body()
        if deadline.cancelled_caught:
            raise EngineTimeout(timeout_s=timeout_s)
        if self._prepared.body.get("tools"):
            body = cut_call_repaired(body)
        await wire.whole(200, content_type.encode("latin-1"), body)

    async def _streamed(self, wire: _Wire) -> None:
        """Status before stream while the engine is ready; an open stream with signs of life where that takes long."""
        async with AsyncExitStack() as stack:
            answer = await self._await_status(wire, stack)
            if answer.status != 200:
                raise await answer.refusal()
            if not wire.is_open:
                await wire.begin(200, list(_STREAM_HEADERS))
            await self._forward(wire, answer)

    async def _await_status(self, wire: _Wire, stack: AsyncExitStack) -> Answer:
        """Open the engine's answer in this task, while a second one opens the stream and keeps it alive."""
        patience_s = self._patience.status_deadline_s if self._pool.is_ready(self._model_id) else 0.0
        if self._prepared.has_images:
            # Whether the model has eyes is told with a real status, also when it must be loaded to know.
            patience_s = self._patience.answer_timeout_s
        answer: Answer | None = None
        failure: PaddockError | None = None
        async with anyio.create_task_group() as group:

            async def show_life() -> None:
                await anyio.sleep(patience_s)
                await wire.begin(200, list(_STREAM_HEADERS))
                while True:
                    await wire.write(comment(self._progress()))
                    await anyio.sleep(self._patience.keepalive_s)

            group.start_soon(show_life)
            try:
                with anyio.move_on_after(self._patience.answer_timeout_s):
                    answer = await stack.enter_async_context(self._opened())
            except PaddockError as error:
                # Carried out of the task group by hand: the group would wrap it.
                failure = error
            group.cancel_scope.cancel()
        if failure:
            raise failure
        if answer is None:
            raise EngineTimeout(timeout_s=self._patience.answer_timeout_s)
        return answer

    def _progress(self) -> str:
        engine = self._pool.engine
        state = engine.state if engine else "stopped"
        return "keep-alive" if state == "ready" else f"loading {self._model_id}: engine {state}"

    async def _forward(self, wire: _Wire, answer: Answer) -> None:
        """Hand every frame on as it comes; say that we are alive while the engine is silent."""
        prepared, keepalive_s = self._prepared, self._patience.keepalive_s
        passed = StreamFilter(
            keep_usage=prepared.wants_usage,
            keep_progress=prepared.wants_progress,
            watch_calls=bool(prepared.body.get("tools")),
        )
        sent_at = anyio.current_time()
        while True:
            data: bytes | None = None
            try:
                with anyio.CancelScope(deadline=sent_at + keepalive_s):
                    data = await answer.next_chunk()
            except EngineUnreachable:
                if not passed.is_complete:
                    raise
                break
            if data == b"":
                break
            out = passed.feed(data) if data else b""
            now = anyio.current_time()
            if not out and now - sent_at >= keepalive_s:
                out = comment("keep-alive")
            if out:
                await wire.write(out)
                sent_at = now
        rest = passed.finish()
        for what in passed.amended:
            rest += comment(f"x-paddock-amended: {what}")
        await wire.write(rest, more=False)

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Answer]:
        """Lease the model, fit the request to it and open the engine's answer.

        A request that no byte of which reached the engine is sent once more, after the engine was started again.
        """
        async with AsyncExitStack() as stack:
            lease = await stack.enter_async_context(self._pool.lease(self._model_id))
            engine, endpoint = lease.resident.engine, lease.endpoint
            try:
                prepared = await self._fitted(lease)
                body = prepared.encoded()
                try:
                    answer = await stack.enter_async_context(
                        lease.client.open(endpoint, prepared.path, body, streamed=prepared.streamed)
                    )
                except EngineNotConnected:
                    await engine.settle(endpoint.generation, timeout_s=_SETTLE_S)
                    endpoint = await engine.ensure_ready()
                    answer = await stack.enter_async_context(
                        lease.client.open(endpoint, prepared.path, body, streamed=prepared.streamed)
                    )
                engine.note_answer()
                yield answer
            except EngineUnreachable:
                await engine.settle(endpoint.generation, timeout_s=_SETTLE_S)
                raise

    async def _fitted(self, lease: Lease) -> Prepared:
        """The request as this very model takes it. Raises BadRequest or ImageRefused where it cannot."""
        prepared = self._prepared
        if prepared.has_images:
            if not lease.abilities.sees_images:
                raise ImageRefused(
                    f"The model '{self._model_id}' reads text only and cannot see images. "
                    "Remove the image, or load a vision model."
                )
            body = await anyio.to_thread.run_sync(images.settled, prepared.body, prepared.legacy_image)
            prepared = replace(prepared, body=body)
        if prepared.body.get("tools") and not lease.abilities.template_knows_tools:
            raise BadRequest(
                f"The chat template of '{self._model_id}' knows no tools. "
                "Leave 'tools' out, or choose a model that calls tools.",
                param="tools",
            )
        return await choice.force(prepared, lease) if prepared.forces_call else prepared


def _note_headers(prepared: Prepared) -> list[tuple[bytes, bytes]]:
    """What was repaired or adapted, for the caller to see."""
    notes = (
        ("x-paddock-normalized", ", ".join(prepared.normalized)),
        ("x-paddock-adapted", "; ".join(prepared.adapted)),
    )
    return [(name.encode(), text.encode("latin-1", "replace")) for name, text in notes if text]
