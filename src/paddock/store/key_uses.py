"""Owns what each key used on each day, in the database; refuses to know what it may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from paddock.clock import lived_s
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KEPT_DAYS = 400
_DAY_S = 86400
# Requests, then tokens.
Used = tuple[int, int]


class KeyUses:
    """The uses of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, day: int, used: Mapping[str, Used]) -> dict[str, Used]:
        """Add what keys used on a day, by key id; what each has used on it by now, here and by other paddocks."""
        return await self._database.run(lambda connection: _added(connection, day, used))

    def latest(self, day: int) -> dict[str, Used]:
        """What every key used on a day. Blocks."""
        return self._database.do(lambda connection: _read(connection, day), only_reads=True)


def _added(connection: Connection, day: int, used: Mapping[str, Used]) -> dict[str, Used]:
    from sqlalchemy import delete, insert, select, update

    from paddock.store.tables import key_uses, keys

    connection.execute(delete(key_uses).where(key_uses.c.day < min(day, lived_s() // _DAY_S) - _KEPT_DAYS))
    for key_id, (requests, tokens) in used.items():
        mine = (key_uses.c.key_id == key_id, key_uses.c.day == day)
        if connection.execute(select(keys.c.id).where(keys.c.id == key_id).with_for_update()).first() is None:
            continue
        more = {"requests": key_uses.c.requests + requests, "tokens": key_uses.c.tokens + tokens}
        if not connection.execute(update(key_uses).where(*mine).values(more)).rowcount:
            row = {"key_id": key_id, "day": day, "requests": requests, "tokens": tokens}
            connection.execute(insert(key_uses).values(row))
    return {key_id: one for key_id, one in _read(connection, day).items() if key_id in used}


def _read(connection: Connection, day: int) -> dict[str, Used]:
    from sqlalchemy import select

    from paddock.store.tables import key_uses

    rows = connection.execute(select(key_uses).where(key_uses.c.day == day)).mappings()
    return {row["key_id"]: (row["requests"], row["tokens"]) for row in rows}
