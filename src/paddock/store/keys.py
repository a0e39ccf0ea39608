"""Owns the keys by which clients are let in: making, listing, revoking and recognising them.

A key is 256 random bits, so a fast keyed hash protects it as well as a slow one would: there is nothing to guess. The
key itself is shown once and kept nowhere; the hash's own secret lies beside the database, not in it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from paddock.errors import HomeUnusable, KeyUnknown, shown
from paddock.paths import Home
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

PREFIX = "pdk-"
# A revoked key is refused at the latest after this time.
_FRESH_S = 1.0
_USE_NOTED_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key as it is known: never its text. Times are seconds since 1970."""

    key_id: str
    name: str
    hint: str
    created_s: float
    expires_s: float | None = None
    revoked_s: float | None = None
    last_used_s: float | None = None
    is_recorded: bool = False

    def is_valid(self, now_s: float) -> bool:
        """Whether it lets a client in."""
        return self.revoked_s is None and (self.expires_s is None or now_s < self.expires_s)


class Keys:
    """The keys of one database."""

    def __init__(self, database: Database, home: Home) -> None:
        self._database = database
        self._home = home
        self._secret = b""
        self._known: dict[str, Key] = {}
        self._known_s = -1.0
        self._reading = anyio.Lock()
        self._noted: dict[str, float] = {}

    def create(self, name: str, *, expires_s: float | None = None, is_recorded: bool = False) -> tuple[Key, str]:
        """Make a key; the second value is its text, which cannot be shown again. Raises StoreUnusable."""
        text = PREFIX + secrets.token_urlsafe(32)
        key = Key(
            key_id=f"key_{secrets.token_hex(6)}",
            name=name,
            hint=text[-4:],
            created_s=time.time(),
            expires_s=expires_s,
            is_recorded=is_recorded,
        )
        row = {
            "id": key.key_id, "name": name, "digest": self._digest(text), "hint": key.hint, "created_s": key.created_s,
            "expires_s": expires_s, "is_recorded": is_recorded,
        }  # fmt: skip

        def work(connection: Connection) -> None:
            from sqlalchemy import insert

            from paddock.store.tables import keys

            connection.execute(insert(keys).values(row))

        self._database.do(work)
        self._known_s = -1.0
        return key, text

    def listed(self) -> list[Key]:
        """Every key, oldest first. Raises StoreUnusable."""
        return [key for _, key in self._database.do(_read)]

    def revoke(self, key_id: str) -> None:
        """Let a key in no longer. Raises KeyUnknown or StoreUnusable."""

        def work(connection: Connection) -> int:
            from sqlalchemy import update

            from paddock.store.tables import keys

            change = update(keys).where(keys.c.id == key_id, keys.c.revoked_s.is_(None))
            return connection.execute(change.values(revoked_s=time.time())).rowcount

        if not self._database.do(work):
            raise KeyUnknown(f"There is no valid key with the id {shown(key_id)}. `paddock keys list` shows them.")
        self._known_s = -1.0

    async def verify(self, text: str) -> Key | None:
        """The valid key whose text this is. Raises StoreUnusable."""
        now_s = time.monotonic()
        if now_s - self._known_s > _FRESH_S:
            async with self._reading:
                if now_s - self._known_s > _FRESH_S:
                    self._known = dict(await self._database.run(_read))
                    self._known_s = time.monotonic()
        # A lookup by the digest tells nothing of the key to one who measures its time.
        key = self._known.get(
            await anyio.to_thread.run_sync(self._digest, text) if not self._secret else self._digest(text)
        )
        if key is None or not key.is_valid(time.time()):
            return None
        if now_s - self._noted.get(key.key_id, -_USE_NOTED_S) >= _USE_NOTED_S:
            self._noted[key.key_id] = now_s
            await self._database.run(lambda connection: _note_use(connection, key.key_id))
        return key

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    def _digest(self, text: str) -> str:
        self._secret = self._secret or _secret_in(self._home.key_secret)
        return hashlib.blake2b(text.encode("utf-8", "replace"), key=self._secret, digest_size=32).hexdigest()


def _note_use(connection: Connection, key_id: str) -> None:
    from sqlalchemy import update

    from paddock.store.tables import keys

    connection.execute(update(keys).where(keys.c.id == key_id).values(last_used_s=time.time()))


def _read(connection: Connection) -> list[tuple[str, Key]]:
    from sqlalchemy import select

    from paddock.store.tables import keys

    rows: Any = connection.execute(select(keys).order_by(keys.c.created_s)).mappings()
    return [
        (
            row["digest"],
            Key(key_id=row["id"], **{name: row[name] for name in Key.__dataclass_fields__ if name != "key_id"}),
        )
        for row in rows
    ]


def _secret_in(path: Path) -> bytes:
    """The secret of this data home, made at its first need. Raises HomeUnusable."""
    try:
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
        except FileExistsError:
            pass
        secret = path.read_bytes()
    except OSError as error:
        raise HomeUnusable(f"The secret for keys in {path.parent} cannot be used ({error.strerror}).") from error
    if len(secret) != 32:
        raise HomeUnusable(f"The secret for keys, {path.name}, is damaged. Remove it and make new keys.")
    return secret
