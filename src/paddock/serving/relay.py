"""Owns one exchange: opens the engine's answer, forwards its bytes, closes it, in one task; knows no dialect's errors.

A `Relay` is an ASGI response. When the client leaves, the whole exchange is cancelled, which closes the connection to
the engine at once.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from anyio.abc import TaskGroup
from starlette.types import Receive, Scope, Send

from paddock.engine.resident import Lease, Place
from paddock.errors import (
    BadRequest,
    ContextOverflow,
    EngineNotConnected,
    EngineTimeout,
    EngineUnreachable,
    PaddockError,
)
from paddock.log import named
from paddock.protocol.heard import Heard
from paddock.protocol.spent import about
from paddock.protocol.sse import comment
from paddock.serving import choice, images
from paddock.serving.accounts import Account
from paddock.serving.amendments import Amendments
from paddock.serving.counting import count
from paddock.serving.images import INTAKE, Intake
from paddock.serving.inspecting import note_prompt
from paddock.serving.passage import EVENTS, Passage
from paddock.serving.prepare import Prepared
from paddock.serving.traced import FIRST, asking
from paddock.serving.tuning import tuned
from paddock.serving.wire import Wire
from paddock.tracing.spans import UNTRACED

if TYPE_CHECKING:
    from paddock.engine.client import Answer
    from paddock.recorder.recording import Recording

_log = named(__name__)
# How long a broken connection waits for the engine's owner to notice the exit, so that the next request restarts it.
_SETTLE_S = 0.3
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Clients take 16 KB of headers in all, or fewer.
_NOTE_CHARACTERS_MOST = 2000


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How the caller's dialect tells an error: as a status with a body and headers, or as the object in a frame."""

    refuse: Callable[[BaseException], tuple[int, bytes]]
    describe: Callable[[BaseException], dict[str, Any]]
    headers: Callable[[BaseException], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Deadlines of one exchange, in seconds; see the settings of the same names."""

    status_deadline_s: float
    keepalive_s: float
    answer_timeout_s: float


class Source(Protocol):
    """Who has the model: the pool of this machine's engines, or the remotes. A place is its own, and handed back."""

    def queued(self, model_id: str, adapters: Collection[str] = ()) -> AbstractAsyncContextManager[Any]:
        """As `Pool.queued`."""
        ...

    def leased(self, place: Any) -> AbstractAsyncContextManager[Any]:
        """As `Pool.leased`."""
        ...

    def progress(self, place: Any) -> str:
        """As `Pool.progress`."""
        ...


class Meter(Protocol):
    """Who counts what an answer costs."""

    def begin(self) -> None:
        """It is about to be asked for. Raises QuotaSpent."""
        ...

    def end(self, tokens: int) -> None:
        """It is over, or was refused, and cost this."""
        ...


class Relay:
    """One request's way to the engine and back. Call it as an ASGI application, once.

    `meter` is there where somebody counts towards what a key may ask; `tally` is told what the answer cost.
    """

    meter: Meter | None = None
    tally: Callable[[Account], None] | None = None

    def __init__(
        self,
        prepared: Prepared,
        *,
        pool: Source,
        model_id: str,
        dialect: Dialect,
        passage: Passage,
        patience: Patience,
        intake: Intake = INTAKE,
        adapters: Mapping[str, float] | None = None,
    ) -> None:
        self._prepared = prepared
        self._passage = passage
        self._pool = pool
        self._model_id = model_id
        self._dialect = dialect
        self._patience = patience
        self._intake = intake
        self._adapters = adapters or {}
        self._account: Account
        self._span = UNTRACED
        self._recording: Recording | None = None
        self._heard: Heard | None = None
        self._tasks: TaskGroup

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the client; return when its last byte is handed over or when it has left."""
        self._recording = scope.get("paddock.recording")
        self._heard = Heard() if self._recording else None
        self._account = scope["paddock.account"] = Account(scope.get("paddock.began_s") or time.perf_counter())
        if self.meter:
            self._account.spent.prompt_tokens = about(self._prepared.body)
        headers = _note_headers(self._prepared, scope.get("paddock.normalized", ()))
        wire = Wire(send=send, headers=headers, opens_s=math.inf, passage=self._passage)
        try:
            async with anyio.create_task_group() as group:
                self._tasks = group

                def attend(place: Place) -> None:
                    if self._prepared.streamed:
                        wire.opens_s = time.monotonic() + self._status_patience_s(place)
                    group.start_soon(self._attend, wire, place, receive, group.cancel_scope)

                await self._answer(wire, attend)
                group.cancel_scope.cancel()
        finally:
            if self._recording and self._heard:
                self._recording.events(self._heard.events())
            if self.tally:
                self.tally(self._account)
            if self.meter:
                self.meter.end(self._account.spent.tokens)

    async def _attend(self, wire: Wire, place: Place, receive: Receive, exchange: anyio.CancelScope) -> None:
        """Until the client leaves, which ends the exchange: open its stream in time and break long silences."""
        while True:
            with anyio.move_on_after(await self._break_silence(wire, place)):
                while (await receive())["type"] != "http.disconnect":
                    pass
                wire.has_left = True
                exchange.cancel()
                return

    async def _break_silence(self, wire: Wire, place: Place) -> float:
        """Show life if it is time to; the seconds until that is to be looked at again."""
        keepalive_s = self._patience.keepalive_s
        if wire.is_over or wire.opens_s == math.inf:
            return math.inf
        due_s = wire.written_s + keepalive_s if wire.is_open else wire.opens_s
        left_s = due_s - time.monotonic()
        if left_s <= 0:
            await wire.show_life(self._passage.life(self._pool.progress(place) or "keep-alive"))
            return keepalive_s
        return min(left_s, keepalive_s)

    def _status_patience_s(self, place: Place) -> float:
        """How long a stream's status is waited for before the stream is opened without it."""
        if self._prepared.has_images:
            # Whether the model has eyes is told with a real status, also when it must be loaded to know.
            return self._patience.answer_timeout_s
        return self._patience.status_deadline_s if place.is_warm else 0.0

    async def _answer(self, wire: Wire, attend: Callable[[Place], None]) -> None:
        """Once the request has its place, `attend` to the client and answer it; one without a place is refused."""
        try:
            if self.meter:
                self.meter.begin()
            async with self._pool.queued(self._model_id, self._adapters) as place:
                attend(place)
                if self._prepared.streamed:
                    await self._streamed(wire, place)
                else:
                    await self._plain(wire, place)
        except PaddockError as error:
            self._account.error = type(error).__name__
            if not wire.is_open:
                told = self._dialect.headers(error)
                wire.headers += [(name.encode(), value.encode()) for name, value in told.items()]
                status, body = self._dialect.refuse(error)
                await wire.whole(status, b"application/json", body)
            elif not self._prepared.streamed:
                # A whole answer has no place for an error: only a broken connection tells the client of it.
                raise
            else:
                _log.info("stream ended by %s: %s", type(error).__name__, error.message)
                await wire.write(self._passage.fail(self._dialect.describe(error)), more=False)

    async def _plain(self, wire: Wire, place: Place) -> None:
        """The whole answer with the engine's real status, its bytes as they came."""
        timeout_s = self._patience.answer_timeout_s
        body, content_type = b"", "application/json"
        with anyio.move_on_after(timeout_s) as deadline:
            async with self._opened(place) as answer:
                if answer.status != 200:
                    raise await answer.refusal()
                content_type = answer.content_type
                body = await answer.body()
                if self._recording and self._heard:
                    self._recording.engine(body)
                    self._heard.whole(body)
                self._account.spent.whole(body)
        if deadline.cancelled_caught:
            raise EngineTimeout(timeout_s=timeout_s)
        amendments = Amendments(self._prepared)
        body = await amendments.whole(body)
        if self._heard:
            self._heard.amended(amendments.amended)
        wire.headers += [(name.encode(), _header_value(text)) for name, text in amendments.notes]
        await wire.whole(200, content_type.encode("latin-1"), self._passage.whole(body))

    async def _streamed(self, wire: Wire, place: Place) -> None:
        """Status before stream while the engine is ready; an open stream with signs of life where that takes long."""
        async with AsyncExitStack() as stack:
            answer: Answer | None = None
            with anyio.move_on_after(self._patience.answer_timeout_s):
                answer = await stack.enter_async_context(self._opened(place))
            if answer is None:
                raise EngineTimeout(timeout_s=self._patience.answer_timeout_s)
            if answer.status != 200:
                raise await answer.refusal()
            if not wire.is_open:
                await wire.open_stream()
            await self._forward(wire, answer)

    async def _forward(self, wire: Wire, answer: Answer) -> None:
        """Hand every frame on as it comes."""
        passage, amendments = self._passage, Amendments(self._prepared)
        try:
            while data := await answer.next_chunk():
                if self._recording and self._heard:
                    self._recording.engine(data)
                    self._heard.feed(data)
                if self._account.first_s is None:
                    self._span.event(FIRST)
                self._account.feed(data)
                if (out := amendments.feed(data)) and (out := passage.feed(out)):
                    await wire.write(out)
        except EngineUnreachable:
            if not amendments.is_complete:
                raise
        rest = passage.feed(await amendments.finish()) + passage.finish()
        if self._heard:
            self._heard.amended(amendments.amended)
        for name, text in amendments.notes if passage.content_type == EVENTS else ():
            rest += comment(_header_value(f"{name}: {text}").decode("latin-1"))
        await wire.write(rest, more=False)

    @asynccontextmanager
    async def _opened(self, place: Place) -> AsyncGenerator[Answer]:
        """Lease the model, fit the request to it and open the engine's answer.

        A request that no byte of which reached the engine is sent once more, after the engine was started again.
        """
        async with AsyncExitStack() as stack:
            lease: Lease = await stack.enter_async_context(self._pool.leased(place))
            engine, endpoint = lease.resident.engine, lease.endpoint
            try:
                prepared = await self._fitted(lease)
                if prepared.streamed and lease.resident.leases > lease.resident.plan.flags.slots:
                    await _refuse_overflow(lease, prepared)
                body = prepared.encoded()
                if self._recording:
                    self._recording.upstream(prepared.path, body)
                self._span = stack.enter_context(asking(prepared, self._account, model=self._model_id))
                try:
                    answer = await stack.enter_async_context(
                        lease.client.open(endpoint, prepared.path, body, streamed=prepared.streamed)
                    )
                except EngineNotConnected:
                    await engine.settle(endpoint.generation, timeout_s=_SETTLE_S)
                    endpoint = await lease.resident.ensure_ready()
                    answer = await stack.enter_async_context(
                        lease.client.open(endpoint, prepared.path, body, streamed=prepared.streamed)
                    )
                engine.note_answer()
                if self._recording:
                    self._tasks.start_soon(note_prompt, self._recording, prepared, lease.client, endpoint)
                # The engine has it now: a slow stream must not hold its prompt, parsed and encoded, until it ends.
                del prepared, body
                self._prepared = replace(self._prepared, body={"tools": self._prepared.body.get("tools")})
                yield answer
            except EngineUnreachable:
                await engine.settle(endpoint.generation, timeout_s=_SETTLE_S)
                raise

    async def _fitted(self, lease: Lease) -> Prepared:
        """The request as this very model takes it. Raises BadRequest or ImageRefused where it cannot."""
        prepared = tuned(self._prepared, self._adapters, lease.resident.plan.flags.lora_paths)
        if prepared.has_images:
            body = await images.admit(
                prepared.body,
                prepared.legacy_image,
                model_id=self._model_id,
                sees_images=lease.abilities.sees_images,
                intake=self._intake,
            )
            prepared = replace(prepared, body=body)
        if prepared.body.get("tools") and not lease.abilities.template_knows_tools:
            raise BadRequest(
                f"The chat template of '{self._model_id}' knows no tools. "
                "Leave 'tools' out, or choose a model that calls tools.",
                param="tools",
            )
        return await choice.force(prepared, lease) if prepared.forces_call else prepared


async def _refuse_overflow(lease: Lease, prepared: Prepared) -> None:
    """Say now what an engine whose slots are all taken would say later, in a stream that is open by then.

    Raises:
        ContextOverflow: the prompt does not fit.
    """
    context_tokens = lease.abilities.context_tokens
    if prepared.path != "/v1/chat/completions":
        return
    tokens = await count(lease, prepared.body, has_images=prepared.has_images)
    if tokens >= context_tokens:
        raise ContextOverflow(prompt_tokens=tokens, context_tokens=context_tokens)


def _note_headers(prepared: Prepared, mended: Collection[str]) -> list[tuple[bytes, bytes]]:
    """What was repaired or adapted, for the caller to see; `mended` are repairs of the body's texts."""
    notes = (
        ("x-paddock-normalized", ", ".join((*prepared.normalized, *mended))),
        ("x-paddock-adapted", "; ".join(prepared.adapted)),
        ("x-paddock-sampling", prepared.sampling),
        ("x-paddock-model", prepared.served_by),
    )
    return [(name.encode(), _header_value(text)) for name, text in notes if text]


def _header_value(text: str) -> bytes:
    """Words, some of them the caller's, as a header may hold them: what it cannot hold becomes a question mark."""
    if len(text) > _NOTE_CHARACTERS_MOST:
        text = f"{text[:_NOTE_CHARACTERS_MOST]}... and {len(text) - _NOTE_CHARACTERS_MOST} characters more"
    return _CONTROL.sub("?", text).encode("latin-1", "replace")
