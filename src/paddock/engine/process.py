"""Owns one engine process at a time for one set of flags, from start to exit; refuses to know who asked, or how.

One owner task (`own`) alone changes `state`; everyone else waits for changes. The states:

    stopped ──wanted──▶ starting ──ready line──▶ ready ──stop()──▶ stopping ──▶ stopped
                           └──exit, silence──▶ failed ◀──exit──────┘
    failed ──wanted, after the back-off──▶ starting
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream

from paddock.engine.exits import Exit, classify, runaway
from paddock.engine.flags import EngineFlags
from paddock.engine.tally import Reason, Tally
from paddock.errors import EngineFailedToStart, EngineUnavailable
from paddock.log import named
from paddock.process import environment

State = Literal["stopped", "starting", "ready", "stopping", "failed"]

_log = named(__name__)
_RING_LINES = 200
_LINE_BYTES = 64 * 1024
_BACKOFF_FIRST_S = 0.5
_BACKOFF_MOST_S = 30.0
# Closing stdin ends a healthy engine in milliseconds; one that is busy loading does not listen and is killed.
_GRACE_S = 1.0
_SPINS = "1000"
_SILENT = "it gave no sign of being ready in time"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a ready engine listens. `generation` counts the processes that this engine has had."""

    port: int
    api_key: str
    generation: int

    def url_of(self, path: str) -> str:
        """The address of one of the engine's routes."""
        return f"http://127.0.0.1:{self.port}{path}"


class Recall(Protocol):
    """What outlives the processes of an engine. None of these raises, and each ends within seconds."""

    async def starts(self) -> None:
        """A process is about to be started."""
        ...

    async def ready(self, endpoint: Endpoint) -> bool:
        """It listens, and nobody was told so. False if it was lost over that."""
        ...

    async def stops(self, endpoint: Endpoint) -> None:
        """It is about to be ended, as was asked for."""
        ...

    async def ended(self, *, crashed: bool) -> None:
        """It is gone; `crashed`: by itself."""
        ...


