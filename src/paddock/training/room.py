"""Owns the memory that serving lends to a training: how much, what goes for it, and that it comes back.

Refuses to interrupt a request: what is used is waited for. That wait is told, and can be given up with the training.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio
import anyio.to_thread

from paddock.engine.pool import Pool
from paddock.errors import PaddockError
from paddock.store.jobs import Job
from paddock.training.estimate import memory_of_device

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.3
# In a job's figures: the models that went for it, and what is left to models until it ends.
PUT_DOWN, LEFT = "put_down", "left_to_models_bytes"
Say = Callable[..., Awaitable[Job]]


def put_down_of(job: Job) -> list[str]:
    """The models that went for a training and did not come back yet."""
    return list(job.figures.get(PUT_DOWN, []))


def is_lent_to(job: Job) -> bool:
    """Whether a training has, or had, some of serving's memory that was not taken back yet."""
    return PUT_DOWN in job.figures or LEFT in job.figures


class Room:
    """What a pool lends to the trainings of its paddock, one at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def make(self, job: Job, find: Callable[[str], Awaitable[Job]], say: Say) -> Job | None:
        """Have models go that a training needs the memory of; None where it was called off meanwhile.

        Args:
            job: the training, which waits.
            find: looks it up.
            say: tells something of it, with figures to keep, and gives it as it is then.
        """
        left_bytes = await self._left_bytes(job)
        if left_bytes is None:
            return job
        lending = self._pool.lending
        lending.lend(left_bytes)
        waited_for: list[str] = []
        before = put_down_of(job)
        while not lending.is_made:
            waits_for = lending.waits_for
            if waits_for and waits_for != waited_for:
                waited_for = waits_for
                figures = {PUT_DOWN: _both(before, lending.put_down), LEFT: left_bytes}
                await say(job, "room_waits", figures, models=waits_for)
            await anyio.sleep(_LOOK_EVERY_S)
            job = await find(job.id)
            if job.state != "queued":
                return None
        figures = {PUT_DOWN: _both(before, lending.put_down), LEFT: left_bytes}
        return await say(job, "room_made", figures, models=lending.put_down, left_bytes=left_bytes)

    def keep(self, job: Job) -> None:
        """Lend as before to a training that runs already."""
        if LEFT in job.figures:
            self._pool.lending.lend(int(job.figures[LEFT]))

    def take_back(self) -> None:
        """Lend nothing any more; what went is loaded by `load`, or at its next need."""
        self._pool.lending.take_back()

    async def load(self, models: Iterable[str]) -> None:
        """Load models again, one after another; what cannot be loaded now is left to its next request."""
        for model in models:
            try:
                async with self._pool.lease(model):
                    _log.info("model %s is back after a training", model)
            except PaddockError as error:
                _log.warning("model %s does not come back after a training: %s", model, error.message)

    async def _left_bytes(self, job: Job) -> int | None:
        """What engines may still take while it runs; None where they need not be asked for anything."""
        wanted = job.spec.get("makes_room", "never")
        if wanted == "always":
            return 0
        needed_bytes = int(job.figures.get("estimated_bytes", 0))
        free_bytes = (await anyio.to_thread.run_sync(memory_of_device))[0]
        if wanted == "never" or needed_bytes <= free_bytes:
            return None
        held_bytes = sum(one.plan.memory_bytes for one in self._pool.residents.values())
        return max(0, free_bytes + held_bytes - needed_bytes)


def without_loan(figures: Any) -> dict[str, Any]:
    """A job's figures once it has no more of serving's memory."""
    return {name: value for name, value in figures.items() if name not in (PUT_DOWN, LEFT)}


def _both(before: list[str], now: list[str]) -> list[str]:
    return list(dict.fromkeys([*before, *now]))
