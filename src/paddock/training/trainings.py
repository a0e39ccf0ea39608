"""Owns the trainings of a data home: what each needs before it begins, its dry run, and the training itself.

How they wait, run, stop and survive is the queue's (`jobs/queue.py`). Refuses to know how a model is trained (the
worker does) and who asks.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
from anyio.abc import TaskGroup

from paddock.engine.pool import Pool
from paddock.errors import JobUnknown, NoTrainingStack
from paddock.jobs.ended import Error
from paddock.jobs.folder import JobFolder, Report
from paddock.jobs.queue import JobQueue, Kind, NotBegun, Words
from paddock.paths import Home
from paddock.store.jobs import Job, JobStore, State
from paddock.training import dry_run
from paddock.training.checkpoints import whole
from paddock.training.endings import ADVICE, DRY_RUN, concluded, figures_of
from paddock.training.estimate import Estimate, estimated, memory_of_device, refuse_too_large
from paddock.training.libraries import has_module, refuse_lacking
from paddock.training.rewards import checked_rewards
from paddock.training.room import PUT_DOWN, Room, is_lent_to, put_down_of, without_loan
from paddock.training.sight import refuse_unseen
from paddock.training.spec import TrainSpec, as_table, checked_data
from paddock.training.trackers import refuse_missing

_KIND = Kind(name="training", lock=".owner.lock", figures_of=figures_of, advice=ADVICE)
_LOOKED_AT = 1000
# What a worker does, for `jobs/worker.py`.
WORK = "paddock.training.worker.outcome"


class Trainings(JobQueue):
    """The trainings of one data home, one at a time.

    Args:
        home: where their folders lie.
        store: where they are written down.
        worker: the words that start a worker, before its folder; None where there is no training stack.
        engine: the words that start an engine, before its flags.
        base_of: the folder of a base model by its name or path. Raises FieldInvalid.
        pool: whose models go where a training needs their memory.
        judged_at: where a model can be asked without a key; "" where it cannot.
    """

    def __init__(
        self,
        home: Home,
        store: JobStore,
        *,
        worker: Words,
        engine: Sequence[str],
        base_of: Callable[[str], Path],
        pool: Pool,
        judged_at: str = "",
    ) -> None:
        super().__init__(home.jobs, store, _KIND, worker)
        self._home = home
        self._engine = engine
        self._base_of = base_of
        self._room = Room(pool)
        self._judged_at = judged_at

    async def start(self, spec: TrainSpec, *, name: str = "", priority: int = 0) -> Job:
        """Queue a training. Raises FieldInvalid, NoTrainingStack or StoreUnusable: then nothing was begun."""
        needed = await anyio.to_thread.run_sync(self._refuse, spec)
        figures = {"estimated_bytes": needed.memory.all} if needed else {}
        return await self._queue(name or Path(spec.data).stem, as_table(spec), priority=priority, figures=figures)

    async def estimate(self, spec: TrainSpec) -> Estimate | None:
        """What it will need, and nothing is begun; None for weights of an unknown form.

        Raises FieldInvalid or StoreUnusable.
        """
        before = await self.listed()
        return await anyio.to_thread.run_sync(self._reckoned, spec, before)

    def _reckoned(self, spec: TrainSpec, before: Sequence[Job]) -> Estimate | None:
        checked_data(spec)
        base = self._base_of(spec.base)
        refuse_unseen(spec, base)
        return estimated(spec, base, before)

    async def checkpoints(self, job_id: str) -> dict[int, Path]:
        """Its whole checkpoints by their steps, the last first. Raises JobUnknown or StoreUnusable."""
        folder = self.folder((await self.find(job_id)).id)
        return await anyio.to_thread.run_sync(whole, folder.root / "checkpoints")

    def _refuse(self, spec: TrainSpec) -> Estimate | None:
        """What it will need. Raises FieldInvalid or NoTrainingStack where it would not begin."""
        base = self._base_of(spec.base)
        checked_data(spec)
        refuse_unseen(spec, base)
        checked_rewards(spec, self._judged_at)
        worker = self._worker()
        if worker is None:
            raise NoTrainingStack
        refuse_missing(spec.trackers, self._home.trackers, worker[0])
        if spec.cluster in ("", "ray"):
            refuse_lacking(spec, lambda module: has_module(worker[0], module))
        if needed := estimated(spec, base, rows_most=_LOOKED_AT):
            self._folder.mkdir(parents=True, exist_ok=True)
            # What a cluster has, its own machines know.
            memory_bytes = memory_of_device(spec.processes)[1] if spec.cluster in ("", "ray") else sys.maxsize
            refuse_too_large(needed, memory_bytes=memory_bytes, disk_bytes=shutil.disk_usage(self._folder).free)
        return needed

    async def _settle(self, jobs: Sequence[Job], then: Job | None, tasks: TaskGroup) -> None:
        """Have models come back that went for trainings which are over: now, or with the training that is due."""
        for job in jobs:
            if job.is_live or not is_lent_to(job):
                continue
            models = put_down_of(job)
            await self._set(job.id, figures=without_loan(job.figures))
            if then is None:
                tasks.start_soon(self._room.load, models)
            else:
                then = await self._store.find(then.id)
                both = list(dict.fromkeys([*put_down_of(then), *models]))
                await self._set(then.id, figures={**then.figures, PUT_DOWN: both})

    async def _carried_out(self, job: Job, folder: JobFolder) -> tuple[State, Error | None]:
        # What is said of its room since it was listed is in it now; or somebody ended it.
        job = await self._store.find(job.id)
        if not job.is_live:
            raise NotBegun
        try:
            return await self._with_room(job, folder)
        finally:
            self._room.take_back()
            with contextlib.suppress(JobUnknown):
                await self._comes_back(job.id)

    async def _with_room(self, job: Job, folder: JobFolder) -> tuple[State, Error | None]:
        """How it ended. Raises NotBegun where somebody ended it while it waited for memory."""
        if job.state != "queued":
            self._room.keep(job)
        elif (ready := await self._room.make(job, self._store.find, self._say)) is None:
            raise NotBegun
        else:
            job = ready
            is_tried_first = job.spec.get("dry_run", "no") != "no" and "step" not in job.figures
            await self._begin(job, folder, is_dry=is_tried_first)
        state, error = await self._seen_through(job, folder)
        if state == "done" and await dry_run.is_ordered(folder):
            return await self._seen_through_dry_run(job, folder)
        return state, error

    async def _comes_back(self, job_id: str) -> None:
        """Tell which models are loaded again now that it ends; those that the next training needs away are not."""
        job = await self._store.find(job_id)
        others = [one for one in await self.listed() if one.is_live and one.id != job_id]
        if not others and (models := put_down_of(job)):
            with contextlib.suppress(OSError):
                await self._say(job, "room_back", {}, models=models)

    async def _say(self, job: Job, kind: str, figures: Mapping[str, Any], **told: Any) -> Job:
        """Tell something of a training whose worker is not at it, and keep figures. Raises OSError or StoreUnusable."""
        event = await anyio.to_thread.run_sync(_said, self.folder(job.id), kind, told)
        await self._store.keep(job.id, [event])
        known = (await self._store.find(job.id)).figures
        return await self._set(job.id, figures={**figures_of(known, [event]), **figures})

    async def _begin(self, job: Job, folder: JobFolder, *, is_dry: bool) -> None:
        base = str(self._base_of(str(job.spec["base"])))
        order = {
            "spec": dict(job.spec), "base": base, "name": job.name, "judged_at": self._judged_at, DRY_RUN: is_dry,
            "tracker_libraries": str(self._home.trackers), "tracked": str(self._home.tracked),
        }  # fmt: skip
        await self._begin_worker(job, folder, order)

    async def _seen_through(self, job: Job, folder: JobFolder) -> tuple[State, Error | None]:
        """How its worker ended, once it has."""
        last = await self._watched(job, folder)
        return await anyio.to_thread.run_sync(concluded, folder, last)

    async def _seen_through_dry_run(self, job: Job, folder: JobFolder) -> tuple[State, Error | None]:
        """What the worker tried went well: have the engine try it too, and go on to the training itself."""
        job = await self._store.find(job.id)
        if "answer" not in job.figures and (fault := await dry_run.tried(folder, self._engine)):
            return "failed", fault
        if wish := await anyio.to_thread.run_sync(folder.wish):
            return "stopped" if wish == "save" else "cancelled", None
        if job.spec["dry_run"] == "first":
            await self._begin(job, folder, is_dry=False)
        return await self._seen_through(await self._store.find(job.id), folder)


def _said(folder: JobFolder, kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    report = Report(folder)
    try:
        return report.tell(kind, **told)
    finally:
        report.close()
