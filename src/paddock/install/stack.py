"""Owns which build of torch suits a machine for training, and why or why not; pure: fetches and installs nothing.

Covered: NVIDIA's cards by their driver and compute capability, AMD's by the instruction sets that the build has kernels
for, Apple's processors, processors alone. Not covered: Intel's cards, and AMD's on Windows, for which torch has builds
that paddock does not know of: they train on the processor.

Sources, read in November 2026: PyTorch's own tables of release 2.13 (CUDA 12.6 and 13.0 with the capabilities each has
kernels for, ROCm 7.2), and the requirements that the package itself tells. Sizes of the builds for processors were
measured, those of the others are estimated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from paddock.install.host import Gpu, Host
from paddock.install.rank import has_real_isa

Accelerator = Literal["cuda", "rocm", "mps", "cpu"]
VERSION = "2.13.0"
INDEX = "https://download.pytorch.org/whl"
_MB = 10**6
# The rest of the stack, measured on Linux x86-64.
REST_DOWNLOAD_BYTES = 235 * _MB
REST_BYTES = 1025 * _MB
# Ray with what it needs beside these, measured so too.
RAY_DOWNLOAD_BYTES = 82 * _MB
RAY_BYTES = 250 * _MB
_ROCM_ISAS = re.compile("gfx(900|906|908|90a|942|950|1030|1100|1101|1102|1150|1151|1200|1201)")


@dataclass(frozen=True, kw_only=True)
class Torch:
    """One build of torch.

    `label` is what follows the version in the wheel's name, "" for the one that pip's own index has. `index` is where
    such wheels lie under `INDEX`, "" for pip's own. Sizes include the libraries that it brings.
    """

    name: str
    accelerator: Accelerator
    label: str
    index: str
    download_bytes: int
    bytes: int

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"torch=={VERSION}{'+' if self.label else ''}{self.label}"


# name, accelerator, label, index, download and disk in MB
_ROWS: tuple[tuple[str, Accelerator, str, str, int, int], ...] = (
    ("cuda-13.0", "cuda", "cu130", "cu130", 2400, 6000),
    ("cuda-12.6", "cuda", "cu126", "cu126", 2700, 6500),
    ("rocm-7.2", "rocm", "rocm7.2", "rocm7.2", 4500, 16000),
    ("mps", "mps", "", "", 90, 450),
    ("cpu", "cpu", "cpu", "cpu", 200, 780),
)
BUILDS: dict[str, Torch] = {
    name: Torch(name=name, accelerator=kind, label=label, index=index, download_bytes=download * _MB, bytes=disk * _MB)
    for name, kind, label, index, download, disk in _ROWS
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a build suits the machine; `reason` is a sentence."""

    build: Torch
    fits: bool
    reason: str


def verdicts(host: Host) -> tuple[Verdict, ...]:
    """Every build, in the order in which they are preferred: a card's before the processor's."""
    judge = {"cuda": _cuda, "rocm": _rocm, "mps": _mps, "cpu": _cpu}
    return tuple(judge[build.accelerator](host, build) for build in BUILDS.values())


def best(found: Iterable[Verdict]) -> Verdict | None:
    """The first that suits the machine."""
    return next((one for one in found if one.fits), None)


def _no(build: Torch, reason: str) -> Verdict:
    return Verdict(build=build, fits=False, reason=reason)


def _against_system(host: Host, build: Torch) -> str:
    """What keeps any build of torch from this system; "" where nothing does."""
    if host.libc == "musl":
        return "torch has no build for systems with musl, such as Alpine: train on one with glibc."
    if host.system == "macos":
        return "" if build.accelerator in ("mps", "cpu") else "There are no such cards in a Mac."
    if (host.system, host.processor) not in {("linux", "x64"), ("linux", "arm64"), ("windows", "x64")}:
        return f"torch has no build for {host.system} on {host.processor}."
    return ""


def _cuda(host: Host, build: Torch) -> Verdict:
    cards = [gpu for gpu in host.gpus if gpu.vendor == "nvidia"]
    if not cards:
        return _no(build, "It needs an NVIDIA card, and none was found.")
    if reason := _against_system(host, build):
        return _no(build, reason)
    if host.cuda is None:
        return _no(build, "It needs NVIDIA's driver, and that does not answer. Mend or install the driver.")
    runs = ".".join(map(str, host.cuda))
    wanted = build.name.removeprefix("cuda-")
    if host.cuda[0] < int(wanted.partition(".")[0]):
        return _no(build, f"It needs a driver for CUDA {wanted}; this one runs up to CUDA {runs}. Update the driver.")
    least, most = _capabilities(host, build)
    known = [gpu.compute_capability for gpu in cards if gpu.compute_capability]
    fitting = [one for one in known if least <= one <= most]
    if known and not fitting:
        told = ".".join(map(str, max(known)))
        newer = " Update the driver, for a newer build." if max(known) > most else ""
        return _no(build, f"It has no kernels for this card's compute capability {told}.{newer}")
    return Verdict(
        build=build, fits=True, reason=f"The driver runs CUDA {runs}, and {_named(cards)} has kernels in it."
    )


def _capabilities(host: Host, build: Torch) -> tuple[tuple[int, int], tuple[int, int]]:
    """The least and the greatest compute capability that a build has kernels for."""
    if build.name == "cuda-13.0":
        return ((8, 0) if host.processor == "arm64" else (7, 5)), (99, 0)
    return ((8, 0) if host.processor == "arm64" else (5, 0)), (9, 0)


def _rocm(host: Host, build: Torch) -> Verdict:
    cards = [gpu for gpu in host.gpus if gpu.vendor == "amd"]
    if not cards:
        return _no(build, "It needs an AMD card, and none was found.")
    if any(gpu.vendor == "nvidia" for gpu in host.gpus):
        return _no(build, "There is an NVIDIA card, and it goes first: an environment holds one build.")
    if (host.system, host.processor) != ("linux", "x64"):
        return _no(build, "It is for Linux on x64 alone.")
    if reason := _against_system(host, build):
        return _no(build, reason)
    named = ", ".join(sorted({gpu.isa for gpu in cards if has_real_isa(gpu)}))
    if not named:
        return _no(build, "The card's instruction set is not told. Install rocminfo, and try again.")
    if not any(_ROCM_ISAS.fullmatch(gpu.isa) for gpu in cards):
        return _no(build, f"It has no kernels for this card's instruction set ({named}).")
    return Verdict(build=build, fits=True, reason=f"{_named(cards)} ({named}) has kernels in it.")


def _mps(host: Host, build: Torch) -> Verdict:
    if host.system != "macos":
        return _no(build, "It is for Macs.")
    if host.processor != "arm64":
        return _no(build, "torch has had no build for Macs with Intel processors since 2.3.")
    return Verdict(build=build, fits=True, reason="The Apple processor computes by Metal.")


def _cpu(host: Host, build: Torch) -> Verdict:
    if host.system == "macos":
        return _no(build, "On a Mac the build that computes by Metal computes on the processor too.")
    if reason := _against_system(host, build):
        return _no(build, reason)
    others = " The cards here are of no use to it." if host.gpus else ""
    return Verdict(build=build, fits=True, reason=f"It trains on the processor, which is slow.{others}")


def _named(cards: list[Gpu]) -> str:
    return cards[0].name or "the card"
