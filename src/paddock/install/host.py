"""Owns what choosing a build must know of a machine, as plain fields; refuses to choose.

`this_host` fills them from what the room `hardware` finds. Where nothing is told of GPUs, a machine counts as one
without.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paddock import hardware
from paddock.hardware.accelerators import parse_vulkaninfo
from paddock.hardware.processor import text_of
from paddock.hardware.tools import said

System = Literal["linux", "macos", "windows", "other"]
Processor = Literal["x64", "arm64", "other"]
Vendor = Literal["nvidia", "amd", "intel", "apple", "other"]

_TOOL_TIMEOUT_S = 10.0
_ROCM = Path("/opt/rocm/.info/version")
_VENDORS: dict[str, Vendor] = {"cuda": "nvidia", "rocm": "amd", "metal": "apple"}
_SYSTEMS: dict[str, System] = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_PROCESSORS: dict[str, Processor] = {
    "x86_64": "x64", "amd64": "x64", "x64": "x64", "aarch64": "arm64", "arm64": "arm64", "armv8l": "other",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One graphics card.

    `isa` is AMD's name of its instruction set, such as "gfx1100"; a generic one ("gfx11-generic") names no card.
    `compute_capability` is NVIDIA's, such as (8, 6). `memory_bytes` is 0 where it is not known.
    """

    vendor: Vendor
    name: str = ""
    memory_bytes: int = 0
    isa: str = ""
    compute_capability: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Host:
    """One machine. `cuda` is the newest CUDA version that its driver can run; None, like `rocm`, where there is none.

    `libc` is "glibc", "musl" or "" outside Linux. `features` are `hardware.Cpu.features`, such as "AVX2".
    """

    system: System
    processor: Processor
    libc: str = ""
    features: tuple[str, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    cuda: tuple[int, int] | None = None
    rocm: tuple[int, int] | None = None
    has_vulkan: bool = False
    has_compiler: bool = False


def this_host(machine: hardware.Machine, *, has_compiler: bool) -> Host:
    """This machine with its GPUs. Asks the makers' tools, each for a few seconds at most."""
    found = hardware.find_accelerators(machine.memory)
    return host_of(
        machine,
        gpus=[gpu_of(one) for one in found.accelerators],
        cuda=parse_cuda(said(["nvidia-smi"], timeout_s=_TOOL_TIMEOUT_S)),
        rocm=parse_version(text_of(_ROCM)),
        has_vulkan=bool(parse_vulkaninfo(said(["vulkaninfo", "--summary"], timeout_s=_TOOL_TIMEOUT_S))),
        has_compiler=has_compiler,
    )


def gpu_of(one: hardware.Accelerator) -> Gpu:
    """A GPU as `hardware` found it."""
    vendor = _VENDORS.get(one.api, "other")
    return Gpu(
        vendor=vendor,
        name=one.name,
        memory_bytes=one.total_bytes or 0,
        isa=one.architecture if vendor == "amd" else "",
        compute_capability=parse_version(one.architecture) if vendor == "nvidia" else None,
    )


def parse_cuda(text: str) -> tuple[int, int] | None:
    """The newest CUDA that a driver can run, from the heading of `nvidia-smi`."""
    _, found, rest = text.partition("CUDA Version:")
    return parse_version(rest) if found else None


def parse_version(text: str) -> tuple[int, int] | None:
    """The first two numbers of a version such as "7.2.1-43"; None where there are none."""
    match = re.match(r"\s*(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def host_of(
    machine: hardware.Machine,
    *,
    gpus: Sequence[Gpu] = (),
    cuda: tuple[int, int] | None = None,
    rocm: tuple[int, int] | None = None,
    has_vulkan: bool = False,
    has_compiler: bool = False,
) -> Host:
    """This machine for choosing a build. Reads the system; runs no other program."""
    system = _SYSTEMS.get(sys.platform, "other")
    return Host(
        system=system,
        processor=real_processor(machine.cpu.architecture, system, machine.cpu.name, os.environ),
        libc=_libc() if system == "linux" else "",
        features=machine.cpu.features,
        gpus=tuple(gpus),
        cuda=cuda,
        rocm=rocm,
        has_vulkan=has_vulkan,
        has_compiler=has_compiler,
    )


def real_processor(told: str, system: System, name: str, environ: Mapping[str, str]) -> Processor:
    """The processor itself, also where Python runs translated.

    An x64 Python on an Apple processor, or on Windows for Arm, is told "x86_64" by the system. The processor's name is
    Apple's all the same ("VirtualApple"), and Windows names the real one in PROCESSOR_ARCHITEW6432.

    Args:
        told: what the system says to this process, such as "x86_64".
        system: the system.
        name: the processor's name, as `hardware.Cpu` has it.
        environ: the environment of this process.
    """
    processor = _PROCESSORS.get(told.lower(), "other")
    if system == "macos" and "Apple" in name:
        return "arm64"
    if system == "windows" and environ.get("PROCESSOR_ARCHITEW6432", "").lower() == "arm64":
        return "arm64"
    return processor


def _libc() -> str:
    name, _ = platform.libc_ver()
    return name or "musl"
