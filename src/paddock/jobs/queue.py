"""Owns the queue of one kind of job: which runs when, what a wish changes, and that no restart loses one.

A worker outlives the server. A server that starts finds it by the lock that it holds, and reads on in its file where
the one before ended; one that died meanwhile is told as that, and can be gone on with. Refuses to know what a job does
(its worker does), what it needs before it begins, and who asks.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from paddock import process
from paddock.errors import Conflict, JobUnknown, NoTrainingStack, PaddockError, StoreUnusable
from paddock.jobs.ended import DISK_FULL, Advice, broken, not_begun
from paddock.jobs.folder import JobFolder
from paddock.ownership import Ownership
from paddock.store.jobs import Job, JobStore, State

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.3
_AGAIN_S = 5.0
_KILL_AFTER_S = 20.0
Words = Callable[[], Sequence[str] | None]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of job: its name in the database and in sentences, what it is locked by, what is kept of its events.

    `advice` is what to do where one fails.
    """

    name: str
    lock: str
    figures_of: Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], dict[str, Any]]
    advice: Advice


class NotBegun(Exception):
    """Somebody ended a job before it began."""


class JobQueue:
    """The jobs of one kind in one data home, one at a time; what they do is its heirs'.

    Args:
        folder: where the folders of all jobs lie.
        store: where they are written down.
        kind: which jobs these are.
        worker: the words that start a worker, before its folder; None where there is no training stack.
    """

    def __init__(self, folder: Path, store: JobStore, kind: Kind, worker: Words) -> None:
        self._folder = folder
        self._store = store
        self._kind = kind
        self._worker = worker
        self._ownership = Ownership(folder / kind.lock)
        self._changed = anyio.Event()
        self._woken = anyio.Event()
        self._watching = anyio.CancelScope()
        # Whether another paddock of the data home was seen to watch them.
        self._is_elsewhere = False
        self._looked = anyio.Event()
        # Held while one is begun or ended, so that none begins that was ended a moment ago.
        self._turning = anyio.Lock()

    async def carry_on(self) -> None:
        """Watch what runs and begin what waits, for as long as paddock serves and no other paddock does."""
        with self._watching:
            # Looked at before the folder: what comes meanwhile is not missed.
            woken = self._woken
            if not await anyio.to_thread.run_sync(lambda: any(self._folder.glob("job_*"))):
                # Nobody has had one here: no database is made, or waited for, to learn that.
                await woken.wait()
            try:
                await self._until_ours()
            except OSError as error:
                _log.warning("jobs of the kind %s are not watched: %s", self._kind.name, error)
                return
            try:
                await self._go_on()
            finally:
                self._ownership.release()

    def close(self) -> None:
        """Watch no more. What runs goes on, and the next paddock finds it."""
        self._watching.cancel()

    def has_stack(self) -> bool:
        """Whether there are the libraries that its worker needs."""
        return self._worker() is not None

    async def listed(self) -> list[Job]:
        """Every job of this kind, the newest first. Raises StoreUnusable."""
        return await self._store.listed(self._kind.name)

    async def find(self, job_id: str) -> Job:
        """The job of that id. Raises JobUnknown or StoreUnusable."""
        job = await self._store.find(job_id)
        if job.kind != self._kind.name:
            raise JobUnknown(job_id)
        return job

    async def stop(self, job_id: str) -> Job:
        """Have it stop where it can be gone on with. Raises JobUnknown, Conflict or StoreUnusable."""
        return await self._end(job_id, "stopped")

    async def cancel(self, job_id: str) -> Job:
        """Have it stop as soon as it can. Raises as `stop`."""
        return await self._end(job_id, "cancelled")

    async def resume(self, job_id: str) -> Job:
        """Queue it again, to go on from where it came. Raises JobUnknown, Conflict or StoreUnusable."""
        job = await self.find(job_id)
        if job.is_live or job.state == "done":
            raise Conflict(
                f"This {self._kind.name} is {job.state}: there is nothing to go on with.", current={"state": job.state}
            )
        await anyio.to_thread.run_sync(self.folder(job_id).forget_wish)
        return await self._set(job_id, state="queued", error=None, ended_s=None)

    async def remove(self, job_id: str) -> None:
        """Remove it with all that it made. Raises JobUnknown, Conflict or StoreUnusable."""
        job = await self.find(job_id)
        if job.is_live:
            first = "Wait for its end." if job.state == "stopping" else "Cancel it first."
            raise Conflict(f"This {self._kind.name} is {job.state}. {first}", current={"state": job.state})
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
            job = await self.find(job_id)
            if told := await self._store.events(job_id, after=after):
                after = told[-1]["number"]
                yield told
                # There may be more than are read at once.
                continue
            if not job.is_live:
                return
            await changed.wait()

    def folder(self, job_id: str) -> JobFolder:
        """Where a job lies."""
        return JobFolder(root=self._folder / job_id)

    async def _settle(self, jobs: Sequence[Job], then: Job | None, tasks: TaskGroup) -> None:
        """What is to be done between two of `jobs`, before the one that is due. Raises StoreUnusable."""

    async def _carried_out(self, job: Job, folder: JobFolder) -> tuple[State, Mapping[str, str] | None]:
        """Begin one where it is queued, and see it through. Raises OSError or PaddockError."""
        raise NotImplementedError

    async def _queue(
        self, name: str, spec: Mapping[str, Any], *, priority: int = 0, figures: Mapping[str, Any] | None = None
    ) -> Job:
        """Write one down. Raises StoreUnusable."""
        job = await self._store.create(self._kind.name, name, spec, priority=priority, figures=figures or {})
        # By its folder the next paddock knows that there is something to look after.
        # Where the disk has no room for one, that is told when it is its turn.
        with contextlib.suppress(OSError):
            await anyio.to_thread.run_sync(lambda: self.folder(job.id).root.mkdir(parents=True, exist_ok=True))
        self._notify()
        return job

    async def _begun(self, job: Job) -> Job:
        """A job whose turn it is, as it runs. Raises NotBegun where somebody ended it meanwhile, or StoreUnusable."""
        async with self._turning:
            try:
                job = await self.find(job.id)
            except JobUnknown:
                raise NotBegun from None
            if not job.is_live:
                raise NotBegun
            if job.state != "queued":
                return job
            return await self._set(job.id, state="running", started_s=job.started_s or time.time(), ended_s=None)

    async def _begin_worker(self, job: Job, folder: JobFolder, order: Mapping[str, Any]) -> None:
        """Raises NoTrainingStack, OSError, StoreUnusable, or NotBegun where somebody ended it meanwhile."""
        worker = await anyio.to_thread.run_sync(self._worker)
        if worker is None:
            raise NoTrainingStack
        await anyio.to_thread.run_sync(folder.write_order, order)
        await self._begun(job)
        keeper = [sys.executable, "-P", "-m", "paddock.jobs.keeper", str(folder.root)]
        done = await anyio.run_process([*keeper, *worker, str(folder.root)], check=False, env=process.environment())
        if done.returncode == DISK_FULL:
            raise OSError(DISK_FULL, os.strerror(DISK_FULL))

    async def _watched(self, job: Job, folder: JobFolder) -> Mapping[str, Any] | None:
        """Write down what the worker tells, until it tells no more; the last of it. Raises OSError or StoreUnusable."""
        offset, asked_s = 0, None
        while True:
            is_alive = await anyio.to_thread.run_sync(folder.is_alive)
            told, offset = await anyio.to_thread.run_sync(folder.events, offset)
            if told:
                await self._store.keep(job.id, told)
                job = await self._set(job.id, figures=self._kind.figures_of(job.figures, told))
            if not is_alive:
                break
            if await anyio.to_thread.run_sync(folder.wish) == "cancel":
                asked_s = asked_s or anyio.current_time()
                if anyio.current_time() - asked_s > _KILL_AFTER_S:
                    await anyio.to_thread.run_sync(_kill, folder)
            await anyio.sleep(_LOOK_EVERY_S)
        last = await self._store.events(job.id, after=int(job.figures.get("events", 0)) - 1)
        return last[-1] if last else None

    async def _cancelled(self, folder: JobFolder, scope: anyio.CancelScope) -> None:
        """End what is carried out here, once that is wished."""
        while True:
            if await anyio.to_thread.run_sync(folder.wish) == "cancel":
                scope.cancel()
            await anyio.sleep(_LOOK_EVERY_S)

    async def _until_ours(self) -> None:
        """Wait until no other paddock of the data home watches them. Raises OSError."""
        while True:
            self._is_elsewhere = not await anyio.to_thread.run_sync(self._ownership.take)
            self._looked.set()
            if not self._is_elsewhere:
                return
            await anyio.sleep(_AGAIN_S)

    async def _go_on(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                woken = self._woken
                try:
                    jobs = await self.listed()
                    job = _next(jobs)
                    await self._settle(jobs, job, tasks)
                    if job is not None:
                        await self._carry_out(job)
                        continue
                except JobUnknown:
                    # Removed since they were listed.
                    continue
                except StoreUnusable as error:
                    _log.warning("jobs of the kind %s wait: %s", self._kind.name, error.message)
                    await anyio.sleep(_AGAIN_S)
                    continue
                await woken.wait()

    async def _carry_out(self, job: Job) -> None:
        """See one job through to its end, from wherever it is."""
        try:
            state, error = await self._carried_out(job, self.folder(job.id))
        except StoreUnusable:
            raise
        except NotBegun:
            return
        except (OSError, PaddockError) as fault:
            state, error = "failed", not_begun(fault, self._kind.advice)
        except Exception as fault:  # one job is not the end of the others, nor of the server
            _log.exception("%s %s ends by a fault of paddock itself", self._kind.name, job.id)
            state, error = "failed", broken(fault)
        with contextlib.suppress(JobUnknown):  # somebody removed it meanwhile
            await self._set(job.id, state=state, error=error, ended_s=time.time())
        _log.info("%s %s: %s", self._kind.name, job.id, state)

    async def _end(self, job_id: str, meant: State) -> Job:
        async with self._turning:
            job = await self.find(job_id)
            if not job.is_live:
                raise Conflict(f"This {self._kind.name} is {job.state} already.", current={"state": job.state})
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
