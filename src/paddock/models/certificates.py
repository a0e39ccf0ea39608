"""Owns the certificates beside models' files: reading what one says of its file, and keeping it with that.

An export writes one beside each file that it makes (`export/certificate.py` judges). It is of the file whose size and
time it names, and of each piece where that is in several. A file of that size and another time, such as a copy, is
looked into once for as long as paddock runs; other bytes are not what was compared. Refuses to compare models, and is
no signature: whoever can write the file can write its certificate.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from paddock.models.entries import Origin, id_of_file, pieces_of
from paddock.paths import write_whole

SUFFIX = ".certificate.json"
Verdict = Literal["pass", "warn", "fail", "none"]
# What a model's file is by its certificate; "changed" where that is of other bytes.
Standing = Literal["pass", "warn", "fail", "changed"]
_VERDICTS: tuple[Verdict, ...] = ("pass", "warn", "fail", "none")
LINKS = ("template", "tokenizer", "merge", "conversion", "quantisation")
MOST_BYTES = 8 * 2**20
_LATEST_S = 1e11
_READ_BYTES = 2**22
# Files that a person put there. In the folders of other programs lie none of ours.
_WITH: frozenset[Origin] = frozenset({"imported", "file", "folder"})


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What is known of a file by its certificate.

    Attributes:
        standing: the verdict, or "changed".
        links: the verdict on each link of the chain that made it.
        made_s: when it was compared, in seconds since 1970.
        changed: the names of the file, or of its pieces, that hold other bytes now, or are not there.
    """

    standing: Standing
    links: Mapping[str, Verdict]
    made_s: float
    changed: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """As it goes out."""
        told = {"standing": self.standing, "links": dict(self.links), "made_s": self.made_s}
        return {**told, "changed": list(self.changed)}


def beside(file: Path) -> Path:
    """Where the certificate of a model's file lies, or of the first part of several."""
    return file.with_name(id_of_file(file.name) + SUFFIX)


def marks_of(file: Path) -> dict[str, Any]:
    """By what a certificate knows its file again: its size, its time, its bytes. Raises OSError.

    Of one in several pieces, of which `file` is the first, that is all of them one after another, and the newest time;
    `pieces` has the marks of each. `sha256` is that by which evaluations know it too.
    """
    whole = hashlib.sha256()
    marks = [_marks(piece, whole) for piece in pieces_of(file)]
    if len(marks) == 1:
        return {name: value for name, value in marks[0].items() if name != "file"}
    return {
        "size_bytes": sum(one["size_bytes"] for one in marks),
        "changed_ns": max(one["changed_ns"] for one in marks),
        "sha256": whole.hexdigest(),
        "pieces": marks,
    }


def certificate_of(file: Path, origin: Origin = "file") -> Certificate | None:
    """What the certificate beside a file says of it as it is now; None where there is none that can be read.

    `file` is the first piece where it is in several.
    """
    if origin not in _WITH:
        return None
    try:
        own = beside(file).stat()
        told = _read(beside(file), own.st_mtime_ns, own.st_size)
    except (OSError, ValueError):
        return None
    if told is None:
        return None
    pieces = pieces_of(file)
    if len(pieces) == len(told.marks):
        changed = [one for one, mark in zip(pieces, told.marks, strict=True) if not _is_of(mark, one)]
    else:
        changed = [file]
    return Certificate(
        standing="changed" if changed else told.verdict,
        links=dict(told.links),
        made_s=told.made_s,
        changed=tuple(one.name for one in changed),
    )


def digests_in(told: dict[str, Any]) -> list[str]:
    """The SHA-256 of each piece by a certificate, as it was read; "" where it says none."""
    return [str(one.get("sha256") or "") for one in _marked(told)]


def keep(sources: Sequence[Path], files: Sequence[Path], targets: Sequence[Path]) -> None:
    """Put the certificate of an imported file beside it; none where it had none, whatever lay there.

    Args:
        sources: the file that was imported, in all its pieces.
        files: these, or their copies, as they are now.
        targets: their names as a model.

    Raises:
        OSError: it cannot be written.
    """
    told = _table(beside(sources[0]))
    if told is None:
        beside(targets[0]).unlink(missing_ok=True)
        return
    for source, file, target, mark in zip(sources, files, targets, _marked(told), strict=False):
        before = source.stat()
        if (mark.get("size_bytes"), mark.get("changed_ns")) == (before.st_size, before.st_mtime_ns):
            # A copy has another time.
            mark["changed_ns"] = file.stat().st_mtime_ns
        mark["file"] = target.name
    told["file"] = targets[0].name
    write_whole(beside(targets[0]), json.dumps(told, indent=1))


@dataclass(frozen=True, kw_only=True)
class _Mark:
    size_bytes: object
    changed_ns: object
    sha256: object


@dataclass(frozen=True, kw_only=True)
class _Told:
    verdict: Literal["pass", "warn", "fail"]
    links: tuple[tuple[str, Verdict], ...]
    made_s: float
    marks: tuple[_Mark, ...]


@lru_cache(maxsize=512)
def _read(path: Path, _changed_ns: int, _size_bytes: int) -> _Told | None:
    """What one says, read once for each of its states; None where it is none."""
    told = _table(path)
    if told is None:
        return None
    verdict, links, made_s = told.get("verdict"), told.get("links"), told.get("made_s")
    if verdict not in ("pass", "warn", "fail") or not isinstance(links, dict):
        return None
    found: list[tuple[str, Verdict]] = []
    for name in LINKS:
        link: Any = cast("dict[str, Any]", links).get(name)
        said: Any = cast("dict[str, Any]", link).get("verdict") if isinstance(link, dict) else None
        if said in _VERDICTS:
            found.append((name, said))
    return _Told(
        verdict=verdict,
        links=tuple(found),
        made_s=float(made_s) if isinstance(made_s, int | float) and 0 < made_s < _LATEST_S else 0.0,
        marks=tuple(
            _Mark(size_bytes=one.get("size_bytes"), changed_ns=one.get("changed_ns"), sha256=one.get("sha256"))
            for one in _marked(told)
        ),
    )


def _marked(told: dict[str, Any]) -> list[dict[str, Any]]:
    """What a certificate says of each piece; of the file, where it is in one."""
    pieces = told.get("pieces")
    is_list = isinstance(pieces, list) and all(isinstance(one, dict) for one in cast("list[object]", pieces))
    return cast("list[dict[str, Any]]", pieces) if is_list else [told]


def _is_of(mark: _Mark, file: Path) -> bool:
    """Whether a file is still the one that was marked."""
    try:
        status = file.stat()
        return mark.size_bytes == status.st_size and (
            mark.changed_ns == status.st_mtime_ns
            or mark.sha256 == _digest(file, status.st_mtime_ns, status.st_size, status.st_ino)
        )
    except OSError:
        return False


@lru_cache(maxsize=512)
def _digest(file: Path, _changed_ns: int, _size_bytes: int, _number: int) -> str:
    """Of a file's bytes, once for each of its states. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _marks(file: Path, whole: Any) -> dict[str, Any]:
    """The marks of one file, whose bytes are added to `whole` too. Raises OSError."""
    status, own = file.stat(), hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(_READ_BYTES):
            own.update(piece)
            whole.update(piece)
    return {
        "file": file.name, "size_bytes": status.st_size, "changed_ns": status.st_mtime_ns, "sha256": own.hexdigest()
    }  # fmt: skip


def _table(path: Path) -> dict[str, Any] | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            return None
        told: object = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None
