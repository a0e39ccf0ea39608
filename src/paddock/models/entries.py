"""Owns what a place says of a model before anyone looks into its file: an id without folders, and the parts of a file.

Refuses to read headers, and to know which places there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from paddock.models.gguf import part_of
from paddock.models.records import PulledRecord

Origin = Literal["bundled", "imported", "pulled", "tried", "file", "folder", "hub-cache", "lmstudio", "ollama"]

# What lies in these belongs to other programs or to the person: paddock reads it and never writes there.
FOREIGN: frozenset[Origin] = frozenset({"file", "folder", "hub-cache", "lmstudio", "ollama"})


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Another name of the same bytes, in another place."""

    id: str
    origin: Origin
    path: Path


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A place where a model should be. `path` is its file, or the first part of several.

    `record` belongs to pulled ones. `projector` is the file with the model's eyes, where the place itself says which
    that is. `digest` is the SHA-256 that the place tells. `defect` is a sentence where the place alone shows that the
    model cannot be loaded. `mark` tells it from another of the same id; `copies` are the same bytes elsewhere.
    """

    id: str
    path: Path
    origin: Origin
    record: PulledRecord | None = None
    projector: Path | None = None
    digest: str | None = None
    defect: str | None = None
    mark: str = ""
    copies: tuple[Copy, ...] = ()

    @property
    def marked_id(self) -> str:
        """The id that this entry has where another one has its plain id: stable while its file stays where it is."""
        return f"{self.id}@{self.mark or hashlib.sha256(str(self.path).encode()).hexdigest()[:6]}"

    @property
    def names(self) -> set[str]:
        """What it may be called, in lower case: by its id, its lasting id, and those of the same bytes elsewhere."""
        return {self.id.casefold(), self.marked_id.casefold(), *(copy.id.casefold() for copy in self.copies)}


def id_of_file(name: str) -> str:
    """The id that a file's name stands for: without `.gguf`, and without the part number of a split model."""
    part = part_of(name)
    stem = part[0] if part else name[: -len(".gguf")] if name.lower().endswith(".gguf") else name
    return "".join(character if character.isprintable() else "_" for character in stem)


def pieces_of(path: Path) -> list[Path]:
    """Every piece of the file that `path` is one of, by their names and in their order: itself where it is whole."""
    part = part_of(path.name)
    if part is None or part[2] < 1:
        return [path]
    stem, _, count = part
    ending = path.name[-len(".gguf") :]
    return [path.with_name(f"{stem}-{number:05}-of-{count:05}{ending}") for number in range(1, count + 1)]


def is_gguf(name: str) -> bool:
    """Whether a file of that name may be a model. Hidden ones are drafts."""
    return name.lower().endswith(".gguf") and not name.startswith(".")


def first_parts(paths: Iterable[Path]) -> Iterator[tuple[Path, str | None]]:
    """The files that stand for a model each, in order, and a sentence where a split model lacks its first part.

    Whether later parts are missing is for the header's reader to say, which looks for them beside the first.
    """
    groups: dict[tuple[Path, str, int], list[tuple[int, Path]]] = {}
    for path in sorted(paths):
        part = part_of(path.name)
        key = (path.parent, part[0], part[2]) if part else (path.parent, path.name, 0)
        groups.setdefault(key, []).append((part[1] if part else 1, path))
    for (_, _, count), parts in groups.items():
        number, path = min(parts)
        yield path, None if number == 1 else f"'{path.name}' lies there without part 1 of {count}. Fetch all parts."


def told_once(entries: Iterable[Entry]) -> list[Entry]:
    """Every entry under an id of its own, and the same bytes once: what comes first keeps id and place.

    An entry of paddock's own, or one that was named, hides what has its id. Another file of the same id in a place
    that belongs to others is listed under its `marked_id`.
    """
    by_id: dict[str, Entry] = {}
    by_bytes: dict[object, str] = {}
    for entry in entries:
        keys = _identities(entry)
        known = next((by_bytes[key] for key in keys if key in by_bytes), None)
        if known is not None and entry.origin in FOREIGN:
            first = by_id[known]
            if entry.path != first.path:
                copy = Copy(id=entry.id, origin=entry.origin, path=entry.path)
                by_id[known] = replace(first, copies=(*first.copies, copy))
            continue
        chosen = entry
        if entry.id in by_id:
            if entry.origin not in FOREIGN or entry.marked_id in by_id:
                continue
            chosen = replace(entry, id=entry.marked_id)
        by_id[chosen.id] = chosen
        for key in keys:
            by_bytes.setdefault(key, chosen.id)
    return list(by_id.values())


def _identities(entry: Entry) -> list[object]:
    """What tells that two entries are the same bytes: their file itself, or its checksum."""
    found: list[object] = [entry.digest] if entry.digest else []
    try:
        status = entry.path.stat()
    except OSError:
        return found
    # Some file systems have no numbers of files.
    return [*found, (status.st_dev, status.st_ino)] if status.st_ino else found
