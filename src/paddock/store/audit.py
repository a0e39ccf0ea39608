"""Owns the record of what was done that an owner may want to know later; refuses to judge it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.clock import lived_s, stamp_s
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

KEPT_S = 365 * 86400.0
# So many at most: a stranger who tries passwords must not fill the disk. Of one deed by one caller so many alone, for
# nobody is to push out what else was done by doing one thing over and over.
_MOST = 100_000
MOST_ALIKE = 2_000
_COUNTED_EVERY = 50


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Who did what, when and from where. `about` says to whom or what."""

    number: int
    at_s: float
    who: str
    address: str
    deed: str
    about: str


class Audit:
    """The record of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, deed: str, *, who: str, address: str = "", about: str = "") -> None:
        """Add an entry. Blocks."""
        self._database.do(_noting(deed, who, address, about))

    async def noted(self, deed: str, *, who: str, address: str = "", about: str = "") -> None:
        """As `note`, in a thread of the database's."""
        await self._database.run(_noting(deed, who, address, about))

    def latest(self, *, limit: int, before: int | None = None) -> list[Entry]:
        """The newest entries, or those before a number. Blocks."""

        def work(connection: Connection) -> list[Entry]:
            from sqlalchemy import select

            from paddock.store.tables import audit

            wanted = select(audit).order_by(audit.c.id.desc()).limit(limit)
            if before is not None:
                wanted = wanted.where(audit.c.id < before)
            names = ("at_s", "who", "address", "deed", "about")
            return [
                Entry(number=row["id"], **{name: row[name] for name in names})
                for row in connection.execute(wanted).mappings()
            ]

        return self._database.do(work, only_reads=True)


def _noting(deed: str, who: str, address: str, about: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        from sqlalchemy import delete, func, insert, select

        from paddock.store.tables import audit

        row = {"at_s": stamp_s(), "who": _one_line(who, 100), "address": _one_line(address, 64)}
        connection.execute(insert(audit).values(**row, deed=deed, about=_one_line(about, 400)))
        newest = connection.execute(select(func.max(audit.c.id))).scalar() or 0
        connection.execute(delete(audit).where(audit.c.at_s < lived_s() - KEPT_S))
        if newest % _COUNTED_EVERY == 0:
            _forget_most(connection)

    return work


def _forget_most(connection: Connection) -> None:
    """Forget the oldest of what one caller did too often, and of all where they are too many."""
    from sqlalchemy import delete, func, select

    from paddock.store.tables import audit

    groups = select(audit.c.who, audit.c.deed).group_by(audit.c.who, audit.c.deed)
    for who, deed in connection.execute(groups.having(func.count() > MOST_ALIKE)).all():
        alike = (audit.c.who == who, audit.c.deed == deed)
        newest = select(audit.c.id).where(*alike).order_by(audit.c.id.desc())
        last = connection.execute(newest.offset(MOST_ALIKE).limit(1)).scalar() or 0
        connection.execute(delete(audit).where(*alike, audit.c.id <= last))
    newest = select(audit.c.id).order_by(audit.c.id.desc())
    last = connection.execute(newest.offset(_MOST).limit(1)).scalar() or 0
    connection.execute(delete(audit).where(audit.c.id <= last))


def _one_line(text: str, most: int) -> str:
    """A text that cannot stand for several entries, or move a terminal's cursor."""
    return "".join(one if one.isprintable() else "?" for one in text)[:most]