class EngineProcess:
    """The life of one engine: started when wanted, watched, restarted after a crash, stopped within seconds.

    `on_change` is called by the owner after each change of the state; it may not wait, and may call `begin_stop`.
    `tally` counts its starts, ends and loads.
    """

    def __init__(
        self,
        *,
        program: Sequence[str],
        flags: EngineFlags,
        load_timeout_s: float,
        on_change: Callable[[], None] = lambda: None,
        recall: Recall | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.flags = flags
        self.state: State = "stopped"
        self.last_exit: Exit | None = None
        self.is_gone = False
        self.stderr: deque[str] = deque(maxlen=_RING_LINES)
        self._program = tuple(program)
        self._load_timeout_s = load_timeout_s
        self._on_change = on_change
        self._recall = recall
        self._tally = tally or Tally()
        self._ends_by: Reason = "shutdown"
        self._process: Process | None = None
        self._endpoint: Endpoint | None = None
        self._generation = 0
        self._failures = 0
        self._retry_at = 0.0
        self._closing = False
        self._fault: str | None = None
        self._changed = anyio.Event()
        self._wanted = anyio.Event()
        self._stop = anyio.Event()

    @property
    def pid(self) -> int | None:
        """The process id while there is a process."""
        return self._process.pid if self._process else None

    @property
    def port(self) -> int | None:
        """The port while the engine is ready."""
        return self._endpoint.port if self._endpoint else None

    @property
    def is_ready(self) -> bool:
        """Whether a request could be sent right now."""
        return self.state == "ready" and not self._has_exited()

    async def ensure_ready(self) -> Endpoint:
        """Start the engine if it is not running, and wait until it listens.

        Raises:
            EngineFailedToStart: it ended or stayed silent; also, without a new try, during the back-off after that.
            EngineUnavailable: it is being stopped for good.
        """
        seen = self._generation
        while True:
            if self._closing:
                raise EngineUnavailable("paddock is stopping and loads no model. Start it again to go on.")
            if self.is_ready and self._endpoint:
                return self._endpoint
            if self.state == "failed" and (self._generation > seen or anyio.current_time() < self._retry_at):
                raise self._failure()
            changed = self._changed
            if self.state in ("stopped", "failed"):
                self._wanted.set()
            await changed.wait()

    async def settle(self, generation: int, *, timeout_s: float) -> None:
        """After a lost connection: wait until the owner has noticed the exit, at most `timeout_s`."""
        with anyio.move_on_after(timeout_s):
            while self._generation == generation and self.state == "ready":
                await self._changed.wait()

    def note_answer(self) -> None:
        """An answer came: forget earlier failures, so that the next crash restarts without delay."""
        self._failures = 0

    def fail(self, reason: str) -> None:
        """End the process at once, as one that failed for this reason. Does nothing where there is none."""
        process = self._process
        if process and process.returncode is None:
            self._fault = reason
            process.kill()

    @property
    def is_stopping(self) -> bool:
        """Whether the engine was told to stop for good. `is_gone` is true once that is done, process and all."""
        return self._closing

    def begin_stop(self, reason: Reason = "shutdown") -> None:
        """Tell the owner to end the process for good, and do not wait for it. The first reason is what is counted."""
        if not self._closing:
            self._ends_by = reason
        self._closing = True
        self._stop.set()
        self._wanted.set()

    async def stop(self) -> None:
        """End the process for good, within five seconds, and wait until it is gone."""
        self.begin_stop()
        while self.state != "stopped":
            await self._changed.wait()

    async def own(self) -> None:
        """The owner task: run it once, in the application's task group. It ends after `stop`, or when cancelled."""
        try:
            while True:
                await self._wanted.wait()
                if self._closing:
                    return
                await self._live()
        finally:
            self._closing = self.is_gone = True
            self._become("stopped")

    async def _live(self) -> None:
        """One process, from start to exit."""
        self._generation += 1
        self._fault = None
        self.stderr.clear()
        self._become("starting")
        self._tally.starts[self.flags.alias] += 1
        self._wanted = anyio.Event()
        returncode, reported, was_ready = None, None, False
        if self._recall:
            await self._recall.starts()
        try:
            process = await anyio.open_process(
                [*self._program, *self.flags.to_argv()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=_environment(),
            )
        except OSError as error:
            reported = f"{self._program[0]} cannot be started: {error.strerror}"
        else:
            self._process = process
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._collect, process.stderr)
                    reported = await self._serve(process)
                    was_ready = self.state in ("ready", "stopping") and reported is None and not self._fault
                    self._endpoint = None
                    await _end(process)
            finally:
                self._process = None
                self._endpoint = None
                with anyio.CancelScope(shield=True):
                    await _reap(process)
                    if self._recall:
                        await self._recall.ended(crashed=not self._stop.is_set())
            returncode = process.returncode
        self._conclude(returncode, reported, was_ready)

    async def _serve(self, process: Process) -> str | None:
        """Wait for the ready line, then for the end. Returns what a failing engine reported."""
        api_key = secrets.token_urlsafe(32)
        assert process.stdin
        assert process.stdout
        began_s = anyio.current_time()
        try:
            await process.stdin.send(json.dumps({"api_key": api_key}).encode() + b"\n")
        except (anyio.BrokenResourceError, OSError):
            return "it ended before it took its key"
        report: dict[str, object] | None = None
        patience = anyio.CancelScope(deadline=anyio.current_time() + self._load_timeout_s)
        async with anyio.create_task_group() as group:

            async def leave_when_stopped() -> None:
                await self._stop.wait()
                group.cancel_scope.cancel()

            group.start_soon(leave_when_stopped)
            with patience:
                report = await _report_of(process.stdout)
            if report is not None and report.get("event") == "ready":
                endpoint = Endpoint(port=int(str(report["port"])), api_key=api_key, generation=self._generation)
                if self._recall and not await self._recall.ready(endpoint):
                    # Its exit must be seen before it is told ready, so that whoever waits has it started again.
                    with anyio.move_on_after(_GRACE_S):
                        await process.wait()
                self._endpoint = endpoint
                self._tally.loads[self.flags.alias,].add(anyio.current_time() - began_s)
                self._become("ready")
                # Nothing more is expected there, but a full pipe would stop the engine.
                group.start_soon(self._collect, process.stdout)
                await process.wait()
            group.cancel_scope.cancel()
        if self._stop.is_set():
            self._become("stopping")
            if self._recall and self._endpoint and not self._has_exited():
                await self._recall.stops(self._endpoint)
            return None
        if report is None:
            return _SILENT if patience.cancelled_caught else ""
        return None if report.get("event") == "ready" else str(report.get("message", ""))

    async def _collect(self, stderr: ByteReceiveStream | None) -> None:
        """Keep the last lines, so that a failure can be told in the engine's own words."""
        assert stderr
        tail = b""
        try:
            async for chunk in stderr:
                *lines, tail = (tail + chunk).split(b"\n")
                tail = tail[-_LINE_BYTES:]
                for line in lines:
                    self.stderr.append(line.decode("utf-8", "replace"))
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        if tail:
            self.stderr.append(tail.decode("utf-8", "replace"))

    def _conclude(self, returncode: int | None, reported: str | None, was_ready: bool) -> None:
        if self._stop.is_set():
            self._tally.ends[self.flags.alias, self._ends_by] += 1
            return
        status = None if reported == _SILENT else returncode
        self.last_exit = (
            runaway(self._fault)
            if self._fault
            else classify(returncode=status, stderr=list(self.stderr), reported=reported or None)
        )
        self._tally.ends[self.flags.alias, self.last_exit.kind] += 1
        _log.warning("engine %s: %s", self.flags.alias, self.last_exit.message)
        self._failures += 1
        # The first crash of an engine that had been serving restarts at once; after that each failure waits longer.
        grace = 1 if was_ready else 0
        steps = self._failures - grace
        delay_s = min(_BACKOFF_MOST_S, _BACKOFF_FIRST_S * 2 ** (steps - 1)) if steps > 0 else 0.0
        self._retry_at = anyio.current_time() + delay_s
        self._become("stopped" if was_ready and not delay_s else "failed")

    def _failure(self) -> EngineFailedToStart:
        assert self.last_exit
        return EngineFailedToStart(
            f"The model '{self.flags.alias}' could not be started. {self.last_exit.message}", kind=self.last_exit.kind
        )

    def _has_exited(self) -> bool:
        """Ask the kernel: the event loop hears of an exit later than a client sees its connection break."""
        process = self._process
        if process is None or process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):
            return False
        try:
            return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _become(self, state: State) -> None:
        if state != self.state:
            _log.info("engine %s: %s", self.flags.alias, state)
        self.state = state
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
        self._on_change()


