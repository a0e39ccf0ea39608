"""Owns what is taken from a database that comes out of a backup before it is used; refuses to know anything of backups.

Nobody is let in by a sign-in or a link that has ended since, nothing begins by itself that somebody ordered then, and
nothing in it acts by itself but what paddock made: a trigger could undo whatever is revoked.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from paddock.errors import StoreUnusable, shown
from paddock.store import migrating
from paddock.store.copying import mapped
from paddock.store.jobs import LIVE
from paddock.store.migrating import ASKED, Shape

# In this order none of them goes with another.
_ACTING = ("trigger", "view", "index")


def settle(path: Path, revision: str | None) -> tuple[str, ...]:
    """Take out what paddock of that revision does not make, sign everybody out, and have no job go on.

    Nobody has the database open. Tables that paddock does not know stay: it does not use them.

    Returns:
        What was taken out, in words.

    Raises:
        StoreUnusable: what paddock makes is not there, or otherwise.
    """
    address = f"{path.absolute().as_uri()}?mode=rw"
    with mapped(path), closing(sqlite3.connect(address, uri=True, isolation_level=None)) as there:
        # It may be a stranger's: what its tables say is computed runs nothing of consequence.
        there.execute("PRAGMA trusted_schema=OFF")
        there.execute("BEGIN IMMEDIATE")
        taken_out = _take_out(there, migrating.shape_at(revision))
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
    return taken_out


def _take_out(there: sqlite3.Connection, meant: Shape) -> tuple[str, ...]:
    """Leave no trigger, view or index but those that are meant. Raises StoreUnusable where these are not there."""
    found = migrating.shape_of(there.execute(ASKED))
    for kind, name in meant:
        if found.get((kind, name)) != meant[kind, name]:
            raise StoreUnusable(f"Its {kind} {name} is not the one that paddock makes. Take another backup.")
    foreign = sorted(
        (one for one in found if one not in meant and one[0] in _ACTING), key=lambda one: _ACTING.index(one[0])
    )
    for kind, name in foreign:
        quoted = name.replace('"', '""')
        there.execute(f'DROP {kind} IF EXISTS "{quoted}"')
    left = migrating.shape_of(there.execute(ASKED))
    if any(one not in meant and one[0] in _ACTING for one in left) or not meant.items() <= left.items():
        raise StoreUnusable("What paddock does not make cannot be taken out of it. Take another backup.")
    return tuple(f"the {kind} {shown(name)}" for kind, name in foreign)
