"""The walls of workspaces: what the filter of system calls decides, what the probe finds, what is told without any."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from paddock.sandbox import probing
from paddock.sandbox.inside import MACHINES
from paddock.sandbox.pythons import Python, best
from paddock.sandbox.syscalls import NOT_THERE, REFUSED, compiled
from paddock.sandbox.walls import Place, profile, words

ALLOW, REFUSE, ABSENT, KILL = 0x7FFF0000, 0x50001, 0x50026, 0x80000000
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")


def decided(machine: str, number: int, *arguments: int, architecture: int = 0) -> int:
    """What the kernel would decide: the filter, step by step, as the kernel runs it."""
    data = struct.pack("=IIQ6Q", number, architecture or MACHINES[machine][1], 0, *(*arguments, *[0] * 6)[:6])
    code = compiled(machine)
    steps = [struct.unpack_from("=HBBI", code, place) for place in range(0, len(code), 8)]
    held, place = 0, 0
    while True:
        order, yes, no, value = steps[place]
        place += 1
        match order:
            case 0x20:
                held = struct.unpack_from("=I", data, value)[0]
            case 0x54:
                held &= value
            case 0x06:
                return int(value)
            case 0x15:
                place += yes if held == value else no
            case 0x35:
                place += yes if held >= value else no
            case 0x45:
                place += yes if held & value else no
            case _:
                raise AssertionError(f"no such step: {order:#x}")


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("table", "answer"), [(REFUSED, REFUSE), (NOT_THERE, ABSENT)])
def test_what_is_listed_is_refused(machine: str, table: dict[str, tuple[int | None, int | None]], answer: int) -> None:
    numbers = {name: both[MACHINES[machine][0]] for name, both in table.items()}
    told = {name: decided(machine, number) for name, number in numbers.items() if number is not None}
    assert {name: found for name, found in told.items() if found != answer} == {}
    assert len(set(numbers.values()) - {None}) == len(told)


# Calls by their numbers on x86-64 and on arm64, and their words.
CASES = [
    ("read", (0, 63), (), ALLOW), ("write", (1, 64), (), ALLOW), ("execve", (59, 221), (), ALLOW),
    ("kill", (62, 129), (), ALLOW), ("setuid", (105, 146), (), ALLOW), ("seccomp", (317, 277), (), ALLOW),
    ("clone of a process", (56, 220), (17,), ALLOW), ("clone of a thread", (56, 220), (0x3D0F00,), ALLOW),
    ("clone into users", (56, 220), (0x10000011,), REFUSE), ("clone into mounts", (56, 220), (0x20000,), REFUSE),
    ("clone into a network", (56, 220), (0x40000000,), REFUSE),
    ("clone into processes", (56, 220), (0x20000000,), REFUSE),
    ("socket of Unix", (41, 198), (1, 1), ALLOW), ("socket of IPv4", (41, 198), (2, 0x80801), ALLOW),
    ("socket of IPv6", (41, 198), (10, 2), ALLOW), ("socket of packets", (41, 198), (17, 2), REFUSE),
    ("socket of netlink", (41, 198), (16, 3), REFUSE), ("socket of the host", (41, 198), (40, 1), REFUSE),
    ("raw socket", (41, 198), (2, 3), REFUSE), ("raw socket with flags", (41, 198), (2, 0x80803), REFUSE),
    ("raw socket beyond 32 bits", (41, 198), (2**32 + 2, 2**33 + 3), REFUSE), ("pair", (53, 199), (1, 1), ALLOW),
    ("ioctl", (16, 29), (0, 0x5401), ALLOW), ("letters into a terminal", (16, 29), (0, 0x5412), REFUSE),
    ("letters, beyond 32 bits", (16, 29), (0, 2**32 + 0x5412), REFUSE), ("selection", (16, 29), (0, 0x541C), REFUSE),
    ("fchmod", (91, 52), (3, 0o755), ALLOW), ("fchmod with s", (91, 52), (3, 0o4755), REFUSE),
    ("fchmodat", (268, 53), (3, 0, 0o644), ALLOW), ("fchmodat with s", (268, 53), (3, 0, 0o2755), REFUSE),
    ("fchmodat2 with s", (452, 452), (3, 0, 0o6755), REFUSE), ("mknodat with s", (259, 33), (3, 0, 0o104755), REFUSE),
    ("openat", (257, 56), (3, 0, 0, 0o4755), ALLOW), ("openat that makes", (257, 56), (3, 0, 0x40, 0o644), ALLOW),
    ("openat that makes with s", (257, 56), (3, 0, 0x40, 0o4755), REFUSE),
    ("openat of nothing with s", (257, 56), (3, 0, 0x410000, 0o4755), REFUSE),
    ("chmod with s", (90, None), (0, 0o4755), REFUSE), ("chmod", (90, None), (0, 0o755), ALLOW),
    ("creat with s", (85, None), (0, 0o4755), REFUSE), ("open with s", (2, None), (0, 0x41, 0o4755), REFUSE),
    ("open", (2, None), (0, 0x41, 0o644), ALLOW), ("another kind of x86-64", (0x40000000 + 101, None), (), REFUSE),
]  # fmt: skip


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("numbers", "arguments", "answer"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_depends_on_its_words_is_decided_by_them(
    machine: str, numbers: tuple[int, int | None], arguments: tuple[int, ...], answer: int
) -> None:
    number = numbers[MACHINES[machine][0]]
    assert number is None or decided(machine, number, *arguments) == answer


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_processor_end_the_process(machine: str) -> None:
    assert decided(machine, 0, architecture=0x40000003) == KILL


@LINUX
def test_the_probe_finds_walls_that_hold() -> None:
    assert probing.refusal() is None
    assert probing.available() is None


@LINUX
def test_the_probe_finds_what_gets_through(tmp_path: Path) -> None:
    told = probing.tried("none", tmp_path)
    assert told
    assert "do not hold" in told
    assert all(word in told for word in ("reads", "connects", "signals", "traces", "unshares"))


@LINUX
def test_one_wall_that_is_missing_is_found(tmp_path: Path) -> None:
    def without_network(*given: object, **more: object) -> list[str]:
        return [word for word in words(*given, **more) if word != "--unshare-net"]  # pyright: ignore[reportArgumentType]

    told = probing.tried("bubblewrap", tmp_path, without_network)
    assert told
    assert "a program within connects." in told


@LINUX
def test_a_machine_without_bubblewrap_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    told = probing.refusal()
    assert told
    assert "apt install bubblewrap" in told
    assert "--tools-unsafe" in told
    assert probing.available(is_unsafe=True) is None


@LINUX
@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "bwrap: No permissions to create new namespace, likely because the kernel does not allow it",
            "in a container",
        ),
        ("bwrap: Creating new namespace failed: Operation not permitted", "in a container"),
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: Unknown option --seccomp", "See what bubblewrap needs"),
    ],
)
def test_a_kernel_that_allows_no_walls_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, advice: str
) -> None:
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    told = probing.refusal()
    assert told
    assert said in told
    assert advice in told


@LINUX
def test_the_doctor_tells_of_walls_and_of_their_absence() -> None:
    code = "from paddock.cli.checks import walls_check; check = walls_check(); print(check.status, check.detail)"
    for path, told in (
        ("/usr/bin:/bin", "ok code of models runs within bubblewrap, Python"),
        ("/nowhere", "warn Code is run"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PATH": path}, capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.startswith(told)


def test_a_python_is_told_with_what_it_has_and_lacks() -> None:
    python = Python(path=Path("/p"), version="3.13.1", folders=(), libraries=("numpy",))
    assert python.told() == "Python 3.13.1 with numpy, without pandas, matplotlib"


def test_the_python_with_most_libraries_is_taken_and_one_that_is_none_is_not(tmp_path: Path) -> None:
    broken, rich = tmp_path / "broken", tmp_path / "rich"
    broken.write_text("#!/bin/sh\nexit 1\n")
    rich.write_text('#!/bin/sh\necho \'["/opt/rich", "/usr", "3.13.0", ["numpy", "pandas", "matplotlib"]]\'\n')
    for one in (broken, rich):
        one.chmod(0o755)
    found = best([broken, tmp_path / "none", rich])
    assert (found.path, found.folders[0]) == (rich, Path("/opt/rich"))
    # What is paddock's own is there beside it, for programs of its own.
    assert set(found.folders[1:]) == set(best().folders)
    assert best([broken]).path == Path(sys.executable)


def test_the_profile_of_macos_refuses_what_it_does_not_say(tmp_path: Path) -> None:
    python = Python(path=Path("/p"), version="3.13.1", folders=(tmp_path / 'a "quoted" home',), libraries=())
    place = Place(folder=tmp_path / "w", python=python, hidden=(tmp_path,), has_network=False, user=None)
    told = profile(place)
    assert told.count("(") == told.count(")")
    assert told.startswith("(version 1)\n(deny default)")
    assert '\\"quoted\\"' in told
    assert "network" not in told
    # What comes later holds: the workspace is allowed although it lies in what is hidden.
    assert told.index(f'(deny file-read* file-write* (subpath "{tmp_path}"))') < told.index(str(place.files))
    assert "(allow network-outbound)" in profile(
        Place(folder=tmp_path, python=python, hidden=(), has_network=True, user=None)
    )
