"""Owns the rows of jobs and of what their workers told; refuses to know what a job does."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from paddock.errors import JobUnknown
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

State = Literal["queued", "running", "stopping", "stopped", "done", "failed", "cancelled"]
# A job in one of these goes on by itself, or is about to.
LIVE: tuple[State, ...] = ("queued", "running", "stopping")
_EVENTS_MOST = 1000
# Folders have these names. A row of any other is a stranger's, come with a backup, and counts as not there.
_ID = re.compile(r"job_[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job. `figures` are the newest it told, by name."""

    id: str
    kind: str
    name: str
    state: State
    spec: Mapping[str, Any]
    created_s: float
    priority: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: Mapping[str, str] | None = None
    started_s: float | None = None
    ended_s: float | None = None

    @property
    def is_live(self) -> bool:
        """Whether it goes on by itself, or is about to."""
        return self.state in LIVE


class JobStore:
    """The jobs of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, kind: str, name: str, spec: Mapping[str, Any], *, priority: int, figures: Mapping[str, Any]
    ) -> Job:
        """A new job, queued."""
        job = Job(
            id=f"job_{secrets.token_hex(8)}", kind=kind, name=name, state="queued", spec=spec,
            priority=priority, figures=figures, created_s=time.time(),
        )  # fmt: skip

        def work(connection: Connection) -> None:
            from sqlalchemy import insert

            from paddock.store.tables import jobs

            connection.execute(insert(jobs).values(_row_of(job)))

        await self._database.run(work)
        return job

    async def listed(self, kind: str) -> list[Job]:
        """Every job of a kind, the newest first."""

        def work(connection: Connection) -> list[Job]:
            from sqlalchemy import select

            from paddock.store.tables import jobs

            asked = select(jobs).where(jobs.c.kind == kind).order_by(jobs.c.created_s.desc())
            rows = connection.execute(asked).mappings()
            return [_job_of(row) for row in rows if _ID.fullmatch(str(row["id"]))]

        return await self._database.run(work)

    async def find(self, job_id: str) -> Job:
        """The job of that id. Raises JobUnknown."""

        def work(connection: Connection) -> Job | None:
            from sqlalchemy import select

            from paddock.store.tables import jobs

            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
            return _job_of(row) if row else None

        if _ID.fullmatch(job_id) and (found := await self._database.run(work)):
            return found
        raise JobUnknown(job_id)

    async def change(self, job_id: str, **values: Any) -> Job:
        """Change a job, and return it as it is then. Raises JobUnknown."""
        row = {
            name: json.dumps(value) if name in ("figures", "error") and value is not None else value
            for name, value in values.items()
        }

        def work(connection: Connection) -> None:
            from sqlalchemy import update

            from paddock.store.tables import jobs

            connection.execute(update(jobs).where(jobs.c.id == job_id).values(row))

        await self._database.run(work)
        return await self.find(job_id)

    async def keep(self, job_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Add what a worker told; what is there already stays as it is."""
        if not events:
            return
        rows: list[dict[str, Any]] = [
            {"job_id": job_id, "number": one["number"], "event": json.dumps(one)} for one in events
        ]

        def work(connection: Connection) -> None:
            from sqlalchemy import func, insert, select

            from paddock.store.tables import job_events

            known = select(func.max(job_events.c.number)).where(job_events.c.job_id == job_id)
            last = connection.execute(known).scalar() or 0
            if new := [row for row in rows if row["number"] > last]:
                connection.execute(insert(job_events), new)

        await self._database.run(work)

    async def events(self, job_id: str, *, after: int = 0) -> list[dict[str, Any]]:
        """What was told behind a number, in order, at most 1,000."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            from sqlalchemy import select

            from paddock.store.tables import job_events

            asked = select(job_events.c.event).where(job_events.c.job_id == job_id, job_events.c.number > after)
            found = connection.execute(asked.order_by(job_events.c.number).limit(_EVENTS_MOST)).scalars()
            return [cast("dict[str, Any]", json.loads(one)) for one in found]

        return await self._database.run(work)

    async def remove(self, job_id: str) -> None:
        """Forget a job and what it told."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete

            from paddock.store.tables import jobs

            connection.execute(delete(jobs).where(jobs.c.id == job_id))

        await self._database.run(work)


def _row_of(job: Job) -> dict[str, Any]:
    made = {**vars(job), "spec": json.dumps(dict(job.spec)), "figures": json.dumps(dict(job.figures))}
    return {**made, "error": json.dumps(dict(job.error)) if job.error else None}


def _job_of(row: Any) -> Job:
    texts: dict[str, Any] = {
        name: json.loads(row[name]) if row[name] else None for name in ("spec", "figures", "error")
    }
    plain = ("id", "kind", "name", "state", "priority", "created_s", "started_s", "ended_s")
    return Job(**{name: row[name] for name in plain}, **texts)
