"""Owns how an engine loads the bundled model where a build is tried with it."""

from __future__ import annotations

from pathlib import Path

from paddock.engine.flags import EngineFlags
from paddock.models.catalog import BUNDLED

_BATCH_TOKENS = 128


def pocket_flags(alias: str, *, context_tokens: int, slots: int) -> EngineFlags:
    """The flags of an engine with the bundled model; the context is of one slot."""
    return EngineFlags(
        model_path=str(Path(BUNDLED["pocket-v0"])),
        alias=alias,
        context_tokens=context_tokens * slots,
        slots=slots,
        batch_tokens=_BATCH_TOKENS,
        ubatch_tokens=_BATCH_TOKENS,
    )
