"""Owns the form of an archive: a plain tar of regular files, which every tar program reads.

Read is what is written here and nothing else: no links, folders, devices, holes or further headers. Since nothing is
compressed, what an archive unpacks to is never more than its own size. Refuses to know what names mean.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK_BYTES = 512
_PIECE_BYTES = 2**20
_NAME_BYTES, _PREFIX_BYTES = 100, 155
_OCTAL_MOST = 8**11 - 1
MOST_MEMBERS = 500_000
_MAGIC = b"ustar\x0000"
_FILE = b"0"
Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of an archive: its name, and where its bytes lie."""

    name: str
    offset_bytes: int
    size_bytes: int


class Malformed(Exception):
    """An archive has another form than this; the message is the end of a sentence that begins with its name."""


class Changed(Exception):
    """A file had fewer bytes than when it was looked at."""


class Writer:
    """An archive being written to a file that is at its beginning. Every call raises OSError."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file = file
        self._advance = advance
        self._count = 0

    def add(self, name: str, source: BinaryIO, size_bytes: int, *, changed_s: float) -> str:
        """Write so many bytes of a file; returns their SHA-256 in hexadecimal digits. Raises Changed."""
        self._file.write(header(member_name(name, self._count), size_bytes, changed_s))
        self._count += 1
        digest = hashlib.sha256()
        left_bytes = size_bytes
        while left_bytes:
            piece = source.read(min(_PIECE_BYTES, left_bytes))
            if not piece:
                raise Changed(name)
            self._file.write(piece)
            digest.update(piece)
            left_bytes -= len(piece)
            self._advance(len(piece))
        self._file.write(bytes(-size_bytes % BLOCK_BYTES))
        return digest.hexdigest()

    def close(self) -> None:
        """Write the end."""
        self._file.write(bytes(2 * BLOCK_BYTES))


def member_name(name: str, number: int) -> str:
    """The name by which a file stands in the archive: its own, or a number where a tar's header cannot hold that."""
    return name if _split(name) else f"long-names/{number}"


def members(file: BinaryIO) -> Iterator[Member]:
    """The members of an archive in their order, up to its end. Raises Malformed."""
    all_bytes = file.seek(0, os.SEEK_END)
    offset_bytes = 0
    for _ in range(MOST_MEMBERS + 1):
        file.seek(offset_bytes)
        block = file.read(BLOCK_BYTES)
        if len(block) < BLOCK_BYTES:
            raise Malformed("ends in the middle")
        if block == bytes(BLOCK_BYTES):
            return
        member = _member(block, offset_bytes + BLOCK_BYTES)
        offset_bytes = member.offset_bytes + member.size_bytes + -member.size_bytes % BLOCK_BYTES
        if offset_bytes > all_bytes:
            raise Malformed("ends in the middle")
        yield member
    raise Malformed(f"holds more than {MOST_MEMBERS} files")


def pieces(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The bytes of a member. Raises Malformed where they are not all there."""
    file.seek(member.offset_bytes)
    left_bytes = member.size_bytes
    while left_bytes:
        piece = file.read(min(_PIECE_BYTES, left_bytes))
        if not piece:
            raise Malformed("ends in the middle")
        left_bytes -= len(piece)
        yield piece


def header(name: str, size_bytes: int, changed_s: float) -> bytes:
    """The block before a file, as POSIX has it; of its owner's rights alone."""
    split = _split(name)
    if split is None:
        raise ValueError(name)
    prefix, last = split
    wide = (1 << 95 | size_bytes).to_bytes(12, "big")
    sizes = b"%011o\0" % size_bytes if size_bytes <= _OCTAL_MOST else wide
    # A header holds the times from 1970 to 2242.
    time_s = min(max(int(changed_s), 0), _OCTAL_MOST)
    block = b"".join((
        last.ljust(_NAME_BYTES, b"\0"), b"0000600\0", b"0000000\0", b"0000000\0", sizes, b"%011o\0" % time_s,
        b" " * 8, _FILE, bytes(100), _MAGIC, bytes(80), prefix.ljust(_PREFIX_BYTES, b"\0"), bytes(12),
    ))  # fmt: skip
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _member(block: bytes, offset_bytes: int) -> Member:
    if block[257:265] != _MAGIC or block[148:156] != b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * ord(" ")):
        raise Malformed("is no backup that paddock made, or is damaged")
    if block[156:157] != _FILE:
        raise Malformed("holds something that is no regular file")
    try:
        name = b"/".join(part for part in (block[345:500].rstrip(b"\0"), block[:100].rstrip(b"\0")) if part).decode()
        size_bytes = _size(block[124:136])
    except ValueError as error:
        raise Malformed("holds a header that makes no sense") from error
    return Member(name=name, offset_bytes=offset_bytes, size_bytes=size_bytes)


def _size(field: bytes) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    if not field[:11].isdigit() or field[11]:
        raise ValueError(field)
    return int(field[:11], 8)


def _split(name: str) -> tuple[bytes, bytes] | None:
    """A name as a header holds it: what stands before a `/`, and what behind; None where it is too long."""
    data = name.encode()
    if len(data) <= _NAME_BYTES:
        return b"", data
    for place in range(min(len(data) - 1, _PREFIX_BYTES), 0, -1):
        if data[place : place + 1] == b"/" and len(data) - place - 1 <= _NAME_BYTES:
            return data[:place], data[place + 1 :]
    return None
