"""Owns what the weights of a model in the form of Transformers are, by the headers of its files; reads no weight.

Known: safetensors, in one file or several. The header is JSON behind its length in eight bytes. Of matrices that
bitsandbytes keeps in 4 bits a table of JSON beside each says what it is made of (`packed_in`).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from paddock.errors import FieldInvalid

_HEADER_MOST_BYTES = 100 * 2**20
_STATE_MOST_BYTES = 2**16
# Behind the name of a matrix in 4 bits: what says what it is made of, by how its numbers are spaced.
_STATES = {".quant_state.bitsandbytes__nf4": "nf4", ".quant_state.bitsandbytes__fp4": "fp4"}
_SCALES = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
_KEPT_AS = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
_EMBEDDINGS = ("embed", "wte", "lm_head")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The shapes of a model's weights by their names, and what its config says of it."""

    shapes: Mapping[str, tuple[int, ...]]
    config: Mapping[str, Any]

    @property
    def parameters(self) -> int:
        """How many numbers it is made of."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def matrices(self, modules: tuple[str, ...] = ()) -> dict[str, tuple[int, ...]]:
        """The linear layers, but for those that turn tokens into numbers and back; `modules` names some of them."""
        return {
            name: shape
            for name, shape in self.shapes.items()
            if len(shape) == 2 and name.endswith(".weight") and not any(word in name for word in _EMBEDDINGS)
            and (not modules or name.removesuffix(".weight").rpartition(".")[2] in modules)
        }  # fmt: skip

    def said(self, name: str, default: int) -> int:
        """A number of the config; of a model that also sees, of its language part."""
        inner: Any = self.config.get("text_config")
        table: Mapping[str, Any] = cast("Mapping[str, Any]", inner) if isinstance(inner, dict) else self.config
        value = table.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else default


def weights_of(folder: Path) -> Weights | None:
    """The weights in a model's folder; None where they are in another form. Raises FieldInvalid."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return None
    try:
        config: object = json.loads((folder / "config.json").read_text("utf-8"))
        shapes: dict[str, tuple[int, ...]] = {}
        for file in files:
            shapes |= _shapes(file)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, struct.error) as error:
        raise FieldInvalid(f"The weights of {folder.name} cannot be read: {error}.", param="base") from error
    return Weights(shapes=shapes, config=cast("dict[str, Any]", config) if isinstance(config, dict) else {})


def header_of(file: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Each tensor in a file of safetensors as its header tells it: dtype, shape, data_offsets; and where numbers begin.

    Raises OSError, ValueError or struct.error where there is no such header.
    """
    with file.open("rb") as opened:
        (size_bytes,) = struct.unpack("<Q", opened.read(8))
        if size_bytes > min(_HEADER_MOST_BYTES, file.stat().st_size):
            raise ValueError(f"{file.name} claims a header of {size_bytes} bytes")
        said: object = json.loads(opened.read(size_bytes))
    if not isinstance(said, dict):
        raise ValueError(f"{file.name} has a header that is no table")
    header = cast("dict[str, dict[str, Any]]", said)
    header.pop("__metadata__", None)
    return header, 8 + size_bytes


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What a matrix in 4 bits is made of.

    Attributes:
        kind: how its numbers are spaced, nf4 or fp4.
        kept_as: the kind of number that it was before, as headers call it.
        block: so many numbers have a scale together.
        nested_block: so many scales have a scale together; 0 where scales are numbers themselves.
        nested_offset: what is added to each scale then.
    """

    kind: str
    shape: tuple[int, ...]
    kept_as: str
    block: int
    nested_block: int
    nested_offset: float


def packed_in(file: Path) -> dict[str, Packed]:
    """The matrices in a file that bitsandbytes keeps in 4 bits, by name. Raises OSError, ValueError or struct.error."""
    header, begin = header_of(file)
    states = {name: ending for name in header for ending in _STATES if name.endswith(ending)}
    found: dict[str, Packed] = {}
    with file.open("rb") as opened:
        for name, ending in states.items():
            first, last = header[name]["data_offsets"]
            if not 0 < last - first <= _STATE_MOST_BYTES:
                raise ValueError(f"{name} has {last - first} bytes")
            opened.seek(begin + first)
            found[name.removesuffix(ending)] = _packed(name, _STATES[ending], opened.read(last - first))
    return found


def told_in(file: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The kind of number and the shape of each tensor in a file: of matrices in 4 bits those that they were before.

    Raises OSError, ValueError, KeyError, TypeError or struct.error.
    """
    packed = packed_in(file)
    beside = {name + ending for name in packed for ending in (*_SCALES, *_STATES)}
    found = {
        name: (str(tensor.get("dtype")), tuple(int(part) for part in tensor["shape"]))
        for name, tensor in header_of(file)[0].items()
        if name not in beside
    }
    return {**found, **{name: (one.kept_as, one.shape) for name, one in packed.items()}}


def _packed(name: str, kind: str, text: bytes) -> Packed:
    """Raises ValueError."""
    said: Any = json.loads(text)
    try:
        shape = tuple(int(part) for part in said["shape"])
        made = Packed(
            kind=kind, shape=shape, kept_as=_KEPT_AS[said["dtype"]], block=int(said["blocksize"]),
            nested_block=int(said.get("nested_blocksize") or 0), nested_offset=float(said.get("nested_offset") or 0.0),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{name} does not say what it is made of: {type(error).__name__} {error}") from error
    if min(made.block, *shape, len(shape)) < 1 or made.nested_block < 0:
        raise ValueError(f"{name} says a shape of {list(shape)} in blocks of {made.block}")
    return made


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, (_, shape) in told_in(file).items()}
