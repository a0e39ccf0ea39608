"""Owns the people who may sign in: their accounts, passwords, and the links by which a password is chosen.

Refuses to know who is signed in where, and what a role may do.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from paddock.caller import MACHINE, OF_ROLE, Caller, Role
from paddock.clock import AHEAD_MOST_S, stamp_s
from paddock.errors import AccountUnknown, BadRequest, Conflict, LinkSpent, shown
from paddock.paths import Home
from paddock.store import passwords
from paddock.store.db import Database
from paddock.store.digests import Digests, new_word

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

LINK_S = 3600.0
_LINK_PREFIX = "pdl-"
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}\Z")


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account, without its password. Times are seconds since 1970."""

    account_id: str
    name: str
    role: Role
    created_s: float
    disabled_s: float | None = None
    seen_s: float | None = None
    has_password: bool = False
    password_mark: str = ""
    """Another one for each password, of which it tells nothing."""

    @cached_property
    def caller(self) -> Caller:
        """Whoever is signed in to it. Admins share what is the machine's, users have their own."""
        owner = self.account_id if self.role == "user" else MACHINE
        return Caller(name=self.name, rights=OF_ROLE[self.role], owner=owner, account_id=self.account_id)


class Accounts:
    """The accounts of one database. Every call blocks on it, and raises StoreUnusable where it cannot be used."""

    def __init__(self, database: Database, home: Home) -> None:
        self._database = database
        self._digests = Digests(home)

    def listed(self) -> list[Account]:
        """Every account, by name."""
        return self._database.do(_read, only_reads=True)

    def create(self, name: str, role: Role) -> Account:
        """Make an account that cannot sign in yet. Raises BadRequest or Conflict."""
        name = name.lower()
        if not _NAME.match(name):
            raise BadRequest(
                f"{shown(name)} cannot be an account's name: letters, digits and . _ @ - are, at most 64 of them.",
                param="name",
            )
        made = Account(account_id=f"usr_{secrets.token_hex(6)}", name=name, role=role, created_s=time.time())

        def work(connection: Connection) -> None:
            from sqlalchemy import insert

            from paddock.store.tables import accounts

            if any(one.name == name for one in _read(connection)):
                raise Conflict(
                    f"There is an account {shown(name)} already. Choose another name.", current={"name": name}
                )
            row = {"id": made.account_id, "name": name, "role": role, "created_s": made.created_s}
            connection.execute(insert(accounts).values(row))

        self._database.do(work)
        return made

    def find(self, name: str) -> Account:
        """The account of that name. Raises AccountUnknown."""
        for one in self.listed():
            if one.name == name.lower():
                return one
        raise AccountUnknown(name)

    def change(self, name: str, *, role: Role | None = None, is_disabled: bool | None = None) -> Account:
        """Change an account. Who is disabled is signed out. Raises AccountUnknown, or Conflict for the last admin."""
        values: dict[str, Any] = {} if role is None else {"role": role}
        if is_disabled is not None:
            values["disabled_s"] = time.time() if is_disabled else None

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, update

            from paddock.store.tables import accounts, sessions

            there = _named(connection, name)
            if role == "user" or is_disabled:
                _refuse_last(connection, there)
            if values:
                connection.execute(update(accounts).where(accounts.c.id == there.account_id).values(values))
            if is_disabled:
                connection.execute(delete(sessions).where(sessions.c.account_id == there.account_id))

        self._database.do(work)
        return self.find(name)

    def remove(self, name: str) -> Account:
        """Take an account away with all that is its own, keys and chats too. Raises AccountUnknown or Conflict."""

        def work(connection: Connection) -> Account:
            from sqlalchemy import delete, update

            from paddock.store.chat_tables import OWNED
            from paddock.store.tables import accounts, keys
            from paddock.store.tool_tables import OF_ACCOUNT

            there = _named(connection, name)
            _refuse_last(connection, there)
            for table in OF_ACCOUNT:
                connection.execute(delete(table).where(table.c.account_id == there.account_id))
            for table in OWNED:
                connection.execute(delete(table).where(table.c.owner == there.account_id))
            mine = update(keys).where(keys.c.account_id == there.account_id, keys.c.revoked_s.is_(None))
            connection.execute(mine.values(revoked_s=stamp_s()))
            connection.execute(delete(accounts).where(accounts.c.id == there.account_id))
            return there

        return self._database.do(work)

    def set_password(self, name: str, password: str) -> Account:
        """Give an account a password: whoever is signed in to it is signed out, and its link is spent.

        Raises AccountUnknown or BadRequest.
        """
        kept = passwords.hashed(passwords.checked(password, name))
        return self._database.do(lambda connection: _put_password(connection, _named(connection, name), kept))

    def signed_in(self, name: str, password: str) -> Account | None:
        """The account of that name and password, unless it is disabled. Takes as long where there is none."""

        def work(connection: Connection) -> tuple[Account | None, str | None]:
            from sqlalchemy import select

            from paddock.store.tables import accounts

            there = next((one for one in _read(connection) if one.name == name.lower()), None)
            if there is None:
                return None, None
            kept = select(accounts.c.password).where(accounts.c.id == there.account_id)
            return there, connection.execute(kept).scalar()

        there, kept = self._database.do(work, only_reads=True)
        is_right = passwords.matches(password, kept)
        return there if is_right and there is not None and there.disabled_s is None else None

    def link(self, name: str) -> str:
        """A word by which the account's password is chosen, once and within an hour. Raises AccountUnknown."""
        text = new_word(_LINK_PREFIX)

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, insert

            from paddock.store.tables import links

            there = _named(connection, name)
            # The newest link alone is good.
            connection.execute(delete(links).where(links.c.account_id == there.account_id))
            row = {"digest": self._digests.of(text), "account_id": there.account_id, "expires_s": stamp_s() + LINK_S}
            connection.execute(insert(links).values(row))

        self._database.do(work)
        return text

    def linked(self, text: str) -> Account:
        """Whose password a link's word is for. Raises LinkSpent."""
        return self._database.do(lambda connection: _linked(connection, self._digests.of(text)), only_reads=True)

    def redeem(self, text: str, password: str) -> Account:
        """Choose the password that a link's word is for, and spend the link. Raises LinkSpent or BadRequest."""
        kept = passwords.hashed(passwords.checked(password, self.linked(text).name))

        def work(connection: Connection) -> Account:
            from sqlalchemy import delete

            from paddock.store.tables import links

            digest = self._digests.of(text)
            there = _linked(connection, digest)
            if not connection.execute(delete(links).where(links.c.digest == digest)).rowcount:
                raise LinkSpent  # another one was quicker
            return _put_password(connection, there, kept)

        return self._database.do(work)


