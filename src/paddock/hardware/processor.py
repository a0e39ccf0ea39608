"""Owns the processor: its name, its cores as this process may use them, and its features; knows no memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from paddock.hardware.limits import Limits, read_limits, text_of

_CPUINFO = Path("/proc/cpuinfo")

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


def usable_cores() -> int:
    """CPU cores that this process may keep busy, at least 1."""
    return _usable_cores(read_limits().cpu_cores)


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


def read_cpu(limits: Limits) -> Cpu:
    """The processor under a container's limits."""
    if sys.platform == "linux":
        name, features = parse_cpuinfo(text_of(_CPUINFO))
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


def _named(flags: set[str], names: dict[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for flag, label in names.items() if flag in flags))


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
