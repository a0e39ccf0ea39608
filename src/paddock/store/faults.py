"""Owns what an error of a database's libraries means, and what to do about it; refuses to raise or to mend anything.

SQLite's codes are those of its C interface, PostgreSQL's the five letters of the SQL standard's classes.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, cast

from paddock.errors import StoreBusy, StoreDamaged, StoreFull, StoreUnusable

_SQLITE_BUSY, _SQLITE_FULL, _SQLITE_DAMAGED = (5, 6), (13,), (11, 26)
_POSTGRES_FULL = ("53100",)
# Shutting down, starting, too many connections, a lock that was not given, a deadlock.
_POSTGRES_BUSY = ("57P01", "57P02", "57P03", "53300", "55P03", "40P01", "40001")
_REASON_MOST = 300
_RESTORE = "It is left as it is. `paddock backup restore` brings a backup back; moved aside, a new one is begun."


def meaning(shown: str, error: BaseException) -> StoreUnusable:
    """What an error means for the database that is shown so."""
    cause: BaseException = getattr(error, "orig", None) or error
    words = str(cause).splitlines()
    reason = (words[0] if words else type(cause).__name__)[:_REASON_MOST]
    code = getattr(cause, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    state = _state(cause)
    if primary in _SQLITE_FULL or state in _POSTGRES_FULL or getattr(cause, "errno", None) == errno.ENOSPC:
        return StoreFull(
            f"The disk of the database {shown} is full. Nothing of this was written. Free space, and ask again."
        )
    if primary in _SQLITE_BUSY:
        return StoreBusy(f"Another program holds the database {shown}: {reason}. Ask again, or end that program.")
    if state in _POSTGRES_BUSY or _is_cut(cause):
        return StoreBusy(
            f"The database {shown} is not to be had just now: {reason}. Nothing of this is kept. Ask again."
        )
    if primary in _SQLITE_DAMAGED:
        return damaged(shown, reason)
    if "Can't locate revision" in reason:
        return StoreUnusable(
            f"The database {shown} was used by a newer paddock ({reason}). Use that one, or `paddock backup restore` a "
            "backup of before."
        )
    return StoreUnusable(
        f"The database {shown} cannot be used: {reason}. Check the setting database_url, free space and rights."
    )


def damaged(shown: str, reason: str) -> StoreDamaged:
    """What is told of a database whose file is damaged."""
    return StoreDamaged(f"The database {shown} is damaged: {reason}. {_RESTORE}")


def _state(cause: BaseException) -> str | None:
    """PostgreSQL's five letters."""
    told: object = cause.args[0] if cause.args else None
    return str(cast("Mapping[str, Any]", told).get("C")) if isinstance(told, Mapping) else None


def _is_cut(cause: BaseException) -> bool:
    """Whether a connection to PostgreSQL was lost."""
    words = str(cause).lower()
    return type(cause).__module__.startswith("pg8000") and any(
        word in words for word in ("network error", "connection is closed", "server closed", "broken pipe")
    )
