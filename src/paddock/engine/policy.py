"""Owns the pool's decisions: who gets a model now, which models have to go for it, and who is refused; pure.

Refuses to know processes and clocks: what there is, and what time it is, is passed in. The rules:

* Requests are looked at in the order in which they came. One for a model that is there is granted at once, so it may go
  ahead of one that waits for room.
* Room is made by the models that nobody uses, the one unused for longest first. A model in use, one that is loading and
  one that is pinned are never among them. The memory of an engine that is stopping counts until it is gone.
* A request that waited for `queue_patience_s` is due: the models that must go for it are drained, which is to say that
  they get no new request. Whoever is due goes first, in the order of arrival, and room on its way to one is not given
  to another. So a request waits at most its patience and then, for itself and each switch asked for before it, one
  longest request, one stop and one load.
* A model that does not fit beside the pinned ones, even alone, is refused at once.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

State = Literal["loading", "ready", "down", "stopping"]

_RETRY_UNKNOWN_S = 5
# Clients of the services heed no longer wait than this.
_RETRY_MOST_S = 60


@dataclass(frozen=True, kw_only=True)
class Room:
    """What engines need: memory, and places where the number of models is limited."""

    size_bytes: int
    models: int = 1

    def __add__(self, other: Room) -> Room:
        return Room(size_bytes=self.size_bytes + other.size_bytes, models=self.models + other.models)

    def __sub__(self, other: Room) -> Room:
        return Room(size_bytes=self.size_bytes - other.size_bytes, models=self.models - other.models)

    def holds(self, need: Room) -> bool:
        """Whether there is this much."""
        return self.size_bytes >= need.size_bytes and self.models >= need.models

    def at_most(self, other: Room) -> Room:
        """The smaller of both, in each of the two."""
        return Room(size_bytes=min(self.size_bytes, other.size_bytes), models=min(self.models, other.models))


NONE = Room(size_bytes=0, models=0)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What may be held and how long may be waited; see the settings of the same names. 0 models is no limit."""

    memory_budget_bytes: int
    models_most: int
    queue_most: int
    queue_patience_s: float
    idle_unload_s: float

    @property
    def room(self) -> Room:
        """All the room there is."""
        return Room(size_bytes=self.memory_budget_bytes, models=self.models_most or sys.maxsize)


@dataclass(frozen=True, kw_only=True)
class Held:
    """One engine, from the decision to load it until its process is gone.

    `down` is an engine whose process ended by itself: it may be started again, so that its memory still counts.
    `is_leaving`: somebody asked for it to be unloaded. `is_draining`: the last decision drained it.
    """

    model_id: str
    memory_bytes: int
    slots: int
    state: State
    leases: int = 0
    last_used_s: float = 0.0
    is_pinned: bool = False
    is_leaving: bool = False
    is_draining: bool = False

    @property
    def room(self) -> Room:
        """What it takes."""
        return Room(size_bytes=self.memory_bytes)

    @property
    def is_idle(self) -> bool:
        """Whether it could go now without harm to anyone."""
        return self.state in ("ready", "down") and not self.leases and not self.is_pinned


