"""Owns what is taken from a database that comes out of a backup before it is used; refuses to know anything of backups.

Nobody is let in by a sign-in or a link that has ended since, and nothing begins by itself that somebody ordered then.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from paddock.store.copying import mapped
from paddock.store.jobs import LIVE


def settle(path: Path) -> None:
    """Sign everybody out, and have no job go on. Nobody has the database open. Raises StoreUnusable."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    with mapped(path), closing(sqlite3.connect(address, uri=True, isolation_level=None)) as there:
        # It may be a stranger's: what its tables say is computed runs nothing of consequence.
        there.execute("PRAGMA trusted_schema=OFF")
        there.execute("BEGIN IMMEDIATE")
        # An older one has not all of them.
        tables = {str(row[0]) for row in there.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "sessions" in tables:
            there.execute("DELETE FROM sessions")
        if "account_links" in tables:
            there.execute("DELETE FROM account_links")
        if "jobs" in tables:
            there.executemany(
                "UPDATE jobs SET state = 'stopped', ended_s = ? WHERE state = ?", [(time.time(), one) for one in LIVE]
            )
        there.execute("COMMIT")
