"""Owns reading the bytes of one GGUF header within bounds; refuses to judge whether the file is a usable model.

Covered: a file that ends anywhere, counts and lengths that lie, nested arrays, repeated keys. Time and memory are
bounded by constants below, whatever the file says. Not covered: whether the tensors' values make sense.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from paddock.models.gguf_layout import (
    ARRAY,
    BOOL,
    DEFAULT_ALIGNMENT,
    MAGIC,
    MAX_DIMENSIONS,
    READABLE_VERSIONS,
    SCALARS,
    STRING,
    TENSOR_KINDS,
)

# Far above any real model (the largest vocabularies have some 600,000 pieces and merges), far below what would hurt.
MAX_ENTRIES = 2**16
MAX_TENSORS = 2**18
MAX_STEPS = 2**22
MAX_KEPT_BYTES = 32 * 2**20
MAX_STRING_BYTES = 4 * 2**20
MAX_NAME_BYTES = 2**16
MAX_KEPT_ELEMENTS = 1024
MAX_NESTING = 4
MAX_BLOCKS = 2**12
WINDOW_BYTES = 2**18
_SHAPE_BYTES = 100

_BLOCK = re.compile(rb"blk\.(\d{1,5})\.")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class Defect(Exception):
    """What is wrong with a file, as the end of a sentence that begins with the file's name."""


@dataclass(frozen=True, kw_only=True)
class LargeArray:
    """An array that was stepped over, such as a vocabulary: its length, and where in the file its items begin."""

    count: int
    start_bytes: int


Value: TypeAlias = int | float | bool | str | tuple[int | float | bool, ...] | LargeArray


@dataclass(frozen=True, kw_only=True)
class RawHeader:
    """A header as it stands in the file. `needed_bytes` is how long the file must be to hold every tensor.

    `bytes_by_block` are the weights of each layer by its number, `expert_bytes` those of experts among them.
    `embedding_bytes` is the table of tokens, `output_bytes` the matrix behind the last layer, 0 where the
    table is both. `shapes` are the first two dimensions of each tensor by its name.
    """

    version: int
    metadata: Mapping[str, Value]
    tensor_count: int
    parameter_count: int
    bytes_by_kind: Mapping[str, int]
    bytes_by_block: Mapping[int, int]
    expert_bytes: int
    embedding_bytes: int
    output_bytes: int
    needed_bytes: int
    shapes: Mapping[str, tuple[int, int]]


def read_raw(file: BinaryIO) -> RawHeader:
    """The header of an open file that begins with the GGUF magic.

    Raises:
        Defect: the file ends too early, is of another version, or says something impossible.
        OSError: from the file system.
    """
    window = _Window(file)
    window.skip(len(MAGIC))
    version = _version(window.unsigned32())
    tensor_count, entry_count = window.unsigned64(), window.unsigned64()
    if entry_count > MAX_ENTRIES or tensor_count > MAX_TENSORS:
        raise Defect(f"is damaged: it claims {entry_count} entries and {tensor_count} tensors. Fetch it again.")
    metadata: dict[str, Value] = {}
    for _ in range(entry_count):
        key = window.string(limit_bytes=MAX_NAME_BYTES)
        if key in metadata:
            raise Defect(f"is damaged: it has two values for '{key[:80]}'. Fetch it again.")
        metadata[key] = _value(window, window.unsigned32())
    tensors = _Tensors()
    for _ in range(tensor_count):
        tensors.add(window)
    return RawHeader(
        version=version,
        metadata=metadata,
        tensor_count=tensor_count,
        parameter_count=tensors.parameter_count,
        bytes_by_kind=tensors.bytes_by_kind,
        bytes_by_block=tensors.bytes_by_block,
        expert_bytes=tensors.expert_bytes,
        embedding_bytes=tensors.bytes_by_name.get(b"token_embd.weight", 0),
        output_bytes=tensors.bytes_by_name.get(b"output.weight", 0),
        needed_bytes=_needed_bytes(window.position, _alignment(metadata), tensors) if tensor_count else window.position,
        shapes=tensors.shapes,
    )


