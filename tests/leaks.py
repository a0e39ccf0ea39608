"""Finds what a test left behind: processes, threads, sockets, files. Knows nothing of pytest or of paddock.

Not covered: what a process other than this one holds open, and descriptors where the system has no `/proc`.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

VARIABLE = "PADDOCK_TEST_SESSION"
SESSION = uuid.uuid4().hex
GRACE_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What was there before a test."""

    pids: frozenset[int]
    threads: frozenset[threading.Thread]
    files: frozenset[str]


def mark_session() -> None:
    """Give every process that is started from here on a mark by which its orphans are found."""
    os.environ[VARIABLE] = SESSION


def standing() -> Standing:
    """What is there now."""
    return Standing(
        pids=frozenset(psutil.pids()), threads=frozenset(threading.enumerate()), files=frozenset(open_files())
    )


def left_since(before: Standing) -> list[str]:
    """What is there now and was not before, in words. A process that an older one of ours started is that one's."""
    now = standing()
    processes = [told for pid in now.pids - before.pids if (told := stray(pid, before.pids))]
    running = [f"thread {thread.name}" for thread in now.threads - before.threads]
    return [*processes, *running, *sorted(now.files - before.files)]


def survivors() -> list[str]:
    """Every marked process but this one."""
    return [told for pid in psutil.pids() if pid != os.getpid() and (told := stray(pid, frozenset()))]


def once_settled(find: Callable[[], list[str]]) -> list[str]:
    """What `find` still finds after a grace of GRACE_S, in which threads and processes may end."""
    deadline = time.monotonic() + GRACE_S
    while (left := find()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def stray(pid: int, before: frozenset[int]) -> str:
    """The words for a process that a test started and left; empty for everything else."""
    try:
        process = psutil.Process(pid)
        parent, name, status = process.ppid(), process.name(), process.status()
    except psutil.Error:
        return ""
    if parent == os.getpid():
        return f"process {pid} {name} {status}"
    kept = parent in before and is_marked(parent)
    return f"process {pid} {name} {status}, child of {parent}" if is_marked(pid) and not kept else ""


def is_marked(pid: int) -> bool:
    """Whether a process was started from this session; false where its environment may not be read."""
    try:
        return psutil.Process(pid).environ().get(VARIABLE) == SESSION
    except psutil.Error:
        return False


def open_files() -> set[str]:
    """Descriptors of this process, with what they stand for."""
    found: set[str] = set()
    for entry in Path("/proc/self/fd").glob("*"):
        try:
            found.add(f"descriptor {entry.name} {entry.readlink()}")
        except OSError:  # the listing's own, closed by now
            continue
    return found
