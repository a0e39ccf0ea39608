"""Owns how much of the memory that engines may take is lent to somebody else, and which models go for that meanwhile.

Nobody is interrupted for it: a model in use goes once its requests have ended, a request that waited before is served
as ever, and what is pinned stays. Refuses to know who borrows, and what for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import anyio

from paddock.engine.policy import Limits, superfluous
from paddock.engine.resident import Place, Resident
from paddock.errors import ModelTooLarge


class Lending:
    """What a pool lends. Its owner calls `mark` and `bounds` before each decision; changes call it back.

    Args:
        residents: the pool's models.
        queue: its waiting requests.
        on_change: called when something was lent or taken back.
    """

    def __init__(
        self, residents: Mapping[str, Resident], queue: Mapping[int, Place], *, on_change: Callable[[], None]
    ) -> None:
        self._residents = residents
        self._queue = queue
        self._on_change = on_change
        self._left_bytes: int | None = None
        self._since_s = 0.0
        self._going: dict[str, Resident] = {}

    def lend(self, left_bytes: int) -> None:
        """Leave engines no more than this until `take_back`."""
        self._left_bytes, self._since_s = left_bytes, anyio.current_time()
        self._going.clear()
        self._on_change()

    def take_back(self) -> None:
        """Let engines have all of it again; a model that did not go yet stays."""
        self._left_bytes = None
        for one in self._going.values():
            one.is_lent = False
        self._on_change()

    @property
    def put_down(self) -> list[str]:
        """The models that went for it, or are to go."""
        return list(self._going)

    @property
    def waits_for(self) -> list[str]:
        """Those of them that requests are using still, and models that requests waited for before."""
        used = [name for name, one in self._going.items() if one.leases and not one.gone.is_set()]
        return [*used, *(place.waiter.model_id for place in self._earlier())]

    @property
    def is_made(self) -> bool:
        """Whether the memory is free, but for what is pinned."""
        return not self._earlier() and all(one.gone.is_set() for one in self._going.values())

    def mark(self) -> None:
        """Have the models leave that do not fit into what is left."""
        if self._left_bytes is None:
            return
        held = [one.held() for one in self._residents.values()]
        for name in superfluous(held, self._left_bytes):
            self._residents[name].is_lent = True
            self._going[name] = self._residents[name]

    def bounds(self, limits: Limits) -> Limits:
        """What engines may take at present: all of it, for as long as requests wait that came before it was lent."""
        if self._left_bytes is None or self._earlier():
            return limits
        return replace(limits, memory_budget_bytes=min(limits.memory_budget_bytes, self._left_bytes))

    def too_large(self, place: Place, limits: Limits) -> ModelTooLarge:
        """Why a request's model finds no room within these limits."""
        return ModelTooLarge(
            place.waiter.model_id,
            need_bytes=place.waiter.memory_bytes,
            budget_bytes=limits.memory_budget_bytes,
            models_most=limits.models_most,
            pinned=[one.model_id for one in self._residents.values() if one.is_pinned],
            is_lent=self._left_bytes is not None,
        )

    def _earlier(self) -> list[Place]:
        if self._left_bytes is None:
            return []
        return [place for place in self._queue.values() if place.waiter.arrived_s <= self._since_s]
