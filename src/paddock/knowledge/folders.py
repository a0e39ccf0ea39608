"""Owns looking at a person's own folder whose files become documents: changes nothing in it, and follows no link.

Not looked at: names that begin with a dot, links, files of several names, and what has a name that no text can hold.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import BadRequest, shown
from paddock.paths import Home

ENTRIES_MOST = 50_000
_DEPTH_MOST = 64
# What the system shows there is no file of anybody's.
_OF_THE_SYSTEM = (Path("/proc"), Path("/sys"), Path("/dev"))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The files below a folder, by their paths within. `why` tells why that is not all; "" where it is."""

    sizes_bytes: dict[str, int]
    why: str = ""


def checked(folder: str, home: Home) -> Path:
    """A folder that may be followed. Blocks. Raises BadRequest."""
    path = Path(folder)
    try:
        folder.encode()
        is_folder = path.is_absolute() and path.is_dir() and not path.is_symlink()
        there = path.resolve() if is_folder else path
    except (OSError, ValueError) as error:
        raise BadRequest(f"{shown(folder)} cannot be a folder here: {error}", param="folder") from error
    if not is_folder:
        raise BadRequest(
            f"{shown(folder)} is no folder here. Give its whole path, with no link at its end.", param="folder"
        )
    data = home.root.resolve()
    if there.is_relative_to(data) or data.is_relative_to(there):
        raise BadRequest(f"{shown(folder)} is paddock's own data, or holds it. Give another folder.", param="folder")
    if there == Path(there.anchor) or any(there.is_relative_to(one) for one in _OF_THE_SYSTEM):
        raise BadRequest(f"{shown(folder)} is the system's own. Give a folder of documents.", param="folder")
    return there


def look(root: Path) -> Seen:
    """The files of a folder, and of those within. Blocks."""
    sizes: dict[str, int] = {}
    if root.is_symlink():
        return Seen(sizes_bytes=sizes, why="it is a link now")
    waiting: list[tuple[str, ...]] = [()]
    entries = 0
    while waiting:
        parts = waiting.pop()
        try:
            with os.scandir(root.joinpath(*parts)) as found:
                for entry in found:
                    entries += 1
                    if entries > ENTRIES_MOST:
                        return Seen(sizes_bytes=sizes, why=f"it holds more than {ENTRIES_MOST} files and folders")
                    if not entry.name.startswith("."):
                        _take(entry, parts, sizes, waiting)
        except OSError as error:
            place = "/".join(parts) or "it"
            return Seen(sizes_bytes=sizes, why=f"{place} cannot be read: {error.strerror or error}")
    return Seen(sizes_bytes=sizes)


def _take(
    entry: os.DirEntry[str], parts: tuple[str, ...], sizes: dict[str, int], waiting: list[tuple[str, ...]]
) -> None:
    """Note a file, or a folder that is still to be looked at. Raises OSError."""
    found = entry.stat(follow_symlinks=False)
    place = (*parts, entry.name)
    if stat.S_ISDIR(found.st_mode):
        if len(place) > _DEPTH_MOST:
            raise OSError(f"it lies more than {_DEPTH_MOST} folders deep")
        waiting.append(place)
    elif stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and all(part.isprintable() for part in place):
        sizes["/".join(place)] = found.st_size
