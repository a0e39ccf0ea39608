"""Owns how much memory engines may take, and what one model will take; refuses to know what is loaded."""

from __future__ import annotations

from paddock import hardware
from paddock.config import Settings
from paddock.engine.flags import EngineFlags
from paddock.engine.policy import Limits
from paddock.models.gguf import GgufHeader

# Of the memory that is free before any model is loaded; the rest is for paddock, for buffers and for other programs.
_SHARE = 0.8
_CACHE_BYTES = 2  # of one number in the key and value cache


def limits_of(settings: Settings) -> Limits:
    """What may be held under these settings. Looks at this machine's free memory where no budget is set."""
    free_bytes = 0 if settings.memory_budget_bytes else hardware.describe().memory.available_bytes
    return Limits(
        memory_budget_bytes=settings.memory_budget_bytes or int(free_bytes * _SHARE),
        models_most=settings.models_most,
        queue_most=settings.queue_most,
        queue_patience_s=settings.queue_patience_s,
        idle_unload_s=settings.idle_unload_s,
    )


def memory_bytes(header: GgufHeader, flags: EngineFlags, *, projector_bytes: int) -> int:
    """What a model takes: its files, its projector, and the keys and values of all of its context.

    Covered: plain attention, also where the layers differ. Not covered: sliding windows, recurrent layers, compressed
    keys and values (these take less), the engine's compute buffers (these come on top).
    """
    layers = header.block_count or 0
    heads = header.head_count or 1
    most_heads = max(heads) if isinstance(heads, tuple) else heads
    each_layer = header.head_count_kv or heads
    all_heads = sum(each_layer) if isinstance(each_layer, tuple) else each_layer * layers
    head_length = (header.embedding_length or 0) // max(most_heads, 1)
    length = (header.key_length or head_length) + (header.value_length or head_length)
    return header.size_bytes + projector_bytes + all_heads * length * _CACHE_BYTES * flags.context_tokens
