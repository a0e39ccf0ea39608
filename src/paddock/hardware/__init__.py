"""Owns what this machine is: cores and their features, memory, limits of a container, GPUs; refuses to know what for.

Covered: Linux with cgroup version 1 and 2; macOS and Windows as far as the system tells. GPUs are found by asking the
makers' tools (`tools`), whose words `accelerators` reads.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from paddock.hardware.accelerators import Accelerator, Found
from paddock.hardware.limits import (
    Limits,
    parse_bytes,
    parse_cfs,
    parse_cgroup,
    parse_cpu_max,
    parse_stat,
    read_limits,
)
from paddock.hardware.memory import Memory, forget_uses, held_bytes, read_memory
from paddock.hardware.processor import Cpu, parse_cpuinfo, parse_sysctl, read_cpu, usable_cores
from paddock.hardware.tools import find_accelerators

__all__ = [
    "Accelerator",
    "Cpu",
    "Found",
    "Limits",
    "Machine",
    "Memory",
    "describe",
    "find_accelerators",
    "forget_uses",
    "held_bytes",
    "parse_bytes",
    "parse_cfs",
    "parse_cgroup",
    "parse_cpu_max",
    "parse_cpuinfo",
    "parse_stat",
    "parse_sysctl",
    "read_limits",
    "read_memory",
    "usable_cores",
]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """This machine at one moment, but for its GPUs."""

    system: str
    cpu: Cpu
    memory: Memory


def describe() -> Machine:
    """This machine now: some milliseconds of file reads, no network, no other program (but `sysctl` on macOS)."""
    limits = read_limits()
    return Machine(system=f"{platform.system()} {platform.release()}", cpu=read_cpu(limits), memory=read_memory(limits))
