"""Owns main memory, and how much of it a process holds; knows nothing of what is in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from paddock.hardware.limits import Limits, read_limits, text_of

_PROC = Path("/proc")
_KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Main memory in bytes. `limit_bytes` is a container's, None where there is none; `available_bytes` respects it."""

    total_bytes: int
    available_bytes: int
    limit_bytes: int | None

    @property
    def usable_bytes(self) -> int:
        """The most this process could ever have."""
        return min(self.total_bytes, self.limit_bytes or self.total_bytes)


def read_memory(limits: Limits | None = None) -> Memory:
    """Memory at this moment; the limits are read afresh unless they are given."""
    # Slow to import: a server must not pay for it before it plans.
    import psutil

    limits = limits or read_limits()
    memory = psutil.virtual_memory()
    available = memory.available
    if limits.memory_left_bytes is not None:
        available = min(available, limits.memory_left_bytes)
    limit = limits.memory_bytes if limits.memory_bytes and limits.memory_bytes < memory.total else None
    return Memory(total_bytes=memory.total, available_bytes=available, limit_bytes=limit)


def held_bytes(pid: int) -> int:
    """What a process would need to run on: its own memory, and what it used of files since the last `forget_uses`.

    Pages of a file that it read once and never again are not counted where the kernel tells them apart (Linux): they
    can leave without harm. Elsewhere all of its resident memory counts. 0 for a process that is gone.
    """
    smaps = text_of(_PROC / str(pid) / "smaps") if sys.platform == "linux" else ""
    if smaps:
        return parse_smaps(smaps)
    import psutil

    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def forget_uses(pid: int) -> None:
    """Let the kernel forget which pages of files a process has used; where it cannot, nothing happens."""
    try:
        (_PROC / str(pid) / "clear_refs").write_text("3")
    except OSError:
        return


def parse_smaps(text: str) -> int:
    """The bytes that /proc/PID/smaps tells of: what belongs to the process, and of files what was used."""
    held_kib = referenced_kib = 0
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name not in ("Anonymous", "Referenced"):
            continue
        kib = int(rest.split()[0])
        if name == "Referenced":
            # Comes first in each mapping; pages of the process's own may be among those.
            referenced_kib = kib
        else:
            held_kib += max(kib, referenced_kib)
    return _KIB * held_kib
