"""Owns what every engine's process has in common with its parent: how it speaks, and that it dies with it.

Spoken with the parent (`engine/process.py`):

* stdin: one JSON line `{"api_key": …}`, then silence. End of file means that the parent is gone: the child ends.
* stdout: one JSON line, `{"event": "ready", "port": …}` or `{"event": "failed", "message": …}` with exit status 1.
* stderr: the engine's log.

Knows no engine.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Of 1000: as if it held half of the machine's memory beside its own.
_ENDED_FIRST = "500"
# Loaded beforehand: between fork and exec nothing may be.
if sys.platform == "linux":
    _LIBC = ctypes.CDLL(None, use_errno=True)
# Each waiting request holds one of the engine's HTTP threads, so slots alone would starve /health and /slots.
SPARE_HTTP_THREADS = 64
# Memory for prompts that left their slot.
PROMPT_CACHE_MIB = 256


def prompt_cache_mib(*, has_adapters: bool) -> int:
    """The memory for prompts that left their slot, in MiB.

    llama.cpp does not keep with them which adapters they were read with, and would go on with one's for another.
    """
    return 0 if has_adapters else PROMPT_CACHE_MIB


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies; Linux alone can."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have gone before the call above took hold.
    if os.getppid() != parent:
        os._exit(0)


def be_ended_first() -> None:
    """Have the kernel end this process before others when memory runs out: it can be started anew. Linux alone can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_ENDED_FIRST, "ascii")


def read_key() -> str | None:
    """The private key that the parent sends; None when it is gone already."""
    opening = sys.stdin.buffer.readline()
    return str(json.loads(opening)["api_key"]) if opening else None


def leave_with_stdin(last: Callable[[], object] = lambda: None) -> None:
    """From here on, the end of stdin ends this process; `last` is called before."""

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        last()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def report(**fields: object) -> None:
    """One line to the parent."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
