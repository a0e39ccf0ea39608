"""Owns what the machine is doing at a moment: processor, memory, GPUs, processes; refuses to know what they do it for.

Covered: load of the processor over all cores; NVIDIA's GPUs by `nvidia-smi`, AMD's by the files of their driver. Not
covered: the load of other GPUs, and the processor within a container, whose kernel tells of the whole machine.
"""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paddock.hardware.limits import text_of
from paddock.hardware.memory import Memory, read_memory
from paddock.hardware.tools import said

NVIDIA_FIELDS = ("index", "name", "utilization.gpu", "memory.used", "memory.total", "temperature.gpu")
_CARDS = Path("/sys/class/drm")
_AMD = "0x1002"
_MIB = 2**20
_TOOL_TIMEOUT_S = 3.0
# A share is of the time since the look before; one that is older tells of what was.
_STALE_S = 5.0
_FIRST_LOOK_S = 0.25


@dataclass(frozen=True, kw_only=True)
class GpuMeter:
    """One GPU: how much of the time it worked (0 to 1), its memory in bytes; None where its driver does not tell."""

    api: str
    index: int
    name: str
    used_share: float | None
    used_bytes: int | None
    total_bytes: int | None
    celsius: float | None = None


@dataclass(frozen=True, kw_only=True)
class ProcessMeter:
    """One process with its children: resident memory in bytes, cores kept busy (1.5 is one and a half)."""

    name: str
    pid: int
    memory_bytes: int
    busy_cores: float | None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The machine at `time_s` (unix time). `cpu_share` is of all cores together, 0 to 1."""

    time_s: float
    cpu_share: float | None
    memory: Memory
    gpus: tuple[GpuMeter, ...]
    processes: tuple[ProcessMeter, ...]


@dataclass(kw_only=True)
class _Look:
    at_s: float
    idle_s: float
    total_s: float
    used_s: dict[int, float] = field(default_factory=dict[int, float])


class Meters:
    """Reads the machine, and remembers the look before, which shares are counted from. Blocks; one thread at a time."""

    def __init__(self, *, cards: Path = _CARDS) -> None:
        self._cards = cards
        self._before: _Look | None = None

    def read(self, processes: Mapping[str, int]) -> Reading:
        """The machine now. `processes` are process ids by the names to show; those that are gone are left out."""
        if self._before is None or time.monotonic() - self._before.at_s > _STALE_S:
            self._before = self._look(processes)[0]
            time.sleep(_FIRST_LOOK_S)
        before = self._before
        now, memory_of = self._look(processes)
        self._before = now
        spent_s, passed_s = now.total_s - before.total_s, now.at_s - before.at_s
        share = 1 - (now.idle_s - before.idle_s) / spent_s if spent_s > 0 else None

        def busy(pid: int) -> float | None:
            was = before.used_s.get(pid)
            return None if was is None or passed_s <= 0 else max(0.0, (now.used_s[pid] - was) / passed_s)

        return Reading(
            time_s=time.time(),
            cpu_share=None if share is None else min(1.0, max(0.0, share)),
            memory=read_memory(),
            gpus=(*read_nvidia(), *read_amd(self._cards)),
            processes=tuple(
                ProcessMeter(name=name, pid=pid, memory_bytes=memory_of[pid], busy_cores=busy(pid))
                for name, pid in processes.items()
                if pid in memory_of
            ),
        )

    def _look(self, processes: Mapping[str, int]) -> tuple[_Look, dict[int, int]]:
        import psutil

        times: Any = psutil.cpu_times()
        # A virtual machine's host may have had the rest; what a guest used is counted within `user` already.
        total_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        look = _Look(at_s=time.monotonic(), idle_s=times.idle + getattr(times, "iowait", 0.0), total_s=total_s)
        memory_of: dict[int, int] = {}
        for pid in processes.values():
            try:
                own = psutil.Process(pid)
                # Paddock's own children are meters of their own.
                family = [own] if pid == os.getpid() else [own, *own.children(recursive=True)]
            except psutil.Error:
                continue
            look.used_s[pid], memory_of[pid] = _taken(family)
        return look, memory_of


def _taken(family: list[Any]) -> tuple[float, int]:
    """The processor's seconds and the resident bytes of some processes together."""
    import psutil

    used_s, held_bytes = 0.0, 0
    for process in family:
        try:
            with process.oneshot():
                spent = process.cpu_times()
                held_bytes += process.memory_info().rss
                used_s += spent.user + spent.system
        except psutil.Error:
            continue
    return used_s, held_bytes


def read_nvidia() -> list[GpuMeter]:
    """NVIDIA's GPUs now; none where there is no driver."""
    words = ["nvidia-smi", f"--query-gpu={','.join(NVIDIA_FIELDS)}", "--format=csv,noheader,nounits"]
    return parse_nvidia(said(words, timeout_s=_TOOL_TIMEOUT_S))


def parse_nvidia(text: str) -> list[GpuMeter]:
    """GPUs from what `nvidia-smi --query-gpu=FIELDS --format=csv,noheader,nounits` prints; "[N/A]" is None."""
    found: list[GpuMeter] = []
    for row in csv.reader(io.StringIO(text), skipinitialspace=True):
        if len(row) != len(NVIDIA_FIELDS) or not row[0].isdigit():
            continue
        share, used, total, celsius = (int(word) if word.strip().isdigit() else None for word in row[2:])
        found.append(
            GpuMeter(
                api="cuda",
                index=int(row[0]),
                name=row[1].strip(),
                used_share=None if share is None else share / 100,
                used_bytes=None if used is None else used * _MIB,
                total_bytes=None if total is None else total * _MIB,
                celsius=celsius,
            )
        )
    return found


def read_amd(cards: Path = _CARDS) -> list[GpuMeter]:
    """AMD's GPUs now, from the files of their driver in a folder such as /sys/class/drm."""
    try:
        folders = sorted(
            card / "device" for card in cards.iterdir() if card.name.startswith("card") and "-" not in card.name
        )
    except OSError:
        return []
    found: list[GpuMeter] = []
    for folder in folders:
        total = _number(folder / "mem_info_vram_total")
        if text_of(folder / "vendor").strip() != _AMD or total is None:
            continue
        percent = _number(folder / "gpu_busy_percent")
        found.append(
            GpuMeter(
                api="rocm",
                index=len(found),
                name=text_of(folder / "product_name").strip() or "AMD GPU",
                used_share=None if percent is None else percent / 100,
                used_bytes=_number(folder / "mem_info_vram_used"),
                total_bytes=total,
            )
        )
    return found


def _number(path: Path) -> int | None:
    text = text_of(path).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None
