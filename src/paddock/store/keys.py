"""Owns the keys by which programs are let in: making, listing, revoking and recognising them, and what each may do.

The key itself is shown once and kept nowhere: `store/digests.py` tells how it is recognised.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from paddock.caller import ALL, MACHINE, OF_KEY, OF_ROLE, Caller, Right, Role
from paddock.clock import AHEAD_MOST_S, lived_s, stamp_s
from paddock.errors import Conflict, FieldInvalid, KeyUnknown, shown
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.digests import Digests, new_word
from paddock.store.known import Known

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

PREFIX = "pdk-"
# So many valid keys each account has at most, and the machine, since every second all of them are read anew.
MOST_OF_ACCOUNT = 100
MOST_OF_MACHINE = 1000
# Those that have ended are shown for so long, and so many of each account.
ENDED_KEPT_S = 90 * 86400.0
_ENDED_MOST = 100
# What keys may do that are older than rights.
_OLD_RIGHTS: frozenset[Right] = ALL - {"manage", "train", "tools"}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a key may do, and how much. Where there are no `models` or `paths`, each is allowed; 0 is no limit."""

    rights: frozenset[Right] = OF_KEY
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    requests_per_minute: int = 0
    requests_per_day: int = 0
    tokens_per_day: int = 0

    @property
    def is_limited(self) -> bool:
        """Whether anything about it must be counted."""
        return bool(self.requests_per_minute or self.requests_per_day or self.tokens_per_day)

    @property
    def why_no_training(self) -> str:
        """Why a key of these terms may not use the right to train; empty where it may."""
        if "ask" not in self.rights:
            return "The right 'train' needs the right 'ask' too: evaluations, and judges of trainings, ask models."
        if self.models or self.is_limited:
            return (
                "A key that may train is bound to no models and has no limits: trainings, exports and evaluations take "
                "any base, and ask models hundreds of times."
            )
        return ""


