"""Owns who is signed in where: the sessions that browsers hold; refuses to know passwords."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock.clock import AHEAD_MOST_S, lived_s, stamp_s
from paddock.errors import SignInRefused
from paddock.paths import Home
from paddock.store.accounts import Account, account_of
from paddock.store.db import Database
from paddock.store.digests import Digests, new_word
from paddock.store.known import Known

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

PREFIX = "pds-"
# A session ends after so long without use, and after so long in any case.
IDLE_S = 14 * 86400.0
MOST_S = 90 * 86400.0


@dataclass(frozen=True, kw_only=True)
class Session:
    """One sign-in. `address` and `program` are where it came from, as far as that was told."""

    session_id: str
    account: Account
    created_s: float
    seen_s: float
    address: str = ""
    program: str = ""

    def is_valid(self, now_s: float) -> bool:
        """Whether it still lets its account in."""
        # One that began later than now did so by a wrong clock, and would not end for as long as that was wrong.
        is_young = now_s - self.seen_s < IDLE_S and -AHEAD_MOST_S <= now_s - self.created_s < MOST_S
        return is_young and self.account.disabled_s is None


class Sessions:
    """The sessions of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database, home: Home) -> None:
        self._database = database
        self._digests = Digests(home)
        self._known = Known(database, _read)

    async def begin(self, account: Account, *, address: str, program: str) -> tuple[Session, str]:
        """Sign an account in; the second value is what its browser holds.

        Raises SignInRefused where its password was changed since it was compared, or it may not come in any more.
        """
        text, now_s = new_word(PREFIX), stamp_s()
        made = Session(
            session_id=f"ses_{secrets.token_hex(6)}", account=account, created_s=now_s, seen_s=now_s,
            address=address[:64], program=program[:200],
        )  # fmt: skip
        digest = await self._digests.quickly(text)

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, insert, select, update

            from paddock.store.tables import accounts, sessions

            wanted = select(accounts).where(accounts.c.id == account.account_id).with_for_update()
            found = connection.execute(wanted).mappings().first()
            there = None if found is None else account_of(found)
            if there is None or there.disabled_s or there.password_mark != account.password_mark:
                raise SignInRefused
            # By the system's clock these are over; if that is wrong now, they are not once it is right.
            old = (sessions.c.seen_s < lived_s() - IDLE_S) | (sessions.c.created_s < lived_s() - MOST_S)
            connection.execute(delete(sessions).where(old))
            row = {"id": made.session_id, "account_id": account.account_id, "digest": digest, "created_s": now_s}
            more = {"seen_s": now_s, "address": made.address, "program": made.program}
            connection.execute(insert(sessions).values(**row, **more))
            connection.execute(update(accounts).where(accounts.c.id == account.account_id).values(seen_s=now_s))

        await self._database.run(work)
        self._known.changed()
        return made, text

    async def verify(self, text: str) -> Session | None:
        """The valid session of that word."""
        found = await self._known.find(await self._digests.quickly(text))
        if found is None or not found.is_valid(stamp_s()):
            return None
        await self._known.used(found.session_id, lambda connection: _note(connection, found.session_id))
        return found

    async def of(self, account_id: str) -> list[Session]:
        """Where an account is signed in, the newest first."""
        found = (await self._database.run(_read, only_reads=True)).values()
        mine = [one for one in found if one.account.account_id == account_id and one.is_valid(stamp_s())]
        return sorted(mine, key=lambda one: one.created_s, reverse=True)

    async def end(self, account_id: str, session_id: str | None = None) -> None:
        """Sign an account out, of one session or of all."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete

            from paddock.store.tables import sessions

            which = delete(sessions).where(sessions.c.account_id == account_id)
            connection.execute(which if session_id is None else which.where(sessions.c.id == session_id))

        await self._database.run(work)
        self._known.changed()


def _read(connection: Connection) -> dict[str, Session]:
    from sqlalchemy import select

    from paddock.store.tables import accounts, sessions

    accounts_of = {row["id"]: account_of(row) for row in connection.execute(select(accounts)).mappings()}
    rows: Any = connection.execute(select(sessions)).mappings()
    return {
        row["digest"]: Session(
            session_id=row["id"],
            account=accounts_of[row["account_id"]],
            **{name: row[name] for name in ("created_s", "seen_s", "address", "program")},
        )
        for row in rows
    }


def _note(connection: Connection, session_id: str) -> None:
    from sqlalchemy import update

    from paddock.store.tables import sessions

    connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_s=stamp_s()))
