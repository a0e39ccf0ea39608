"""Owns how a model is loaded on given devices: context, slots, kind of KV, layers on GPUs; reads and loads nothing.

Covered: main memory, GPUs with memory of their own, GPUs that share the main memory, a projector. Not covered: what a
driver takes for itself beyond `DEVICE_RESERVE_BYTES`, and memory that other programs take later.

Where the wish leaves a choice, this gives way, in this order, and each step is told: copies of state to go back to,
down to `LEAST_CHECKPOINTS`; the context is halved, down to `LEAST_CONTEXT_TOKENS`; then the next kind of KV is taken;
then there is one slot. What the wish fixes stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from paddock.hardware import Accelerator, Memory
from paddock.models import fit
from paddock.models.fit import KvType, Load
from paddock.models.gguf import GgufHeader
from paddock.models.layout import layout_of

Verdict = Literal["fits", "tight", "does not fit"]

DEFAULT_CONTEXT_TOKENS = 16384
LEAST_CONTEXT_TOKENS = 2048
MOST_CHECKPOINTS, LEAST_CHECKPOINTS = 32, 2
DEFAULT_SLOTS = 2
# Chosen, not measured: what is left to the system and other programs, and to a driver on each GPU.
RESERVE_BYTES = 512 * 2**20
DEVICE_RESERVE_BYTES = 512 * 2**20
# Of what is free, a model that takes more than this leaves little to whatever else needs memory.
TIGHT_SHARE = 0.85


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked of a plan; None leaves it to the planner. The context is of one slot.

    `kv_types` are the kinds to choose from, the best first; one alone is fixed. `gpu_layers` counts as the engine does:
    the layers, and one more for what is behind them. `checkpoints` are copies of a slot's state and windows, which only
    recurrent layers and sliding windows need.
    """

    context_tokens: int | None = None
    slots: int | None = None
    kv_types: tuple[KvType, ...] = ("f16",)
    gpu_layers: int | None = None
    checkpoints: int | None = None
    batch_tokens: int = 512
    projector_bytes: int = 0
    adapter_bytes: int = 0
    prompt_cache_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one GPU gets: so many of the layers, and what that takes of what is free there."""

    accelerator: Accelerator
    layers: int
    needed_bytes: int
    free_bytes: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a model would be loaded. `shares` are in the order of the layers; main memory has all the rest.

    `needed_bytes` and `free_bytes` are of main memory, the latter less the reserve. `is_measured`: the need is that of
    the same load before. `changes` are sentences on what gave way. `fitting_context_tokens`: the largest context that
    would do where this does not; None where none does.
    """

    load: Load
    memory: fit.Memory
    layers: int
    verdict: Verdict
    needed_bytes: int
    free_bytes: int
    shares: tuple[Share, ...] = ()
    is_projector_on_gpu: bool = False
    is_measured: bool = False
    changes: tuple[str, ...] = ()
    fitting_context_tokens: int | None = None

    @property
    def gpu_layers(self) -> int:
        """The layers on GPUs, as the engine counts them."""
        return sum(share.layers for share in self.shares)

    @property
    def tensor_split(self) -> tuple[int, ...]:
        """The layers of each GPU; empty where there is at most one."""
        return tuple(share.layers for share in self.shares) if len(self.shares) > 1 else ()


Measured = Callable[[Load], int | None]


def plan(
    header: GgufHeader,
    wish: Wish,
    *,
    memory: Memory,
    accelerators: Sequence[Accelerator] = (),
    measured: Measured = lambda load: None,
) -> Plan:
    """The best way to load a model; one that does not fit is told as wished, with what would.

    Args:
        header: the model's.
        wish: what is fixed, and what may be chosen.
        memory: main memory now.
        accelerators: the GPUs that the engine can use, with what is free of them now.
        measured: bytes that a load without GPUs was seen to need, if it was.

    Raises:
        ModelUnusable: the header cannot be right, or a kind of KV does not suit the model.
    """
    devices = _Devices(memory=memory, accelerators=accelerators, wish=wish, measured=measured)
    first: Plan | None = None
    load = Load(context_tokens=0)
    for load, changes in _rungs(header, wish, has_gpus=bool(devices.gpus)):
        placed = replace(devices.place(header, load), changes=changes)
        if placed.verdict != "does not fit":
            return placed
        first = first or placed
    assert first is not None
    least = replace(first.load, checkpoints=load.checkpoints)
    return replace(first, fitting_context_tokens=_fitting_context(devices, header, least))


