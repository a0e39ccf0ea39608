"""Owns which models are loaded and who is using them, as the policy decides; refuses to know what they are asked.

All state is changed by plain functions on the event loop, none of which waits, so there is no lock: whatever happens
(a request comes or goes, an engine changes, time passes) ends in `_step`, which asks the policy and acts.
"""

from __future__ import annotations

import importlib
import itertools
import math
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from paddock.engine.lending import Lending
from paddock.engine.plan import EnginePlan
from paddock.engine.policy import Limits, Waiter, decide, is_admitted, retry_after_s
from paddock.engine.process import EngineProcess
from paddock.engine.resident import Abilities, Lease, Place, Resident, readied
from paddock.engine.runaways import Leniency, Runaways
from paddock.engine.slots import Slots
from paddock.engine.tally import Tally
from paddock.errors import EngineUnavailable, ModelUnloaded, ModelUnusable, PaddockError, TooBusy
from paddock.log import about
from paddock.tracing.spans import span

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient

_OBSERVE_EVERY_S = 60.0
_LENIENCY = Leniency(idle_s=30.0, used_s=600.0)
_SERVED_MOST = 32  # the last answers, of which it is known how long they took
_STOPPING = "paddock is stopping and loads no model. Start it again to go on."
_NO_ADAPTER = (
    "'{}' cannot be loaded with the adapter: its file is gone, or memory_budget_bytes leaves no room for it beside the "
    "model. Put the file back, or raise memory_budget_bytes."
)
# -P: a folder named paddock in the working directory must not become the engine.
EMBEDDED: tuple[str, ...] = (sys.executable, "-P", "-m", "paddock.engine.embedded")


def _see_nothing(plan: EnginePlan, pid: int) -> None:
    """What is done where nobody wants to know how much memory a model holds."""


