"""Owns turning matrices that bitsandbytes keeps in 4 bits into the numbers that they stand for, one after another.

A number is what its 4 bits say in the matrix's own table, times the scale of its block. Scales may be in 8 bits
themselves: then each is what its bits say in a second table, times the scale of its block of scales, and an offset. All
of that is computed in 32 bits and rounded once, to the kind of number that the matrix was before, as bitsandbytes
itself does while a model is used; it has no part here, so that a certificate has it to compare with.
"""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from paddock.errors import PaddockError
from paddock.export.worker.joining import Place, copy_bytes, places
from paddock.export.worker.source import Source
from paddock.models.weights import Packed, packed_in, told_in

_ALIGNED = 8
_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "BF16": 2, "F16": 2, "I16": 2, "U16": 2}
_NUMBERS = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
_INDEX = "model.safetensors.index.json"


def dequantise(base: Path, target: Path) -> None:
    """Write a model in 4 bits as one whose weights are whole numbers again, whole or not at all.

    Everything else is as it was, but that its config speaks of 4 bits no more. Raises OSError or PaddockError.
    """
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    shards: dict[str, str] = {}
    size_bytes = 0
    try:
        for file in sorted(base.glob("*.safetensors")):
            written = _write(file, draft / file.name)
            shards |= dict.fromkeys(written, file.name)
            size_bytes += sum(written.values())
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise PaddockError(f"{base} holds weights in 4 bits that cannot be read: {error}") from error
    if (base / _INDEX).is_file():
        index = {"metadata": {"total_size": size_bytes}, "weight_map": shards}
        (draft / _INDEX).write_text(json.dumps(index, indent=2), "utf-8")
    config: dict[str, Any] = json.loads((base / "config.json").read_text("utf-8"))
    inner: Any = config.get("text_config")
    for table in (config, cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}):
        table.pop("quantization_config", None)
    (draft / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    for name, path in Source(base=base, adapter=None).companions().items():
        shutil.copyfile(path, draft / name)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def unpacked(name: str, packed: Packed, parts: dict[str, Place], opened: BinaryIO) -> Any:
    """The numbers that a matrix in 4 bits stands for. Raises KeyError or ValueError where a part lacks."""
    count = 1
    for one in packed.shape:
        count *= one
    # It may be kept as bytes of any kind of number.
    pairs = _read(parts[name], opened, torch.uint8)
    scales = _scales(name, packed, parts, opened)
    if len(pairs) != -(-count // 2) or len(scales) != -(-count // packed.block):
        raise ValueError(f"{name} has {len(pairs)} bytes and {len(scales)} scales for {count} numbers")
    table = _read(parts[f"{name}.quant_map"], opened, torch.float32)
    # The first of two numbers stands in the upper half of a byte.
    said = table.index_select(0, torch.stack((pairs >> 4, pairs & 15), dim=1).reshape(-1)[:count].int())
    said *= scales.repeat_interleave(packed.block)[:count]
    return said.to(_NUMBERS[packed.kept_as]).reshape(packed.shape)


def _scales(name: str, packed: Packed, parts: dict[str, Place], opened: BinaryIO) -> Any:
    if not packed.nested_block:
        return _read(parts[f"{name}.absmax"], opened, torch.float32)
    kept = _read(parts[f"{name}.absmax"], opened, torch.uint8)
    table = _read(parts[f"{name}.nested_quant_map"], opened, torch.float32)
    theirs = _read(parts[f"{name}.nested_absmax"], opened, torch.float32)
    if len(theirs) != -(-len(kept) // packed.nested_block):
        raise ValueError(f"{name} has {len(theirs)} scales for its {len(kept)} scales")
    each = theirs.repeat_interleave(packed.nested_block)[: len(kept)]
    return table[kept.long()] * each + torch.tensor(packed.nested_offset)


def _read(place: Place, opened: BinaryIO, kind: torch.dtype) -> Any:
    opened.seek(place.begin)
    return torch.frombuffer(bytearray(opened.read(place.end - place.begin)), dtype=kind)


def _write(file: Path, target: Path) -> dict[str, int]:
    """Write a file of weights anew; the bytes of each tensor that it has then. Raises OSError, KeyError, ValueError."""
    packed, parts = packed_in(file), {place.name: place for place in places(file)}
    header: dict[str, Any] = {}
    end = 0
    # Numbers that are larger come first, so that each begins where its size divides.
    told = sorted(told_in(file).items(), key=lambda one: -_BYTES.get(one[1][0], 1))
    for name, (kind, shape) in told:
        size_bytes = parts[name].end - parts[name].begin
        if name in packed:
            size_bytes = _BYTES[kind]
            for one in shape:
                size_bytes *= one
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [end, end + size_bytes]}
        end += size_bytes
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % _ALIGNED)
    with file.open("rb") as opened, target.open("wb") as writer:
        writer.write(struct.pack("<Q", len(text)) + text)
        for name in header:
            if name in packed:
                made = unpacked(name, packed[name], parts, opened)
                writer.write(made.contiguous().view(torch.uint8).numpy().tobytes())
            else:
                opened.seek(parts[name].begin)
                copy_bytes(opened, writer, until=parts[name].end)
    return {name: one["data_offsets"][1] - one["data_offsets"][0] for name, one in header.items()}