@dataclass(frozen=True, kw_only=True)
class Waiter:
    """One request that waits. `memory_bytes` is what its model takes once it is loaded."""

    ticket: int
    model_id: str
    memory_bytes: int
    arrived_s: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do now. Tickets in order; a grant of a model that is not held means that it is loaded now.

    `idle` are those of `evicted` that nobody used for long. `draining` are all models that get no new request until the
    next decision. At `next_s` a decision is due although nothing has happened.
    """

    granted: tuple[int, ...]
    refused: tuple[int, ...]
    evicted: tuple[str, ...]
    idle: tuple[str, ...]
    draining: frozenset[str]
    next_s: float


def decide(held: Iterable[Held], waiting: Iterable[Waiter], limits: Limits, now_s: float) -> Decision:
    """What to do now.

    Args:
        held: every engine, those that are stopping too.
        waiting: the requests that have no model yet, in the order in which they came.
        limits: what may be held.
        now_s: the time, on the clock of the other times.
    """
    deciding = _Deciding(held, limits, now_s)
    for waiter in waiting:
        deciding.serve(waiter)
    deciding.unload_idle()
    return Decision(
        granted=tuple(deciding.granted),
        refused=tuple(deciding.refused),
        evicted=tuple(deciding.evicted),
        idle=tuple(deciding.idle),
        draining=frozenset(deciding.draining),
        next_s=deciding.next_s,
    )


def is_admitted(
    held: Sequence[Held], waiting: Sequence[Waiter], newcomer: Waiter, limits: Limits, now_s: float
) -> bool:
    """Whether one more request may come: to be served at once, or to wait among at most `queue_most`.

    Those wait who have no model yet, and those who have one whose slots are all taken.
    """
    if crowd_of(held, waiting) < limits.queue_most:
        return True
    if newcomer.ticket not in decide(held, (*waiting, newcomer), limits, now_s).granted:
        return False
    return all(one.leases < one.slots for one in held if one.model_id == newcomer.model_id)


def crowd_of(held: Iterable[Held], waiting: Sequence[Waiter]) -> int:
    """How many requests wait: for a model, or for a slot of the one that they have."""
    return len(waiting) + sum(max(0, one.leases - one.slots) for one in held)


def retry_after_s(held: Sequence[Held], waiting: Sequence[Waiter], served_s: Sequence[float]) -> int:
    """When one who was not admitted may come again: once those who wait now are served, as the last answers tell.

    Args:
        held, waiting: as for `is_admitted`.
        served_s: for how long each of the last answers had its slot.

    Returns:
        Whole seconds, from 1 to 60. Loads and stops are not reckoned; 5 where nothing was answered yet.
    """
    if not served_s:
        return _RETRY_UNKNOWN_S
    at_once = max(1, sum(min(one.leases, one.slots) for one in held))
    needed_s = crowd_of(held, waiting) * statistics.median(served_s) / at_once
    return min(max(1, math.ceil(needed_s)), _RETRY_MOST_S)


def superfluous(held: Iterable[Held], size_bytes: int) -> list[str]:
    """The models that have to leave for the rest to fit into this much: none that is pinned, those of least use first.

    Those that leave already, or stop, are none of the rest.
    """
    staying = [one for one in held if not one.is_leaving and one.state != "stopping"]
    over_bytes = sum(one.memory_bytes for one in staying) - size_bytes
    found: list[str] = []
    for one in sorted(staying, key=_turn_to_go):
        if over_bytes > 0 and not one.is_pinned:
            found.append(one.model_id)
            over_bytes -= one.memory_bytes
    return found


class _Deciding:
    """One decision in the making. `free` is the room that is left, `coming` what becomes free without more doing."""

    def __init__(self, held: Iterable[Held], limits: Limits, now_s: float) -> None:
        self.granted: list[int] = []
        self.refused: list[int] = []
        self.evicted: list[str] = []
        self.idle: list[str] = []
        self.draining: set[str] = set()
        self.next_s = math.inf
        self._made_room_for: set[str] = set()
        self._held = {one.model_id: one for one in held}
        self._limits = limits
        self._now_s = now_s
        self._free = limits.room - sum((one.room for one in self._held.values()), NONE)
        self._coming = sum((one.room for one in self._held.values() if one.state == "stopping"), NONE)
        self._pinned = sum((one.room for one in self._held.values() if one.is_pinned), NONE)
        for one in list(self._held.values()):
            if one.is_leaving and not one.leases and one.state != "stopping":
                self._evict(one)

    def serve(self, waiter: Waiter) -> None:
        """Grant, make room, refuse, or let wait."""
        one = self._held.get(waiter.model_id)
        if one is None or one.state == "stopping":
            if waiter.model_id not in self._made_room_for:
                self._make_room(waiter, may_load=one is None)
        elif not one.is_leaving and one.model_id not in self.draining:
            self._grant(waiter, one)

    def unload_idle(self) -> None:
        """Let go of what nobody has used for `idle_unload_s`."""
        if not self._limits.idle_unload_s:
            return
        for one in [one for one in self._held.values() if one.is_idle]:
            ends_s = one.last_used_s + self._limits.idle_unload_s
            if ends_s <= self._now_s:
                self._evict(one)
                self.idle.append(one.model_id)
            else:
                self.next_s = min(self.next_s, ends_s)

    def _make_room(self, waiter: Waiter, *, may_load: bool) -> None:
        need = Room(size_bytes=waiter.memory_bytes)
        due_s = waiter.arrived_s + self._limits.queue_patience_s
        if not (self._limits.room - self._pinned).holds(need):
            self.refused.append(waiter.ticket)
            return
        if may_load and self._free.holds(need):
            self._free -= need
            loaded = Held(model_id=waiter.model_id, memory_bytes=waiter.memory_bytes, slots=1, state="loading")
            self._grant(waiter, loaded)
            return
        self._made_room_for.add(waiter.model_id)
        if (idle := self._enough(need, lambda one: one.is_idle)) is not None:
            for one in idle:
                self._evict(one)
            self._claim(need)
        elif due_s <= self._now_s:
            for one in self._enough(need, lambda one: not one.is_pinned) or ():
                self.draining.add(one.model_id)
                self._coming += one.room
            # Also where those due before it take all there is: nothing is loaded for those behind it.
            self._claim(need)
        else:
            self.next_s = min(self.next_s, due_s)

    def _enough(self, need: Room, may_go: Callable[[Held], bool]) -> list[Held] | None:
        """The models that have to go for this need, of those that may; none goes in vain. None: all are not enough."""
        room = self._free + self._coming
        going: list[Held] = []
        for one in sorted(self._held.values(), key=_turn_to_go):
            if room.holds(need):
                break
            if may_go(one) and one.state != "stopping" and one.model_id not in self.draining:
                going.append(one)
                room += one.room
        if not room.holds(need):
            return None
        for one in list(going):
            if (room - one.room).holds(need):
                going.remove(one)
                room -= one.room
        return going

    def _claim(self, need: Room) -> None:
        """Keep for this need what is coming, and of what is free as much as that will not cover."""
        left = self._free + self._coming - need
        self._free = self._free.at_most(left)
        self._coming = left - self._free

    def _grant(self, waiter: Waiter, one: Held) -> None:
        self._held[one.model_id] = replace(one, leases=one.leases + 1)
        self.granted.append(waiter.ticket)

    def _evict(self, one: Held) -> None:
        self._held[one.model_id] = replace(one, state="stopping")
        self._coming += one.room
        self.evicted.append(one.model_id)


def _turn_to_go(one: Held) -> tuple[bool, bool, bool, bool, float]:
    """Who goes first: what goes anyway, what is of no use, what nobody uses, what was used longest ago.

    That a model was drained counts, so that a switch once prepared is carried out.
    """
    return not one.is_leaving, not one.is_draining, one.state != "down", one.leases > 0, one.last_used_s
