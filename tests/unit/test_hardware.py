"""What the machine says about itself, read from samples of its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddock import hardware

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Some Desktop CPU @ 3.00GHz
flags\t\t: fpu sse2 avx f16c fma avx2 avx512f avx512_vnni

processor\t: 1
model name\t: Some Desktop CPU @ 3.00GHz
flags\t\t: fpu sse2
"""
ARM = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd crc32 asimddp i8mm
CPU architecture: 8

Hardware\t: board
Model\t\t: Small Board 5
"""
APPLE = """machdep.cpu.brand_string: Apple M9
hw.optional.neon: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 0
"""
OLD_MAC = """machdep.cpu.brand_string: Old Mac CPU
machdep.cpu.features: FPU SSE3 FMA AVX1.0 F16C
machdep.cpu.leaf7_features: SMEP AVX2
"""


@pytest.mark.parametrize(
    ("text", "name", "features"),
    [
        (X86, "Some Desktop CPU @ 3.00GHz", ("AVX", "AVX2", "FMA", "F16C", "AVX-512", "AVX-512 VNNI")),
        (ARM, "Small Board 5", ("NEON", "DOTPROD", "I8MM")),
        ("", "", ()),
        ("no colon here\nflags\n:::\n", "", ()),
    ],
)
def test_cpuinfo_gives_the_name_and_the_features_that_matter(text: str, name: str, features: tuple[str, ...]) -> None:
    assert hardware.parse_cpuinfo(text) == (name, features)


@pytest.mark.parametrize(
    ("text", "name", "features"),
    [
        (APPLE, "Apple M9", ("NEON", "DOTPROD")),
        (OLD_MAC, "Old Mac CPU", ("AVX", "AVX2", "FMA", "F16C")),
        ("", "", ()),
    ],
)
def test_sysctl_gives_the_same_for_a_mac(text: str, name: str, features: tuple[str, ...]) -> None:
    assert hardware.parse_sysctl(text) == (name, features)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2.0),
        ("150000 100000", 1.5),
        ("100000 0", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_cpu_max_is_read_as_cores(text: str, cores: float | None) -> None:
    assert hardware.parse_cpu_max(text) == cores


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("max\n", None),
        ("536870912\n", 536870912),
        ("9223372036854771712\n", None),
        ("-1", None),
        ("0", None),
        ("", None),
    ],
)
def test_a_memory_limit_is_read_and_no_limit_is_none(text: str, size_bytes: int | None) -> None:
    assert hardware.parse_bytes(text) == size_bytes


def test_the_groups_of_both_versions_are_read() -> None:
    text = "9:name=systemd:/\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/user.slice/a:b\nbroken\n"
    assert hardware.parse_cgroup(text) == {
        "name=systemd": "/",
        "memory": "/docker/abc",
        "cpu": "/docker/abc",
        "cpuacct": "/docker/abc",
        "": "/user.slice/a:b",
    }


def test_one_figure_is_found_in_memory_stat() -> None:
    text = "anon 10\ninactive_file 4096\nactive_file 1\nworkingset\n"
    assert hardware.parse_stat(text, "inactive_file") == 4096
    assert hardware.parse_stat(text, "not_there") == 0


def test_the_tightest_group_of_version_2_counts_and_dropped_cache_does_not(tmp_path: Path) -> None:
    _write(tmp_path / "proc/self/cgroup", "0::/outer/inner\n")
    _write(tmp_path / "cg/outer/memory.max", "4000")
    _write(tmp_path / "cg/outer/memory.current", "3500")
    _write(tmp_path / "cg/outer/memory.stat", "inactive_file 1000\n")
    _write(tmp_path / "cg/outer/inner/memory.max", "2000")
    _write(tmp_path / "cg/outer/inner/memory.current", "100")
    _write(tmp_path / "cg/outer/cpu.max", "max 100000")
    _write(tmp_path / "cg/outer/inner/cpu.max", "50000 100000")
    limits = hardware.read_limits(cgroups=tmp_path / "cg", proc=tmp_path / "proc")
    assert limits == hardware.Limits(cpu_cores=0.5, memory_bytes=2000, memory_left_bytes=1500)


def test_a_container_of_version_1_finds_its_limits_at_the_mount_itself(tmp_path: Path) -> None:
    _write(tmp_path / "proc/self/cgroup", "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n")
    _write(tmp_path / "cg/memory/memory.limit_in_bytes", "1000")
    _write(tmp_path / "cg/memory/memory.usage_in_bytes", "900")
    _write(tmp_path / "cg/memory/memory.stat", "total_inactive_file 300\n")
    _write(tmp_path / "cg/cpu/cpu.cfs_quota_us", "300000")
    _write(tmp_path / "cg/cpu/cpu.cfs_period_us", "100000")
    limits = hardware.read_limits(cgroups=tmp_path / "cg", proc=tmp_path / "proc")
    assert limits == hardware.Limits(cpu_cores=3.0, memory_bytes=1000, memory_left_bytes=400)


def test_no_groups_are_no_limits(tmp_path: Path) -> None:
    assert hardware.read_limits(cgroups=tmp_path / "cg", proc=tmp_path / "proc") == hardware.Limits()


def test_a_group_cannot_lead_out_of_the_mount(tmp_path: Path) -> None:
    _write(tmp_path / "proc/self/cgroup", "0::/../../secret\n")
    _write(tmp_path / "secret/memory.max", "1")
    assert hardware.read_limits(cgroups=tmp_path / "a/cg", proc=tmp_path / "proc") == hardware.Limits()


def test_this_machine_describes_itself() -> None:
    machine = hardware.describe()
    assert 1 <= machine.cpu.usable_cores <= machine.cpu.cores
    assert hardware.usable_cores() == machine.cpu.usable_cores
    assert 0 < machine.memory.available_bytes <= machine.memory.total_bytes
    assert machine.memory.usable_bytes <= machine.memory.total_bytes
    assert machine.cpu.name


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