def strings_at(file: BinaryIO, array: LargeArray, places: Collection[int]) -> list[str]:
    """The strings at these places of an array of strings, in the array's order. Raises Defect or OSError."""
    window = _Window(file)
    window.skip(array.start_bytes)
    found: list[str] = []
    before = 0
    for place in sorted(places):
        window.skip_strings(place - before)
        found.append(window.string(limit_bytes=MAX_STRING_BYTES))
        before = place + 1
    return found


def integers_in(file: BinaryIO, array: LargeArray) -> tuple[int, ...]:
    """The items of an array of 32-bit integers. Raises Defect or OSError."""
    window = _Window(file)
    window.skip(array.start_bytes)
    window.spend(array.count)
    return struct.unpack(f"<{array.count}i", window.take(4 * array.count))


def _version(version: int) -> int:
    readable = " and ".join(str(number) for number in READABLE_VERSIONS)
    if version in READABLE_VERSIONS:
        return version
    if version & 0xFFFF == 0:
        raise Defect("is a big-endian GGUF file, which engines on this machine cannot read. Fetch the usual one.")
    if version > max(READABLE_VERSIONS):
        raise Defect(
            f"has GGUF version {version}, newer than this paddock reads ({readable}). "
            "Update paddock, or fetch an older file."
        )
    raise Defect(f"has GGUF version {version}; this paddock reads {readable}. Convert the model again.")


def _alignment(metadata: Mapping[str, Value]) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(alignment) is not int or alignment <= 0 or alignment & (alignment - 1) or alignment > 2**20:
        raise Defect(f"is damaged: its alignment is {alignment!r}. Fetch it again.")
    return alignment


class _Tensors:
    """Sums over the tensor descriptions, read one by one."""

    def __init__(self) -> None:
        self.parameter_count = 0
        self.bytes_by_kind: dict[str, int] = {}
        self.bytes_by_block: dict[int, int] = {}
        self.bytes_by_name = dict.fromkeys((b"token_embd.weight", b"output.weight"), 0)
        self.expert_bytes = 0
        self.end_bytes = 0
        self.shapes: dict[str, tuple[int, int]] = {}

    def add(self, window: _Window) -> None:
        tensor = window.take(window.length(limit_bytes=MAX_NAME_BYTES))
        dimension_count = window.unsigned32()
        if dimension_count > MAX_DIMENSIONS:
            raise Defect(f"is damaged: it has a tensor of {dimension_count} dimensions. Fetch it again.")
        row, second, count = 1, 1, 1
        for index in range(dimension_count):
            size = window.unsigned64()
            row, second = size if index == 0 else row, size if index == 1 else second
            count *= size
        kind, offset = window.unsigned32(), window.unsigned64()
        # A kind that we do not know is left to the engine, which may be newer than this table.
        name, block_count, block_bytes = TENSOR_KINDS.get(kind, (f"kind {kind}", 1, 0))
        if count >= 2**62 or offset >= 2**62 or row % block_count:
            raise Defect("is damaged: it has a tensor of an impossible size. Fetch it again.")
        size_bytes = count // block_count * block_bytes
        self.parameter_count += count
        self.bytes_by_kind[name] = self.bytes_by_kind.get(name, 0) + size_bytes
        self.end_bytes = max(self.end_bytes, offset + size_bytes)
        window.keep(len(tensor) + _SHAPE_BYTES)
        self.shapes[tensor.decode("utf-8", "replace")] = (row, second)
        self._place(tensor, size_bytes)

    def _place(self, tensor: bytes, size_bytes: int) -> None:
        block = _BLOCK.match(tensor)
        if block and int(block[1]) < MAX_BLOCKS:
            self.bytes_by_block[int(block[1])] = self.bytes_by_block.get(int(block[1]), 0) + size_bytes
            self.expert_bytes += size_bytes if b"_exps." in tensor else 0
        elif tensor in self.bytes_by_name:
            self.bytes_by_name[tensor] += size_bytes


