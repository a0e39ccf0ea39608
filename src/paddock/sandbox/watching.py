"""Owns what the processes of a workspace take, looked at from outside, and ending them; starts none.

They are the descendants of one process, whatever they do: within walls nobody's child is given away beyond them.
Without walls a process that makes itself nobody's child and begins a session of its own escapes that look.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from paddock.sandbox import files

_PAGE_BYTES = 4096 if sys.platform == "win32" else os.sysconf("SC_PAGE_SIZE")
# What is to stay free, whoever takes it: programs can take memory and disk in ways that nobody counts to them.
_MEMORY_KEPT_BYTES = 128 * 2**20
_DISK_KEPT_BYTES = 256 * 2**20
_SPENT_BYTES = 64 * 2**20
_ENDING_ROUNDS = 50
_DEAD = (b"Z", b"X")
_ENDED_FIRST = "500"


@dataclass(frozen=True, kw_only=True)
class Free:
    """What the machine has left."""

    memory_bytes: int
    disk_bytes: int

    @classmethod
    def now(cls, folder: Path) -> Free:
        """At this moment, of memory and of the disk of that folder. Blocks."""
        disk = os.statvfs(folder)
        return cls(memory_bytes=_available_bytes(), disk_bytes=disk.f_bavail * disk.f_frsize)

    def excess(self, since: Free) -> str:
        """Why whoever works should stop, as a sentence; "" where enough is left, or it was as little before."""
        for what, left, before, kept in (
            ("memory", self.memory_bytes, since.memory_bytes, _MEMORY_KEPT_BYTES),
            ("disk", self.disk_bytes, since.disk_bytes, _DISK_KEPT_BYTES),
        ):
            if left < kept and before - left > _SPENT_BYTES:
                return f"This machine has hardly any {what} left."
        return ""


def members(pid: int) -> list[int]:
    """A process and its descendants, and whoever is of a session that it began; none that is dead. Blocks."""
    if sys.platform != "linux":
        return _told_by_psutil(pid)
    children: dict[int, list[int]] = defaultdict(list)
    found: list[int] = []
    dead: set[int] = set()
    for name in os.listdir("/proc"):
        if name.isdecimal() and (told := _stat(name)):
            state, parent, session = told
            if state in _DEAD:
                dead.add(int(name))
            children[parent].append(int(name))
            if session == pid and int(name) != pid:
                found.append(int(name))
    waiting, seen = [pid, *found], {pid, *found}
    while waiting:
        one = waiting.pop()
        fresh = [child for child in children[one] if child not in seen]
        seen.update(fresh)
        waiting += fresh
    return sorted(seen - dead)


def memory_bytes(pids: Iterable[int], *, most_bytes: int) -> int:
    """What processes take together. What they share is counted once, where that decides whether it is too much."""
    pids = list(pids)
    rough = sum(_resident_bytes(pid) for pid in pids)
    return rough if rough <= most_bytes else sum(_own_bytes(pid) for pid in pids)


def nameless_bytes(pids: Iterable[int]) -> int:
    """What files take on disk that have no name any more, and live on while processes hold them. Blocks."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                with contextlib.suppress(OSError):
                    one = os.stat(f"{folder}/{name}")
                    if stat.S_ISREG(one.st_mode) and one.st_nlink == 0:
                        found[one.st_dev, one.st_ino] = one.st_blocks * 512
    return sum(found.values())


def taken(folders: Iterable[Path], *, entries_most: int) -> files.Look:
    """What lies in several folders together; its names are nobody's. Blocks."""
    looks = [files.look(folder, entries_most=entries_most) for folder in folders]
    return files.Look(
        taken_bytes=sum(one.taken_bytes for one in looks),
        entries=sum(one.entries for one in looks),
        is_whole=all(one.is_whole for one in looks),
    )


def end(pids: Iterable[int]) -> None:
    """Kill processes, of which some may be gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end_others(pid: int, kept: frozenset[int]) -> bool:
    """Kill the descendants of a process but for some; false where they come faster than they go. Blocks."""
    for _ in range(_ENDING_ROUNDS):
        left = [one for one in members(pid) if one not in kept]
        if not left:
            return True
        end(left)
    return False


def be_ended_first(pid: int) -> None:
    """Have the kernel end a process, and what it starts, before others when memory runs out. Linux alone can."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(_ENDED_FIRST, "ascii")


def _stat(name: str) -> tuple[bytes, int, int] | None:
    """A process's state, parent and session."""
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            told = file.read()
    except OSError:
        return None
    # Its name is within the last brackets, and may hold any.
    fields = told[told.rfind(b")") + 2 :].split(None, 5)
    return (fields[0], int(fields[1]), int(fields[3])) if len(fields) > 4 else None


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def _own_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            lines = [line.split() for line in file]
    except OSError:
        return _resident_bytes(pid)
    return sum(int(line[1]) * 1024 for line in lines if line and line[0] == b"Pss:")


def _available_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _told_by_psutil(pid: int) -> list[int]:
    import psutil

    with contextlib.suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]
