"""Owns one program of a server of tools: begins it, and lets nothing of it outlive paddock. A process of its own.

It is run as a file, with Python's own library alone, so that it begins at once. The program has this process's
standard streams. Ends with the program; or on SIGTERM, which the kernel also sends when paddock dies. Covered: on
Linux all that the program ever started, also what made itself a group of its own. Not covered elsewhere: that.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36
_IS_LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None) if _IS_LINUX else None
_GRACE_S = 1.0
_KILLING_S = 3.0
_LOOKED_EVERY_S = 1.0
NOT_STARTED = 127


class _Asked(BaseException):
    """Somebody wants the program ended."""


def main(parent: int, words: list[str]) -> int:
    """Run the program to its end, or until paddock, which is `parent`, goes; its status."""
    signal.signal(signal.SIGTERM, _ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _LIBC is not None:
        _LIBC.prctl(_SET_SUBREAPER, 1)
        _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    code = NOT_STARTED
    try:
        if os.getppid() == parent:
            code = _run(parent, words)
    except _Asked:
        code = 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_all()
    return code


def _run(parent: int, words: list[str]) -> int:
    child = os.fork()
    if not child:
        _become(words)
    # What it says and hears is its own: were these held here, its end would not be seen.
    for stream in (0, 1):
        os.close(stream)
    while True:
        found, status = os.waitpid(child, 0 if _IS_LINUX else os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if os.getppid() != parent:
            raise _Asked
        time.sleep(_LOOKED_EVERY_S)


def _become(words: list[str]) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    if _LIBC is not None:
        _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        os.write(2, f"{words[0]}: {error.strerror}\n".encode("utf-8", "replace"))
    os._exit(NOT_STARTED)


def _ask(number: int, frame: FrameType | None) -> None:
    raise _Asked


def _end_all() -> None:
    """End whatever is left, at first kindly."""
    deadline_s = time.monotonic() + _GRACE_S
    number = signal.SIGTERM
    while left := _left():
        if number == signal.SIGTERM or time.monotonic() > deadline_s:
            if time.monotonic() > deadline_s + _KILLING_S:
                return
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL if time.monotonic() > deadline_s else number)
            number = 0
        time.sleep(0.02)


def _left() -> list[int]:
    """All that descends from this process and still runs, once those that ended are taken note of."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    if not _IS_LINUX:
        # What is in the group beside this process is not told; it is signalled as one, once.
        return []
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                    state, parent = stat.read().rpartition(")")[2].split()[:2]
                if state not in ("Z", "X"):
                    parents[int(name)] = int(parent)
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


if __name__ == "__main__":
    status = main(int(sys.argv[1]), sys.argv[2:])
    if not _IS_LINUX:
        with contextlib.suppress(OSError):
            os.killpg(0, signal.SIGKILL)
    sys.exit(status)
