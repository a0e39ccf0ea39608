"""Tests which builds suit which machine. Machines and release are constructed; nothing of them was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paddock.hardware import Accelerator
from paddock.install.host import Gpu, Host, gpu_of, parse_cuda, real_processor
from paddock.install.manifest import Archive, Manifest, SourceArchive, of_release
from paddock.install.rank import Ranked, best, rank

TAG = "b1"
NAMES = (
    "ubuntu-x64", "ubuntu-arm64", "ubuntu-vulkan-x64", "ubuntu-rocm-7.2-x64", "linux-cuda-12.4-x64",
    "linux-cuda-13.1-x64", "macos-arm64", "macos-x64", "win-cpu-x64", "win-cpu-arm64", "win-cuda-12.4-x64",
    "win-cuda-13.1-x64", "win-vulkan-x64", "win-hip-radeon-x64", "win-sycl-x64", "win-opencl-adreno-arm64",
)  # fmt: skip
RELEASE = {
    "tag_name": TAG,
    "assets": [{"name": f"llama-{TAG}-bin-{name}.zip", "size": 9, "digest": f"sha256:{'a' * 64}"} for name in NAMES],
}
SOURCE = SourceArchive(
    package="p", version="1", root="r", archive=Archive(asset="p.tar.gz", size_bytes=1, sha256="b" * 64)
)
MANIFEST = Manifest(tag=TAG, offers=of_release(RELEASE, TAG).offers, sources=(SOURCE,))
AVX2 = ("AVX", "AVX2", "FMA")


def linux(**more: Any) -> Host:
    made: dict[str, Any] = {"system": "linux", "processor": "x64", "libc": "glibc", "features": AVX2, **more}
    return Host(**made)


def windows(**more: Any) -> Host:
    made: dict[str, Any] = {"system": "windows", "processor": "x64", "features": AVX2, **more}
    return Host(**made)


def nvidia(*capability: int) -> tuple[Gpu, ...]:
    return (Gpu(vendor="nvidia", compute_capability=(capability[0], capability[1]) if capability else None),)


def amd(isa: str) -> tuple[Gpu, ...]:
    return (Gpu(vendor="amd", isa=isa),)


def same(host: Host, build: str, word: str) -> tuple[Host, str, str, str]:
    """A machine on which a compiler changes nothing."""
    return host, build, build, word


# What is chosen on each machine, without and with a compiler, and a word of the reason.
MACHINES: dict[str, tuple[Host, str, str, str]] = {
    "a plain PC": (linux(), "b1-ubuntu-x64", "b1-ubuntu-x64", "processor"),
    "a PC without AVX2": (linux(features=("AVX",)), "b1-ubuntu-x64", "source", "AVX2"),
    "an arm64 server": same(linux(processor="arm64", features=("NEON",)), "b1-ubuntu-arm64", "processor"),
    "musl": (linux(libc="musl"), "", "source", "C library"),
    "a processor nobody builds for": (linux(processor="other", features=()), "", "source", "nothing else"),
    "FreeBSD": (Host(system="other", processor="x64"), "", "source", "nothing else"),
    "NVIDIA, driver for 13.1": same(linux(gpus=nvidia(8, 9), cuda=(13, 1)), "b1-linux-cuda-13.1-x64", "13.1"),
    "NVIDIA, driver for 12.8": same(linux(gpus=nvidia(8, 6), cuda=(12, 8)), "b1-linux-cuda-12.4-x64", "12.4"),
    "NVIDIA, driver for 12.2": same(linux(gpus=nvidia(8, 6), cuda=(12, 2)), "b1-linux-cuda-12.4-x64", "within"),
    "NVIDIA, driver for 11.4": same(linux(gpus=nvidia(8, 6), cuda=(11, 4)), "b1-ubuntu-x64", "processor"),
    "NVIDIA, old driver and Vulkan": same(
        linux(gpus=nvidia(8, 6), cuda=(11, 4), has_vulkan=True), "b1-ubuntu-vulkan-x64", "Vulkan"
    ),
    "NVIDIA without a driver": (linux(gpus=nvidia()), "b1-ubuntu-x64", "b1-ubuntu-x64", "processor"),
    "Pascal with a new driver": same(linux(gpus=nvidia(6, 1), cuda=(13, 1)), "b1-linux-cuda-12.4-x64", "12.4"),
    "Pascal and Ada": same(linux(gpus=nvidia(6, 1) + nvidia(8, 9), cuda=(13, 1)), "b1-linux-cuda-13.1-x64", "13.1"),
    "AMD with ROCm": same(linux(gpus=amd("gfx1100"), rocm=(7, 2)), "b1-ubuntu-rocm-7.2-x64", "gfx1100"),
    "AMD, a generic line alone": same(linux(gpus=amd("gfx11-generic"), rocm=(7, 2)), "b1-ubuntu-x64", "processor"),
    "AMD without ROCm, Vulkan": same(linux(gpus=amd("gfx1030"), has_vulkan=True), "b1-ubuntu-vulkan-x64", "Vulkan"),
    "AMD and NVIDIA": (
        linux(gpus=amd("gfx1036") + nvidia(8, 9), cuda=(13, 1), rocm=(7, 2)), "b1-linux-cuda-13.1-x64",
        "b1-linux-cuda-13.1-x64", "NVIDIA",
    ),
    "Vulkan on the processor": (linux(has_vulkan=True), "b1-ubuntu-x64", "b1-ubuntu-x64", "processor"),
    "an Intel card": same(linux(gpus=(Gpu(vendor="intel"),), has_vulkan=True), "b1-ubuntu-vulkan-x64", "Vulkan"),
    "an Apple processor": (Host(system="macos", processor="arm64"), "b1-macos-arm64", "b1-macos-arm64", "Metal"),
    "an old Mac": (Host(system="macos", processor="x64", features=AVX2), "b1-macos-x64", "b1-macos-x64", "processor"),
    "Windows": (windows(), "b1-win-cpu-x64", "b1-win-cpu-x64", "processor"),
    "Windows on Arm": same(windows(processor="arm64", features=("NEON",)), "b1-win-cpu-arm64", "processor"),
    "Windows, NVIDIA": same(windows(gpus=nvidia(7, 5), cuda=(12, 9)), "b1-win-cuda-12.4-x64", "12.4"),
    "Windows, AMD": (windows(gpus=amd("gfx1201")), "b1-win-hip-radeon-x64", "b1-win-hip-radeon-x64", "gfx1201"),
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_gets_the_build_that_suits_it(name: str) -> None:
    host, without_compiler, with_compiler, _ = MACHINES[name]
    assert chosen(host) == without_compiler
    assert chosen(replace(host, has_compiler=True)) == with_compiler


@pytest.mark.parametrize("name", MACHINES)
def test_the_reason_names_what_decided(name: str) -> None:
    host, _, _, word = MACHINES[name]
    found = best(rank(replace(host, has_compiler=True), MANIFEST))
    assert found
    assert word in found.reason


@pytest.mark.parametrize(
    ("host", "build", "words"),
    [
        (linux(), "b1-win-cpu-x64", "for windows; this is linux"),
        (linux(), "b1-ubuntu-arm64", "for arm64 processors; this one is x64"),
        (linux(libc="musl"), "b1-ubuntu-x64", "musl"),
        (linux(), "b1-linux-cuda-13.1-x64", "none was found"),
        (linux(gpus=nvidia(8, 6)), "b1-linux-cuda-13.1-x64", "Install the driver"),
        (linux(gpus=nvidia(8, 6), cuda=(12, 2)), "b1-linux-cuda-13.1-x64", "runs up to CUDA 12.2"),
        (linux(gpus=nvidia(6, 1), cuda=(13, 1)), "b1-linux-cuda-13.1-x64", "no kernels for this card's"),
        (linux(gpus=nvidia(8, 9), rocm=(7, 2)), "b1-ubuntu-rocm-7.2-x64", "needs an AMD card"),
        (linux(gpus=amd("gfx11-generic"), rocm=(7, 2)), "b1-ubuntu-rocm-7.2-x64", "gfx11-generic"),
        (linux(gpus=amd("gfx1100")), "b1-ubuntu-rocm-7.2-x64", "ROCm's libraries"),
        (linux(), "b1-ubuntu-vulkan-x64", "no Vulkan driver"),
        (windows(), "b1-win-sycl-x64", "--build b1-win-sycl-x64"),
        (windows(processor="arm64"), "b1-win-cpu-x64", "for x64 processors"),
        (linux(), "source", "cmake"),
    ],
)
def test_what_does_not_suit_says_why(host: Host, build: str, words: str) -> None:
    found = next(one for one in rank(host, MANIFEST) if one.name == build)
    assert not found.fits
    assert words in found.reason


def test_every_build_is_judged_and_those_that_suit_come_first() -> None:
    ranked = rank(linux(gpus=nvidia(8, 9), cuda=(13, 1), has_vulkan=True, has_compiler=True), MANIFEST)
    assert len(ranked) == len(NAMES) + 1
    assert [one.name for one in ranked if one.fits] == [
        "b1-linux-cuda-13.1-x64", "b1-linux-cuda-12.4-x64", "b1-ubuntu-vulkan-x64", "b1-ubuntu-x64", "source",
    ]  # fmt: skip
    assert [one.fits for one in ranked] == sorted((one.fits for one in ranked), reverse=True)


def test_nothing_at_all_is_told_as_none() -> None:
    assert best(rank(linux(), Manifest(tag="b1"))) is None


@pytest.mark.parametrize(
    ("told", "system", "name", "environ", "expected"),
    [
        ("x86_64", "linux", "AMD EPYC", {}, "x64"),
        ("aarch64", "linux", "", {}, "arm64"),
        ("armv7l", "linux", "", {}, "other"),
        ("AMD64", "windows", "", {}, "x64"),
        ("AMD64", "windows", "", {"PROCESSOR_ARCHITEW6432": "ARM64"}, "arm64"),
        ("x86_64", "macos", "VirtualApple @ 2.50GHz", {}, "arm64"),
        ("x86_64", "macos", "Intel(R) Core(TM) i7", {}, "x64"),
    ],
)
def test_a_translated_python_does_not_hide_the_processor(
    told: str, system: Any, name: str, environ: dict[str, str], expected: str
) -> None:
    assert real_processor(told, system, name, environ) == expected


def chosen(host: Host) -> str:
    found: Ranked | None = best(rank(host, MANIFEST))
    return found.name if found else ""


def test_a_gpu_is_told_in_the_makers_own_words() -> None:
    nvidia_card = gpu_of(Accelerator(api="cuda", index=0, name="A card", total_bytes=8, architecture="8.9"))
    assert (nvidia_card.vendor, nvidia_card.compute_capability, nvidia_card.isa) == ("nvidia", (8, 9), "")
    amd_card = gpu_of(Accelerator(api="rocm", index=0, name="A card", architecture="gfx1100"))
    assert (amd_card.vendor, amd_card.compute_capability, amd_card.isa) == ("amd", None, "gfx1100")
    assert gpu_of(Accelerator(api="vulkan", index=0, name="A card")).vendor == "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("| NVIDIA-SMI 550.54   Driver Version: 550.54   CUDA Version: 12.4     |", (12, 4)),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", None),
        ("CUDA Version: N/A", None),
        ("", None),
    ],
)
def test_the_newest_cuda_of_a_driver_stands_in_the_heading(text: str, expected: tuple[int, int] | None) -> None:
    assert parse_cuda(text) == expected
