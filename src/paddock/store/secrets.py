"""Owns the words that must be kept and given back, such as keys of other servers: encrypted, by name.

Each is sealed with AES-256-GCM under the key in `secrets.key`, which lies beside the database and not in it; the name
is sealed in, so that no row can stand in for another. Refuses to know whom a secret is for, and never shows one.
"""

from __future__ import annotations

import secrets as chance
import time
from typing import TYPE_CHECKING, Any

from paddock.errors import HomeUnusable
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.key_files import key_in

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from sqlalchemy.engine import Connection

_NONCE_BYTES = 12


class Secrets:
    """The secrets of one database. Every call blocks on it."""

    def __init__(self, database: Database, home: Home) -> None:
        self._database = database
        self._path = home.secrets_key

    def put(self, name: str, text: str) -> None:
        """Keep a secret in place of what had its name (at most 400 characters). Raises HomeUnusable, StoreUnusable."""
        nonce = chance.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher().encrypt(nonce, text.encode(), name.encode())

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, insert

            from paddock.store.tables import secrets

            connection.execute(delete(secrets).where(secrets.c.name == name))
            connection.execute(insert(secrets).values(name=name, sealed=sealed, created_s=time.time()))

        self._database.do(work)

    def get(self, name: str) -> str | None:
        """The secret of that name. Raises StoreUnusable; HomeUnusable where it was sealed under another key."""

        def work(connection: Connection) -> Any:
            from sqlalchemy import select

            from paddock.store.tables import secrets

            return connection.execute(select(secrets.c.sealed).where(secrets.c.name == name)).scalar()

        sealed = self._database.do(work)
        if sealed is None:
            return None
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise HomeUnusable(
                f"A stored secret cannot be read with {self._path.name} of this data home. Restore that file, or give "
                "the secret anew."
            ) from error

    def remove(self, name: str) -> None:
        """Forget a secret; one that is not there stays so. Raises StoreUnusable."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete

            from paddock.store.tables import secrets

            connection.execute(delete(secrets).where(secrets.c.name == name))

        self._database.do(work)

    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(key_in(self._path, "The key for secrets", "Restore it, or remove it and give them anew."))
