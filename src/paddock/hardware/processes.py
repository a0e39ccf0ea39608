"""Owns what the system tells of a process and its children: memory, time, files, connections; judges nothing.

All of it blocks for some milliseconds at most.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from paddock.hardware.limits import text_of

_PROC = Path("/proc")
_KIB = 1024
_DEPTH_MOST = 8


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What one process takes now. None is what the system does not tell.

    `started_s` is unix time, `cpu_s` the seconds of one core since then, `memory_bytes` what is resident.
    """

    started_s: float
    cpu_s: float
    memory_bytes: int
    threads: int
    open_files: int | None
    open_files_most: int | None


def taken_by(pid: int) -> Taken | None:
    """What a process takes; None if it is gone. Reads a few files of the system: less than a millisecond."""
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return Taken(
                started_s=process.create_time(),
                cpu_s=times.user + times.system,
                memory_bytes=process.memory_info().rss,
                threads=process.num_threads(),
                open_files=None if sys.platform == "win32" else process.num_fds(),
                open_files_most=process.rlimit(psutil.RLIMIT_NOFILE)[0] if sys.platform == "linux" else None,
            )
    except psutil.Error:
        return None


def own_bytes(pid: int) -> int:
    """The memory that a process and its children made for themselves, in bytes, also where it was swapped out.

    What they read of files does not count. 0 for a process that is gone, and where the system does not tell (all but
    Linux).
    """
    if sys.platform != "linux":
        return 0
    return sum(parse_status(text_of(_PROC / str(one) / "status")) for one in _family(pid))


def half_closed(pid: int, port: int) -> frozenset[int]:
    """The ports of the clients that closed their connection to `port` while the process still holds its end open."""
    # Slow to import: a server must not pay for it before it looks.
    import psutil

    found: set[int] = set()
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            found.update(
                int(link.raddr.port)
                for link in one.net_connections("tcp")
                if link.status == psutil.CONN_CLOSE_WAIT and link.laddr.port == port
            )
    except psutil.Error:
        # It is gone, or may not be looked at.
        return frozenset()
    return frozenset(found)


def parse_status(text: str) -> int:
    """The bytes of its own that /proc/PID/status tells of; 0 where it does not."""
    kib = 0
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in ("RssAnon", "VmSwap"):
            kib += int(rest.split()[0])
    return _KIB * kib


def _family(pid: int, depth: int = 0) -> list[int]:
    children = text_of(_PROC / str(pid) / "task" / str(pid) / "children").split()
    if depth == _DEPTH_MOST:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child), depth + 1))]
