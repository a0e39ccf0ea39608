"""Owns the rows of sets of one's own; refuses to read what is in them."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock.errors import SetUnknown
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, kw_only=True)
class OwnSet:
    """A set of one's own. `lines` are as they were written; `tries` counts them. Times are seconds since 1970."""

    id: str
    name: str
    lines: str
    tries: int
    created_s: float
    changed_s: float


class SetStore:
    """The sets of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, lines: str, tries: int) -> OwnSet:
        """A new set."""
        now_s = time.time()
        made = OwnSet(
            id=f"set_{secrets.token_hex(8)}", name=name, lines=lines, tries=tries, created_s=now_s, changed_s=now_s
        )

        def work(connection: Connection) -> None:
            from sqlalchemy import insert

            from paddock.store.tables import evaluation_sets

            connection.execute(insert(evaluation_sets).values({**vars(made), "lines": json.dumps(lines)}))

        await self._database.run(work)
        return made

    async def change(self, set_id: str, name: str, lines: str, tries: int) -> OwnSet:
        """Write another set in place of one. Raises SetUnknown."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import update

            from paddock.store.tables import evaluation_sets as sets

            values = {"name": name, "lines": json.dumps(lines), "tries": tries, "changed_s": time.time()}
            return connection.execute(update(sets).where(sets.c.id == set_id).values(values)).rowcount == 1

        if not await self._database.run(work):
            raise SetUnknown(set_id)
        return await self.find(set_id)

    async def listed(self) -> list[OwnSet]:
        """Every set, the newest first, without its lines."""

        def work(connection: Connection) -> list[OwnSet]:
            from sqlalchemy import select

            from paddock.store.tables import evaluation_sets as sets

            columns = (sets.c.id, sets.c.name, sets.c.tries, sets.c.created_s, sets.c.changed_s)
            rows = connection.execute(select(*columns).order_by(sets.c.created_s.desc())).mappings()
            return [OwnSet(lines="", **{str(name): value for name, value in row.items()}) for row in rows]

        return await self._database.run(work, only_reads=True)

    async def find(self, set_id: str) -> OwnSet:
        """The set of that id. Raises SetUnknown."""

        def work(connection: Connection) -> OwnSet | None:
            from sqlalchemy import select

            from paddock.store.tables import evaluation_sets as sets

            row: Any = connection.execute(select(sets).where(sets.c.id == set_id)).mappings().first()
            return OwnSet(**{**row, "lines": json.loads(row["lines"])}) if row else None

        found = await self._database.run(work, only_reads=True)
        if found is None:
            raise SetUnknown(set_id)
        return found

    async def remove(self, set_id: str) -> None:
        """Forget a set. Raises SetUnknown."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import delete

            from paddock.store.tables import evaluation_sets as sets

            return connection.execute(delete(sets).where(sets.c.id == set_id)).rowcount == 1

        if not await self._database.run(work):
            raise SetUnknown(set_id)
