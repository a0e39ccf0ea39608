"""Owns the queue of trainings: which runs when, what a wish changes, and that no restart loses one.

A worker outlives the server. A server that starts finds it by the lock that it holds, and reads on in its file where
the one before ended; one that died meanwhile is told as that, and can be gone on with from its last checkpoint. Refuses
to know how a model is trained (the worker does) and who asks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from paddock.engine.pool import Pool
from paddock.errors import Conflict, NoTrainingStack, PaddockError, StoreUnusable
from paddock.jobs.folder import JobFolder, Report
from paddock.ownership import Ownership
from paddock.paths import Home
from paddock.store.jobs import Job, JobStore, State
from paddock.training import dry_run
from paddock.training.endings import DRY_RUN, Error, concluded, figures_of
from paddock.training.estimate import Estimate, estimated, memory_of_device, refuse_too_large
from paddock.training.rewards import checked_rewards
from paddock.training.room import PUT_DOWN, Room, is_lent_to, put_down_of, without_loan
from paddock.training.spec import TrainSpec, as_table, checked_data
from paddock.training.trackers import refuse_missing

_log = logging.getLogger(__name__)
_KIND = "training"
_LOOKED_AT = 1000
_LOOK_EVERY_S = 0.3
_AGAIN_S = 5.0
_KILL_AFTER_S = 20.0
WORKER = str(Path(__file__).with_name("worker") / "__main__.py")


class Trainings:
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
        worker: Callable[[], Sequence[str] | None],
        engine: Sequence[str],
        base_of: Callable[[str], Path],
        pool: Pool,
        judged_at: str = "",
    ) -> None:
        self._home = home
        self._folder = home.jobs
        self._store = store
        self._worker = worker
        self._engine = engine
        self._base_of = base_of
        self._room = Room(pool)
        self._judged_at = judged_at
        self._ownership = Ownership(home.jobs / ".owner.lock")
        self._changed = anyio.Event()
        self._woken = anyio.Event()
        self._watching = anyio.CancelScope()

    async def carry_on(self) -> None:
        """Watch what runs and begin what waits, for as long as paddock serves; another paddock's are left alone."""
        with self._watching:
            if not await anyio.to_thread.run_sync(lambda: any(self._folder.glob("job_*"))):
                # Nobody has trained here: no database is made, or waited for, to learn that.
                await self._woken.wait()
            try:
                if not await anyio.to_thread.run_sync(self._ownership.take):
                    return
            except OSError as error:
                _log.warning("trainings are not watched: %s", error)
                return
            try:
                await self._go_on()
            finally:
                self._ownership.release()

    def close(self) -> None:
        """Watch no more. What runs goes on, and the next paddock finds it."""
        self._watching.cancel()

    def has_stack(self) -> bool:
        """Whether there are the libraries that train."""
        return self._worker() is not None

    async def start(self, spec: TrainSpec, *, name: str = "", priority: int = 0) -> Job:
        """Queue a training. Raises FieldInvalid, NoTrainingStack or StoreUnusable: then nothing was begun."""
        needed = await anyio.to_thread.run_sync(self._refuse, spec)
        figures = {"estimated_bytes": needed.memory.all} if needed else {}
        job = await self._store.create(
            _KIND, name or Path(spec.data).stem, as_table(spec), priority=priority, figures=figures
        )
        # By its folder the next paddock knows that there is something to look after.
        await anyio.to_thread.run_sync(lambda: self.folder(job.id).root.mkdir(parents=True, exist_ok=True))
        self._notify()
        return job

    async def estimate(self, spec: TrainSpec) -> Estimate | None:
        """What it will need, and nothing is begun; None for weights of an unknown form.

        Raises FieldInvalid or StoreUnusable.
        """
        before = await self.listed()
        await anyio.to_thread.run_sync(checked_data, spec)
        return await anyio.to_thread.run_sync(lambda: estimated(spec, self._base_of(spec.base), before))

    async def listed(self) -> list[Job]:
        """Every training, the newest first. Raises StoreUnusable."""
        return await self._store.listed(_KIND)

    async def find(self, job_id: str) -> Job:
        """The training of that id. Raises JobUnknown or StoreUnusable."""
        return await self._store.find(job_id)

    async def stop(self, job_id: str) -> Job:
        """Have it write a checkpoint and stop; it can be gone on with. Raises JobUnknown, Conflict or StoreUnusable."""
        return await self._end(job_id, "stopped")

    async def cancel(self, job_id: str) -> Job:
        """Have it stop as soon as it can. Raises as `stop`."""
        return await self._end(job_id, "cancelled")

    async def resume(self, job_id: str) -> Job:
        """Queue it again, to go on from its last checkpoint. Raises JobUnknown, Conflict or StoreUnusable."""
        job = await self._store.find(job_id)
        if job.is_live or job.state == "done":
            raise Conflict(
                f"This training is {job.state}: there is nothing to go on with.", current={"state": job.state}
            )
        await anyio.to_thread.run_sync(self.folder(job_id).forget_wish)
        return await self._set(job_id, state="queued", error=None, ended_s=None)

    async def remove(self, job_id: str) -> None:
        """Remove it with all that it made. Raises JobUnknown, Conflict or StoreUnusable."""
        job = await self._store.find(job_id)
        if job.is_live:
            raise Conflict(f"This training is {job.state}. Cancel it first.", current={"state": job.state})
        await self._store.remove(job_id)
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(self.folder(job_id).root, ignore_errors=True))
        self._notify()

    async def events(self, job_id: str, after: int) -> AsyncGenerator[list[dict[str, Any]]]:
        """What its worker told behind the event of that number, and what it tells, until it is at rest.

        As many at once as were read at once.

        Raises JobUnknown before the first event, or StoreUnusable.
        """
        while True:
            changed = self._changed
            job = await self._store.find(job_id)
            if told := await self._store.events(job_id, after=after):
                after = told[-1]["number"]
                yield told
                # There may be more than are read at once.
                continue
            if not job.is_live:
                return
            await changed.wait()

    def folder(self, job_id: str) -> JobFolder:
        """Where a training lies."""
        return JobFolder(root=self._folder / job_id)

    def _refuse(self, spec: TrainSpec) -> Estimate | None:
        """What it will need. Raises FieldInvalid or NoTrainingStack where it would not begin."""
        base = self._base_of(spec.base)
        checked_data(spec)
        checked_rewards(spec, self._judged_at)
        worker = self._worker()
        if worker is None:
            raise NoTrainingStack
        refuse_missing(spec.trackers, self._home.trackers, worker[0])
        if needed := estimated(spec, base, rows_most=_LOOKED_AT):
            self._folder.mkdir(parents=True, exist_ok=True)
            # What a cluster has, its own machines know.
            memory_bytes = memory_of_device(spec.processes)[1] if spec.cluster in ("", "ray") else sys.maxsize
            refuse_too_large(needed, memory_bytes=memory_bytes, disk_bytes=shutil.disk_usage(self._folder).free)
        return needed

    async def _go_on(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                woken = self._woken
                try:
                    jobs = await self._store.listed(_KIND)
                    job = _next(jobs)
                    await self._settle(jobs, job, tasks)
                    if job is not None:
                        await self._carry_out(job)
                        continue
                except StoreUnusable as error:
                    _log.warning("trainings wait: %s", error.message)
                    await anyio.sleep(_AGAIN_S)
                    continue
                await woken.wait()

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

    async def _carry_out(self, job: Job) -> None:
        """See one training through to its end, from wherever it is."""
        folder = self.folder(job.id)
        try:
            job = await self._store.find(job.id)
            if job.state != "queued":
                self._room.keep(job)
            elif (ready := await self._room.make(job, self._store.find, self._say)) is None:
                await self._comes_back(job.id)
                return
            else:
                job = ready
                is_tried_first = job.spec.get("dry_run", "no") != "no" and "step" not in job.figures
                await self._begin(job, folder, is_dry=is_tried_first)
            state, error = await self._seen_through(job, folder)
            if state == "done" and await dry_run.is_ordered(folder):
                state, error = await self._seen_through_dry_run(job, folder)
        except StoreUnusable:
            raise
        except (OSError, PaddockError) as fault:
            state, error = "failed", {"kind": "system", "message": str(fault)}
        finally:
            self._room.take_back()
        await self._comes_back(job.id)
        await self._set(job.id, state=state, error=error, ended_s=time.time())
        _log.info("training %s: %s", job.id, state)

    async def _comes_back(self, job_id: str) -> None:
        """Tell which models are loaded again now that it ends; those that the next training needs away are not."""
        job = await self._store.find(job_id)
        others = [one for one in await self._store.listed(_KIND) if one.is_live and one.id != job_id]
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
        worker = await anyio.to_thread.run_sync(self._worker)
        if worker is None:
            raise NoTrainingStack
        base = str(self._base_of(str(job.spec["base"])))
        order = {
            "spec": dict(job.spec), "base": base, "name": job.name, "judged_at": self._judged_at, DRY_RUN: is_dry,
            "tracker_libraries": str(self._home.trackers), "tracked": str(self._home.tracked),
        }  # fmt: skip
        await anyio.to_thread.run_sync(folder.write_order, order)
        await self._set(job.id, state="running", started_s=job.started_s or time.time(), ended_s=None)
        keeper = [sys.executable, "-P", "-m", "paddock.jobs.keeper", str(folder.root)]
        await anyio.run_process([*keeper, *worker, str(folder.root)], check=False)

    async def _seen_through(self, job: Job, folder: JobFolder) -> tuple[State, Error | None]:
        """How its worker ended, once it has."""
        job = await self._watch(job, folder)
        last = await self._store.events(job.id, after=int(job.figures.get("events", 0)) - 1)
        return await anyio.to_thread.run_sync(concluded, folder, last[-1] if last else None)

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

    async def _watch(self, job: Job, folder: JobFolder) -> Job:
        """Write down what the worker tells, until it tells no more."""
        offset, asked_s = 0, None
        while True:
            is_alive = await anyio.to_thread.run_sync(folder.is_alive)
            told, offset = await anyio.to_thread.run_sync(folder.events, offset)
            if told:
                await self._store.keep(job.id, told)
                job = await self._set(job.id, figures=figures_of(job.figures, told))
            if not is_alive:
                return job
            if await anyio.to_thread.run_sync(folder.wish) == "cancel":
                asked_s = asked_s or anyio.current_time()
                if anyio.current_time() - asked_s > _KILL_AFTER_S:
                    await anyio.to_thread.run_sync(_kill, folder)
            await anyio.sleep(_LOOK_EVERY_S)

    async def _end(self, job_id: str, meant: State) -> Job:
        job = await self._store.find(job_id)
        if not job.is_live:
            raise Conflict(f"This training is {job.state} already.", current={"state": job.state})
        if job.state == "queued":
            return await self._set(job_id, state=meant, ended_s=time.time())
        folder = self.folder(job_id)
        await anyio.to_thread.run_sync(lambda: folder.ask("save" if meant == "stopped" else "cancel"))
        return await self._set(job_id, state="stopping")

    async def _set(self, job_id: str, **values: Any) -> Job:
        job = await self._store.change(job_id, **values)
        self._notify()
        return job

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
        self._woken.set()
        self._woken = anyio.Event()


def _next(jobs: Sequence[Job]) -> Job | None:
    """What is to be looked after: what ran already, else what waits first."""
    found = [job for job in jobs if job.is_live]
    running = [job for job in found if job.state != "queued"]
    return min(running or found, key=lambda job: (-job.priority, job.created_s), default=None)


def _said(folder: JobFolder, kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    report = Report(folder)
    try:
        return report.tell(kind, **told)
    finally:
        report.close()


def _kill(folder: JobFolder) -> None:
    """End a worker that does not end by itself. Its lock is held, so its number is its own."""
    lock = folder.worker_lock()
    if lock.take():
        lock.release()
        return
    pid = lock.holder().get("pid")
    if isinstance(pid, int) and pid > 1:
        try:
            os.kill(pid, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        except OSError as error:
            _log.warning("the worker %s does not end: %s", pid, error)
