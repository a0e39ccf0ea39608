"""Owns the one job on builds that a server has done at a time: its program, how far it is, its end.

Refuses to know what the job does: a program of its own carries it out, and tells in lines.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
from anyio.abc import Process, TaskGroup
from anyio.streams.text import TextReceiveStream

from paddock.config import Settings
from paddock.errors import BuildError, BuildUnknown, InstallBusy
from paddock.log import named

_log = named(__name__)
State = Literal["running", "cancelling", "done", "failed", "cancelled"]
_LINES_MOST = 500
# Longer than the program takes to end what it started.
_GRACE_S = 10.0
_REAP_S = 5.0
_SILENT = "The program that works on builds ended without a word. The terminal of `paddock serve` may tell more."
_PROGRAM = (sys.executable, "-P", "-m", "paddock.cli.engine_job")
_RATE_OVER_S = 6.0


@dataclass(kw_only=True)
class Job:
    """One job, from its order on. Times are unix times; `done` and `total` are in `unit`, bytes or percent."""

    number: int
    order: dict[str, Any]
    begun_s: float
    state: State = "running"
    ended_s: float | None = None
    lines: list[str] = field(default_factory=list[str])
    lines_gone: int = 0
    done: int | None = None
    total: int | None = None
    unit: str = "bytes"
    result: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    samples: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.ended_s is not None

    def note(self, line: dict[str, Any]) -> None:
        """Take in one line of the program."""
        if "say" in line:
            self.lines.append(line["say"])
            if len(self.lines) > _LINES_MOST:
                del self.lines[0]
                self.lines_gone += 1
            # What was measured belongs to the step before.
            self.done = self.total = None
            self.samples.clear()
        elif "total" in line:
            self.done, self.total, self.unit = line["done"], line["total"], line["unit"]
            now = time.monotonic()
            self.samples.append((now, line["done"]))
            while now - self.samples[0][0] > _RATE_OVER_S:
                self.samples.popleft()
        elif "result" in line:
            self.result = line["result"]
        elif "error" in line:
            self.error = line["error"]

    @property
    def per_s(self) -> float | None:
        """How fast it goes on, in units a second; None where nobody can tell."""
        if self.is_over or len(self.samples) < 2:
            return None
        (begin_s, begin), (end_s, end) = self.samples[0], self.samples[-1]
        return (end - begin) / (end_s - begin_s) if end_s > begin_s and end > begin else None


class Jobs:
    """The job that runs, or ran last.

    Args:
        settings: those of the server, which the program takes over.
        tasks: where jobs live; its end ends them.
        program: the words that start the program.
    """

    def __init__(self, settings: Settings, tasks: TaskGroup, program: Sequence[str] | None = None) -> None:
        self._settings = settings
        self._tasks = tasks
        self._program = tuple(program or _PROGRAM)
        self._cancelled = anyio.Event()
        self._scope = anyio.CancelScope()
        self.job: Job | None = None

    def start(self, order: dict[str, Any]) -> Job:
        """Begin a job. Raises InstallBusy while another one runs."""
        if self.job and not self.job.is_over:
            raise InstallBusy("Builds are being worked on already. Wait for that to end, or cancel it.")
        self._cancelled, self._scope = anyio.Event(), anyio.CancelScope()
        self.job = Job(number=self.job.number + 1 if self.job else 1, order=order, begun_s=time.time())
        self._tasks.start_soon(self._carry_out, self.job, self._cancelled)
        return self.job

    def cancel(self) -> Job:
        """Have the running job end; one that has ended stays as it is. Raises BuildUnknown where there was none."""
        if self.job is None:
            raise BuildUnknown("No build was worked on since paddock started.")
        if self.job.state == "running":
            self.job.state = "cancelling"
            self._cancelled.set()
        return self.job

    def close(self) -> None:
        """End the running job at once. What it fetched stays; what it began, the next one sweeps."""
        self._scope.cancel()

    async def _carry_out(self, job: Job, cancelled: anyio.Event) -> None:
        settings = self._settings
        given = {name: getattr(settings, name) for name, source in settings.sources.items() if source != "default"}
        order = {**job.order, "home": str(settings.home.root), "settings": given}
        try:
            with self._scope:
                process = await anyio.open_process(
                    self._program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, start_new_session=True
                )
                try:
                    await self._told(job, process, order, cancelled)
                finally:
                    await _ended(process)
        except (OSError, BuildError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            _log.warning("the job on builds broke off: %s", error)
        finally:
            self._conclude(job)

    async def _told(self, job: Job, process: Process, order: dict[str, Any], cancelled: anyio.Event) -> None:
        assert process.stdin
        await process.stdin.send(json.dumps(order).encode() + b"\n")
        async with anyio.create_task_group() as group:

            async def cut() -> None:
                await cancelled.wait()
                # The end of its stdin is what it ends with.
                assert process.stdin
                await process.stdin.aclose()
                await anyio.sleep(_GRACE_S)
                group.cancel_scope.cancel()

            group.start_soon(cut)
            await _read(job, process)
            group.cancel_scope.cancel()

    def _conclude(self, job: Job) -> None:
        job.ended_s = time.time()
        if job.result is not None:
            job.state = "done"
        elif job.error is not None:
            job.state = "failed"
        elif job.state == "cancelling":
            job.state = "cancelled"
        else:
            job.state = "failed"
            job.error = {
                "kind": "BuildError",
                "message": _SILENT,
            }
        _log.info("builds, %s: %s", job.order["do"], job.state)


async def _read(job: Job, process: Process) -> None:
    assert process.stdout
    rest = ""
    async for text in TextReceiveStream(process.stdout):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            job.note(json.loads(line))
            if job.result is not None or job.error is not None:
                # It has let go of everything; its own end is not worth waiting for.
                return


async def _ended(process: Process) -> None:
    """Have the program, and all that it started and did not leave, gone."""
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _REAP_S):
        if process.returncode is None:
            if os.name == "nt":
                process.kill()
            else:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    process.kill()
        await process.aclose()
