"""Owns making tiny GGUF files, whole and damaged, from plain values; shares no code with the reader under test."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

ALIGNMENT = 32
U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
LETTERS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}
BLOCKS = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144)}


@dataclass(frozen=True)
class Typed:
    """A value with a kind of its own, where the default kind will not do. `items` is the kind of an array's items."""

    value: object
    kind: int
    items: int = U32


@dataclass(frozen=True)
class Tensor:
    """A tensor of these bytes, or of zeros."""

    name: str
    shape: tuple[int, ...]
    kind: str = "F32"
    data: bytes = b""

    @property
    def size_bytes(self) -> int:
        _, block, size = BLOCKS[self.kind]
        count = 1
        for dimension in self.shape:
            count *= dimension
        return count // block * size


MODEL: Mapping[str, object] = {
    "general.architecture": "llama",
    "general.type": "model",
    "general.name": "Tiny",
    "general.file_type": 7,
    "llama.context_length": 2048,
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.chat_template": "{{ messages }}",
}
DIMENSIONS = ("llama.block_count", "llama.embedding_length", "llama.attention.head_count")
TENSORS = (Tensor("token_embd.weight", (64, 3), "Q8_0"), Tensor("output_norm.weight", (64,)))


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def typed(value: object) -> bytes:
    """A value with its kind before it; whole numbers are U32 and arrays take the kind of their first item."""
    if isinstance(value, Typed):
        return struct.pack("<I", value.kind) + payload(value.value, value.kind, value.items)
    if isinstance(value, bool):
        return struct.pack("<I?", BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", U32, value)
    if isinstance(value, float):
        return struct.pack("<If", F32, value)
    if isinstance(value, str):
        return struct.pack("<I", STRING) + text(value)
    assert isinstance(value, list)
    items = STRING if value and isinstance(value[0], str) else U32
    return struct.pack("<I", ARRAY) + payload(cast("list[object]", value), ARRAY, items)


def payload(value: object, kind: int, items: int) -> bytes:
    if kind == STRING:
        assert isinstance(value, str | bytes)
        return text(value)
    if kind == ARRAY:
        array = cast("Sequence[object]", value)
        return struct.pack("<IQ", items, len(array)) + b"".join(payload(item, items, U32) for item in array)
    return struct.pack("<" + LETTERS[kind], value)


def gguf(
    metadata: Mapping[str, object] = MODEL,
    tensors: Sequence[Tensor] = TENSORS,
    *,
    version: int = 3,
    more: Mapping[str, object] | None = None,
    without: Sequence[str] = (),
    alignment: int = ALIGNMENT,
) -> bytes:
    """A whole file. `more` adds to the metadata, `without` takes from it."""
    merged = {**metadata, **(more or {})}
    # A model of another architecture has the same dimensions under its own name.
    kind = merged.get("general.architecture")
    own = {key.replace("llama.", f"{kind}.", 1): merged[key] for key in DIMENSIONS if key in merged}
    entries = {key: value for key, value in {**own, **merged}.items() if key not in without}
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries))
    head += b"".join(text(key) + typed(value) for key, value in entries.items())
    offset, infos, data = 0, b"", b""
    for tensor in tensors:
        kind = BLOCKS[tensor.kind][0]
        infos += text(tensor.name) + struct.pack("<I", len(tensor.shape))
        infos += b"".join(struct.pack("<Q", size) for size in tensor.shape) + struct.pack("<IQ", kind, offset)
        padded = -(-tensor.size_bytes // alignment) * alignment
        offset += padded
        data += tensor.data.ljust(padded, b"\0")
    head += infos
    return head + bytes(-len(head) % alignment) + data


def split(folder: Path, stem: str, count: int) -> list[Path]:
    """A model in parts: the metadata in the first, one tensor in each."""
    paths: list[Path] = []
    for number in range(count):
        about: dict[str, object] = {"split.no": Typed(number, U16), "split.count": Typed(count, U16)}
        whole = {**MODEL, **about} if number == 0 else about
        path = folder / f"{stem}-{number + 1:05}-of-{count:05}.gguf"
        path.write_bytes(gguf(whole, [Tensor(f"blk.{number}.weight", (64,))]))
        paths.append(path)
    return paths
