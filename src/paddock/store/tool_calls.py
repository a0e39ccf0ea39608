"""Owns the record of which calls of the server's tools were made, for whom, and what became of them; judges none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from paddock.caller import Caller
from paddock.clock import lived_s
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

KEPT_S = 90 * 86400.0
# Of one account, and of all: who calls much is not to push out what others did, nor to fill the disk.
MOST_OF_ACCOUNT = 10_000
MOST = 100_000
_COUNTED_EVERY = 100
ARGUMENTS_MOST = 2000


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One call. `at_s` is seconds since 1970; `allowed` is by what it was let or not, `outcome` what became of it."""

    at_s: float
    account_id: str
    key_id: str
    who: str
    session_id: str
    tool: str
    arguments: str
    allowed: str
    outcome: str
    duration_s: float
    number: int = 0


class ToolCallStore:
    """The calls of one database, at most so many. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database, *, most: int = MOST, most_of_account: int = MOST_OF_ACCOUNT) -> None:
        self._database = database
        self._most = most
        self._most_of_account = most_of_account

    async def note(self, calls: Sequence[ToolCall]) -> None:
        """Keep these, and forget what is too old or too much."""
        rows = [_row(call) for call in calls]

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, func, insert, select

            from paddock.store.tool_tables import tool_calls as table

            last = connection.execute(select(func.max(table.c.id))).scalar() or 0
            connection.execute(insert(table), rows)
            connection.execute(delete(table).where(table.c.at_s < lived_s() - KEPT_S))
            if last // _COUNTED_EVERY != (last + len(rows)) // _COUNTED_EVERY:
                _forget_most(connection, self._most, self._most_of_account)

        await self._database.run(work)

    async def latest(
        self,
        caller: Caller,
        *,
        limit: int,
        before: int | None = None,
        session_id: str | None = None,
        is_all: bool = False,
    ) -> list[ToolCall]:
        """The newest calls of a caller, or of everybody, the newest first; those before a number, or of one chat.

        An account sees what its keys did; a key sees its own alone.
        """
        if not self._database.is_there:
            return []

        def work(connection: Connection) -> list[ToolCall]:
            from sqlalchemy import select

            from paddock.store.tool_tables import tool_calls as table

            wanted = select(table).order_by(table.c.id.desc()).limit(limit)
            if not is_all:
                wanted = wanted.where(*_of(caller))
            if before is not None:
                wanted = wanted.where(table.c.id < before)
            if session_id is not None:
                wanted = wanted.where(table.c.session_id == storable(session_id, 200))
            return [
                ToolCall(number=row["id"], **{str(name): value for name, value in row.items() if name != "id"})
                for row in connection.execute(wanted).mappings()
            ]

        return await self._database.run(work, only_reads=True)


def _of(caller: Caller) -> list[ColumnElement[bool]]:
    from paddock.store.tool_tables import tool_calls as table

    mine = [table.c.account_id == (caller.account_id or "")]
    return [*mine, table.c.key_id == caller.key_id] if caller.key_id else mine


def _row(call: ToolCall) -> dict[str, object]:
    row = asdict(call)
    del row["number"]
    bounds = {"who": 100, "session_id": 200, "tool": 200, "arguments": ARGUMENTS_MOST}
    return {**row, **{name: storable(str(row[name]), most) for name, most in bounds.items()}}


def storable(text: str, most: int) -> str:
    """A text as every database can keep it, and no longer than `most` characters."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return cut.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _forget_most(connection: Connection, most: int, most_of_account: int) -> None:
    from sqlalchemy import delete, func, select

    from paddock.store.tool_tables import tool_calls as table

    newest = select(table.c.id).order_by(table.c.id.desc())
    many = select(table.c.account_id).group_by(table.c.account_id).having(func.count() > most_of_account)
    for account_id in connection.execute(many).scalars().all():
        alike = table.c.account_id == account_id
        last = connection.execute(newest.where(alike).offset(most_of_account).limit(1)).scalar() or 0
        connection.execute(delete(table).where(alike, table.c.id <= last))
    last = connection.execute(newest.offset(most).limit(1)).scalar() or 0
    connection.execute(delete(table).where(table.c.id <= last))
