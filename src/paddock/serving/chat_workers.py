"""Owns whether the process that was making an answer still does; refuses to know what an answer is.

Covered: processes of this host, at once; those of other hosts on the same database, by their silence.
"""

from __future__ import annotations

import os
import socket

import psutil

# What makes an answer says so each second; another host's clock may differ.
_SILENT_S = 60.0


def name_of_this() -> str:
    """This process, among all of all hosts."""
    return f"{socket.gethostname()}/{os.getpid()}/{psutil.Process().create_time():.2f}"


def is_gone(worker: str | None, beat_s: float | None, *, now_s: float) -> bool:
    """Whether nobody works any more on what `worker` was making, and last said so at `beat_s`."""
    host, _, rest = (worker or "").partition("/")
    pid, _, created = rest.partition("/")
    if host == socket.gethostname() and pid.isdecimal():
        try:
            there = psutil.Process(int(pid))
            # Its parent may never take note that it has ended, as in many a container.
            return there.status() == psutil.STATUS_ZOMBIE or f"{there.create_time():.2f}" != created
        except psutil.Error:
            return True
    return beat_s is None or now_s - beat_s > _SILENT_S
