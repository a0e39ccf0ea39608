"""Owns what the weights of a model in the form of Transformers are, by the headers of its files; reads no weight.

Known: safetensors, in one file or several. The header is JSON behind its length in eight bytes.
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


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    return {name: tuple(int(part) for part in tensor["shape"]) for name, tensor in header_of(file)[0].items()}
