"""Owns what a LoRA adapter's file says of itself, and whether it fits a model; refuses to load or apply it.

Engines refuse to load a model with an adapter that does not fit, so whatever they would look at is looked at here: the
architecture, and for each pair of tensors whether the model has that matrix, and of that size. Not covered: whether the
adapter was trained on this very model, which no file tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import ModelUnusable
from paddock.models.entries import Origin
from paddock.models.gguf import GgufHeader, read_part
from paddock.models.gguf_reader import Defect, RawHeader

Shapes = Mapping[str, tuple[int, int]]
_HALVES = (".lora_a", ".lora_b")
# The engine looks rows up in this one instead of multiplying with it, so that its halves change places.
_TABLE = "token_embd.weight"


@dataclass(frozen=True, kw_only=True)
class AdapterFacts:
    """What an adapter's file says. `matrices` are what it changes: each `NAME WIDE HIGH`, numbers in and out."""

    size_bytes: int
    architecture: str
    matrices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One adapter that can be laid over models which it fits."""

    id: str
    path: Path
    origin: Origin
    facts: AdapterFacts


@dataclass(frozen=True, kw_only=True)
class Applied:
    """An adapter as a request wants it laid over its model; with `scale` 0 it changes nothing."""

    id: str
    path: Path
    scale: float = 1.0


def read_adapter(path: Path) -> AdapterFacts | None:
    """What a file says of itself as an adapter; None for anything that is none.

    Raises:
        ModelUnusable: it is one, and no engine of ours can use it.
    """
    try:
        raw, size_bytes = read_part(path)
    except Defect:
        return None
    if raw.metadata.get("general.type") != "adapter":
        return None
    try:
        architecture = raw.metadata.get("general.architecture")
        if raw.metadata.get("adapter.type") != "lora" or not isinstance(architecture, str):
            raise Defect("is an adapter of another kind than LoRA, or does not name its architecture.")
        if "adapter.alora.invocation_tokens" in raw.metadata:
            raise Defect("is an activated LoRA, which paddock does not serve. Use a plain LoRA.")
        return AdapterFacts(size_bytes=size_bytes, architecture=architecture, matrices=_matrices(raw))
    except Defect as defect:
        raise ModelUnusable(f"'{path.name}' {defect}") from defect


def misfit(adapter: Adapter, header: GgufHeader) -> str | None:
    """Why an adapter cannot be laid over the model with this header, as the end of a sentence; None where it fits."""
    if adapter.facts.architecture != header.architecture:
        return (
            f"it was made for the architecture {adapter.facts.architecture}, and the model's is {header.architecture}"
        )
    for line in adapter.facts.matrices:
        name, wide, high = line.rsplit(" ", 2)
        shape = header.shapes.get(name)
        if shape is None:
            return f"it changes {name}, which the model does not have"
        if shape != (int(wide), int(high)):
            return f"it changes {name} as {wide} by {high} numbers, and the model has {shape[0]} by {shape[1]}"
    return None


def within(adapters: Sequence[Adapter], room_bytes: int) -> tuple[Adapter, ...]:
    """As many adapters as there is room for, the smallest first."""
    chosen: list[Adapter] = []
    for adapter in sorted(adapters, key=lambda one: (one.facts.size_bytes, one.id)):
        room_bytes -= adapter.facts.size_bytes
        if room_bytes < 0:
            break
        chosen.append(adapter)
    return tuple(chosen)


def _matrices(raw: RawHeader) -> tuple[str, ...]:
    names = {name.removesuffix(half) for name in raw.shapes for half in _HALVES if name.endswith(half)}
    strange = [name for name in raw.shapes if not name.endswith((*_HALVES, "_norm.weight"))]
    if strange or not names:
        raise Defect(f"is no whole adapter: it has a tensor '{strange[0]}'." if strange else "has no pair of tensors.")
    return tuple(_matrix(name, raw.shapes) for name in sorted(names))


def _matrix(name: str, shapes: Shapes) -> str:
    first, second = (shapes.get(f"{name}{half}") for half in _HALVES)
    if first is None or second is None:
        raise Defect(f"is no whole adapter: half of what it has for {name} is missing. Convert it again.")
    if name.endswith(_TABLE):
        return f"{name} {second[1]} {first[1]}"
    if first[1] != second[0]:
        raise Defect(f"has halves for {name} that do not fit each other. Convert it again.")
    return f"{name} {first[0]} {second[1]}"
