"""Owns looking at the files of a workspace from outside, where whoever runs inside may change them meanwhile.

No link is followed, and nothing but regular files of one name is read. Not covered: what a file of a kind does to the
program that opens it later.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_DEPTH_MOST = 32
_HEAD_BYTES = 16
_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# A pipe that took a file's place would be waited for.
_OPEN_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
# What a file is, by how it begins; and by its name where that is text, which no beginning tells.
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"), (b"%PDF-", "application/pdf"), (b"PK\x03\x04", "application/zip"),
)  # fmt: skip
_TEXTS = {
    ".csv": "text/csv", ".json": "application/json", ".md": "text/markdown", ".py": "text/x-python",
    ".txt": "text/plain", ".tsv": "text/tab-separated-values", ".html": "text/html", ".svg": "image/svg+xml",
    ".xml": "application/xml",
}  # fmt: skip

Mark = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that a call made or changed.

    Attributes:
        name: its path within the workspace, with `/`.
    """

    name: str
    size_bytes: int
    media_type: str
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class Look:
    """What lies in a folder: files that may be handed on, and what all of it takes.

    Attributes:
        marks: the name of each such file, and what changes with it.
        others: links, pipes, devices, files of several names, and what has a name that cannot be told.
        is_whole: whether all was looked at; not so where there was more than the most, or it lay too deep.
        deep: the folders that lie too deep.
    """

    marks: Mapping[str, Mark] = field(default_factory=dict[str, Mark])
    sizes_bytes: Mapping[str, int] = field(default_factory=dict[str, int])
    others: int = 0
    taken_bytes: int = 0
    entries: int = 0
    is_whole: bool = True
    deep: tuple[str, ...] = ()


def look(folder: Path, *, entries_most: int, owner: int | None = None) -> Look:
    """What lies in a folder, and all folders within. Blocks.

    Args:
        entries_most: after so many nothing more is looked at.
        owner: who is to own all of it, where this process is root.
    """
    marks: dict[str, Mark] = {}
    sizes: dict[str, int] = {}
    others = taken = entries = 0
    waiting: list[tuple[str, ...]] = [()]
    deep: list[str] = []
    is_whole = True
    while waiting and is_whole:
        parts = waiting.pop()
        with contextlib.suppress(OSError), _folder(folder, parts) as here:
            for name, found in _entries(here, owner):
                entries += 1
                taken += found.st_blocks * 512
                if entries > entries_most:
                    is_whole = False
                    break
                if stat.S_ISDIR(found.st_mode):
                    if len(parts) < _DEPTH_MOST:
                        waiting.append((*parts, name))
                    else:
                        deep.append("/".join((*parts, name)))
                elif stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and _can_be_told(name, parts):
                    place = "/".join((*parts, name))
                    marks[place] = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
                    sizes[place] = found.st_size
                else:
                    others += 1
    return Look(
        marks=marks, sizes_bytes=sizes, others=others, taken_bytes=taken, entries=entries,
        is_whole=is_whole and not deep, deep=(*deep,),
    )  # fmt: skip


def changed(folder: Path, before: Look, after: Look, *, most: int) -> list[File]:
    """What was made or changed between two looks, the last changed first; at most so many. Blocks."""
    names = [name for name, mark in after.marks.items() if before.marks.get(name) != mark]
    names.sort(key=lambda name: after.marks[name][1], reverse=True)
    found: list[File] = []
    for name in names[:most]:
        with contextlib.suppress(OSError):
            head = read(folder, name, most_bytes=_HEAD_BYTES, is_cut=True)
            kind = media_type(name, head)
            size = after.sizes_bytes[name]
            found.append(File(name=name, size_bytes=size, media_type=kind, is_new=name not in before.marks))
    return found


def read(folder: Path, name: str, *, most_bytes: int, is_cut: bool = False) -> bytes:
    """A file of the workspace, as it is now. Blocks.

    Args:
        name: its path within, with `/`.
        is_cut: whether its beginning will do, where it is longer.

    Raises:
        OSError: it is not there, is no regular file of one name, is reached through a link, or is longer than that.
    """
    parts, last = _named(name)
    with _folder(folder, parts) as here:
        descriptor = os.open(last, _OPEN_FILE, dir_fd=here)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise PermissionError(f"{name!r} is no regular file of one name")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(most_bytes + 1)
        finally:
            os.close(descriptor)
    if len(data) > most_bytes and not is_cut:
        raise OSError(f"{name!r} has more than {most_bytes} bytes")
    return data[:most_bytes]


