"""Owns the rows of what was decided about the server's tools, by whom; refuses to know what a decision means.

A key's decisions are its own; those of its account, or of the machine, are told beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.caller import Caller
from paddock.clock import lived_s, stamp_s
from paddock.errors import Conflict
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

# What holds in one chat is forgotten then: the chat may be long gone.
CHAT_KEPT_S = 30 * 86400.0
MOST = 500


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What somebody decided: words by names of tools or groups, those that hold everywhere, and those for one chat.

    `account` are the words of the account that a key belongs to, or of the machine; empty without a key.
    """

    everywhere: Mapping[str, str] = field(default_factory=dict[str, str])
    chat: Mapping[str, str] = field(default_factory=dict[str, str])
    account: Mapping[str, str] = field(default_factory=dict[str, str])


class ToolPermissionStore:
    """The decisions of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def decided(self, caller: Caller, session_id: str = "") -> Decided:
        """What holds for a caller in a chat. Nothing is decided where there is no database yet."""
        if not self._database.is_there:
            return Decided()

        def work(connection: Connection) -> Decided:
            from sqlalchemy import select

            from paddock.store.tool_tables import tool_permissions as table

            oldest_s = stamp_s() - CHAT_KEPT_S
            of_account = {"account_id": caller.account_id or "", "key_id": ""}
            found: dict[str, dict[str, str]] = {"everywhere": {}, "chat": {}, "account": {}}
            for row in connection.execute(select(table).where(_whose(caller))).mappings():
                if not row["session"]:
                    found["everywhere"][row["name"]] = row["word"]
                elif row["session"] == _digest(session_id) and row["decided_s"] >= oldest_s:
                    found["chat"][row["name"]] = row["word"]
            if caller.key_id:
                theirs = select(table).filter_by(**of_account, session="")
                for row in connection.execute(theirs).mappings():
                    found["account"][row["name"]] = row["word"]
            return Decided(**found)

        return await self._database.run(work, only_reads=True)

    async def decide(self, caller: Caller, words: Mapping[str, str | None], session_id: str = "") -> None:
        """Keep a caller's decisions, everywhere or in a chat; None forgets one. Raises Conflict where they are many."""
        mine = {"account_id": caller.account_id or "", "key_id": caller.key_id or ""}

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, func, insert, select

            from paddock.store.tool_tables import tool_permissions as table

            connection.execute(delete(table).where(table.c.session != "", table.c.decided_s < lived_s() - CHAT_KEPT_S))
            here = (_whose(caller), table.c.session == _digest(session_id))
            connection.execute(delete(table).where(*here, table.c.name.in_(list(words))))
            rows = [
                {**mine, "session": _digest(session_id), "name": name, "word": word, "decided_s": stamp_s()}
                for name, word in words.items()
                if word is not None
            ]
            if rows:
                connection.execute(insert(table), rows)
            count = connection.execute(select(func.count()).select_from(table).where(_whose(caller))).scalar() or 0
            if count > MOST:
                raise Conflict(
                    f"{count} decisions about tools would be kept, and at most {MOST} are. Take some back first.",
                    current={},
                )

        await self._database.run(work)

    async def forget(self, group: str, prefix: str) -> None:
        """Forget who let the tools of a group pass, of everybody: what has that name from now on is another thing.

        `prefix` begins the names of its tools. What was refused stays so.
        """
        if not self._database.is_there:
            return

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, or_

            from paddock.store.tool_tables import tool_permissions as table

            named = or_(table.c.name == group, table.c.name.startswith(prefix, autoescape=True))
            connection.execute(delete(table).where(named, table.c.word == "always"))

        await self._database.run(work)


def _whose(caller: Caller) -> ColumnElement[bool]:
    from sqlalchemy import and_

    from paddock.store.tool_tables import tool_permissions as table

    return and_(table.c.account_id == (caller.account_id or ""), table.c.key_id == (caller.key_id or ""))


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest() if session_id else ""
