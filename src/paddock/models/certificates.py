"""Owns the certificates beside models' files: reading what one says of its file, and keeping it with that.

An export writes one beside each file that it makes (`export/certificate.py` judges). It is of the file whose size and
time it names. A file of that size and another time, such as a copy, is looked into once for as long as paddock runs;
other bytes are not what was compared. Refuses to compare models, and is no signature: whoever can write the file can
write its certificate.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from paddock.models.entries import Origin, id_of_file
from paddock.paths import write_whole

SUFFIX = ".certificate.json"
Verdict = Literal["pass", "warn", "fail", "none"]
# What a model's file is by its certificate; "changed" where that is of other bytes.
Standing = Literal["pass", "warn", "fail", "changed"]
_VERDICTS: tuple[Verdict, ...] = ("pass", "warn", "fail", "none")
LINKS = ("template", "tokenizer", "merge", "conversion", "quantisation")
MOST_BYTES = 8 * 2**20
_LATEST_S = 1e11
# Files that a person put there. In the folders of other programs lie none of ours.
_WITH: frozenset[Origin] = frozenset({"imported", "file", "folder"})


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What is known of a file by its certificate.

    Attributes:
        standing: the verdict, or "changed".
        links: the verdict on each link of the chain that made it.
        made_s: when it was compared, in seconds since 1970.
    """

    standing: Standing
    links: Mapping[str, Verdict]
    made_s: float

    def told(self) -> dict[str, Any]:
        """As it goes out."""
        return {"standing": self.standing, "links": dict(self.links), "made_s": self.made_s}


def beside(file: Path) -> Path:
    """Where the certificate of a model's file lies, or of the first part of several."""
    return file.with_name(id_of_file(file.name) + SUFFIX)


def marks_of(file: Path) -> dict[str, Any]:
    """By what a certificate knows its file again: its size, its time, its bytes. Raises OSError."""
    status = file.stat()
    return {"size_bytes": status.st_size, "changed_ns": status.st_mtime_ns, "sha256": _sha256(file)}


def certificate_of(file: Path, origin: Origin = "file") -> Certificate | None:
    """What the certificate beside a file says of it as it is now; None where there is none that can be read."""
    if origin not in _WITH:
        return None
    try:
        status, own = file.stat(), beside(file).stat()
        told = _read(beside(file), own.st_mtime_ns, own.st_size)
        if told is None:
            return None
        is_same = told.size_bytes == status.st_size and (
            told.changed_ns == status.st_mtime_ns
            or told.sha256 == _digest(file, status.st_mtime_ns, status.st_size, status.st_ino)
        )
    except (OSError, ValueError):
        return None
    return Certificate(standing=told.verdict if is_same else "changed", links=dict(told.links), made_s=told.made_s)


def keep(source: Path, file: Path, target: Path) -> None:
    """Put the certificate of an imported file beside it; none where it had none, whatever lay there.

    Args:
        source: the file that was imported.
        file: it, or its copy, as it is now.
        target: its name as a model.

    Raises:
        OSError: it cannot be written.
    """
    told = _table(beside(source))
    if told is None:
        beside(target).unlink(missing_ok=True)
        return
    before = source.stat()
    if (told.get("size_bytes"), told.get("changed_ns")) == (before.st_size, before.st_mtime_ns):
        # A copy has another time.
        told["changed_ns"] = file.stat().st_mtime_ns
    told["file"] = target.name
    write_whole(beside(target), json.dumps(told, indent=1))


@dataclass(frozen=True, kw_only=True)
class _Told:
    verdict: Literal["pass", "warn", "fail"]
    links: tuple[tuple[str, Verdict], ...]
    made_s: float
    size_bytes: object
    changed_ns: object
    sha256: object


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
        size_bytes=told.get("size_bytes"),
        changed_ns=told.get("changed_ns"),
        sha256=told.get("sha256"),
    )


@lru_cache(maxsize=512)
def _digest(file: Path, _changed_ns: int, _size_bytes: int, _number: int) -> str:
    """Of a file's bytes, once for each of its states. Raises OSError."""
    return _sha256(file)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _table(path: Path) -> dict[str, Any] | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            return None
        told: object = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None
