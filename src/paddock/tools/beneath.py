"""Owns reading and writing files beneath one folder in which somebody else may plant links; follows none of them.

Each step of a path is opened from the folder before it, without following: what is no plain folder or file is refused,
so that neither a link nor a pipe leads anywhere, also if it is put there while this runs.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_LISTED_MOST = 500
_DEPTH_MOST = 16


class NotThere(Exception):
    """A path that leads to nothing that may be had. Its text says why."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file as it is listed."""

    path: str
    size_bytes: int


def steps(path: str) -> tuple[str, ...]:
    """The names in a path from the folder on. Raises NotThere for one that leads out of it or is no path."""
    parts = [part for part in PurePosixPath(path.strip().removeprefix("./")).parts if part != "/"]
    if not parts or ".." in parts or len(parts) > _DEPTH_MOST or "\0" in path or any(len(one) > 200 for one in parts):
        raise NotThere(f"{path[:100]!r} is no path of a file here: write names below this folder, such as notes/a.txt")
    return tuple(parts)


def read(root: Path, path: str, most_bytes: int) -> tuple[bytes, int]:
    """The beginning of a file, and its whole size in bytes. Raises NotThere."""
    with _parent(root, path) as (folder, name):
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            raise _told(path, error) from None
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            os.close(file)
            raise NotThere(f"{path[:100]!r} is no file")
        with os.fdopen(file, "rb") as opened:
            return opened.read(most_bytes), found.st_size


def write(root: Path, path: str, data: bytes) -> None:
    """Write a file whole or not at all, with the folders on its way. Raises NotThere, or OSError where nothing fits."""
    with _parent(root, path, makes=True) as (folder, name):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise NotThere(f"{path[:100]!r} is a folder")
        draft = f".{secrets.token_hex(8)}.draft"
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            with os.fdopen(file, "wb") as opened:
                opened.write(data)
            os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            # Once it has its name there is no draft.
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=folder)


def listed(root: Path) -> list[Entry]:
    """The files below a folder, in order of their paths; of very many the first."""
    found: list[Entry] = []
    for at, folders, names, _ in os.fwalk(root, follow_symlinks=False):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(at, name), root)
            with contextlib.suppress(OSError):
                status = os.lstat(os.path.join(at, name))
                if stat.S_ISREG(status.st_mode) and not name.startswith("."):
                    found.append(Entry(path=path.encode("utf-8", "replace").decode(), size_bytes=status.st_size))
            if len(found) >= _LISTED_MOST:
                return found
    return found


@contextmanager
def _parent(root: Path, path: str, *, makes: bool = False) -> Generator[tuple[int, str]]:
    """The folder that holds what a path names, opened, and its name there. Raises NotThere."""
    *folders, name = steps(path)
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for one in folders:
            if makes:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(one, 0o700, dir_fd=at)
            try:
                below = os.open(one, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            except OSError as error:
                raise _told(path, error) from None
            os.close(at)
            at = below
        yield at, name
    finally:
        os.close(at)


def _told(path: str, error: OSError) -> NotThere:
    if isinstance(error, FileNotFoundError):
        return NotThere(f"there is no file {path[:100]!r}")
    return NotThere(f"{path[:100]!r} cannot be opened: {error.strerror}")