def write(folder: Path, name: str, data: bytes) -> None:
    """Write a file of the workspace whole or not at all, with the folders on its way. Blocks.

    A link that has its name is replaced, and what it led to stays. Raises OSError, where the name is a folder's too.
    """
    parts, last = _named(name)
    with _folder(folder, parts, makes=True) as here:
        draft = f".{secrets.token_hex(8)}.draft"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o644, dir_fd=here)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.replace(draft, last, src_dir_fd=here, dst_dir_fd=here)
        finally:
            # Once it has its name there is no draft.
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=here)


def discard(folder: Path, name: str) -> None:
    """Take a file of the workspace away, or a link, whatever it leads to. Blocks. Raises OSError."""
    parts, last = _named(name)
    with _folder(folder, parts) as here:
        os.unlink(last, dir_fd=here)


def _named(name: str) -> tuple[tuple[str, ...], str]:
    """The folders that a name within a workspace leads through, and what it is called there. Raises OSError."""
    *parts, last = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in (*parts, last)):
        raise FileNotFoundError(f"{name!r} is no name within a workspace")
    return (*parts,), last


def media_type(name: str, head: bytes) -> str:
    """What a file is, by how it begins, or by its name where it may be text."""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    text = _TEXTS.get(os.path.splitext(name)[1].lower())
    return text if text and b"\0" not in head else "application/octet-stream"


def remove(folder: Path) -> None:
    """Take a folder away with all within, however deep. Blocks. Raises OSError."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        top = os.open(folder, _OPEN_FOLDER)
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(folder)


def remove_within(folder: Path, name: str) -> None:
    """Take away a folder of the workspace with all within. Blocks. Raises OSError."""
    *parts, last = name.split("/")
    with _folder(folder, tuple(parts)) as here:
        with _entered(here, last) as top:
            _empty(top)
        os.rmdir(last, dir_fd=here)


def _empty(top: int) -> None:
    """Take away all within a folder; what is nested is brought to the top before, so that no path grows long."""
    number = 0
    waiting = [name for name in os.listdir(top) if not _unlinked(top, name)]
    while waiting:
        place = waiting.pop()
        with _entered(top, place) as here:
            for name in os.listdir(here):
                if not _unlinked(here, name):
                    number += 1
                    _open_up(here, name)
                    os.rename(name, f".{number}.gone", src_dir_fd=here, dst_dir_fd=top)
                    waiting.append(f".{number}.gone")
        os.rmdir(place, dir_fd=top)


def _unlinked(folder: int, name: str) -> bool:
    """Take away what is no folder; false for one."""
    if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
        return False
    os.unlink(name, dir_fd=folder)
    return True


@contextmanager
def _folder(top: Path, parts: tuple[str, ...], *, makes: bool = False) -> Generator[int]:
    """A folder within, through no link."""
    here = os.open(top, _OPEN_FOLDER)
    try:
        for part in parts:
            if makes:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=here)
            with _entered(here, part) as inner:
                os.dup2(inner, here, inheritable=False)
        yield here
    finally:
        os.close(here)


@contextmanager
def _entered(folder: int, name: str) -> Generator[int]:
    """One folder in another; who made it may have shut it, against whoever counts it."""
    try:
        here = os.open(name, _OPEN_FOLDER, dir_fd=folder)
    except PermissionError:
        _open_up(folder, name)
        here = os.open(name, _OPEN_FOLDER, dir_fd=folder)
    try:
        yield here
    finally:
        os.close(here)


def _open_up(folder: int, name: str) -> None:
    """Let the owner into a folder, which is no link at the moment of it."""
    shut = os.open(name, getattr(os, "O_PATH", 0) | _OPEN_FOLDER, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{shut}" if hasattr(os, "O_PATH") else shut, 0o700)
    finally:
        os.close(shut)


def _entries(folder: int, owner: int | None) -> Generator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
                if owner is not None and found.st_uid != owner:
                    os.chown(entry.name, owner, owner, dir_fd=folder, follow_symlinks=False)
                    # What it was before is no mark: the file would seem to be changed by the next call.
                    found = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            except OSError:
                continue
            yield entry.name, found


def _can_be_told(name: str, parts: tuple[str, ...]) -> bool:
    """Whether a name is text without anything that ends a line or steers a terminal,."""
    return all(part.isprintable() and "\\" not in part for part in (name, *parts))
