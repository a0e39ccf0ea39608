"""Owns noticing engines that have run away: that compute for clients which left, or took far more memory than planned.

Both are what a file can bring about: an engine renders the model's chat template within a request, or while it loads,
and neither looks at its client meanwhile nor ends what never ends. Refuses to end an engine itself, and looks at none
that rests.

Covered: requests whose client closed its connection, in engines of this machine; memory, on Linux. Not covered: a load
that goes on, which `load_timeout_s` ends; a request whose client waits, which `answer_timeout_s` ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from paddock.engine.process import Endpoint
from paddock.engine.resident import Resident
from paddock.hardware.processes import half_closed, own_bytes
from paddock.log import named

if TYPE_CHECKING:
    from paddock.engine.client import Destination

_log = named(__name__)
_EVERY_S = 2.0
_LOOKS = 4
_TOOK = (
    "It held {} MiB of its own, where {} MiB were planned. What makes it do so may be the model's chat template: "
    "read it with `paddock models template`."
)


@dataclass(frozen=True, kw_only=True)
class Leniency:
    """What an engine may do.

    For how long it may compute for nobody, in seconds: one that no other request uses, and one that is used; an engine
    that others keep busy looks later at whether its clients are there, and to replace it costs those others. And the
    memory that it may take beside twice its plan, for what a plan leaves out: bodies that are being read, pictures,
    what a library keeps for itself.
    """

    idle_s: float
    used_s: float
    spare_bytes: int = 4 * 2**30


@dataclass(kw_only=True)
class _Suspicion:
    """One engine's connections that their clients closed, by the client's port: since when they are seen so."""

    since_s: dict[int, float] = field(default_factory=dict[int, float])
    looked_s: float = 0.0


class Runaways:
    """Looks at those engines that are at work, or were left at work.

    Args:
        residents: the engines, by model; what it holds changes.
        leniency: as it says.
        replace: told of an engine that computes for nobody.
    """

    def __init__(
        self, residents: Mapping[str, Resident], *, leniency: Leniency, replace: Callable[[Resident], None]
    ) -> None:
        self._residents = residents
        self._leniency = leniency
        self._replace = replace
        self._suspicions: dict[int, _Suspicion] = {}
        self._stirred = anyio.Event()
        self._closed = anyio.Event()

    def left(self, engine: Destination) -> None:
        """An exchange with this engine was given up before its end."""
        if isinstance(engine, Endpoint):
            self._suspicions.setdefault(engine.port, _Suspicion())
            self.stir()

    def stir(self) -> None:
        """Something changed: there may be an engine to look at."""
        self._stirred.set()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._stirred.set()

    async def watch(self) -> None:
        """Look now and then until `close`, and not at all while every engine rests."""
        every_s = min(_EVERY_S, self._leniency.idle_s / _LOOKS)
        while not self._closed.is_set():
            if not any(self._is_at_work(one) for one in self._residents.values()):
                self._suspicions.clear()
                self._stirred = anyio.Event()
                await self._stirred.wait()
                continue
            with anyio.move_on_after(every_s):
                await self._closed.wait()
                return
            await self._look_at_all()

    async def _look_at_all(self) -> None:
        # Apart from `watch`, whose frame would hold the last one until the next look.
        for resident in [one for one in self._residents.values() if self._is_at_work(one)]:
            await self._look(resident)

    def _is_at_work(self, resident: Resident) -> bool:
        engine = resident.engine
        # One that is just being started has no process yet.
        is_busy = bool(resident.leases) or engine.state == "starting"
        return not engine.is_stopping and (is_busy or engine.port in self._suspicions)

    async def _look(self, resident: Resident) -> None:
        engine, pid = resident.engine, resident.engine.pid
        if pid is None:
            return
        own = await anyio.to_thread.run_sync(own_bytes, pid)
        planned = resident.plan.memory_bytes
        if own > 2 * planned + self._leniency.spare_bytes and engine.pid == pid:
            engine.fail(_TOOK.format(own // 2**20, planned // 2**20))
        elif engine.port in self._suspicions and not resident.is_leaving:
            await self._look_at_connections(resident, pid, engine.port)

    async def _look_at_connections(self, resident: Resident, pid: int, port: int) -> None:
        suspicion = self._suspicions[port]
        held = await anyio.to_thread.run_sync(half_closed, pid, port)
        now_s = anyio.current_time()
        suspicion.since_s = {client: suspicion.since_s.get(client, now_s) for client in held}
        if not held or resident.engine.port != port:
            self._suspicions.pop(port, None)
            return
        # Also one that just now was left alone had no time yet to see that its client is gone.
        is_idle = not resident.leases and resident.last_used_s <= suspicion.looked_s
        suspicion.looked_s = now_s
        lasted_s = now_s - min(suspicion.since_s.values())
        if lasted_s >= (self._leniency.idle_s if is_idle else self._leniency.used_s):
            _log.warning(
                "engine %s computes for a client that left %.0f s ago: it is replaced", resident.model_id, lasted_s
            )
            self._replace(resident)
