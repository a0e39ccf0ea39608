"""Owns how one model is to be loaded: the engine's flags and the memory it will take; refuses to work either out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from paddock.engine.flags import EngineFlags


@dataclass(frozen=True, kw_only=True)
class EnginePlan:
    """One model's engine before it is started. `memory_bytes` is what it takes when all of its context is in use.

    `is_pinned`: it was set for the model that it stays, once it is loaded. `remembered_as` is under what the memory
    that it is seen to hold is remembered; "" where it is not. `kv_bytes` are those among `memory_bytes` that all
    slots together hold then; 0 where that is not known.
    """

    flags: EngineFlags
    memory_bytes: int
    is_pinned: bool = False
    remembered_as: str = ""
    kv_bytes: int = 0

    def lacks(self, adapters: Collection[str]) -> bool:
        """Whether an engine started so is without one of these adapters, told by their paths."""
        return not frozenset(self.flags.lora_paths).issuperset(adapters)
