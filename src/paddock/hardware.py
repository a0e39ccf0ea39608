"""Owns what this machine is: usable CPU cores and their features, memory, and the limits of a container around us.

Refuses to know what any of it is used for. Covered: Linux with cgroup version 1 and 2; macOS and Windows as far as the
system tells without extra programs. Not covered: GPUs, quotas of other containers on the same machine.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
_UNLIMITED_BYTES = 2**60
"""Version 1 writes "no limit" as the largest page-aligned number; nothing real comes near this."""

_FEATURES: dict[str, str] = {
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_int8": "AMX",
    "asimd": "NEON",
    "neon": "NEON",
    "asimddp": "DOTPROD",
    "i8mm": "I8MM",
    "sve": "SVE",
}
_SYSCTL_FEATURES: dict[str, str] = {
    "avx1.0": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx512f": "AVX-512",
    "hw.optional.neon": "NEON",
    "hw.optional.arm.advsimd": "NEON",
    "hw.optional.arm.feat_dotprod": "DOTPROD",
    "hw.optional.arm.feat_i8mm": "I8MM",
}
_WINDOWS_FEATURES: dict[int, str] = {39: "AVX", 40: "AVX2", 41: "AVX-512", 19: "NEON", 43: "DOTPROD"}


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """The processor as this process may use it.

    `usable_cores` is at least 1 and counts what affinity and a container's quota leave; `quota_cores` is the quota
    itself, None where there is none. `features` holds only those that a model's arithmetic gains from.
    """

    name: str
    architecture: str
    cores: int
    usable_cores: int
    quota_cores: float | None
    features: tuple[str, ...]


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


@dataclass(frozen=True, kw_only=True)
class Machine:
    """This machine at one moment."""

    system: str
    cpu: Cpu
    memory: Memory


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a container allows and has left; None where it sets no limit. Cache that can be dropped counts as left."""

    cpu_cores: float | None = None
    memory_bytes: int | None = None
    memory_left_bytes: int | None = None


def describe() -> Machine:
    """This machine now: some milliseconds of file reads, no network, no other program (but `sysctl` on macOS)."""
    limits = read_limits()
    return Machine(system=f"{platform.system()} {platform.release()}", cpu=_cpu(limits), memory=_memory(limits))


def usable_cores() -> int:
    """CPU cores that this process may keep busy, at least 1."""
    return _usable_cores(read_limits().cpu_cores)


def read_limits(*, cgroups: Path = _CGROUPS, proc: Path = _PROC) -> Limits:
    """The tightest limits of the control groups that this process is in; empty where there are none."""
    groups = parse_cgroup(_text(proc / "self" / "cgroup"))
    cpu: list[float] = []
    memory: list[tuple[int, int]] = []
    for mount in (cgroups, cgroups / "unified"):
        for folder in _ancestry(mount, groups.get("", "/")):
            quota = parse_cpu_max(_text(folder / "cpu.max"))
            cpu.extend([quota] if quota else [])
            limit = parse_bytes(_text(folder / "memory.max"))
            if limit is not None:
                memory.append((limit, _used(folder, "memory.current", "inactive_file")))
    for folder in _ancestry(cgroups / "cpu", groups.get("cpu", "/")):
        quota = parse_cfs(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))
        cpu.extend([quota] if quota else [])
    for folder in _ancestry(cgroups / "memory", groups.get("memory", "/")):
        limit = parse_bytes(_text(folder / "memory.limit_in_bytes"))
        if limit is not None:
            memory.append((limit, _used(folder, "memory.usage_in_bytes", "total_inactive_file")))
    return Limits(
        cpu_cores=min(cpu, default=None),
        memory_bytes=min((limit for limit, _ in memory), default=None),
        memory_left_bytes=min((max(0, limit - used) for limit, used in memory), default=None),
    )


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    """The processor's name ("" where it has none) and its features, from the text of /proc/cpuinfo."""
    name = ""
    flags: set[str] = set()
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in ("model name", "Model") and not name:
            name = value
        if key in ("flags", "Features") and not flags:
            flags = set(value.split())
    return name, _named(flags, _FEATURES)


def parse_sysctl(text: str) -> tuple[str, tuple[str, ...]]:
    """The same from the lines of `sysctl machdep.cpu hw.optional` on macOS."""
    name = ""
    flags: set[str] = set()
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "machdep.cpu.brand_string":
            name = value
        elif key in ("machdep.cpu.features", "machdep.cpu.leaf7_features"):
            flags.update(value.lower().split())
        elif value == "1":
            flags.add(key.lower())
    return name, _named(flags, _SYSCTL_FEATURES)


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


def _cpu(limits: Limits) -> Cpu:
    if sys.platform == "linux":
        name, features = parse_cpuinfo(_text(_PROC / "cpuinfo"))
    elif sys.platform == "darwin":
        name, features = parse_sysctl(_sysctl())
    else:
        name, features = "", _windows_features()
    return Cpu(
        name=name or platform.processor() or "unknown",
        architecture=platform.machine(),
        cores=os.cpu_count() or 1,
        usable_cores=_usable_cores(limits.cpu_cores),
        quota_cores=limits.cpu_cores,
        features=features,
    )


def _usable_cores(quota_cores: float | None) -> int:
    # Rounded down: a thread beyond the quota is stopped in the middle of a matrix, and all others wait for it.
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(allowed, int(quota_cores or allowed)))


def _memory(limits: Limits) -> Memory:
    # Slow to import, and only asked for by the doctor: serving must not pay for it.
    import psutil

    memory = psutil.virtual_memory()
    available = memory.available
    if limits.memory_left_bytes is not None:
        available = min(available, limits.memory_left_bytes)
    limit = limits.memory_bytes if limits.memory_bytes and limits.memory_bytes < memory.total else None
    return Memory(total_bytes=memory.total, available_bytes=available, limit_bytes=limit)


def _ancestry(mount: Path, group: str) -> list[Path]:
    # Inside a container the path may be the host's and not exist here; the mount itself is then the container's group.
    parts = [part for part in group.split("/") if part not in ("", "..")]
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _used(folder: Path, usage: str, droppable: str) -> int:
    used = parse_bytes(_text(folder / usage)) or 0
    return max(0, used - parse_stat(_text(folder / "memory.stat"), droppable))


def _named(flags: set[str], names: dict[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for flag, label in names.items() if flag in flags))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl() -> str:
    try:
        return subprocess.run(
            ["sysctl", "machdep.cpu", "hw.optional"], capture_output=True, text=True, timeout=5, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _windows_features() -> tuple[str, ...]:
    if sys.platform != "win32":
        return ()
    import ctypes

    present = ctypes.windll.kernel32.IsProcessorFeaturePresent
    return tuple(label for number, label in _WINDOWS_FEATURES.items() if present(number))
