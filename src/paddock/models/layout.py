"""Owns what each layer of a model keeps, read from its header by the rules of its family; knows no sizes of numbers.

Covered: attention with few key heads (also by layer), sliding windows, compressed keys (MLA), state of recurrent and
hybrid layers, layers that share. An unknown architecture is taken for one whose every layer keeps everything it could.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from paddock.errors import ModelUnusable
from paddock.models import architectures as known
from paddock.models.gguf import GgufHeader

MAX_LAYERS = 512
MAX_NUMBER = 2**31
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What one layer keeps: numbers of keys, values and index for each token it can see, and of state for each slot."""

    key_numbers: int = 0
    value_numbers: int = 0
    index_numbers: int = 0
    state_numbers: int = 0
    is_sliding: bool = False


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A model's layers in order, and the widths that its arithmetic needs.

    `window_tokens` is how far sliding layers see. `key_head` and `value_head` are the lengths of a kept key and value,
    `turned_head` that of a key before it was compressed (0: it is not). `inner` is the width within recurrent layers.
    `has_cache` is false for models that keep nothing between texts. `doubts` are sentences on what is not known for
    certain; where there are any, the figures lean to the high side.
    """

    layers: tuple[Layer, ...]
    window_tokens: int
    width: int
    heads: int
    key_head: int
    value_head: int
    turned_head: int
    feed_forward: int
    experts_used: int
    expert_feed_forward: int
    inner: int
    has_cache: bool
    doubts: tuple[str, ...] = ()


def layout_of(header: GgufHeader) -> Layout:
    """The layers of a model.

    Raises:
        ModelUnusable: the header leaves out what every model has, or says something impossible.
    """
    return _Reading(header).layout()


class _Reading:
    """One header being read. Keys are named without the architecture that they begin with."""

    def __init__(self, header: GgufHeader) -> None:
        self._header = header
        self._architecture = header.architecture
        self._count = self._needed("block_count", most=MAX_LAYERS)
        self._width = self._needed("embedding_length", most=MAX_NUMBER)
        # Blocks that guess ahead are loaded, but keep nothing.
        self._ahead = min(self._number("nextn_predict_layers"), self._count)
        self._heads = self._by_layer("attention.head_count")
        self._key_heads = self._by_layer("attention.head_count_kv", otherwise=self._heads)

    def layout(self) -> Layout:
        window = self._window()
        sliding = self._sliding() if window else (False,) * self._count
        layers = tuple(self._layer(place, is_sliding=sliding[place]) for place in range(self._count - self._ahead))
        keeping = self._keeping()
        if keeping is not None:
            layers = tuple(layer if place < keeping else Layer() for place, layer in enumerate(layers))
        if self._architecture == "nanbeige":
            layers *= min(max(1, self._number("num_loops")), MAX_LAYERS)
        return Layout(
            layers=layers,
            window_tokens=window,
            width=self._width,
            heads=max(self._heads),
            key_head=self._head("key"),
            value_head=self._head("value"),
            turned_head=self._number("attention.key_length_mla"),
            feed_forward=max(self._by_layer("feed_forward_length")),
            experts_used=max(self._by_layer("expert_used_count")),
            expert_feed_forward=max(self._by_layer("expert_feed_forward_length")),
            inner=self._number("ssm.inner_size"),
            has_cache=self._architecture not in known.WITHOUT_CACHE,
            doubts=self._doubts(),
        )

    def _layer(self, place: int, *, is_sliding: bool) -> Layer:
        state = self._state_numbers() if self._is_recurrent(place) else 0
        if not self._attends(place):
            return Layer(state_numbers=state)
        heads = self._key_heads[place]
        is_compressed = bool(self._number("attention.key_length_mla") and self._number("attention.value_length_mla"))
        layer = Layer(
            key_numbers=heads * self._head("key", is_sliding=is_sliding),
            # Values are computed from compressed keys.
            value_numbers=0 if is_compressed else heads * self._head("value", is_sliding=is_sliding),
            state_numbers=state,
            is_sliding=is_sliding,
        )
        times = known.INDEXED.get(self._architecture, 0)
        return replace(layer, index_numbers=times * self._number("attention.indexer.key_length"))

    def _attends(self, place: int) -> bool:
        if self._architecture in known.WITHOUT_CACHE or self._architecture in known.RECURRENT:
            return False
        is_either = self._architecture not in known.HYBRID_IN_EACH_LAYER and self._architecture in known.KNOWN
        return not (is_either and self._is_recurrent(place))

    def _is_recurrent(self, place: int) -> bool:
        name = self._architecture
        if name in known.RECURRENT or name in known.HYBRID_IN_EACH_LAYER:
            return True
        if name in known.HYBRID_BY_HEADS:
            return self._key_heads[place] == 0
        if name in known.HYBRID_BY_HEADS_AND_FEED_FORWARD:
            return self._key_heads[place] == 0 and self._by_layer("feed_forward_length")[place] == 0
        if name in known.HYBRID_BY_INTERVAL:
            told = self._flags("attention.recurrent_layers")
            interval = self._number("full_attention_interval") or known.HYBRID_BY_INTERVAL[name]
            return told[place] if told else (place + 1) % interval != 0
        return name not in known.KNOWN and self._state_numbers() > 0

    def _state_numbers(self) -> int:
        """Numbers of state that one recurrent layer keeps for each slot, both kinds together."""
        head_size = self._number("wkv.head_size")
        if head_size:
            shifts = self._number("token_shift_count") or 2
            return shifts * self._width + self._width * head_size
        kernel = self._number("ssm.conv_kernel")
        steps = max(0, kernel - 1)
        if self._number("shortconv.l_cache"):
            return self._width * (self._number("shortconv.l_cache") - 1)
        head = self._number("kda.head_dim")
        if head:
            return 3 * (steps if kernel else 3) * self._heads[0] * head + head * head * self._heads[0]
        if self._architecture == "minimax-01":
            return self._head("key") ** 2 * self._heads[0]
        inner, state = self._number("ssm.inner_size"), self._number("ssm.state_size")
        return steps * (inner + 2 * self._number("ssm.group_count") * state) + state * inner

    def _window(self) -> int:
        family = known.SLIDING.get(self._architecture)
        if family is None or family.layers not in (None, self._count):
            return 0
        told = self._header.metadata.get(f"{self._architecture}.attention.sliding_window")
        if family.is_fixed:
            # Without a word llama4 has chunks, smallthinker no window; a told 0 is none for both.
            is_on = told != 0 if self._architecture == "llama4" else bool(told)
            return family.window_tokens or 0 if is_on else 0
        return self._number("attention.sliding_window") if told is not None else family.window_tokens or 0

    def _sliding(self) -> tuple[bool, ...]:
        family = known.SLIDING[self._architecture]
        told = self._flags("attention.sliding_window_pattern")
        if told:
            return told
        number = self._header.metadata.get(f"{self._architecture}.attention.sliding_window_pattern")
        period = number if type(number) is int and number >= 0 else family.period
        if period is None:
            # Only the file could say; a layer that sees everything keeps more.
            return (False,) * self._count
        if period == 0:
            return (True,) * self._count
        full = 0 if family.is_full_first else period - 1
        return tuple(place % period != full for place in range(self._count))

    def _keeping(self) -> int | None:
        if self._architecture == "gemma4":
            return self._count - self._number("attention.shared_kv_layers")
        return known.KEEPING_LAYERS.get(self._architecture)

    def _head(self, what: str, *, is_sliding: bool = False) -> int:
        """The length of one key or value."""
        told = self._number(f"attention.{what}_length_swa") if is_sliding else 0
        heads = next((heads for heads in self._heads if heads), 0)
        return told or self._number(f"attention.{what}_length") or (self._width // heads if heads else 0)

    def _doubts(self) -> tuple[str, ...]:
        name = self._architecture
        if name not in known.KNOWN:
            return (f"The architecture '{name}' is unknown here: every layer is taken to keep all it could.",)
        if name in known.APPROXIMATE:
            return (f"Models of the architecture '{name}' keep less than is assumed here.",)
        return ()

    def _number(self, key: str) -> int:
        value = self._header.metadata.get(f"{self._architecture}.{key}")
        if type(value) is not int:
            return 0
        if not 0 <= value < MAX_NUMBER:
            raise self._impossible(key, value)
        return value

    def _needed(self, key: str, *, most: int) -> int:
        value = self._number(key)
        if not 0 < value <= most:
            raise self._impossible(key, self._header.metadata.get(f"{self._architecture}.{key}"))
        return value

    def _by_layer(self, key: str, *, otherwise: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A number for each layer, be there one for all or one for each; `otherwise` where the file says none."""
        value = self._header.metadata.get(f"{self._architecture}.{key}")
        if value is None and otherwise:
            return otherwise
        if not isinstance(value, tuple):
            return (self._number(key),) * self._count
        return self._array(key, value, lambda item: item if type(item) is int and 0 <= item < MAX_NUMBER else None)

    def _flags(self, key: str) -> tuple[bool, ...]:
        value = self._header.metadata.get(f"{self._architecture}.{key}")
        return self._array(key, value, bool) if isinstance(value, tuple) else ()

    def _array(
        self, key: str, value: tuple[int | float | bool, ...], read: Callable[[int | float | bool], _T | None]
    ) -> tuple[_T, ...]:
        items = [read(item) for item in value]
        found = tuple(item for item in items[: self._count] if item is not None)
        if len(found) < self._count:
            raise self._impossible(key, f"a list of {len(value)} for {self._count} layers")
        return found

    def _impossible(self, key: str, value: object) -> ModelUnusable:
        name = self._header.files[0].name
        told = "does not say" if value is None else f"says {str(value)[:60]} for"
        return ModelUnusable(
            f"'{name}' {told} '{self._architecture}.{key}', so nothing can be planned. Convert it again."
        )
