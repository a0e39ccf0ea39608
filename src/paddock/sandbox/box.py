"""Owns one process within walls, what it starts, what it says and what it may take; refuses to know what it is for."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio
import anyio.to_thread
from anyio.abc import Process

from paddock.sandbox import files, watching
from paddock.sandbox.output import Output
from paddock.sandbox.walls import Kind, Place, bubblewrap, environment, folder_within, words

_READ_BYTES = 2**20
_READS_AT_ONCE = 4
# What is dropped is read in steps, so that whoever says without end does not keep the server busy.
_DROP_EVERY_S = 0.005
_LOOK_EVERY_S = 0.05
# A look at many files takes its time, and then so much of the whole.
_LOOK_SHARE = 8
_GRACE_BYTES, _GRACE_ENTRIES = 2**20, 100
_END_S = 2.0
# Programs reserve much more than they use.
_RESERVED = 8
OnOutput = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a workspace may take.

    Attributes:
        memory_bytes: of all its processes together, and of each.
        processes: at once, threads counted where the kernel counts them.
        file_bytes: of each file.
        open_files: of each process.
        disk_bytes, entries: of all it keeps, and of its temporary files with it.
        output_bytes: of what a call says; what is more is counted and dropped.
    """

    memory_bytes: int = 2 * 2**30
    processes: int = 128
    file_bytes: int = 2**29
    open_files: int = 256
    disk_bytes: int = 2**30
    entries: int = 20_000
    output_bytes: int = 2**16

    def told(self, kind: Kind) -> dict[str, int]:
        """The limits that the kernel keeps, by their names."""
        # Processes are counted by user: those of a workspace alone where it has a user, or a namespace of users.
        counted = {"RLIMIT_NPROC": self.processes} if kind == "bubblewrap" else {}
        return {
            "RLIMIT_DATA": self.memory_bytes, "RLIMIT_AS": _RESERVED * self.memory_bytes, **counted,
            "RLIMIT_FSIZE": self.file_bytes, "RLIMIT_NOFILE": self.open_files, "RLIMIT_CORE": 0,
            "RLIMIT_MSGQUEUE": 0, "RLIMIT_MEMLOCK": 2**20,
        }  # fmt: skip


