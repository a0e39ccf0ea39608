"""Owns the newest time that a database tells of, where a home without a mark of its own goes on (ADR 0037)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from paddock import clock
from paddock.errors import StoreUnusable
from paddock.paths import Home
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_AGAIN_AFTER_S = 30.0


async def begin(database: Database, home: Home, tasks: TaskGroup, ended: anyio.Event) -> None:
    """Have the home's time go on, from its mark or from there; until the database answers, nothing counts as old.

    It is asked in `tasks`, until it answers or all is `ended`.
    """
    if await anyio.to_thread.run_sync(clock.begin, home):
        return
    if database.is_there:
        tasks.start_soon(_begin_there, database, home, ended)
    else:
        await anyio.to_thread.run_sync(clock.begin_at, home, None)


def begin_at_once(database: Database, home: Home) -> None:
    """As `begin`, for one who is about to give something until some time. Blocks. Raises StoreUnusable."""
    if not clock.begin(home):
        clock.begin_at(home, database.do(_newest_s, only_reads=True) if database.is_there else None)


async def _begin_there(database: Database, home: Home, ended: anyio.Event) -> None:
    while not ended.is_set():
        try:
            newest_s = await database.run(_newest_s, only_reads=True)
        except StoreUnusable:
            with anyio.move_on_after(_AGAIN_AFTER_S):
                await ended.wait()
        else:
            await anyio.to_thread.run_sync(clock.begin_at, home, newest_s)
            return


def _newest_s(connection: Connection) -> float | None:
    from sqlalchemy import case, func, select

    from paddock.store.chat_tables import chats
    from paddock.store.tables import accounts, audit, jobs, keys, responses, sessions

    stamped = (
        audit.c.at_s, responses.c.created_s, chats.c.updated_s, sessions.c.seen_s, accounts.c.created_s,
        keys.c.created_s, jobs.c.created_s,
    )  # fmt: skip
    # What this process stamped already says nothing: it may be its clock that is wrong. Where a clock is far behind,
    # everything is later than that.
    for columns in ([case((one < clock.BEGAN_S, one)) for one in stamped], stamped):
        newest = [connection.execute(select(func.max(column))).scalar() for column in columns]
        if any(newest):
            return max(float(one or 0) for one in newest)
    return None