def _environment() -> dict[str, str]:
    """The process's own without its secrets, and how long the engine's threads spin before they sleep.

    They meet some hundred times for each token. By default they spin at each meeting for milliseconds, which on a
    machine with other work burns the time that the late ones need: see docs/adr/0019-short-spins.md.
    """
    own = environment()
    if "OMP_WAIT_POLICY" not in own:
        own.setdefault("GOMP_SPINCOUNT", _SPINS)
    return own


async def _report_of(stdout: ByteReceiveStream) -> dict[str, object] | None:
    """The first line of stdout that is one of ours; None when stdout ends without one."""
    lines = BufferedByteReceiveStream(stdout)
    while True:
        try:
            line = await lines.receive_until(b"\n", _LINE_BYTES)
        except (anyio.IncompleteRead, anyio.EndOfStream, anyio.ClosedResourceError, anyio.DelimiterNotFound):
            return None
        try:
            report = json.loads(line)
        except ValueError:
            continue
        if isinstance(report, dict) and "event" in report:
            return cast("dict[str, object]", report)


async def _end(process: Process) -> None:
    """Ask by closing stdin, then kill."""
    if process.stdin:
        await process.stdin.aclose()
    with anyio.move_on_after(_GRACE_S):
        await process.wait()
        return
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _reap(process: Process) -> None:
    """Whatever happened: no process and no pipe stays behind."""
    if process.returncode is None:
        process.kill()
    await process.aclose()