def default_context(header: GgufHeader) -> int:
    """The context of a slot where nobody names one: what the model was trained for, within bounds."""
    return min(header.trained_context_tokens or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)


def _rungs(header: GgufHeader, wish: Wish, *, has_gpus: bool) -> Iterator[tuple[Load, tuple[str, ...]]]:
    """Loads to try, from what is wished to what is the least, each with what gave way."""
    asked = wish.context_tokens or default_context(header)
    context = min(asked, header.trained_context_tokens or asked)
    slots = wish.slots or DEFAULT_SLOTS
    checkpoints = MOST_CHECKPOINTS if wish.checkpoints is None else wish.checkpoints
    kind: KvType = wish.kv_types[0]
    changes: dict[str, str] = {}
    if context < asked:
        changes["trained"] = f"The model was trained for {context} tokens, so no slot gets {asked}."
    if wish.gpu_layers and not has_gpus:
        changes["gpus"] = "No GPU can be used here: every layer stays with the processor."

    def rung() -> tuple[Load, tuple[str, ...]]:
        load = _load(header, wish, context=context, slots=slots, kind=kind)
        return replace(load, checkpoints=checkpoints), tuple(changes.values())

    yield rung()
    if wish.checkpoints is None and any(layer.is_sliding or layer.state_numbers for layer in layout_of(header).layers):
        while checkpoints > LEAST_CHECKPOINTS:
            checkpoints //= 4
            changes["checkpoints"] = (
                f"Of each slot's state {checkpoints} copies are kept rather than {MOST_CHECKPOINTS}."
            )
            yield rung()
    if wish.context_tokens is None:
        wished = context
        while context > LEAST_CONTEXT_TOKENS:
            context = max(LEAST_CONTEXT_TOKENS, context // 2)
            changes["context"] = f"The context of each slot was reduced from {wished} to {context} tokens."
            yield rung()
    for kind in wish.kv_types[1:]:
        changes["kv"] = f"Keys and values are kept as {kind} rather than {wish.kv_types[0]}."
        yield rung()
    if wish.slots is None and slots > 1:
        changes["slots"] = f"There is one slot rather than {slots}."
        slots = 1
        yield rung()


def _load(header: GgufHeader, wish: Wish, *, context: int, slots: int, kind: KvType) -> Load:
    # Only a model that answers in text may read its input in parts.
    batch = min(wish.batch_tokens, context) if header.task == "text" else context
    return Load(
        context_tokens=context,
        slots=slots,
        key_type=kind,
        value_type=kind,
        batch_tokens=batch,
        projector_bytes=wish.projector_bytes,
        adapter_bytes=wish.adapter_bytes,
        prompt_cache_bytes=wish.prompt_cache_bytes,
    )


def _fitting_context(devices: _Devices, header: GgufHeader, load: Load) -> int | None:
    """The largest context below this load's that fits, in steps of 256."""
    low, high = 0, load.context_tokens // 256
    while low < high:
        middle = (low + high + 1) // 2
        batch = load.batch_tokens if header.task == "text" else middle * 256
        fits = devices.place(header, replace(load, context_tokens=middle * 256, batch_tokens=batch))
        low, high = (middle, high) if fits.verdict != "does not fit" else (low, middle - 1)
    return low * 256 or None


@dataclass(frozen=True, kw_only=True)
class _Devices:
    """Where a load may go."""

    memory: Memory
    accelerators: Sequence[Accelerator]
    wish: Wish
    measured: Measured

    @property
    def gpus(self) -> list[Accelerator]:
        """The GPUs whose free memory is known, the emptiest first."""
        known = [one for one in self.accelerators if one.free_bytes]
        return sorted(known, key=lambda one: one.free_bytes or 0, reverse=True)

    def place(self, header: GgufHeader, load: Load) -> Plan:
        """A load on these devices, with as many layers on GPUs as go there."""
        needs = fit.estimate(header, load)
        units = _units(header, load)
        gpus, wanted = self.gpus, self.wish.gpu_layers
        counts = range(len(units), -1, -1) if wanted is None else (min(wanted, len(units)),)
        found: Plan | None = None
        for count in counts if gpus else (0,):
            for with_projector in (True, False) if count and load.projector_bytes else (False,):
                placing = units[len(units) - count :]
                shares, left = _shared_out(placing, gpus, needs, with_projector=with_projector)
                if left and (wanted is None or with_projector):
                    continue
                # What is fixed is told as it is wished, however far beyond what there is.
                shares = _overfilled(shares, left, gpus, needs) if left else shares
                one = self._judged(load, needs, units, shares, with_projector=with_projector)
                if one.verdict != "does not fit":
                    return one
                found = found or one
        return found or self._judged(load, needs, units, (), with_projector=False)

    def _judged(
        self, load: Load, needs: fit.Memory, units: list[int], shares: tuple[Share, ...], *, with_projector: bool
    ) -> Plan:
        moved = sum(units[len(units) - sum(share.layers for share in shares) :]) if shares else 0
        moved += load.projector_bytes if with_projector else 0
        shared = sum(share.needed_bytes for share in shares if share.accelerator.is_shared)
        measured = None if shares else self.measured(load)
        needed = max(0, needs.total_bytes - moved) + shared if measured is None else measured
        free = max(0, self.memory.available_bytes - min(RESERVE_BYTES, self.memory.usable_bytes // 10))
        fullest = max([_ratio(needed, free), *(_ratio(share.needed_bytes, share.free_bytes) for share in shares)])
        return Plan(
            load=load,
            memory=needs,
            layers=len(units),
            verdict="fits" if fullest <= TIGHT_SHARE else "tight" if fullest <= 1 else "does not fit",
            needed_bytes=needed,
            free_bytes=free,
            shares=shares,
            is_projector_on_gpu=with_projector,
            is_measured=measured is not None,
        )


def _units(header: GgufHeader, load: Load) -> list[int]:
    """What each layer takes with what it keeps, and at the end what is behind the last layer."""
    layout = layout_of(header)
    cells, streams = fit.cells_of(load), 1 if load.is_shared else load.slots
    window = fit.window_cells(layout, load)
    units = [
        header.bytes_by_block.get(place, 0)
        + streams * (window if layer.is_sliding else cells) * fit.token_bytes(header, layer, load)
        + fit.state_bytes(layer, load)
        for place, layer in enumerate(layout.layers)
    ]
    return [*units, header.output_bytes or header.embedding_bytes]


def _shared_out(
    units: Sequence[int], gpus: Sequence[Accelerator], needs: fit.Memory, *, with_projector: bool
) -> tuple[tuple[Share, ...], list[int]]:
    """Units in order over GPUs in order, none filled over what is free, and the units that have no place there."""
    shares: list[Share] = []
    left = list(units)
    for gpu in gpus:
        free = max(0, (gpu.free_bytes or 0) - DEVICE_RESERVE_BYTES)
        # Each GPU has working memory of its own; the first one sees.
        needed = needs.compute_bytes + (needs.projector_bytes if with_projector and not shares else 0)
        count = 0
        while count < len(left) and needed + left[count] <= free:
            needed += left[count]
            count += 1
        if count:
            shares.append(Share(accelerator=gpu, layers=count, needed_bytes=needed, free_bytes=free))
            left = left[count:]
    return tuple(shares), left


def _overfilled(
    shares: tuple[Share, ...], left: list[int], gpus: Sequence[Accelerator], needs: fit.Memory
) -> tuple[Share, ...]:
    """The last GPU takes what is left, although there is no room for it."""
    free = max(0, (gpus[-1].free_bytes or 0) - DEVICE_RESERVE_BYTES)
    empty = Share(accelerator=gpus[-1], layers=0, needed_bytes=needs.compute_bytes, free_bytes=free)
    *others, last = shares if shares and shares[-1].accelerator is gpus[-1] else (*shares, empty)
    return (*others, replace(last, layers=last.layers + len(left), needed_bytes=last.needed_bytes + sum(left)))


def _ratio(needed: int, free: int) -> float:
    return needed / free if free else float("inf")