class Pool:
    """Loads models at their first need and keeps them for the next request, as many as fit.

    Args:
        plan_for: how a model is to be loaded; called in a thread. What it raises goes to the request.
        limits: what may be held; called once, in a thread, before the first model is loaded.
        tasks: where the engines' owners run.
        load_timeout_s: how long one load may take.
        program: the words that start an engine.
        observe: called in a thread with a model's plan and its engine's process id, after the model was used.
        slots: where conversations outlive their engines; they do not, if None.
        leniency: for how long an engine may compute for clients that left.
    """

    def __init__(
        self,
        *,
        plan_for: Callable[[str], EnginePlan],
        limits: Callable[[], Limits],
        tasks: TaskGroup,
        load_timeout_s: float,
        program: Sequence[str] = EMBEDDED,
        observe: Callable[[EnginePlan, int], None] = _see_nothing,
        slots: Slots | None = None,
        leniency: Leniency = _LENIENCY,
    ) -> None:
        self._plan_for = plan_for
        self._measure = limits
        self._limits: Limits | None = None
        self._client: EngineClient | None = None
        self._tasks = tasks
        self._load_timeout_s = load_timeout_s
        self.program = tuple(program)
        self._observe = observe
        self._slots = slots
        self.tally = Tally()
        self._residents: dict[str, Resident] = {}
        self._runaways = Runaways(self._residents, leniency=leniency, replace=self._replace)
        self._queue: dict[int, Place] = {}
        self.lending = Lending(self._residents, self._queue, on_change=self._step)
        # Models that are pinned again once they are loaded with what they lacked.
        self._pins: set[str] = set()
        self._served_s: deque[float] = deque(maxlen=_SERVED_MOST)
        self._tickets = itertools.count(1)
        self._next_s = math.inf
        self._sooner = anyio.Event()
        self._closed = False
        tasks.start_soon(self._keep_time)
        tasks.start_soon(self._runaways.watch)

    @property
    def residents(self) -> Mapping[str, Resident]:
        """Every model that takes memory, by id, also while it loads or stops; the one loaded first comes first."""
        return self._residents

    def ready(self, model_id: str) -> Resident | None:
        """The model if a request for it would be sent without loading anything."""
        resident = self._residents.get(model_id)
        return resident if resident and resident.is_ready else None

    @property
    def waiting(self) -> list[str]:
        """The models that requests are waiting for, one entry for each request, in the order of arrival."""
        return [place.waiter.model_id for place in self._queue.values()]

    @property
    def limits(self) -> Limits | None:
        """What may be held; None until that was first of interest."""
        return self._limits

    @asynccontextmanager
    async def lease(self, model_id: str) -> AsyncGenerator[Lease]:
        """Load the model if needed and hold it loaded while inside. Raises as `queued` and `leased` do."""
        async with self.queued(model_id) as place, self.leased(place) as lease:
            yield lease

    @asynccontextmanager
    async def queued(self, model_id: str, adapters: Collection[str] = ()) -> AsyncGenerator[Place]:
        """A place in the queue, given up on leaving; what refuses a request without waiting is raised here.

        A loaded model that lacks one of `adapters`, told by their paths, is loaded anew once nobody uses it.

        Raises:
            ModelUnknown, ModelUnusable: from looking the model up, or it cannot be loaded with an adapter.
            ModelTooLarge: there is not enough memory for it, whoever else goes.
            TooBusy: too many requests are waiting.
            EngineUnavailable: paddock is stopping.
        """
        if self._closed:
            raise EngineUnavailable(_STOPPING)
        limits = await self._measured()
        resident = self._residents.get(model_id)
        if resident and not resident.is_going and not resident.plan.lacks(adapters):
            plan = resident.plan
        else:
            plan = await anyio.to_thread.run_sync(self._plan_for, model_id)
            if plan.lacks(adapters):
                raise ModelUnusable(_NO_ADAPTER.format(model_id))
        place = self._join(model_id, plan, limits, adapters)
        try:
            yield place
        finally:
            self._leave(place)

    @asynccontextmanager
    async def leased(self, place: Place) -> AsyncGenerator[Lease]:
        """Wait for the turn, then for the engine, and hold the model while inside.

        Raises:
            EngineFailedToStart, EngineUnreachable: the engine did not come up.
            EngineUnavailable: paddock is stopping.
            ModelUnloaded: somebody had the model unloaded before it was ready.
            ModelTooLarge: so much was pinned meanwhile that the model does not fit any more.
        """
        try:
            with nullcontext() if place.turn.is_set() else span("wait for a model"):
                await place.turn.wait()
            if place.refused:
                raise place.refused
            resident = place.resident
            assert resident
            self.tally.waits[resident.model_id,].add(anyio.current_time() - place.waiter.arrived_s)
            endpoint, client, abilities = await readied(resident, self.connect)
            place.begin(now_s=anyio.current_time())
            model_id = resident.model_id
            yield Lease(model_id=model_id, endpoint=endpoint, abilities=abilities, resident=resident, client=client)
        finally:
            self._leave(place)

    def progress(self, place: Place) -> str:
        """What a request is waiting for, in a few words; "" if for nothing but its answer."""
        ticket, model_id = place.waiter.ticket, place.waiter.model_id
        if ticket in self._queue:
            ahead = sum(other < ticket for other in self._queue)
            return f"waiting for room to load {model_id}: {ahead} before it in the queue"
        engine = place.resident.engine if place.resident else None
        return "" if engine is None or engine.is_ready else f"loading {model_id}: engine {engine.state}"

    async def unload(self, model_id: str) -> None:
        """Stop the model's engine once nobody uses it, pinned or not; a model that is not loaded is left so.

        One that is being loaded is stopped at once, and what waits for it is refused. Requests that come meanwhile
        wait, and load it anew. It stands, also if the caller does not wait for it.
        """
        if resident := self._residents.get(model_id):
            resident.is_leaving, resident.is_pinned = True, False
            self._pins.discard(model_id)
            if not (resident.is_ready or resident.engine.is_stopping):
                self._give_up(resident)
            self._step()
            await resident.gone.wait()

    def _give_up(self, resident: Resident) -> None:
        """End a load, which may never end by itself, and tell those who wait for it."""
        resident.was_given_up = True
        resident.engine.begin_stop("unloaded")
        for place in [place for place in self._queue.values() if place.waiter.model_id == resident.model_id]:
            self._refuse(place, ModelUnloaded(resident.model_id))

    async def pin(self, model_id: str) -> Abilities:
        """Load the model if needed, and keep it until `unpin` or `unload`. Raises as `lease` does."""
        async with self.lease(model_id) as lease:
            lease.resident.is_pinned = True
            return lease.abilities

    def unpin(self, model_id: str) -> None:
        """Let the model go again when room is needed; one that is not pinned stays so."""
        self._pins.discard(model_id)
        if resident := self._residents.get(model_id):
            resident.is_pinned = False
            self._step()

    async def connect(self) -> EngineClient:
        """The one client for engines, made at its first need. Raises EngineUnavailable when paddock is stopping."""
        if self._client is None:
            await self.preload()
        if self._closed:
            raise EngineUnavailable(_STOPPING)
        if self._client is None:
            from paddock.engine.client import EngineClient

            self._client = EngineClient(on_left=self._runaways.left)
        return self._client

    async def preload(self) -> None:
        """Do what takes longer than starting paddock, beside the event loop: import the client, look at the memory."""
        await anyio.to_thread.run_sync(importlib.import_module, "paddock.engine.client")
        await self._measured()

    async def close(self) -> None:
        """Stop all engines at once and close every connection to them; waiting and later requests are refused."""
        self._closed = True
        self._sooner.set()
        self._runaways.close()
        for place in list(self._queue.values()):
            self._refuse(place, EngineUnavailable(_STOPPING))
        engines = [resident.engine for resident in self._residents.values()]
        for engine in engines:
            engine.begin_stop()
        for engine in engines:
            await engine.stop()
        if self._client:
            await self._client.close()

    async def _client_at_hand(self) -> EngineClient:
        """The client, also while engines are being stopped. Raises as `connect` does where there is none."""
        return self._client or await self.connect()

    async def _measured(self) -> Limits:
        if self._limits is None:
            measured = await anyio.to_thread.run_sync(self._measure)
            self._limits = self._limits or measured
        return self._limits

    def _join(self, model_id: str, plan: EnginePlan, limits: Limits, adapters: Collection[str]) -> Place:
        if self._closed:
            raise EngineUnavailable(_STOPPING)
        now_s = anyio.current_time()
        waiter = Waiter(ticket=next(self._tickets), model_id=model_id, memory_bytes=plan.memory_bytes, arrived_s=now_s)
        held = [resident.held() for resident in self._residents.values()]
        waiting = [place.waiter for place in self._queue.values()]
        if not is_admitted(held, waiting, waiter, limits, now_s):
            again_s = retry_after_s(held, waiting, self._served_s)
            raise TooBusy(
                f"{limits.queue_most} requests are waiting already (queue_most). Ask again in {again_s} s, or send "
                "fewer at once.",
                retry_after_s=again_s,
            )
        place = self._queue[waiter.ticket] = Place(waiter=waiter, plan=plan, adapters=adapters)
        self._step()
        if place.refused:
            raise place.refused
        return place

    def _leave(self, place: Place) -> None:
        """Give up a place or a lease; once more does no harm."""
        if self._queue.pop(place.waiter.ticket, None):
            self._step()
        elif resident := place.resident:
            place.resident = None
            resident.leases -= 1
            resident.last_used_s = anyio.current_time()
            if place.begun_s is not None:
                self._served_s.append((resident.last_used_s - place.begun_s) * place.share)
            self._observe_memory(resident)
            self._step()

    def _observe_memory(self, resident: Resident) -> None:
        """Have it seen, now and then, how much a model holds that was just used. The one who sees may block."""
        pid, now_s = resident.engine.pid, resident.last_used_s
        if self._closed or resident.leases or pid is None or now_s < resident.observe_after_s:
            return
        resident.observe_after_s = now_s + _OBSERVE_EVERY_S
        self._tasks.start_soon(anyio.to_thread.run_sync, self._observe, resident.plan, pid)

    def _step(self) -> None:
        """Ask what is to be done now, and do it. Called after every change."""
        for resident in [resident for resident in self._residents.values() if resident.engine.is_gone]:
            del self._residents[resident.model_id]
            resident.gone.set()
        if self._closed or self._limits is None:
            return
        self.lending.mark()
        limits = self.lending.bounds(self._limits)
        decision = decide(
            [resident.held() for resident in self._residents.values()],
            [place.waiter for place in self._queue.values()],
            limits,
            anyio.current_time(),
        )
        for ticket in decision.refused:
            self._refuse(self._queue[ticket], self.lending.too_large(self._queue[ticket], limits))
        for model_id in decision.evicted:
            resident = self._residents[model_id]
            reason = "unloaded" if resident.is_leaving else "idle" if model_id in decision.idle else "evicted"
            resident.engine.begin_stop(reason)
        renewed = [self._queue[ticket] for ticket in decision.granted if not self._grant(self._queue[ticket])]
        for resident in self._residents.values():
            resident.is_draining = resident.model_id in decision.draining
        if decision.next_s < self._next_s:
            self._sooner.set()
        self._next_s = decision.next_s
        self._runaways.stir()
        if renewed:
            self._step()

    def _grant(self, place: Place) -> bool:
        """Give a request its model; False where that lacks an adapter and has to go first: the request waits on."""
        model_id = place.waiter.model_id
        resident = self._residents.get(model_id) or self._load(model_id, place.plan)
        if resident.plan.lacks(place.adapters):
            self._let_go(resident)
            return False
        del self._queue[place.waiter.ticket]
        resident.leases += 1
        resident.last_used_s = anyio.current_time()
        place.resident = resident
        place.turn.set()
        return True

    def _let_go(self, resident: Resident) -> None:
        """Have a model loaded anew once nobody uses it, and pinned again if it was."""
        if resident.is_pinned:
            self._pins.add(resident.model_id)
        resident.is_leaving, resident.is_pinned = True, False

    def _replace(self, resident: Resident) -> None:
        self._let_go(resident)
        self._step()

    def _load(self, model_id: str, plan: EnginePlan) -> Resident:
        recall = self._slots.recall_of(plan, self.program, self._client_at_hand) if self._slots else None
        engine = EngineProcess(
            program=self.program,
            flags=recall.flags if recall else plan.flags,
            load_timeout_s=self._load_timeout_s,
            on_change=self._step,
            recall=recall,
            tally=self.tally,
        )
        is_pinned = plan.is_pinned or model_id in self._pins
        self._pins.discard(model_id)
        resident = Resident(model_id=model_id, plan=plan, engine=engine, is_pinned=is_pinned)
        self._residents[model_id] = resident
        # It outlives the request that has it loaded, and is not about it.
        with about(""):
            self._tasks.start_soon(engine.own)
        return resident

    def _refuse(self, place: Place, error: PaddockError) -> None:
        del self._queue[place.waiter.ticket]
        place.refused = error
        place.turn.set()

    async def _keep_time(self) -> None:
        """Look again when time alone changes what is to be done; ends with `close`."""
        while not self._closed:
            self._sooner = anyio.Event()
            with anyio.CancelScope(deadline=self._next_s):
                await self._sooner.wait()
            if self._next_s <= anyio.current_time():
                self._next_s = math.inf
                self._step()
