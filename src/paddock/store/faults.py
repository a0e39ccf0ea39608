"""Owns what an error of a database's libraries means, and what to do about it; refuses to raise or to mend anything.

SQLite's codes are those of its C interface, PostgreSQL's the five letters of the SQL standard's classes. Messages name
the database and give the library's reason, for its owner; what callers are told has neither.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from paddock.errors import StoreBusy, StoreDamaged, StoreFull, StoreUnusable
from paddock.paths import NO_ROOM

_SQLITE_BUSY, _SQLITE_FULL, _SQLITE_DAMAGED = (5, 6), (13,), (11, 26)
# Reading or writing failed, or a file could not be opened. The system's reason is told in neither.
_SQLITE_UNCLEAR = (10, 14)
_POSTGRES_FULL = ("53100",)
# A lock that was not given, a deadlock, two that changed the same: all was undone.
_POSTGRES_HELD = ("55P03", "40P01", "40001")
# Starting or shutting down, too many connections: none was made.
_POSTGRES_AWAY = ("57P03", "53300")
# Told to end, crashed: the connection was cut.
_POSTGRES_CUT = ("57P01", "57P02")
_REASON_MOST = 300
_RESTORE = "It is left as it is. `paddock backup restore` brings a backup back; moved aside, a new one is begun."
_NOT_WRITTEN = "Nothing of this was written."
_PROBE_BYTES = 64 * 1024


def meaning(shown: str, error: BaseException, file: Path | None = None) -> StoreUnusable:
    """What an error means for the database that is shown so. `file` is SQLite's."""
    cause: BaseException = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    state, reason = _state(cause), _reason(cause)
    if (
        primary in _SQLITE_FULL
        or state in _POSTGRES_FULL
        or getattr(cause, "errno", None) in NO_ROOM
        or (primary in _SQLITE_UNCLEAR and file and has_no_room(file))
    ):
        return StoreFull(
            f"The disk of the database {shown} is full, or what paddock may write there is used up. {_NOT_WRITTEN} "
            "Free space, and ask again."
        )
    if primary in _SQLITE_BUSY:
        return StoreBusy(f"Another program holds the database {shown}: {reason}. Ask again, or end that program.")
    if state in _POSTGRES_HELD:
        return StoreBusy(f"The database {shown} is held: {reason}. {_NOT_WRITTEN} Ask again.")
    if state in _POSTGRES_AWAY or _is_unreached(cause):
        return StoreBusy(
            f"The database {shown} cannot be reached: {reason}. {_NOT_WRITTEN} See that it runs and that database_url "
            "is right, and ask again.",
            told=f"The database cannot be reached just now. {_NOT_WRITTEN} Ask again.",
        )
    if state in _POSTGRES_CUT or _is_cut(cause):
        kept = "What was asked may have been done all the same: look, and ask again."
        return StoreBusy(
            f"The connection to the database {shown} was cut: {reason}. {kept}",
            told=f"The connection to the database was cut. {kept}",
        )
    if primary in _SQLITE_DAMAGED:
        return damaged(shown, reason)
    if "Can't locate revision" in reason:
        advice = "Use that one, or `paddock backup restore` a backup of before."
        return StoreUnusable(
            f"The database {shown} was used by a newer paddock ({reason}). {advice}",
            told=f"The database was used by a newer paddock. {advice}",
        )
    return StoreUnusable(
        f"The database {shown} cannot be used: {reason}. Check the setting database_url, free space and rights."
    )


def damaged(shown: str, reason: str) -> StoreDamaged:
    """What is told of a database whose file is damaged."""
    return StoreDamaged(f"The database {shown} is damaged: {reason}. {_RESTORE}")


def _state(cause: BaseException) -> str | None:
    """PostgreSQL's five letters."""
    told = _told(cause)
    return str(told.get("C")) if told else None


def _told(cause: BaseException) -> Mapping[str, Any] | None:
    """What PostgreSQL itself said, by the letters of its protocol."""
    told: object = cause.args[0] if cause.args else None
    return cast("Mapping[str, Any]", told) if isinstance(told, Mapping) else None


def _reason(cause: BaseException) -> str:
    """In one line: PostgreSQL's words, or the system's where the library repeats the address, or the library's."""
    told = _told(cause)
    if told:
        words = str(told.get("M"))
    elif _is_unreached(cause) and isinstance(cause.__cause__, OSError):
        words = cause.__cause__.strerror or str(cause.__cause__)
    else:
        words = str(cause)
    lines = words.splitlines()
    return (lines[0] if lines else type(cause).__name__).rstrip(".")[:_REASON_MOST]


def _is_unreached(cause: BaseException) -> bool:
    """Whether no connection to PostgreSQL could be made."""
    return _is_said(cause, "create a connection", "communication error")


def _is_cut(cause: BaseException) -> bool:
    """Whether a connection to PostgreSQL was lost."""
    is_lost = isinstance(cause, ConnectionError | TimeoutError)
    return is_lost or _is_said(cause, "network error", "connection is closed", "server closed", "broken pipe")


def _is_said(cause: BaseException, *words: str) -> bool:
    text = str(cause).lower()
    return type(cause).__module__.startswith("pg8000") and any(word in text for word in words)


def has_no_room(file: Path) -> bool:
    """Whether a little cannot be written beside that file either, as far into a file as the longest of SQLite's is.

    So a full disk, a spent share of one, and a limit on the size of files are told apart from a disk that is broken.
    """
    try:
        beside = [file.stat().st_size if file.exists() else 0 for file in (file, file.with_name(f"{file.name}-wal"))]
        with tempfile.TemporaryFile(dir=file.parent, buffering=0) as probe:
            probe.seek(max(beside))
            probe.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return error.errno in NO_ROOM
    return False
