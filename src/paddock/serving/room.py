"""Owns how much memory engines may take together; refuses to know what is loaded, or what a model needs."""

from __future__ import annotations

from functools import cached_property

from paddock import hardware
from paddock.config import Settings
from paddock.engine.policy import Limits
from paddock.hardware import Memory

# Of the memory that is free before any model is loaded; the rest is for paddock, for buffers and for other programs.
_SHARE = 0.8


class Room:
    """What may be held under these settings; where no budget is set, what is free at the first look tells."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def limits(self) -> Limits:
        """Blocks on the system's files the first time."""
        settings = self._settings
        free_bytes = 0 if settings.memory_budget_bytes else hardware.read_memory().available_bytes
        return Limits(
            memory_budget_bytes=settings.memory_budget_bytes or int(free_bytes * _SHARE),
            models_most=settings.models_most,
            queue_most=settings.queue_most,
            queue_patience_s=settings.queue_patience_s,
            idle_unload_s=settings.idle_unload_s,
        )

    @property
    def memory(self) -> Memory:
        """The budget as memory that one model can have, once the others have left."""
        # Nothing of a budget is the system's, so none of it is held back.
        return Memory(total_bytes=0, available_bytes=self.limits.memory_budget_bytes, limit_bytes=None)