def _read(connection: Connection) -> list[Account]:
    from sqlalchemy import select

    from paddock.store.tables import accounts

    rows = connection.execute(select(accounts).order_by(accounts.c.name)).mappings()
    return [account_of(row) for row in rows]


def account_of(row: Any) -> Account:
    """The account of a row."""
    return Account(
        account_id=row["id"],
        name=row["name"],
        role=cast("Role", row["role"]),
        created_s=row["created_s"],
        disabled_s=row["disabled_s"],
        seen_s=row["seen_s"],
        has_password=row["password"] is not None,
        password_mark=_mark_of(row["password"]),
    )


def _mark_of(kept: str | None) -> str:
    return hashlib.blake2b(kept.encode(), digest_size=16).hexdigest() if kept else ""


def _named(connection: Connection, name: str) -> Account:
    for one in _read(connection):
        if one.name == name.lower():
            return one
    raise AccountUnknown(name)


def _refuse_last(connection: Connection, there: Account) -> None:
    """Raises Conflict where nobody would be left who may manage paddock."""
    from sqlalchemy import select

    from paddock.store.tables import accounts

    # Of two admins who are to go at once, the second waits here for what becomes of the first.
    admins = select(accounts.c.id).where(accounts.c.role == "admin", accounts.c.disabled_s.is_(None))
    if [row[0] for row in connection.execute(admins.with_for_update())] == [there.account_id]:
        raise Conflict(f"{shown(there.name)} is the last admin. Make another one first.", current={"name": there.name})


def _linked(connection: Connection, digest: str) -> Account:
    from sqlalchemy import select

    from paddock.store.tables import accounts, links

    now_s = stamp_s()
    is_in_time = links.c.expires_s.between(now_s, now_s + LINK_S + AHEAD_MOST_S)
    wanted = select(accounts).join(links, links.c.account_id == accounts.c.id)
    row = connection.execute(wanted.where(links.c.digest == digest, is_in_time)).mappings().first()
    if row is None or row["disabled_s"] is not None:
        raise LinkSpent
    return account_of(row)


def _put_password(connection: Connection, there: Account, kept: str) -> Account:
    from sqlalchemy import delete, update

    from paddock.store.tables import accounts, links, sessions

    connection.execute(update(accounts).where(accounts.c.id == there.account_id).values(password=kept))
    for ended in (sessions, links):
        connection.execute(delete(ended).where(ended.c.account_id == there.account_id))
    return replace(there, has_password=True, password_mark=_mark_of(kept))
