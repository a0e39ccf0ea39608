"""Owns an archive that is there: that all of it is what its manifest says, and giving its files out.

Refuses to write into a data home, and to know what its files mean.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from paddock.backup import manifest, tar
from paddock.backup.manifest import File, Manifest
from paddock.backup.tar import Advance, Malformed, Member
from paddock.errors import BackupFailed, BackupRefused


class Archive:
    """An open archive whose manifest has been read and fits its members."""

    def __init__(self, file: BinaryIO, said: Manifest, members: tuple[Member, ...]) -> None:
        self._file = file
        self._members = {file.path: member for file, member in zip(said.files, members, strict=True)}
        self.manifest = said

    @property
    def size_bytes(self) -> int:
        """What its files take together."""
        return sum(file.size_bytes for file in self.manifest.files)

    def check(self, advance: Advance) -> None:
        """Read all of it, and see that each file is the one of the manifest. Raises Malformed or OSError."""
        for file in self.manifest.files:
            self._read(file, None, advance)

    def give(self, file: File, target: Path, advance: Advance) -> None:
        """Write one of its files to where nothing is yet, for its owner alone. Raises Malformed or OSError."""
        with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            self._read(file, out, advance)
            out.flush()
            os.fsync(out.fileno())

    def data(self, path: str, *, most_bytes: int) -> bytes:
        """A small file of it, empty where it is not in it. Raises Malformed or OSError."""
        member = self._members.get(path)
        if member is None:
            return b""
        if member.size_bytes > most_bytes:
            raise Malformed(f"holds a {path} of more than {most_bytes} bytes")
        return b"".join(tar.pieces(self._file, member))

    def _read(self, file: File, out: BinaryIO | None, advance: Advance) -> None:
        digest = hashlib.sha256()
        for piece in tar.pieces(self._file, self._members[file.path]):
            digest.update(piece)
            if out is not None:
                out.write(piece)
            advance(len(piece))
        if digest.hexdigest() != file.sha256:
            raise Malformed(f"holds a damaged {file.path!r:.120}")


@contextmanager
def opened(path: Path) -> Generator[Archive]:
    """An archive for the length of a block, which may raise Malformed of it.

    Raises:
        BackupRefused: it is none, or damaged; also for what is found within the block.
        BackupFailed: it cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupFailed(f"The backup {path} cannot be read ({error.strerror}).") from error
    with file:
        try:
            yield _read(file)
        except Malformed as error:
            raise BackupRefused(f"The file {path} {error}. Nothing of it is used; take another backup.") from error


def _read(file: BinaryIO) -> Archive:
    members = tuple(tar.members(file))
    if not members or members[-1].name != manifest.NAME:
        raise Malformed("has no manifest at its end, so that it is no whole backup")
    if members[-1].size_bytes > manifest.MOST_BYTES:
        raise Malformed("has a damaged manifest")
    said = manifest.read(b"".join(tar.pieces(file, members[-1])))
    listed = [(tar.member_name(one.path, number), one.size_bytes) for number, one in enumerate(said.files)]
    if listed != [(one.name, one.size_bytes) for one in members[:-1]]:
        raise Malformed("holds other files than its manifest says")
    return Archive(file, said, members[:-1])
