"""Which torch a machine gets: over every machine that is known by its tools' words, and what is against the others."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import SetupFailed
from paddock.hardware.accelerators import Readings, found_in
from paddock.install.host import Host, gpu_of
from paddock.install.prefix import Prefix
from paddock.install.stack import BUILDS, INDEX, best, verdicts
from paddock.install.stacking import Stack, lock_file, prove

MACHINES = Path(__file__).parent / "machines"
LINUX = Host(system="linux", processor="x64", libc="glibc")
# What the tools' words do not tell is named here: the system, and the newest CUDA that the driver runs.
EXPECTED: dict[str, tuple[Host, str]] = {
    "arc-desktop": (LINUX, "cpu"),
    "broken-nvidia-driver": (LINUX, "cpu"),
    "gaming-laptop": (replace(LINUX, system="windows", libc="", cuda=(13, 0)), "cuda-13.0"),
    "gpu-none": (LINUX, "cpu"),
    "instincts": (LINUX, "rocm-7.2"),
    "intel-mac": (Host(system="macos", processor="x64"), ""),
    "mac-studio": (Host(system="macos", processor="arm64"), "mps"),
    "macbook": (Host(system="macos", processor="arm64"), "mps"),
    # Its tool leaves the instruction set out.
    "newer-amd-smi": (LINUX, "cpu"),
    "no-nvidia-devices": (LINUX, "cpu"),
    "old-nvidia-driver": (replace(LINUX, cuda=(11, 4)), "cpu"),
    "one-geforce": (replace(LINUX, cuda=(12, 8)), "cuda-12.6"),
    "plain-server": (LINUX, "cpu"),
    "radeon-in-the-processor": (LINUX, "rocm-7.2"),
    "radeon-with-generic-isa": (LINUX, "rocm-7.2"),
    "radeon-without-rocm": (LINUX, "cpu"),
    "software-drawing": (LINUX, "cpu"),
    "three-geforces": (replace(LINUX, cuda=(13, 2)), "cuda-13.0"),
    "unified-nvidia": (replace(LINUX, processor="arm64", cuda=(13, 0)), "cuda-13.0"),
}


def host_of(name: str) -> Host:
    told: dict[str, Any] = tomllib.loads((MACHINES / f"{name}.toml").read_text("utf-8"))
    readings = Readings(**{key: value for key, value in told.items() if key not in ("about", "expected", "troubles")})
    gpus = tuple(gpu_of(one) for one in found_in(readings).accelerators)
    return replace(EXPECTED[name][0], gpus=gpus)


def test_every_machine_that_is_known_stands_in_the_table() -> None:
    assert set(EXPECTED) == {path.stem for path in MACHINES.glob("*.toml")}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_machine_gets_the_build_that_suits_it_and_hears_why_not_the_others(name: str) -> None:
    found = verdicts(host_of(name))
    chosen = best(found)
    assert (chosen.build.name if chosen else "") == EXPECTED[name][1], [one.reason for one in found]
    assert [one.build for one in found] == list(BUILDS.values())
    assert all(one.reason.endswith(".") for one in found)


@pytest.mark.parametrize(
    ("capability", "cuda", "processor", "expected"),
    [
        ("6.1", (13, 0), "x64", "cuda-12.6"),
        ("7.0", (12, 4), "x64", "cuda-12.6"),
        ("7.5", (13, 0), "x64", "cuda-13.0"),
        ("12.0", (13, 0), "x64", "cuda-13.0"),
        ("12.0", (12, 8), "x64", "cpu"),
        ("3.5", (12, 2), "x64", "cpu"),
        ("8.9", None, "x64", "cpu"),
        ("7.5", (13, 0), "arm64", "cpu"),
        ("", (12, 2), "x64", "cuda-12.6"),
    ],
)
def test_nvidia_s_cards_get_a_build_with_kernels_for_them_that_their_driver_runs(
    capability: str, cuda: tuple[int, int] | None, processor: Any, expected: str
) -> None:
    name = next(iter(found_in(Readings(nvidia_smi=f"0, Card, 8192, 8000, {capability}\n")).accelerators))
    host = replace(LINUX, processor=processor, gpus=(gpu_of(name),), cuda=cuda)
    chosen = best(verdicts(host))
    assert chosen is not None
    assert chosen.build.name == expected


def test_a_new_card_under_an_old_driver_is_told_to_update_the_driver() -> None:
    card = found_in(Readings(nvidia_smi="0, NVIDIA GeForce RTX 5090, 32768, 32000, 12.0\n")).accelerators[0]
    told = {one.build.name: one for one in verdicts(replace(LINUX, gpus=(gpu_of(card),), cuda=(12, 8)))}
    assert "Update the driver" in told["cuda-13.0"].reason
    assert "capability 12.0. Update the driver" in told["cuda-12.6"].reason
    assert "no use" in told["cpu"].reason


def test_a_machine_with_both_makers_cards_gets_nvidia_s_and_never_amd_s() -> None:
    nvidia = found_in(Readings(nvidia_smi="0, Card, 8192, 8000, 8.9\n")).accelerators[0]
    amd = host_of("radeon-with-generic-isa").gpus
    chosen = best(verdicts(replace(LINUX, gpus=(*amd, gpu_of(nvidia)), cuda=(13, 0))))
    assert chosen is not None
    assert chosen.build.name == "cuda-13.0"
    # A driver that does not answer makes it no machine of AMD's.
    chosen = best(verdicts(replace(LINUX, gpus=(*amd, gpu_of(nvidia)), cuda=None)))
    assert chosen is not None
    assert chosen.build.name == "cpu"


@pytest.mark.parametrize(
    "host",
    [
        replace(LINUX, libc="musl"),
        Host(system="windows", processor="arm64"),
        Host(system="other", processor="x64"),
        Host(system="macos", processor="x64"),
    ],
)
def test_where_torch_has_no_build_nothing_is_chosen(host: Host) -> None:
    assert best(verdicts(host)) is None


def test_what_will_be_downloaded_is_told_with_its_size_and_place(tmp_path: Path) -> None:
    chosen = best(verdicts(LINUX))
    assert chosen is not None
    told = "\n".join(Stack(prefix=Prefix(tmp_path), build=chosen.build).plan(chosen.reason))
    assert f"torch==2.13.0+cpu from {INDEX}/cpu" in told
    assert "435 MB" in told
    assert str(tmp_path) in told
    mirrored = Stack(prefix=Prefix(tmp_path), build=chosen.build, index="").plan(chosen.reason)
    assert "from pip's package index," in mirrored[1]


def test_the_lock_has_neither_torch_nor_libraries_of_one_maker() -> None:
    pins = [line.partition("==")[0] for line in lock_file().read_text("utf-8").splitlines() if "==" in line]
    assert {"transformers", "trl", "peft", "datasets", "accelerate", "sentence-transformers"} <= set(pins)
    assert [name for name in pins if name.startswith(("torch", "nvidia", "cuda", "triton", "rocm"))] == []


def test_a_place_without_a_stack_says_so(tmp_path: Path) -> None:
    assert Stack(prefix=Prefix(tmp_path), build=BUILDS["cpu"]).trouble() == "There is no training stack here."
    with pytest.raises(SetupFailed, match="does not work"):
        prove(tmp_path)
