"""Owns what an export will need before it begins: disk, and memory by its steps; refuses to begin one.

Reckoned from the shapes of the weights. Covered: merging, and comparing, by Transformers and by the engine. Not
covered: what the converter holds (some of the largest matrix), and activations, which are small beside the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import FieldInvalid, size
from paddock.export.adapting import changed_by
from paddock.export.bases import Into, is_in_4_bits
from paddock.export.spec import ADAPTER, LORA, TRAINED, TYPES, ExportSpec
from paddock.models.weights import Weights, weights_of

_BITS = 8
_FLOAT_BYTES = 4
# Of a number of what is merged, in the base's own kind.
_MERGED_BYTES = 2
# Python, torch, Transformers and PEFT, as measured with pocket.
_LIBRARIES_BYTES = 560 * 2**20
# As the base has it, twice while it is computed, and what was trained of it.
_OF_MATRIX = 4
# Where base and adapter cannot be told apart by matrices, as many models are held beside one another while compared.
_WHOLE_COPIES = 3
# Positions at which distributions are compared, and how many of them are held beside those of each file.
_POSITIONS, _SOURCES = 340, 2


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What an export will need, in bytes; 0 of memory for a step that it has not. `is_streamed`: merged by matrices."""

    disk_bytes: int
    merged_bytes: int
    merging_bytes: int
    comparing_bytes: int
    is_streamed: bool

    @property
    def memory_bytes(self) -> int:
        """The most that is held at once."""
        return max(self.merging_bytes, self.comparing_bytes)


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What an export would make, whichever types were chosen.

    Attributes:
        name: what its files would be called.
        sizes: bytes of a file by its type; None where the weights are of an unknown form.
        merged_bytes: of what is unpacked and merged before that; 0 where nothing is.
        memory_bytes: that merging and comparing hold.
        free_bytes: on the disk of the data home.
        into: what an adapter is made part of, by `bases.py`.
    """

    name: str
    sizes: dict[str, int] | None
    merged_bytes: int | None
    memory_bytes: int | None
    free_bytes: int
    into: Into


def sizes_of(base: Path) -> dict[str, int] | None:
    """Bytes of a file of a model by its type; None for weights of an unknown form. Blocking."""
    weights = weights_of(base)
    if weights is None:
        return None
    return {kind: round(weights.parameters * bits / _BITS) for kind, bits in TYPES.items() if kind not in TRAINED}


def estimated(spec: ExportSpec, base: Path, adapter: Path | None) -> Estimate | None:
    """What it will need; None for weights of an unknown form. Blocking. Raises FieldInvalid."""
    weights = weights_of(base)
    if weights is None:
        return None
    made = [*{*spec.types, *([spec.plain] if spec.whole else [])}]
    # The base of an adapter is compared as a file, and one that is split lies there twice for a while.
    made += [spec.plain] if LORA in spec.types and spec.certifies else []
    twice = [max(TYPES[one] for one in made)] if spec.split_bytes else []
    disk = round(weights.parameters * sum([*(TYPES[one] for one in made), *twice]) / _BITS)
    changed = changed_by(adapter, base) if adapter else frozenset[str]()
    whole = weights.parameters * _FLOAT_BYTES
    merging = merged = 0
    if adapter and spec.whole:
        merged = weights.parameters * _MERGED_BYTES
        held = whole if changed is None else _OF_MATRIX * _FLOAT_BYTES * _largest(weights, changed)
        merging = held + _adapter_bytes(adapter) + _LIBRARIES_BYTES
    comparing = 0
    if spec.certifies and {*spec.types} != {ADAPTER}:
        rows = _POSITIONS * (len(made) + _SOURCES) * weights.said("vocab_size", 0) * _FLOAT_BYTES
        copies = _WHOLE_COPIES if changed is None else 1
        by_engine = max(weights.parameters * TYPES[one] / _BITS for one in made)
        comparing = round(max(whole * copies, by_engine)) + rows + _LIBRARIES_BYTES
    # What 4 bits stand for lies there too, and is written before anything is merged into it.
    merged += weights.parameters * _MERGED_BYTES if is_in_4_bits(base) and {*spec.types} != {ADAPTER} else 0
    return Estimate(
        disk_bytes=disk + merged,
        merged_bytes=merged,
        merging_bytes=merging,
        comparing_bytes=comparing,
        is_streamed=bool(adapter and changed),
    )


def refuse_too_large(found: Estimate, spec: ExportSpec, *, memory_bytes: int, disk_bytes: int) -> None:
    """Raises FieldInvalid where what it makes does not fit this machine's disk, or a step its memory."""
    if found.disk_bytes > disk_bytes:
        raise FieldInvalid(
            f"{', '.join(spec.types)} take about {size(found.disk_bytes)}, and {size(disk_bytes)} are free. Leave out "
            "some types, or free space.",
            param="types",
        )
    if found.merging_bytes > memory_bytes:
        why = (
            ""
            if found.is_streamed
            else " What it changes are not matrices of the base's files, so all is held at once."
        )
        raise FieldInvalid(
            f"Merging this adapter needs about {size(found.merging_bytes)} of memory, and this machine has "
            f"{size(memory_bytes)}.{why} Export it where there is more.",
            param="source",
        )
    if found.comparing_bytes > memory_bytes:
        raise FieldInvalid(
            f"Comparing needs about {size(found.comparing_bytes)} of memory, for the source in 32 bits, and this "
            f"machine has {size(memory_bytes)}. Export without a certificate, or where there is more.",
            param="certifies",
        )


def _adapter_bytes(adapter: Path) -> int:
    """What an adapter holds in 32 bits, at most."""
    return 2 * sum(one.stat().st_size for one in adapter.glob("adapter_model.*"))


def _largest(weights: Weights, names: frozenset[str]) -> int:
    return max((math.prod(weights.shapes[name]) for name in names), default=0)