def checked(terms: Terms) -> Terms:
    """The terms of a new key. Raises FieldInvalid where they contradict one another, or bind it to nothing."""
    for name, patterns in (("models", terms.models), ("paths", terms.paths)):
        if any(not pattern.strip() for pattern in patterns):
            raise FieldInvalid(f"{name} holds an empty pattern, which is like no name.", param=name)
    if "train" in terms.rights and terms.why_no_training:
        raise FieldInvalid(terms.why_no_training, param="may")
    return terms


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key as it is known: never its text. Times are seconds since 1970.

    `account_id` is whose it is; None is the machine's. `role` is that account's, where it may sign in.
    """

    key_id: str
    name: str
    hint: str
    created_s: float
    expires_s: float | None = None
    revoked_s: float | None = None
    last_used_s: float | None = None
    is_recorded: bool = False
    account_id: str | None = None
    role: Role | None = None
    terms: Terms = field(default_factory=Terms)

    def is_valid(self, now_s: float) -> bool:
        """Whether it lets a program in: not for an account that is disabled or gone, nor until a wrong clock comes."""
        is_orphan = self.account_id is not None and self.role is None
        is_in_time = self.expires_s is None or self.created_s - AHEAD_MOST_S <= now_s < self.expires_s
        return self.revoked_s is None and not is_orphan and is_in_time

    @cached_property
    def caller(self) -> Caller:
        """Whoever shows it. It never has a right that its account lacks."""
        rights = self.terms.rights & OF_ROLE[self.role] if self.role else self.terms.rights
        return Caller(
            name=f"key {self.key_id}",
            rights=rights,
            owner=self.account_id if self.account_id and self.role == "user" else MACHINE,
            models=self.terms.models,
            paths=self.terms.paths,
            key_id=self.key_id,
            account_id=self.account_id,
        )


class Keys:
    """The keys of one database."""

    def __init__(self, database: Database, home: Home) -> None:
        self._database = database
        self._digests = Digests(home)
        self._known = Known(database, lambda connection: dict(_read(connection, *_is_good(stamp_s()))))

    def create(
        self,
        name: str,
        *,
        expires_s: float | None = None,
        is_recorded: bool = False,
        terms: Terms | None = None,
        account_id: str | None = None,
    ) -> tuple[Key, str]:
        """Make a key; the second value is its text, which cannot be shown again.

        What ended long ago is forgotten. Raises Conflict where its account has as many as it may, or StoreUnusable.
        """
        text = new_word(PREFIX)
        key_id = f"key_{secrets.token_hex(6)}"
        row = {
            "id": key_id, "name": name, "digest": self._digests.of(text), "hint": text[-4:], "created_s": stamp_s(),
            "expires_s": expires_s, "is_recorded": is_recorded, "account_id": account_id, **_row_of(terms or Terms()),
        }  # fmt: skip

        def work(connection: Connection) -> Key:
            from sqlalchemy import insert

            from paddock.store.tables import keys

            _refuse_more(connection, account_id)
            _forget_ended(connection, account_id)
            connection.execute(insert(keys).values(row))
            return _read(connection, keys.c.id == key_id)[0][1]

        key = self._database.do(work)
        self._known.changed()
        return key, text

    def listed(self) -> list[Key]:
        """Every key, oldest first. Raises StoreUnusable."""
        return [key for _, key in self._database.do(_read, only_reads=True)]

    def has_valid(self) -> bool:
        """Whether there is a key that lets anybody in. Raises StoreUnusable."""
        now_s = stamp_s()
        found = self._database.do(lambda connection: _read(connection, *_is_good(now_s)), only_reads=True)
        return any(key.is_valid(now_s) for _, key in found)

    def revoke(self, key_id: str) -> None:
        """Let a key in no longer. Raises KeyUnknown or StoreUnusable."""

        def work(connection: Connection) -> int:
            from sqlalchemy import update

            from paddock.store.tables import keys

            change = update(keys).where(keys.c.id == key_id, keys.c.revoked_s.is_(None))
            return connection.execute(change.values(revoked_s=stamp_s())).rowcount

        if not self._database.do(work):
            raise KeyUnknown(f"There is no valid key with the id {shown(key_id)}. `paddock keys list` shows them.")
        self._known.changed()

    async def verify(self, text: str) -> Key | None:
        """The valid key whose text this is. Raises StoreUnusable."""
        key = await self._known.find(await self._digests.quickly(text))
        if key is None or not key.is_valid(stamp_s()):
            return None
        await self._known.used(key.key_id, lambda connection: _note_use(connection, key.key_id))
        return key

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()


def _note_use(connection: Connection, key_id: str) -> None:
    from sqlalchemy import update

    from paddock.store.tables import keys

    connection.execute(update(keys).where(keys.c.id == key_id).values(last_used_s=time.time()))


def _row_of(terms: Terms) -> dict[str, Any]:
    lists = {"rights": sorted(terms.rights), "models": terms.models, "paths": terms.paths}
    return {**asdict(terms), **{name: json.dumps(found) for name, found in lists.items()}}


def _terms_of(row: Any) -> Terms:
    if row["rights"] is None:
        return Terms(rights=_OLD_RIGHTS)
    limits = ("requests_per_minute", "requests_per_day", "tokens_per_day")
    return Terms(
        rights=cast("frozenset[Right]", frozenset(json.loads(row["rights"]))),
        models=tuple(json.loads(row["models"])),
        paths=tuple(json.loads(row["paths"])),
        **{name: row[name] or 0 for name in limits},
    )


def _is_good(now_s: float) -> tuple[ColumnElement[bool], ...]:
    """Of keys that are neither revoked nor over, as `Key.is_valid` tells."""
    from sqlalchemy import and_, or_

    from paddock.store.tables import keys

    in_time = and_(keys.c.expires_s > now_s, keys.c.created_s <= now_s + AHEAD_MOST_S)
    return keys.c.revoked_s.is_(None), or_(keys.c.expires_s.is_(None), in_time)


def _refuse_more(connection: Connection, account_id: str | None) -> None:
    """Raises Conflict where an account, or the machine, has as many valid keys as it may."""
    from sqlalchemy import func, select

    from paddock.store.tables import accounts, keys

    # Of two that are made at once, the second waits here.
    connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())
    good = select(func.count()).select_from(keys).where(keys.c.account_id == account_id, *_is_good(stamp_s()))
    count, most = connection.execute(good).scalar() or 0, MOST_OF_ACCOUNT if account_id else MOST_OF_MACHINE
    if count >= most:
        whose = "This account" if account_id else "This machine"
        raise Conflict(
            f"{whose} has {count} valid keys, and {most} is the most. Revoke one that is used no more.",
            current={"valid": count},
        )


def _forget_ended(connection: Connection, account_id: str | None) -> None:
    """Forget keys that ended long ago, and more of one account than are shown.

    By the time that was lived: what a wrong clock calls over may be good once that is right.
    """
    from sqlalchemy import delete, func, or_, select

    from paddock.store.tables import keys

    ended_s = func.coalesce(keys.c.revoked_s, keys.c.expires_s)
    over = or_(keys.c.revoked_s.is_not(None), keys.c.expires_s < lived_s())
    connection.execute(delete(keys).where(over, ended_s < lived_s() - ENDED_KEPT_S))
    mine = select(keys.c.id).where(over, keys.c.account_id == account_id).order_by(ended_s.desc(), keys.c.id)
    connection.execute(delete(keys).where(keys.c.id.in_(mine.offset(_ENDED_MOST).correlate(None))))


def _read(connection: Connection, *only: ColumnElement[bool]) -> list[tuple[str, Key]]:
    from sqlalchemy import select

    from paddock.store.tables import accounts, keys

    roles = select(accounts.c.id, accounts.c.role).where(accounts.c.disabled_s.is_(None))
    role_of: dict[str, Role] = {row[0]: cast("Role", row[1]) for row in connection.execute(roles)}
    rows: Any = connection.execute(select(keys).where(*only).order_by(keys.c.created_s)).mappings()
    plain = ("name", "hint", "created_s", "expires_s", "revoked_s", "last_used_s", "is_recorded", "account_id")
    return [
        (
            row["digest"],
            Key(
                key_id=row["id"],
                role=role_of.get(row["account_id"] or ""),
                terms=_terms_of(row),
                **{name: row[name] for name in plain},
            ),
        )
        for row in rows
    ]
