"""Owns what a backup says of itself: who made it and when, and the size and SHA-256 of each file in it.

Refuses what does not say that of all of its files, and names that would lead anywhere but where `parts.py` has them.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from paddock.backup import parts
from paddock.backup.parts import LeftOut
from paddock.backup.tar import Malformed
from paddock.log import one_line

NAME = "manifest.json"
MOST_BYTES = 256 * 2**20
_FORM = 1
_LINE_MOST_CHARACTERS = 400
Kind = Literal["sqlite", "elsewhere", "none"]


@dataclass(frozen=True, kw_only=True)
class File:
    """One file, by its name in the data home."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A model that is not in the backup. `origin` is `pulled`, whose record is, or `imported`."""

    id: str
    size_bytes: int
    origin: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup says of itself.

    `made_by` is paddock's version, `made_at` UTC as ISO 8601 has it. `database` is `sqlite` where it is in the backup,
    `elsewhere` where it is another program's to copy, `none` where there was none yet; `schema` is the last migration
    of one that is in it. `speaks_of` are the single files that are removed where the backup does not have them.
    `left_out` are files that belong in it, and that it cannot hold.
    """

    made_by: str
    made_at: str
    database: Kind
    schema: str | None
    speaks_of: tuple[str, ...]
    files: tuple[File, ...]
    absent_models: tuple[Absent, ...]
    left_out: tuple[LeftOut, ...] = ()

    def written(self) -> bytes:
        """As the last file of a backup holds it."""
        told = {"paddock_backup": _FORM, **asdict(self)}
        return json.dumps({**told, "sha256": _digest(told)}, indent=1).encode()


def read(data: bytes) -> Manifest:
    """What `written` wrote. Raises Malformed."""
    try:
        told: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Malformed("has a damaged manifest") from error
    if not isinstance(told, dict):
        raise Malformed("has a damaged manifest")
    table = cast("dict[str, Any]", told)
    form = table.get("paddock_backup")
    if isinstance(form, int) and form > _FORM:
        raise Malformed(f"has form {form}, and this paddock reads form {_FORM}: a newer paddock made it; upgrade first")
    digest = table.pop("sha256", None)
    if form != _FORM or digest != _digest(table):
        raise Malformed("has a damaged manifest")
    try:
        found = _of(table)
    except (KeyError, TypeError, AttributeError) as error:
        raise Malformed("has a manifest that makes no sense") from error
    _check(found)
    return found


def _of(table: Mapping[str, Any]) -> Manifest:
    return Manifest(
        made_by=_line(table["made_by"]),
        made_at=_line(table["made_at"]),
        database=table["database"],
        schema=None if table["schema"] is None else _line(table["schema"]),
        speaks_of=tuple(map(_text, table["speaks_of"])),
        files=tuple(
            File(path=_text(one["path"]), size_bytes=_size(one["size_bytes"]), sha256=_text(one["sha256"]))
            for one in table["files"]
        ),
        absent_models=tuple(
            Absent(id=_text(one["id"]), size_bytes=_size(one["size_bytes"]), origin=_line(one["origin"]))
            for one in table["absent_models"]
        ),
        # Those that were made before have none.
        left_out=tuple(LeftOut(path=_text(one["path"]), why=_line(one["why"])) for one in table.get("left_out", ())),
    )


def twins(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that are one on some systems."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other is not name:
            return other, name
    return None


def _check(found: Manifest) -> None:
    names = [file.path for file in found.files]
    for name in names:
        if fault := parts.fault_of(name):
            raise Malformed(f"holds {name!r:.120}, which {fault}")
    if twin := twins(names):
        raise Malformed(f"holds two files whose names are one on some systems, {twin[0]!r:.120} and {twin[1]!r:.120}")
    known = parts.single_files(with_secrets=True)
    if (
        found.database not in get_args(Kind)
        or (found.database == "sqlite") != (parts.database_name() in names)
        or (found.schema is not None and found.database != "sqlite")
        or not set(found.speaks_of) <= set(known)
    ):
        raise Malformed("has a manifest that makes no sense")


def _digest(table: Mapping[str, Any]) -> str:
    """Of what a manifest says, however it is laid out."""
    try:
        return hashlib.sha256(json.dumps(table, sort_keys=True, allow_nan=False).encode()).hexdigest()
    except (ValueError, RecursionError) as error:
        raise Malformed("has a damaged manifest") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _line(value: object) -> str:
    """What people are shown: a stranger's can neither steer the terminal nor write lines of its own."""
    text = one_line(_text(value))
    return text if len(text) <= _LINE_MOST_CHARACTERS else text[: _LINE_MOST_CHARACTERS - 1] + "…"


def _size(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(value)
    return value
