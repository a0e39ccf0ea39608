"""Owns stored responses: every statement that reads or writes them; refuses to know what their JSON means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, RowMapping

# A conversation of more responses than this is cut at its beginning: each one is a row to read.
_CHAIN_MOST = 1000
UNFINISHED = ("queued", "in_progress")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One response. `body` is the response object, `items` its request's own input; `created_s` since 1970."""

    response_id: str
    created_s: float
    status: str
    previous_id: str | None = None
    body: dict[str, Any] = field(default_factory=dict[str, Any])
    items: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def broken_off(stored: Stored) -> Stored:
    """A response that nobody works on any more as it is from now on: failed, unless it had ended before."""
    if stored.status not in UNFINISHED:
        return stored
    error = {"code": "server_error", "message": "paddock was stopped, or could not store the answer."}
    return replace(stored, status="failed", body={**stored.body, "status": "failed", "error": error})


class ResponseStore:
    """The responses of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, stored: Stored, frames: Sequence[tuple[int, bytes]] = ()) -> None:
        """Keep a response in place of an earlier state of it, and add `frames`, (sequence number, event) each."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, insert

            from paddock.store.tables import response_events, responses

            connection.execute(delete(responses).where(responses.c.id == stored.response_id))
            connection.execute(insert(responses).values(_row_of(stored)))
            if frames:
                rows = [{"response_id": stored.response_id, "number": n, "frame": frame} for n, frame in frames]
                connection.execute(insert(response_events), rows)

        await self._database.run(work)

    async def get(self, response_id: str) -> Stored | None:
        """The response of that id."""

        def work(connection: Connection) -> Stored | None:
            return _read(connection, response_id)

        return await self._database.run(work)

    async def delete(self, response_id: str) -> bool:
        """Forget a response and its events; whether there was one."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import delete

            from paddock.store.tables import responses

            return connection.execute(delete(responses).where(responses.c.id == response_id)).rowcount > 0

        return await self._database.run(work)

    async def chain(self, response_id: str) -> list[Stored]:
        """The response and those before it, oldest first, as far as they are still there; none if it is not."""

        def work(connection: Connection) -> list[Stored]:
            found: dict[str, Stored] = {}
            wanted: str | None = response_id
            while wanted and wanted not in found and len(found) < _CHAIN_MOST:
                stored = _read(connection, wanted)
                if stored is None:
                    break
                found[wanted] = stored
                wanted = stored.previous_id
            return list(found.values())[::-1]

        return await self._database.run(work)

    async def events_after(self, response_id: str, number: int) -> list[bytes]:
        """The kept events whose sequence number is larger than `number`, in order."""

        def work(connection: Connection) -> list[bytes]:
            from sqlalchemy import select

            from paddock.store.tables import response_events as events

            wanted = select(events.c.frame).where(events.c.response_id == response_id, events.c.number > number)
            return [bytes(row[0]) for row in connection.execute(wanted.order_by(events.c.number))]

        return await self._database.run(work)

    async def tidy(self, *, older_than_s: float) -> None:
        """Forget responses made before that time, and end those that a process left unfinished when it died."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, select, update

            from paddock.store.tables import responses

            connection.execute(delete(responses).where(responses.c.created_s < older_than_s))
            unfinished = select(responses).where(responses.c.status.in_(UNFINISHED))
            for row in connection.execute(unfinished).mappings().all():
                ended = _row_of(broken_off(_stored(row)))
                connection.execute(update(responses).where(responses.c.id == ended["id"]).values(ended))

        await self._database.run(work)


def _row_of(stored: Stored) -> dict[str, Any]:
    return {
        "id": stored.response_id,
        "created_s": stored.created_s,
        "previous_id": stored.previous_id,
        "status": stored.status,
        "body": json.dumps(stored.body),
        "items": json.dumps(stored.items),
    }


def _read(connection: Connection, response_id: str) -> Stored | None:
    from sqlalchemy import select

    from paddock.store.tables import responses

    row = connection.execute(select(responses).where(responses.c.id == response_id)).mappings().first()
    return None if row is None else _stored(row)


def _stored(row: RowMapping) -> Stored:
    return Stored(
        response_id=row["id"],
        created_s=row["created_s"],
        status=row["status"],
        previous_id=row["previous_id"],
        body=json.loads(row["body"]),
        items=json.loads(row["items"]),
    )
