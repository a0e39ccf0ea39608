"""Owns the pushes of a data home: carrying out that files of an export go to the hub, and what became of it.

They run beside the server, which is what they end with: the next paddock begins one anew, and what the hub has is not
sent again. How they wait and stop is the queue's (`jobs/queue.py`). Refuses to know the hub's protocol, and who asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from paddock.errors import Conflict, PaddockError, PushRefused, StoreUnusable
from paddock.export.exports import Exports
from paddock.export.parcel import Known, Parcel, PushSpec, card_for, packed
from paddock.export.spec import spec_of
from paddock.jobs.ended import Advice, Error, newest
from paddock.jobs.folder import JobFolder
from paddock.jobs.queue import JobQueue, Kind
from paddock.models.hub_process import HubProcess
from paddock.models.hub_push import CARD, Upload
from paddock.paths import Home, write_whole
from paddock.store.db import Database
from paddock.store.jobs import Job, JobStore, State

_CARD = "card.md"
_TELL_EVERY_S = 1.0
_FIGURES = {
    "progress": ("file", "done_bytes", "size_bytes"),
    "done": ("url", "commit", "is_private", "is_new", "sent", "there", "took_s"),
}
_ADVICE = Advice(
    resume="Resume begins anew, and what the hub has is not sent again",
    memory="less should run beside it",
    disk="The disk is full. Free space, and resume.",
)


def _figures_of(before: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    figures = dict(before)
    for event in told:
        figures = newest(figures, event, _FIGURES)
    return figures


_KIND = Kind(name="push", lock=".pushes.lock", figures_of=_figures_of, advice=_ADVICE)


class Pushes(JobQueue):
    """The pushes of one data home, one at a time.

    Args:
        home: where their folders lie.
        store: where they are written down.
        exports: whose files are sent.
        hub: who sends them.
    """

    def __init__(self, home: Home, store: JobStore, *, exports: Exports, hub: HubProcess) -> None:
        super().__init__(home.jobs, store, _KIND, lambda: None)
        self._exports = exports
        self._hub = hub

    @classmethod
    def of(cls, home: Home, database: Database, exports: Exports, token: Callable[[], str | None]) -> Pushes:
        """Those of a data home and its database; `token` looks up the one that is kept, in a thread."""
        # Whoever may push may use the token (`api/rights.py`).
        return cls(home, JobStore(database), exports=exports, hub=HubProcess(home, lends_token=True, token=token))

    async def foresee(self, spec: PushSpec, known: Known) -> tuple[Parcel, str]:
        """What a push would send, and its card ("" for none); nothing is sent or asked for.

        Raises FieldInvalid, JobUnknown, Conflict or StoreUnusable.
        """
        export = await self._export(spec)

        def look() -> tuple[Parcel, str]:
            parcel = self._packed(spec, export)
            return parcel, card_for(export.name, parcel, known) if spec.card else ""

        return await anyio.to_thread.run_sync(look)

    async def start(self, spec: PushSpec, known: Known) -> Job:
        """Queue a push; one of the same that is under way is that one.

        Raises FieldInvalid, JobUnknown, Conflict or StoreUnusable: then nothing was begun.
        """
        parcel, card = await self.foresee(spec, known)
        told = replace(spec, types=tuple(parcel.files)).as_table()
        # None is begun before its card lies in its folder.
        async with self._turning:
            for job in await self.listed():
                if job.is_live and job.spec == told:
                    return job
            size_bytes = await anyio.to_thread.run_sync(lambda: parcel.size_bytes + len(card.encode()))
            figures = {"size_bytes": size_bytes, "done_bytes": 0}
            job = await self._store.create(_KIND.name, spec.repo, told, priority=0, figures=figures)
            await anyio.to_thread.run_sync(_keep_card, self.folder(job.id).root, card)
        self._notify()
        return job

    async def refuse_under_way(self, export_id: str) -> None:
        """Raises Conflict where an export's files are being sent, or StoreUnusable."""
        if any(job.is_live and job.spec["export"] == export_id for job in await self.listed()):
            raise Conflict("This export is being pushed. Cancel that, or wait for its end.", current={"push": "live"})

    async def _export(self, spec: PushSpec) -> Job:
        """Raises JobUnknown, Conflict or StoreUnusable."""
        job = await self._exports.find(spec.export)
        if job.state != "done":
            raise Conflict(
                f"This export is {job.state}: only one that is done is pushed.", current={"state": job.state}
            )
        return job

    def _packed(self, spec: PushSpec, export: Job) -> Parcel:
        return packed(spec, spec_of(export.spec), self._exports.folder(export.id).root / "files")

    async def _uploads(self, job: Job, folder: JobFolder) -> list[Upload]:
        """What is sent, as it is now: the files are looked up anew, so that none but an export's can be among them.

        Raises PaddockError.
        """
        table: dict[str, Any] = {**job.spec, "types": tuple(job.spec["types"])}
        spec = PushSpec(**table)
        export = await self._export(spec)
        parcel = await anyio.to_thread.run_sync(self._packed, spec, export)
        if parcel.left_out:
            told = "; ".join(f"{kind}: {why}" for kind, why in parcel.left_out.items())
            raise PushRefused(f"The files are not those that were to be pushed ({told}). Push anew.")
        card = await anyio.to_thread.run_sync(_kept_card, folder.root)
        return [*parcel.uploads, *([Upload(name=CARD, text=card)] if card else [])]

    async def _carried_out(self, job: Job, folder: JobFolder) -> tuple[State, Error | None]:
        job = await self._begun(job)
        ended: State = "cancelled"
        fault: PaddockError | OSError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancelled, folder, tasks.cancel_scope)
            try:
                await self._pushed(job, await self._uploads(job, folder))
                ended = "done"
            except (PaddockError, OSError) as error:
                fault = error
            tasks.cancel_scope.cancel()
        if isinstance(fault, OSError | StoreUnusable):
            raise fault
        if fault is not None:
            return "failed", {"kind": type(fault).__name__, "message": fault.message}
        return ended, None

    async def _pushed(self, job: Job, uploads: Sequence[Upload]) -> None:
        """Raises PaddockError."""
        begun_s = told_s = time.monotonic()
        pushing = self._hub.push(job.spec["repo"], uploads, is_public=bool(job.spec["is_public"]))
        async with aclosing(pushing) as lines:
            async for line in lines:
                if "pushed" in line:
                    took_s = round(time.monotonic() - begun_s, 1)
                    size_bytes = job.figures["size_bytes"]
                    job = await self._told(job, "progress", file="", done_bytes=size_bytes, size_bytes=size_bytes)
                    await self._told(job, "done", **line["pushed"], took_s=took_s)
                elif time.monotonic() - told_s >= _TELL_EVERY_S or line["file"] != job.figures.get("file"):
                    told_s = time.monotonic()
                    job = await self._told(job, "progress", **line)

    async def _told(self, job: Job, kind: str, **told: Any) -> Job:
        """Keep an event, and the figures that come of it."""
        number = int(job.figures.get("events", 0)) + 1
        event = {"number": number, "at_s": round(time.time(), 3), "kind": kind, **told}
        await self._store.keep(job.id, [event])
        return await self._set(job.id, figures=_figures_of(job.figures, [event]))


def _keep_card(folder: Path, card: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _CARD, card)


def _kept_card(folder: Path) -> str:
    """Raises PaddockError."""
    try:
        return (folder / _CARD).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise PaddockError(f"The card of this push cannot be read ({error}). Push anew.") from error
