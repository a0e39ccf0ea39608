"""Owns which model is loaded and who is using it; refuses to know what is asked of it.

One model is resident. A request leases it; another model takes its place once the last lease has ended, and requests
that arrive meanwhile wait their turn, so that neither side starves.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from paddock.engine.flags import EngineFlags
from paddock.engine.process import Endpoint, EngineProcess
from paddock.errors import EngineUnavailable

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient

_STOPPING = "paddock is stopping and loads no model. Start it again to go on."
# -P: a folder named paddock in the working directory must not become the engine.
EMBEDDED: tuple[str, ...] = (sys.executable, "-P", "-m", "paddock.engine.embedded")


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """What the running engine says of its model. `context_tokens` is what one slot really has."""

    context_tokens: int
    sees_images: bool
    template_knows_tools: bool


@dataclass(kw_only=True)
class Resident:
    """The loaded model: its engine, who is using it, and what was learned of it since it became ready."""

    model_id: str
    engine: EngineProcess
    leases: int = 0
    abilities: Abilities | None = None
    abilities_generation: int = 0
    # What others learn of this engine's model by asking it; forgotten with the process that said it.
    learned: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to use a ready engine until the `async with` that gave it ends."""

    model_id: str
    endpoint: Endpoint
    abilities: Abilities
    resident: Resident
    client: EngineClient


class Pool:
    """Loads a model at its first need and keeps it for the next request."""

    def __init__(
        self,
        *,
        flags_for: Callable[[str], EngineFlags],
        tasks: TaskGroup,
        load_timeout_s: float,
        program: Sequence[str] = EMBEDDED,
    ) -> None:
        self._flags_for = flags_for
        self._client: EngineClient | None = None
        self._tasks = tasks
        self._load_timeout_s = load_timeout_s
        self._program = program
        self._resident: Resident | None = None
        self._turn = anyio.Lock(fast_acquire=True)
        self._drained = anyio.Event()
        self._closed = False

    @property
    def engine(self) -> EngineProcess | None:
        """The resident model's engine, whatever its state."""
        return self._resident.engine if self._resident else None

    @property
    def resident(self) -> Resident | None:
        """The resident model, if there is one."""
        return self._resident

    def is_ready(self, model_id: str) -> bool:
        """Whether a request for this model would be sent without loading it."""
        resident = self._resident
        return bool(resident and resident.model_id == model_id and resident.engine.is_ready and resident.abilities)

    @asynccontextmanager
    async def lease(self, model_id: str) -> AsyncGenerator[Lease]:
        """Load the model if needed and hold it loaded while inside.

        Raises:
            ModelUnknown, ModelUnusable: from looking the model up.
            EngineFailedToStart, EngineUnreachable: the engine did not come up.
            EngineUnavailable: paddock is stopping.
        """
        resident = await self._claim(model_id)
        try:
            endpoint = await resident.engine.ensure_ready()
            client = await self.connect()
            abilities = await _abilities_of(resident, endpoint, client)
            yield Lease(model_id=model_id, endpoint=endpoint, abilities=abilities, resident=resident, client=client)
        finally:
            resident.leases -= 1
            if not resident.leases:
                self._drained.set()

    async def unload(self, model_id: str) -> None:
        """Stop the model's engine once nobody uses it; a model that is not loaded is left so."""
        async with self._turn:
            if self._resident and self._resident.model_id == model_id:
                await self._retire()

    async def connect(self) -> EngineClient:
        """The one client for engines, made at its first need. Raises EngineUnavailable when paddock is stopping."""
        if self._client is None:
            await self.preload()
        if self._closed:
            raise EngineUnavailable(_STOPPING)
        if self._client is None:
            from paddock.engine.client import EngineClient

            self._client = EngineClient()
        return self._client

    @staticmethod
    async def preload() -> None:
        """Import the client's library, which takes longer than starting paddock, beside the event loop."""
        await anyio.to_thread.run_sync(importlib.import_module, "paddock.engine.client")

    async def close(self) -> None:
        """Stop the engine and close every connection to it; later leases are refused."""
        self._closed = True
        if self._resident:
            await self._resident.engine.stop()
        if self._client:
            await self._client.close()

    async def _claim(self, model_id: str) -> Resident:
        async with self._turn:
            if self._closed:
                raise EngineUnavailable(_STOPPING)
            resident = self._resident
            if resident is None or resident.model_id != model_id:
                flags = self._flags_for(model_id)
                await self._retire()
                engine = EngineProcess(program=self._program, flags=flags, load_timeout_s=self._load_timeout_s)
                self._tasks.start_soon(engine.own)
                resident = self._resident = Resident(model_id=model_id, engine=engine)
            resident.leases += 1
            return resident

    async def _retire(self) -> None:
        """Wait until nobody uses the resident model, then stop it."""
        while self._resident and self._resident.leases:
            self._drained = anyio.Event()
            await self._drained.wait()
        if self._resident:
            with anyio.CancelScope(shield=True):
                await self._resident.engine.stop()
            self._resident = None


async def _abilities_of(resident: Resident, endpoint: Endpoint, client: EngineClient) -> Abilities:
    """Ask a new process once what it really has."""
    if resident.abilities is None or resident.abilities_generation != endpoint.generation:
        resident.learned.clear()
        props = await client.ask(endpoint, "/props")
        resident.abilities = Abilities(
            context_tokens=int(props["default_generation_settings"]["n_ctx"]),
            sees_images=bool(props.get("modalities", {}).get("vision", False)),
            template_knows_tools=bool(props.get("chat_template_caps", {}).get("supports_tools", True)),
        )
        resident.abilities_generation = endpoint.generation
    return resident.abilities
