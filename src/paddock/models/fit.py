"""Owns how much memory a model needs for a given context, slots and kinds of numbers; measures and decides nothing.

Covered: weights, what is kept for tokens (KV) and of state, the engine's working memory, a projector, the engine.
Not covered: drafts, adapters, and what a driver takes on a GPU. The engine's own sizes, `ENGINE_BYTES` and below, are
measured; `docs/benchmarks.md` holds how far the whole is from real engines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from paddock.errors import ModelUnusable
from paddock.models.gguf import GgufHeader
from paddock.models.gguf_reader import LargeArray
from paddock.models.layout import Layer, Layout, layout_of

KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
# Kind → numbers in a block, bytes of a block.
KV_TYPES: Final[dict[KvType, tuple[int, int]]] = {
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
    "iq4_nl": (32, 18),
}
_CELLS = 256
"""The engine rounds contexts up to a multiple of this."""
_F32, _MASK = 4, 2

ENGINE_BYTES: Final = 32 * 2**20
"""The embedded engine's process without a model."""
PIECE_BYTES, MERGE_BYTES = 230, 360
"""What the engine keeps in memory for each piece of a vocabulary, and for each pair that its tokenizer joins."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """How a model is to be loaded, as far as memory goes. Contexts are in tokens, one for each slot.

    `prompt_cache_bytes` is what the engine may keep of prompts that left their slot, `checkpoints` how many copies of
    each slot's state and windows, to go back to. `has_full_window` keeps the whole
    context in sliding layers too; `is_shared` lets all slots share one context of the sum of theirs.
    """

    context_tokens: int
    slots: int = 1
    key_type: KvType = "f16"
    value_type: KvType = "f16"
    batch_tokens: int = 512
    projector_bytes: int = 0
    adapter_bytes: int = 0
    prompt_cache_bytes: int = 0
    checkpoints: int = 0
    has_full_window: bool = False
    is_shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a loaded model needs, in bytes. `doubts` are sentences on what is not known for certain."""

    weights_bytes: int
    kv_bytes: int
    recurrent_bytes: int
    compute_bytes: int
    projector_bytes: int
    adapter_bytes: int
    prompt_cache_bytes: int
    checkpoint_bytes: int
    overhead_bytes: int
    doubts: tuple[str, ...] = ()

    @property
    def total_bytes(self) -> int:
        """All of it together."""
        return (
            self.weights_bytes
            + self.kv_bytes
            + self.recurrent_bytes
            + self.compute_bytes
            + self.projector_bytes
            + self.adapter_bytes
            + self.prompt_cache_bytes
            + self.checkpoint_bytes
            + self.overhead_bytes
        )


def estimate(header: GgufHeader, load: Load) -> Memory:
    """What a model needs when it is loaded so.

    Raises:
        ModelUnusable: the header cannot be right, or the kind of numbers does not divide the model's keys.
    """
    layout = layout_of(header)
    cells = cells_of(load)
    window = window_cells(layout, load)
    streams = 1 if load.is_shared else load.slots
    kv_bytes = sum(
        streams * (window if layer.is_sliding else cells) * token_bytes(header, layer, load) for layer in layout.layers
    )
    # Keys and values that are all there can be cut back to any place; the others only to a copy.
    windows = sum(load.slots * window * token_bytes(header, layer, load) for layer in layout.layers if layer.is_sliding)
    states = sum(state_bytes(layer, load) for layer in layout.layers)
    return Memory(
        weights_bytes=header.size_bytes,
        kv_bytes=kv_bytes,
        recurrent_bytes=states,
        compute_bytes=compute_bytes(header, layout, load),
        projector_bytes=load.projector_bytes,
        adapter_bytes=load.adapter_bytes,
        prompt_cache_bytes=load.prompt_cache_bytes,
        checkpoint_bytes=load.checkpoints * (states + (0 if load.has_full_window else windows)),
        overhead_bytes=overhead_bytes(header),
        doubts=layout.doubts,
    )


def overhead_bytes(header: GgufHeader) -> int:
    """The engine's process and its tokenizer."""
    merges = header.metadata.get("tokenizer.ggml.merges")
    pairs = merges.count if isinstance(merges, LargeArray) else 0
    return ENGINE_BYTES + PIECE_BYTES * (header.vocabulary_size or 0) + MERGE_BYTES * pairs


def cells_of(load: Load) -> int:
    """How many tokens one stream of the engine's cache holds: a slot's context, or that of all where it is shared."""
    tokens = load.context_tokens * (load.slots if load.is_shared else 1)
    return -(-tokens // _CELLS) * _CELLS


def token_bytes(header: GgufHeader, layer: Layer, load: Load) -> int:
    """What one layer keeps of one token that it sees. Raises ModelUnusable for numbers that do not come out even."""
    keys = _sized(header, layer.key_numbers, load.key_type) + _sized(header, layer.index_numbers, load.key_type)
    return keys + _sized(header, layer.value_numbers, load.value_type)


def state_bytes(layer: Layer, load: Load) -> int:
    """What one layer keeps of state for all slots."""
    return _F32 * layer.state_numbers * load.slots


def compute_bytes(header: GgufHeader, layout: Layout, load: Load) -> int:
    """The engine's working memory: what is alive at once while one batch passes the widest part of a layer.

    The widths are what the engine's graphs came to when they were measured (docs/adr/0015-the-planner.md): five rows
    of the model's width beside the widest of feed-forward, experts, attention and recurrence, with flash attention.
    """
    cells = cells_of(load)
    batch = min(load.batch_tokens, cells * (1 if load.is_shared else load.slots))
    used, expert = layout.experts_used, layout.expert_feed_forward
    if used and not expert:
        expert = layout.feed_forward // used
    turns = layout.key_head if KV_TYPES[load.key_type][0] > 1 else 0
    widest = max(
        3 * layout.feed_forward,
        max(3 * used * expert, 2 * (used - 1) * layout.width) if used else 0,
        layout.heads * (layout.key_head + layout.value_head + layout.turned_head + turns),
        5 * layout.inner,
    )
    # Who may look at whom: one for the layers that see everything, one for those that see a window.
    kinds = {layer.is_sliding for layer in layout.layers if layer.key_numbers}
    seen = sum(window_cells(layout, load) if is_sliding else cells for is_sliding in kinds)
    masks = seen if layout.has_cache else batch
    # A model that embeds gives out every token of a batch, any other the last one of each slot.
    outputs = batch if header.task != "text" and layout.has_cache else load.slots
    state = max((layer.state_numbers for layer in layout.layers), default=0) * load.slots
    vocabulary = header.vocabulary_size or 0
    inside = batch * (widest + 5 * layout.width)
    behind = outputs * (vocabulary + 5 * layout.width)
    return _F32 * (max(inside, behind) + state + load.slots * vocabulary) + _MASK * batch * masks


def window_cells(layout: Layout, load: Load) -> int:
    """How many tokens one stream of the cache of sliding layers holds: a window and a batch, or the whole context."""
    cells = cells_of(load)
    if load.has_full_window:
        return cells
    seen = layout.window_tokens * (load.slots if load.is_shared else 1) + load.batch_tokens
    return min(cells, -(-seen // _CELLS) * _CELLS)


def _sized(header: GgufHeader, numbers: int, kind: KvType) -> int:
    block, size_bytes = KV_TYPES[kind]
    if numbers % block:
        raise ModelUnusable(
            f"'{header.files[0].name}' keeps keys of {numbers} numbers, which {kind} cannot pack in blocks of {block}. "
            "Choose f16 for the KV."
        )
    return numbers // block * size_bytes
