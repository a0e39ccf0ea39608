"""Owns gathering what is known of who may come in, of one database; decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from paddock.paths import Home
from paddock.store.accounts import Accounts
from paddock.store.audit import Audit
from paddock.store.db import Database
from paddock.store.key_uses import KeyUses
from paddock.store.keys import Keys
from paddock.store.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class Access:
    """Keys and what they used, accounts and who is signed in to them, and the audit."""

    keys: Keys
    uses: KeyUses
    accounts: Accounts
    sessions: Sessions
    audit: Audit

    @classmethod
    def of(cls, database: Database, home: Home) -> Access:
        """That of a database; its secret lies in the data home."""
        return cls(
            keys=Keys(database, home),
            uses=KeyUses(database),
            accounts=Accounts(database, home),
            sessions=Sessions(database, home),
            audit=Audit(database),
        )
