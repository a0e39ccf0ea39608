"""Owns the limits of the control groups (containers, services) around this process; knows no processor and no memory.

Covered: version 1 and 2, limits of every enclosing group. Not covered: quotas of other containers on the same machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
_UNLIMITED_BYTES = 2**60
"""Version 1 writes "no limit" as the largest page-aligned number; nothing real comes near this."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a container allows and has left; None where it sets no limit. Cache that can be dropped counts as left."""

    cpu_cores: float | None = None
    memory_bytes: int | None = None
    memory_left_bytes: int | None = None


def read_limits(*, cgroups: Path = _CGROUPS, proc: Path = _PROC) -> Limits:
    """The tightest limits of the control groups that this process is in; empty where there are none."""
    groups = parse_cgroup(text_of(proc / "self" / "cgroup"))
    cpu: list[float] = []
    memory: list[tuple[int, int]] = []
    for mount in (cgroups, cgroups / "unified"):
        for folder in _ancestry(mount, groups.get("", "/")):
            quota = parse_cpu_max(text_of(folder / "cpu.max"))
            cpu.extend([quota] if quota else [])
            limit = parse_bytes(text_of(folder / "memory.max"))
            if limit is not None:
                memory.append((limit, _used(folder, "memory.current", "inactive_file")))
    for folder in _ancestry(cgroups / "cpu", groups.get("cpu", "/")):
        quota = parse_cfs(text_of(folder / "cpu.cfs_quota_us"), text_of(folder / "cpu.cfs_period_us"))
        cpu.extend([quota] if quota else [])
    for folder in _ancestry(cgroups / "memory", groups.get("memory", "/")):
        limit = parse_bytes(text_of(folder / "memory.limit_in_bytes"))
        if limit is not None:
            memory.append((limit, _used(folder, "memory.usage_in_bytes", "total_inactive_file")))
    return Limits(
        cpu_cores=min(cpu, default=None),
        memory_bytes=min((limit for limit, _ in memory), default=None),
        memory_left_bytes=min((max(0, limit - used) for limit, used in memory), default=None),
    )


def parse_cgroup(text: str) -> dict[str, str]:
    """The group's path for each controller, from /proc/self/cgroup; version 2 is the controller ""."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                paths[controller] = parts[2]
    return paths


def parse_cpu_max(text: str) -> float | None:
    """Cores allowed by version 2's `cpu.max` ("200000 100000" is 2 cores, "max 100000" no limit)."""
    quota, _, period = text.strip().partition(" ")
    return parse_cfs(quota, period)


def parse_cfs(quota: str, period: str) -> float | None:
    """Cores allowed by a quota per period, both in microseconds; a quota of -1 or "max" is no limit."""
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def parse_bytes(text: str) -> int | None:
    """A limit in bytes; None for "max", for version 1's huge number, and for no text."""
    try:
        limit = int(text)
    except ValueError:
        return None
    return limit if 0 < limit < _UNLIMITED_BYTES else None


def parse_stat(text: str, key: str) -> int:
    """One figure out of `memory.stat`; 0 where it is not there."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key and value.strip().isdigit():
            return int(value)
    return 0


def _ancestry(mount: Path, group: str) -> list[Path]:
    # Inside a container the path may be the host's and not exist here; the mount itself is then the container's group.
    parts = [part for part in group.split("/") if part not in ("", "..")]
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _used(folder: Path, usage: str, droppable: str) -> int:
    used = parse_bytes(text_of(folder / usage)) or 0
    return max(0, used - parse_stat(text_of(folder / "memory.stat"), droppable))


def text_of(path: Path) -> str:
    """A small file's text; "" where it cannot be read."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