def _needed_bytes(header_end: int, alignment: int, tensors: _Tensors) -> int:
    return -(-header_end // alignment) * alignment + tensors.end_bytes


def _value(window: _Window, kind: int) -> Value:
    if kind == ARRAY:
        return _array(window)
    if kind == STRING:
        return window.string(limit_bytes=MAX_STRING_BYTES)
    return _scalar(window, kind)


def _scalar(window: _Window, kind: int) -> int | float | bool:
    packing = SCALARS.get(kind)
    if packing is None:
        raise Defect(f"is damaged: it has a value of the unknown kind {kind}. Fetch it again.")
    (value,) = packing.unpack(window.take(packing.size))
    return bool(value) if kind == BOOL else value


def _array(window: _Window, depth: int = 1) -> tuple[int | float | bool, ...] | LargeArray:
    """Short arrays of numbers are kept; all others are stepped over and counted."""
    kind, count = window.unsigned32(), window.unsigned64()
    packing = SCALARS.get(kind)
    if packing is not None:
        if count > MAX_KEPT_ELEMENTS:
            start_bytes = window.position
            window.skip(count * packing.size)
            return LargeArray(count=count, start_bytes=start_bytes)
        window.keep(count * sys.getsizeof(0.0))
        return tuple(_scalar(window, kind) for _ in range(count))
    window.spend(count)
    start_bytes = window.position
    if kind == STRING:
        window.skip_strings(count)
    elif kind == ARRAY and depth < MAX_NESTING:
        for _ in range(count):
            _array(window, depth + 1)
    else:
        raise Defect(f"is damaged: it has an array of kind {kind}, {depth} deep. Fetch it again.")
    return LargeArray(count=count, start_bytes=start_bytes)


class _Window:
    """A file read from front to back through a small buffer, which never goes past the end and keeps accounts."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._buffer = b""
        self._start = 0
        self._offset = 0
        self._steps_left = MAX_STEPS
        self._keep_left = MAX_KEPT_BYTES

    @property
    def position(self) -> int:
        return self._start + self._offset

    def take(self, count: int) -> bytes:
        """The next `count` bytes, at most a window's worth more than `MAX_STRING_BYTES`."""
        if self._offset + count > len(self._buffer):
            self._refill(count)
        taken = self._buffer[self._offset : self._offset + count]
        self._offset += count
        return taken

    def skip(self, count: int) -> None:
        if self.position + count > self._size:
            raise self._cut_short()
        self._offset += count

    def unsigned32(self) -> int:
        return _U32.unpack(self.take(4))[0]

    def unsigned64(self) -> int:
        return _U64.unpack(self.take(8))[0]

    def length(self, *, limit_bytes: int) -> int:
        length = self.unsigned64()
        if self.position + length > self._size:
            raise self._cut_short()
        if length > limit_bytes:
            raise Defect(f"is damaged: it has a text of {length} bytes, the limit is {limit_bytes}. Fetch it again.")
        return length

    def string(self, *, limit_bytes: int) -> str:
        length = self.length(limit_bytes=limit_bytes)
        self.keep(length)
        return self.take(length).decode("utf-8", "replace")

    def keep(self, count: int) -> None:
        """Pay for `count` bytes of memory before they are taken."""
        self._keep_left -= count
        if self._keep_left < 0:
            raise Defect(f"is damaged: it has more than {MAX_KEPT_BYTES} bytes of metadata. Fetch it again.")

    def spend(self, steps: int) -> None:
        """Pay for `steps` turns of a loop before it begins."""
        self._steps_left -= steps
        if self._steps_left < 0:
            raise Defect(f"is damaged: it has lists of more than {MAX_STEPS} entries. Fetch it again.")

    def skip_strings(self, count: int) -> None:
        """Step over `count` strings: the one loop here that runs some 100,000 times for a real model."""
        unpack, size = _U64.unpack_from, self._size
        for _ in range(count):
            if self._offset + 8 > len(self._buffer):
                self._refill(8)
            self._offset += 8 + unpack(self._buffer, self._offset)[0]
            if self._start + self._offset > size:
                raise self._cut_short()

    def _refill(self, count: int) -> None:
        position = self.position
        self._file.seek(position)
        self._buffer = self._file.read(max(count, WINDOW_BYTES))
        self._start, self._offset = position, 0
        if len(self._buffer) < count:
            raise self._cut_short()

    def _cut_short(self) -> Defect:
        return Defect(f"is cut short: its {self._size} bytes end within the header. Fetch it again.")