class Box:
    """A process that was begun by `opened`, within its walls.

    Attributes:
        excess: why it was ended, as a sentence; "" while it was not.
        pid: the process that all others descend from, on this machine.
    """

    def __init__(self, process: Process, place: Place, limits: Limits, said: int) -> None:
        self.process = process
        self.pid = process.pid
        self.excess = ""
        self._place = place
        self._limits = limits
        self._said = said
        self._within: int | None = None
        self._is_bare = True
        self._buffer = bytearray(_READ_BYTES)

    @classmethod
    async def opened(
        cls,
        kind: Kind,
        place: Place,
        limits: Limits,
        order: Mapping[str, object],
        passed: tuple[int, ...] = (),
    ) -> Box:
        """Start a process; who calls this calls `end`. Raises OSError where none can be started."""
        is_wrapped = kind == "bubblewrap"
        ours: list[int] = []
        theirs: list[int] = []
        box = None
        try:
            said, says = _pipe(ours, theirs)
            heard, tells = _pipe(ours, theirs) if is_wrapped else (-1, -1)
            filtered = -1
            if is_wrapped:
                from paddock.sandbox.syscalls import filter_to_read

                filtered = filter_to_read()
                theirs.append(filtered)
            told = {"limits": limits.told(kind), "user": place.user, "folder": folder_within(place, kind), **order}
            process = await anyio.open_process(
                words(kind, place, told, program=bubblewrap() or "bwrap", descriptors=(filtered, tells)),
                stdin=subprocess.DEVNULL,
                stdout=says,
                stderr=says,
                cwd="/",
                # Bubblewrap itself can be looked at from within, and so can what it was given.
                env={} if is_wrapped else environment(place, kind),
                start_new_session=True,
                pass_fds=[*passed, *((filtered, tells) if is_wrapped else ())],
            )
            box = cls(process, place, limits, said)
            watching.be_ended_first(process.pid)
            _closed(theirs)
            box._is_bare = not is_wrapped
            if is_wrapped:
                box._within = await _number_within(heard)
            ours.remove(said)
            return box
        finally:
            _closed(theirs)
            if box is not None and ours and ours[0] == box._said:
                # Nobody will have it.
                ours.remove(box._said)
                await box.end()
            _closed(ours)

    @property
    def has_walls(self) -> bool:
        """Whether its walls were built, where it was to have any."""
        return self._within is not None or self._is_bare

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self.process.returncode is not None

    async def listen(self, output: Output, on_output: OnOutput | None) -> None:
        """Take what is said, until nobody can say more."""
        while True:
            with contextlib.suppress(BlockingIOError):
                if not self._take(output, on_output):
                    return
            if output.is_full:
                await anyio.sleep(_DROP_EVERY_S)
            await anyio.wait_readable(self._said)

    def forget(self) -> None:
        """Drop what was said and nobody took, of processes that are stopped or gone."""
        with contextlib.suppress(BlockingIOError):
            # What fits into the pipe, and no more than that, where somebody says without end.
            self._take(Output(0), None)

    def innermost(self) -> int:
        """The process that was started, within whatever stands around it. Blocks."""
        around = (self.pid, self._within)
        return next((one for one in watching.members(self.pid) if one not in around), self.pid)

    def rest(self, output: Output, on_output: OnOutput | None) -> None:
        """Take what was said already, and no more than is kept."""
        with contextlib.suppress(BlockingIOError):
            while not output.is_full and self._take(output, on_output):
                pass
        _hand_on(output.heard(b"", is_last=True), on_output)

    def _take(self, output: Output, on_output: OnOutput | None) -> bool:
        """Read what is there; false at the end. Raises BlockingIOError where nothing is there."""
        for _ in range(_READS_AT_ONCE):
            count = os.readv(self._said, [self._buffer])
            if not count:
                return False
            _hand_on(output.heard(memoryview(self._buffer)[:count]), on_output)
        return True

    async def watch(self, before: files.Look) -> None:
        """Look at what is taken, again and again, and end everything where it is too much.

        Args:
            before: what lay there when the call began. What was too much then may be mended, by taking away.
        """
        allowed_bytes = max(self._limits.disk_bytes, before.taken_bytes + _GRACE_BYTES)
        allowed_entries = max(self._limits.entries, before.entries + _GRACE_ENTRIES)
        began_free: watching.Free | None = None
        took_s = 0.0
        while True:
            await anyio.sleep(max(_LOOK_EVERY_S, _LOOK_SHARE * took_s))
            began_s = anyio.current_time()
            free, excess = await anyio.to_thread.run_sync(
                self._look, allowed_bytes, allowed_entries, abandon_on_cancel=True
            )
            began_free = began_free or free
            took_s = anyio.current_time() - began_s
            self.excess = excess or free.excess(began_free)
            if self.excess:
                self.kill()
                return

    def _look(self, allowed_bytes: int, allowed_entries: int) -> tuple[watching.Free, str]:
        """What the machine has left, and why everything has to end, if it has. Blocks."""
        limits = self._limits
        free = watching.Free.now(self._place.folder)
        pids = watching.members(self.pid)
        if len(pids) > limits.processes:
            return free, f"It had more than {limits.processes} processes at once."
        if watching.memory_bytes(pids, most_bytes=limits.memory_bytes) > limits.memory_bytes:
            return free, f"It took more than {limits.memory_bytes // 2**20} MiB of memory."
        found = watching.taken(self._place.writable, entries_most=allowed_entries)
        if found.entries > allowed_entries or not found.is_whole:
            return free, f"It made more than {allowed_entries} files and folders, or nested them too deeply."
        if found.taken_bytes + watching.nameless_bytes(pids) > allowed_bytes:
            return free, f"Its files took more than {allowed_bytes // 2**20} MiB of disk."
        return free, ""

    def kill(self) -> None:
        """Kill everything inside; the kernel ends a whole namespace with its first process."""
        if self.has_ended:
            return
        if self._within is not None:
            watching.end([self._within])
        else:
            watching.end(watching.members(self.pid))

    async def freeze(self, pid: int) -> bool:
        """Stop one process of it, and end all others that it or they started; false where that cannot be done."""
        if self.has_ended:
            return False
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return False
        kept = frozenset(one for one in (self.pid, self._within, pid) if one is not None)
        return await anyio.to_thread.run_sync(watching.end_others, self.pid, kept)

    async def end(self) -> None:
        """End everything, and wait for it, but not for long."""
        with anyio.CancelScope(shield=True):
            self.kill()
            with anyio.move_on_after(_END_S):
                await self.process.wait()
            if not self.has_ended:
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()
                await self.process.wait()
            await self.process.aclose()
            if self._said >= 0:
                os.close(self._said)
                self._said = -1


def _hand_on(text: str, on_output: OnOutput | None) -> None:
    if text and on_output is not None:
        on_output(text)


def _enlarge(pipe: int) -> None:
    if sys.platform == "linux":
        import fcntl

        # Who has many pipes open gets no larger ones.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _READ_BYTES)


def _pipe(ours: list[int], theirs: list[int]) -> tuple[int, int]:
    """A pipe from a process to this one."""
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    _enlarge(reads)
    ours.append(reads)
    theirs.append(writes)
    return reads, writes


def _closed(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


async def _number_within(heard: int) -> int | None:
    """The number, on this machine, of the first process inside; None where bubblewrap ended before it told."""
    told = b""
    while b"}" not in told:
        await anyio.wait_readable(heard)
        part = os.read(heard, 4096)
        if not part:
            return None
        told += part
    return int(json.loads(told)["child-pid"])
