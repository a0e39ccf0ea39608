"""Owns what is known of one loaded model, and the claims that requests have on it; refuses to decide who gets one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from paddock.engine.plan import EnginePlan
from paddock.engine.policy import Held, State, Waiter
from paddock.engine.process import Endpoint, EngineProcess
from paddock.errors import EngineUnavailable, EngineUnreachable, ModelUnloaded, PaddockError
from paddock.log import named
from paddock.tracing.spans import span

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient

_log = named(__name__)


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """What the running engine says of its model. `context_tokens` is what one slot really has."""

    context_tokens: int
    sees_images: bool
    template_knows_tools: bool


@dataclass(kw_only=True, eq=False)
class Resident:
    """A loaded model: its engine, who is using it, and what was learned of it since it became ready.

    `last_used_s` is on the event loop's clock. `is_lent`: it leaves for as long as somebody
    borrows its memory. `was_given_up`: it was unloaded while requests waited for its load.
    `gone` is set when the engine's process has ended for good.
    """

    model_id: str
    plan: EnginePlan
    engine: EngineProcess
    leases: int = 0
    last_used_s: float = 0.0
    observe_after_s: float = 0.0
    is_pinned: bool = False
    is_leaving: bool = False
    is_lent: bool = False
    is_draining: bool = False
    was_given_up: bool = False
    gone: anyio.Event = field(default_factory=anyio.Event)
    abilities: Abilities | None = None
    abilities_generation: int = 0
    # What others learn of this engine's model by asking it; forgotten with the process that said it.
    learned: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def state(self) -> State:
        """The engine's state as the policy sees it."""
        if self.engine.is_stopping:
            return "stopping"
        if self.engine.state == "starting":
            return "loading"
        return "ready" if self.engine.state == "ready" else "down"

    @property
    def is_going(self) -> bool:
        """Whether the next request for this model needs a new engine."""
        return self.is_leaving or self.is_lent or self.engine.is_stopping

    @property
    def is_ready(self) -> bool:
        """Whether a request that holds a lease would be sent without loading anything."""
        return bool(self.engine.is_ready and self.abilities)

    async def ensure_ready(self) -> Endpoint:
        """As the engine's own. Raises ModelUnloaded where it was given up."""
        try:
            return await self.engine.ensure_ready()
        except EngineUnavailable as error:
            raise self.told(error) from error

    def told(self, error: PaddockError) -> PaddockError:
        """What is told to a request that waited for the load: that somebody gave it up, or the error itself."""
        return ModelUnloaded(self.model_id) if self.was_given_up else error

    def held(self) -> Held:
        """This model for the policy."""
        return Held(
            model_id=self.model_id,
            memory_bytes=self.plan.memory_bytes,
            slots=self.plan.flags.slots,
            state=self.state,
            leases=self.leases,
            last_used_s=self.last_used_s,
            is_pinned=self.is_pinned,
            is_leaving=self.is_leaving or self.is_lent,
            is_draining=self.is_draining,
        )


@dataclass(kw_only=True, eq=False)
class Place:
    """One request's place with the pool: in the queue until it has its `resident`, or until it is `refused`.

    `adapters` are the paths of those that its engine must have. `begun_s` is when the ready engine was handed over, and
    `share` how much of the time from then on it has a slot, should all that it shares its engine with take as long.
    """

    waiter: Waiter
    plan: EnginePlan
    adapters: Collection[str] = ()
    resident: Resident | None = None
    refused: PaddockError | None = None
    turn: anyio.Event = field(default_factory=anyio.Event)
    begun_s: float | None = None
    share: float = 1.0

    def begin(self, *, now_s: float) -> None:
        """The engine is ready, and handed over."""
        if self.resident:
            self.begun_s = now_s
            self.share = min(1.0, self.resident.plan.flags.slots / self.resident.leases)

    @property
    def is_warm(self) -> bool:
        """Whether the model was given to the request already, and is loaded."""
        return self.resident is not None and self.resident.is_ready


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to use a ready engine until the `async with` that gave it ends."""

    model_id: str
    endpoint: Endpoint
    abilities: Abilities
    resident: Resident
    client: EngineClient


async def readied(
    resident: Resident, connect: Callable[[], Awaitable[EngineClient]]
) -> tuple[Endpoint, EngineClient, Abilities]:
    """A model that answers, once it does. Raises as `EngineProcess.ensure_ready` and a question to it do."""
    if not resident.is_ready:
        _log.info("model %s is not ready: waiting for it", resident.model_id)
    with nullcontext() if resident.is_ready else span("load a model"):
        endpoint = await resident.ensure_ready()
        client = await connect()
        return endpoint, client, await _learn_abilities(resident, endpoint, client)


async def _learn_abilities(resident: Resident, endpoint: Endpoint, client: EngineClient) -> Abilities:
    """Ask a new process once what it really has. Raises EngineUnreachable, EngineRefused or ModelUnloaded."""
    if resident.abilities is None or resident.abilities_generation != endpoint.generation:
        resident.learned.clear()
        try:
            props = await client.ask(endpoint, "/props")
        except EngineUnreachable as error:
            raise resident.told(error) from error
        resident.abilities = Abilities(
            context_tokens=int(props["default_generation_settings"]["n_ctx"]),
            sees_images=bool(props.get("modalities", {}).get("vision", False)),
            template_knows_tools=bool(props.get("chat_template_caps", {}).get("supports_tools", True)),
        )
        resident.abilities_generation = endpoint.generation
    return resident.abilities
