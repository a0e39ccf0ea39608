"""Owns which builds suit a machine, best first, and why or why not; pure.

Covered: system, processor, C library, NVIDIA drivers and cards, AMD's instruction sets, Apple, Vulkan, AVX2. Not
covered: how old a C library or a driver may be beyond what is told here. A build that ranks high is still probed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from paddock.install.host import Gpu, Host
from paddock.install.manifest import Manifest, Offer

# CUDA 13 has no kernels for cards before Turing.
_CUDA_13 = (13, 0)
_TURING = (7, 5)
# "gfx1100" is a card's; "gfx11-generic" and the like are lines that the driver lists for every card.
_REAL_ISA = re.compile(r"gfx\d{3,4}[a-f]?")

_ORDER = {"cuda": 60, "metal": 60, "rocm": 50, "vulkan": 40, "cpu": 20, "other": 0}
_SOURCE = 10
# A build for this very processor is better than a common one only where that would be slow.
_SOURCE_WITHOUT_AVX2 = 30
_SOURCE_NAME = "source"
_UNFIT = -1


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One build with its verdict: `offer` is None for building from source; `reason` is a sentence."""

    name: str
    fits: bool
    reason: str
    points: int
    offer: Offer | None = None


def rank(host: Host, manifest: Manifest) -> tuple[Ranked, ...]:
    """Every build of the manifest: those that suit it best first, then the others with what is against them."""
    judged = [_judged(host, offer) for offer in manifest.offers]
    if manifest.sources:
        judged.append(_from_source(host))
    return tuple(sorted(judged, key=lambda one: (-one.points, _newer_first(one), one.name)))


def best(ranked: Iterable[Ranked]) -> Ranked | None:
    """The first that suits the machine."""
    return next((one for one in ranked if one.fits), None)


def has_real_isa(gpu: Gpu) -> bool:
    """Whether AMD's name of the instruction set is that of a card."""
    return bool(_REAL_ISA.fullmatch(gpu.isa))


def _judged(host: Host, offer: Offer) -> Ranked:
    against = _against(host, offer)
    points = _UNFIT if against else _ORDER[offer.accelerator] + _bonus(host, offer)
    return Ranked(
        name=offer.name, fits=not against, reason=against or _in_favour(host, offer), points=points, offer=offer
    )


def _against(host: Host, offer: Offer) -> str:
    """What keeps a build from running here; "" where nothing does."""
    if offer.system != host.system:
        return f"It is for {offer.system}; this is {host.system}."
    if offer.processor != host.processor:
        return f"It is for {offer.processor} processors; this one is {host.processor}."
    if host.libc == "musl":
        return "It needs glibc, and this system has musl."
    if offer.accelerator == "cuda":
        return _against_cuda(host, offer)
    if offer.accelerator == "rocm":
        return _against_rocm(host)
    if offer.accelerator == "vulkan" and not host.has_vulkan:
        return "It needs Vulkan, and no Vulkan driver was found."
    if offer.accelerator == "other":
        return f"'{offer.variant}' is never chosen by itself. If it is for this machine, name it: --build {offer.name}."
    return ""


def _against_cuda(host: Host, offer: Offer) -> str:
    cards = [gpu for gpu in host.gpus if gpu.vendor == "nvidia"]
    wanted = ".".join(map(str, offer.version)) or "any version"
    if not cards:
        return "It needs an NVIDIA card, and none was found."
    if host.cuda is None:
        return "It needs NVIDIA's driver, and that was not found. Install the driver."
    # Within one major version every driver runs what a newer toolkit built.
    if offer.version and host.cuda[0] < offer.version[0]:
        runs = ".".join(map(str, host.cuda))
        return f"It needs a driver for CUDA {wanted}; this one runs up to CUDA {runs}. Update the driver."
    known = [gpu.compute_capability for gpu in cards if gpu.compute_capability]
    if offer.version >= _CUDA_13 and known and max(known) < _TURING:
        return f"CUDA {wanted} has no kernels for this card's compute capability {max(known)[0]}.{max(known)[1]}."
    return ""


def _against_rocm(host: Host) -> str:
    cards = [gpu for gpu in host.gpus if gpu.vendor == "amd"]
    if not cards:
        return "It needs an AMD card, and none was found."
    if not any(has_real_isa(gpu) for gpu in cards):
        named = ", ".join(sorted({gpu.isa for gpu in cards if gpu.isa})) or "none"
        return f"It has kernels for named cards only, and the instruction set told here is {named}."
    if host.rocm is None and host.system != "windows":
        return "It needs ROCm's libraries, and those were not found."
    return ""


def _in_favour(host: Host, offer: Offer) -> str:
    wanted = ".".join(map(str, offer.version))
    if offer.accelerator == "cuda":
        beyond = host.cuda is not None and offer.version > host.cuda
        return f"The NVIDIA card runs CUDA {wanted}{' within its major version' if beyond else ''}."
    if offer.accelerator == "rocm":
        return f"The AMD card ({next(gpu.isa for gpu in host.gpus if has_real_isa(gpu))}) has kernels in it."
    if offer.accelerator == "metal":
        return "The Apple processor computes by Metal."
    if offer.accelerator == "vulkan":
        return "A Vulkan driver is here." if host.gpus else "A Vulkan driver is here, though no card was found."
    if _lacks_avx2(host):
        return "It runs on the processor, slowly: there is no AVX2."
    return "It runs on the processor."


def _bonus(host: Host, offer: Offer) -> int:
    """Between builds for one accelerator: a CUDA that the driver runs as it is; Vulkan only where there is a card."""
    if offer.accelerator == "cuda":
        return 1 if host.cuda and offer.version <= host.cuda else 0
    if offer.accelerator == "vulkan":
        # Without a card Vulkan is a program that draws on the processor.
        return 0 if host.gpus else _ORDER["cpu"] - _ORDER["vulkan"] - 1
    return 0


def _from_source(host: Host) -> Ranked:
    if host.system == "other" or host.processor == "other":
        note = "For this system and processor there may be nothing else."
    elif host.libc == "musl":
        note = "It is made for this system's own C library."
    elif _lacks_avx2(host):
        note = "It is made for this very processor, which lacks AVX2."
    else:
        note = "It is made for this very processor."
    if not host.has_compiler:
        return Ranked(
            name=_SOURCE_NAME, fits=False, points=_UNFIT, reason=f"{note} But cmake and a C++ compiler were not found."
        )
    points = _SOURCE_WITHOUT_AVX2 if _lacks_avx2(host) else _SOURCE
    return Ranked(name=_SOURCE_NAME, fits=True, points=points, reason=f"{note} Building takes minutes.")


def _lacks_avx2(host: Host) -> bool:
    return host.processor == "x64" and bool(host.features) and "AVX2" not in host.features


def _newer_first(one: Ranked) -> tuple[int, ...]:
    return tuple(-number for number in one.offer.version) if one.offer else ()
