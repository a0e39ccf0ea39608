"""Owns a small world of engines and requests with a clock of its own, in which a policy of the pool is tried.

It carries decisions out as the pool does, and says `Broken` the moment one of them breaks a promise: a lease, the
budget, a pin, a load, the bound on waiting. It knows nothing of how decisions are made.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from paddock.engine.policy import Decision, Held, Limits, State, Waiter, is_admitted

Policy: TypeAlias = Callable[[Iterable[Held], Iterable[Waiter], Limits, float], Decision]
Fate = Literal["answered", "leaves", "crashes", "fails"]
Act = Literal["ask", "pin", "unpin", "unload"]
LOAD_S, STOP_S, WORK_S = 6.0, 2.0, 10.0


class Broken(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What happens `gap_s` after what happened before.

    A request works for `works_s` (at most WORK_S) once its engine is ready; it leaves that long after it came, or its
    engine crashes that long after it was ready, or the load that it begins fails.
    """

    gap_s: float
    model_id: str
    act: Act = "ask"
    fate: Fate = "answered"
    works_s: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Models by size, limits, and what happens."""

    sizes: dict[str, int]
    limits: Limits
    arrivals: Sequence[Arrival]


@dataclass(kw_only=True, eq=False)
class _Engine:
    model_id: str
    memory_bytes: int
    state: State = "loading"
    life: int = 0
    leases: dict[int, Arrival] = field(default_factory=dict[int, Arrival])
    last_used_s: float = 0.0
    is_pinned: bool = False
    is_leaving: bool = False
    is_draining: bool = False

    def held(self) -> Held:
        return Held(
            model_id=self.model_id, memory_bytes=self.memory_bytes, slots=2, state=self.state, leases=len(self.leases),
            last_used_s=self.last_used_s, is_pinned=self.is_pinned, is_leaving=self.is_leaving,
            is_draining=self.is_draining,
        )  # fmt: skip


@dataclass(kw_only=True, eq=False)
class World:
    """One run of a workload under a policy. `ends` counts how requests ended, `most_held` is the fullest it was."""

    workload: Workload
    policy: Policy
    now_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter[str])
    longest_wait_s: float = 0.0
    most_models: int = 0
    engines: dict[str, _Engine] = field(default_factory=dict[str, _Engine])
    waiting: dict[int, tuple[Waiter, Arrival, int]] = field(default_factory=dict[int, tuple[Waiter, Arrival, int]])
    disturbances: int = 0
    _events: list[tuple[float, int, Callable[[], None]]] = field(
        default_factory=list[tuple[float, int, Callable[[], None]]]
    )
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _look_s: float = -1.0

    def run(self) -> World:
        """Let everything happen. Raises Broken."""
        at_s = 0.0
        for ticket, arrival in enumerate(self.workload.arrivals):
            at_s += arrival.gap_s
            self._at(at_s, lambda ticket=ticket, arrival=arrival: self._act(ticket, arrival))
        while self._events:
            self.now_s, _, happen = heapq.heappop(self._events)
            happen()
            self._step()
            self._check()
        self._check_drained()
        return self

    def _at(self, time_s: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time_s, next(self._order), happen))

    def _act(self, ticket: int, arrival: Arrival) -> None:
        engine = self.engines.get(arrival.model_id)
        if arrival.act == "ask":
            self._ask(ticket, arrival)
        elif engine and engine.state != "stopping":
            # What a person does may cost those who wait another round each.
            self.disturbances += 1
            engine.is_pinned = arrival.act == "pin" and not engine.is_leaving
            engine.is_leaving |= arrival.act == "unload"

    def _ask(self, ticket: int, arrival: Arrival) -> None:
        size = self.workload.sizes[arrival.model_id]
        waiter = Waiter(ticket=ticket, model_id=arrival.model_id, memory_bytes=size, arrived_s=self.now_s)
        held = [engine.held() for engine in self.engines.values()]
        waiting = [one for one, _, _ in self.waiting.values()]
        if not is_admitted(held, waiting, waiter, self.workload.limits, self.now_s):
            self.ends["told to come later"] += 1
            return
        ahead = len(list(itertools.groupby([*(one.model_id for one in waiting), arrival.model_id]))) - 1
        self.waiting[ticket] = (waiter, arrival, ahead - self.disturbances)
        if arrival.fate == "leaves":
            self._at(self.now_s + arrival.works_s, lambda: self._leave(ticket))

    def _leave(self, ticket: int) -> None:
        if self.waiting.pop(ticket, None):
            self.ends["left the queue"] += 1
        for engine in self.engines.values():
            self._end(engine, [ticket], "left its answer")

    def _end(self, engine: _Engine, tickets: Iterable[int], how: str) -> None:
        for ticket in tickets:
            if engine.leases.pop(ticket, None):
                engine.last_used_s = self.now_s
                self.ends[how] += 1

    def _step(self) -> None:
        held = [engine.held() for engine in self.engines.values()]
        decision = self.policy(
            held, [waiter for waiter, _, _ in self.waiting.values()], self.workload.limits, self.now_s
        )
        for ticket in decision.refused:
            self._refuse(ticket)
        for model_id in decision.evicted:
            self._evict(self.engines[model_id])
        for ticket in decision.granted:
            self._grant(ticket)
        for engine in self.engines.values():
            engine.is_draining = engine.model_id in decision.draining
        if self.now_s < decision.next_s < float("inf") and decision.next_s != self._look_s:
            self._look_s = decision.next_s
            self._at(decision.next_s, lambda: None)

    def _refuse(self, ticket: int) -> None:
        waiter = self.waiting.pop(ticket)[0]
        pinned = [engine for engine in self.engines.values() if engine.is_pinned]
        left = self.workload.limits.memory_budget_bytes - sum(engine.memory_bytes for engine in pinned)
        places = (self.workload.limits.models_most or 99) - len(pinned)
        if waiter.memory_bytes <= left and places > 0:
            raise Broken(f"request {ticket} was refused although its model could fit")
        self.ends["refused"] += 1

    def _evict(self, engine: _Engine) -> None:
        if engine.leases or engine.is_pinned or engine.state == "stopping":
            raise Broken(f"{engine.model_id} was evicted: {engine}")
        if engine.state == "loading" and not engine.is_leaving:
            raise Broken(f"{engine.model_id} was evicted while it loaded")
        engine.state = "stopping"
        engine.life += 1
        self._at(self.now_s + STOP_S, lambda: self._gone(engine))

    def _gone(self, engine: _Engine) -> None:
        del self.engines[engine.model_id]

    def _grant(self, ticket: int) -> None:
        waiter, arrival, _ = self.waiting[ticket]
        self._check_wait(ticket)
        del self.waiting[ticket]
        engine = self.engines.get(waiter.model_id)
        if engine is None:
            engine = self.engines[waiter.model_id] = _Engine(model_id=waiter.model_id, memory_bytes=waiter.memory_bytes)
            self._load(engine, arrival)
        elif engine.state == "stopping" or engine.is_leaving:
            raise Broken(f"request {ticket} got {waiter.model_id}, which is going")
        elif engine.state == "down":
            self._load(engine, arrival)
        engine.leases[ticket] = arrival
        engine.last_used_s = self.now_s
        if engine.state == "ready":
            self._work(engine, ticket)

    def _load(self, engine: _Engine, arrival: Arrival) -> None:
        engine.state = "loading"
        engine.life += 1
        life, outcome = engine.life, self._fail if arrival.fate == "fails" else self._ready
        self._at(self.now_s + LOAD_S, lambda: outcome(engine, life))

    def _ready(self, engine: _Engine, life: int) -> None:
        if engine.life == life:
            engine.state = "ready"
            for ticket in list(engine.leases):
                self._work(engine, ticket)

    def _fail(self, engine: _Engine, life: int) -> None:
        if engine.life == life:
            engine.life += 1
            engine.state = "down"
            self._end(engine, list(engine.leases), "told of a lost engine")

    def _work(self, engine: _Engine, ticket: int) -> None:
        arrival, life = engine.leases[ticket], engine.life
        ended_s = self.now_s + arrival.works_s
        if arrival.fate == "crashes":
            self._at(ended_s, lambda: self._fail(engine, life))
        else:
            self._at(ended_s, lambda: self._end(engine, [ticket], "answered"))

    def _check(self) -> None:
        held = sum(engine.memory_bytes for engine in self.engines.values())
        limits = self.workload.limits
        if held > limits.memory_budget_bytes:
            raise Broken(f"{held} of {limits.memory_budget_bytes} bytes are taken at {self.now_s}")
        if limits.models_most and len(self.engines) > limits.models_most:
            raise Broken(f"{len(self.engines)} of {limits.models_most} models are held at {self.now_s}")
        self.most_models = max(self.most_models, len(self.engines))
        for ticket in self.waiting:
            self._check_wait(ticket)

    def _check_wait(self, ticket: int) -> None:
        """One round (a load, the longest answer, a stop) for the request, and for each switch asked for before it."""
        waiter, _, ahead = self.waiting[ticket]
        waited_s = self.now_s - waiter.arrived_s
        rounds = 1 + ahead + self.disturbances
        if waited_s > self.workload.limits.queue_patience_s + rounds * (LOAD_S + WORK_S + STOP_S):
            raise Broken(f"request {ticket} for {waiter.model_id} waits for {waited_s} s")
        self.longest_wait_s = max(self.longest_wait_s, waited_s)

    def _check_drained(self) -> None:
        busy = [engine.model_id for engine in self.engines.values() if engine.leases]
        asked = sum(arrival.act == "ask" for arrival in self.workload.arrivals)
        if self.waiting or busy or self.ends.total() != asked:
            raise Broken(f"at the end {list(self.waiting)} wait, {busy} are busy, {self.ends} of {asked} ended")
        kept = [engine.model_id for engine in self.engines.values() if not engine.is_pinned]
        if self.workload.limits.idle_unload_s and kept:
            raise Broken(f"{kept} were not unloaded")
