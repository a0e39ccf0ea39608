"""Owns a base's weights with what was trained made part of them, one matrix after another; never holds the model.

PEFT itself computes what base and adapter come to, on a model whose weights are shapes alone: the numbers of a matrix
are put into it, merged, taken out, and forgotten. Refuses what `adapting.py` does not know the matrices of.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from paddock.errors import PaddockError
from paddock.export.adapting import changed_by
from paddock.export.worker.source import Source
from paddock.models.weights import header_of

_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
_BEFORE = "base_model.model."
_PIECE_BYTES = 2**24


class Joints:
    """The layers of an adapter, by the names of the matrices that they change.

    Raises ValueError where the model has not these, and what PEFT raises where it needs numbers to begin with.
    """

    def __init__(self, source: Source, changed: frozenset[str]) -> None:
        config: Any = AutoConfig.from_pretrained(source.base, trust_remote_code=False)
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        whole: Any = PeftModel.from_pretrained(model, str(source.adapter), low_cpu_mem_usage=True)
        found: dict[str, Any] = {
            f"{name}.weight": layer
            for name, layer in whole.base_model.model.named_modules()
            if hasattr(layer, "lora_A")
        }
        if found.keys() != changed:
            name = sorted(found.keys() ^ changed)[0]
            raise ValueError(f"{name} is not in both {source.base} and what {source.adapter} changes.")
        self.names = changed
        # PEFT leaves what was trained where the weights are, and so without numbers.
        for part, numbers in load_file(_trained(source)).items():
            module, _, kind = part.removeprefix(_BEFORE).rpartition(".lora_")
            held: Any = getattr(found[f"{module}.weight"], f"lora_{kind.removesuffix('.weight')}")
            held[whole.active_adapter].weight = nn.Parameter(numbers.float(), requires_grad=False)
        self._layers = found

    def joined(self, name: str, before: Any) -> Any:
        """A matrix of the base in 32 bits, with what was trained made part of it. Raises PaddockError."""
        layer: Any = self._layers[name]
        inner: Any = layer.get_base_layer()
        shape = inner.weight.shape
        if shape != before.shape:
            raise PaddockError(f"{name} is {tuple(before.shape)} in its file, and {tuple(shape)} by its config.")
        inner.weight = nn.Parameter(before.clone(), requires_grad=False)
        layer.merge(safe_merge=True)
        made = inner.weight.data
        inner.weight = nn.Parameter(torch.empty(shape, device="meta"), requires_grad=False)
        layer.merged_adapters.clear()
        return made


def _trained(source: Source) -> Path:
    assert source.adapter
    return source.adapter / "adapter_model.safetensors"


def joints_of(source: Source) -> Joints | None:
    """The layers of its adapter; None where it can only be merged as a whole."""
    changed = changed_by(source.adapter, source.base) if source.adapter else None
    if not changed:
        return None
    try:
        return Joints(source, changed)
    except (ValueError, RuntimeError, NotImplementedError) as error:
        sys.stdout.write(f"Not merged matrix by matrix: {error}\n")
        return None


def write(base: Path, joints: Joints, folder: Path) -> None:
    """Write the base's files of weights into a folder, each as it is but for the matrices that change.

    A matrix is computed in 32 bits and rounded once, to the kind of number that it is kept in. Raises OSError or
    PaddockError.
    """
    for file in sorted(base.glob("*.safetensors")):
        with file.open("rb") as source, (folder / file.name).open("wb") as target:
            placed = sorted(places(file), key=lambda one: one.begin)
            copy_bytes(source, target, until=placed[0].begin if placed else file.stat().st_size)
            for place in placed:
                if place.name in joints.names:
                    made = joints.joined(place.name, place.read(source).float()).to(place.dtype)
                    target.write(made.contiguous().view(torch.uint8).numpy().tobytes())
                else:
                    source.seek(place.begin)
                    copy_bytes(source, target, until=place.end)
    for index in base.glob("*.safetensors.index.json"):
        shutil.copyfile(index, folder / index.name)


def places(file: Path) -> list[Place]:
    """Where each tensor lies in a file of safetensors. Raises OSError, ValueError or struct.error."""
    header, begin = header_of(file)
    return [
        Place(
            name=name, begin=begin + told["data_offsets"][0], end=begin + told["data_offsets"][1],
            shape=tuple(told["shape"]), kept_as=told["dtype"],
        )
        for name, told in header.items()
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a tensor lies in its file, and what it is."""

    name: str
    begin: int
    end: int
    shape: tuple[int, ...]
    kept_as: str

    @property
    def dtype(self) -> torch.dtype:
        """Its kind of number; only for those that an adapter may change."""
        return _DTYPES[self.kept_as]

    def read(self, opened: BinaryIO) -> Any:
        """Its numbers."""
        opened.seek(self.begin)
        return torch.frombuffer(bytearray(opened.read(self.end - self.begin)), dtype=self.dtype).reshape(self.shape)


def are_same(one: Place, opened: BinaryIO, other: Place, beside: BinaryIO) -> bool:
    """Whether two tensors are the same to the byte."""
    if (one.shape, one.kept_as, one.end - one.begin) != (other.shape, other.kept_as, other.end - other.begin):
        return False
    opened.seek(one.begin)
    beside.seek(other.begin)
    return all(opened.read(piece) == beside.read(piece) for piece in _pieces(one.end - one.begin))


def copy_bytes(source: BinaryIO, target: BinaryIO, *, until: int) -> None:
    """Copy from where one stands to a place in it."""
    for piece in _pieces(until - source.tell()):
        target.write(source.read(piece))


def _pieces(size_bytes: int) -> Iterator[int]:
    while size_bytes > 0:
        yield min(size_bytes, _PIECE_BYTES)
        size_bytes -= _PIECE_BYTES
