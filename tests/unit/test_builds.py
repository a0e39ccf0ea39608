"""Tests which builds are installed and which is active: records, the pointer, names, the lock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paddock.errors import BuildBroken, BuildUnknown, HomeUnusable, InstallBusy
from paddock.install.builds import Build, Builds, Pointer, find_program
from paddock.install.installing import program
from paddock.paths import Home

OTHER = """
import sys
from pathlib import Path
from paddock.install.builds import Builds
from paddock.paths import Home
with Builds(Home(root=Path(sys.argv[1]))).alone():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "a home ü")


@pytest.fixture
def placed(home: Home) -> Callable[[str], Build]:
    """Places a build whose program is an empty file."""

    def place(name: str) -> Build:
        builds = Builds(home)
        with builds.staging() as staging:
            staged = staging / "build"
            (staged / "bin").mkdir(parents=True)
            binary = staged / "bin" / "llama-server"
            binary.touch()
            return builds.place(Build(name=name, origin="release", binary=binary, devices=("a",)), staged)

    return place


def test_a_fresh_home_has_the_embedded_engine(home: Home) -> None:
    builds = Builds(home)
    assert (builds.all(), builds.pointer(), builds.active()) == ([], Pointer(), None)
    assert program(home, "") is None
    assert program(home, "embedded") is None


def test_a_placed_build_is_found_with_its_program(home: Home, placed: Callable[[str], Build]) -> None:
    build = placed("b1-x")
    assert Builds(home).all() == [build]
    assert build.binary == home.engines / "b1-x" / "bin" / "llama-server"
    assert build.binary.is_file()
    assert Builds(home).find("b1-x").devices == ("a",)


def test_a_moved_home_still_knows_its_builds(home: Home, placed: Callable[[str], Build], tmp_path: Path) -> None:
    placed("b1-x")
    home.root.rename(tmp_path / "elsewhere")
    assert Builds(Home(root=tmp_path / "elsewhere")).find("b1-x").binary.is_file()


def test_a_name_that_is_taken_or_kept_gets_a_number(placed: Callable[[str], Build]) -> None:
    assert [placed(name).name for name in ("b1-x", "b1-x", "b1-x", "embedded")] == [
        "b1-x", "b1-x.2", "b1-x.3", "embedded.2",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["gone", "../b1-x", "a/b1-x", ".staging-1", ""])
def test_what_is_no_build_is_unknown(home: Home, placed: Callable[[str], Build], name: str) -> None:
    placed("b1-x")
    with pytest.raises(BuildUnknown, match="'b1-x'"):
        Builds(home).find(name)


def test_the_build_before_is_kept_and_led_back_to(home: Home, placed: Callable[[str], Build]) -> None:
    builds = Builds(home)
    with pytest.raises(BuildUnknown):
        builds.previous()
    builds.activate(placed("b1-x").name)
    assert builds.previous() is None
    builds.activate(placed("b2-x").name)
    assert builds.previous() == "b1-x"
    builds.activate(builds.previous())
    assert builds.pointer() == Pointer(active="b1-x", previous="b2-x")
    builds.activate("b1-x")
    assert builds.pointer() == Pointer(active="b1-x", previous="b2-x")


def test_the_active_build_is_what_is_started(home: Home, placed: Callable[[str], Build]) -> None:
    build = placed("b1-x")
    Builds(home).activate("b1-x")
    words = program(home, "")
    assert words
    assert words[-2:] == (str(build.binary), str(home.engines / "b1-x" / "flags.json"))
    assert program(home, "b1-x") == words
    assert program(home, "embedded") is None


def test_an_active_build_that_vanished_is_told_with_the_way_back(home: Home, placed: Callable[[str], Build]) -> None:
    build = placed("b1-x")
    Builds(home).activate("b1-x")
    build.binary.unlink()
    with pytest.raises(BuildBroken, match="use embedded"):
        Builds(home).active()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"active": "x"}'])
def test_a_damaged_pointer_is_told_and_can_be_set_anew(home: Home, text: str) -> None:
    builds = Builds(home)
    builds.folder.mkdir(parents=True)
    (builds.folder / "active.json").write_text(text)
    with pytest.raises(BuildBroken, match="use embedded"):
        builds.pointer()
    builds.activate(None)
    assert builds.pointer() == Pointer()


def test_a_removed_build_leaves_nothing_and_no_way_back(home: Home, placed: Callable[[str], Build]) -> None:
    builds = Builds(home)
    builds.activate(placed("b1-x").name)
    builds.activate(placed("b2-x").name)
    with pytest.raises(BuildBroken, match="active"):
        builds.remove("b2-x")
    builds.remove("b1-x")
    assert builds.pointer() == Pointer(active="b2-x")
    assert sorted(path.name for path in builds.folder.iterdir()) == ["active.json", "b2-x"]


def test_two_installers_do_not_work_at_once_and_a_killed_one_leaves_no_lock(home: Home) -> None:
    builds = Builds(home)
    command = [sys.executable, "-c", OTHER, str(home.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InstallBusy, match=f"process {other.pid}"), builds.alone():
            raise AssertionError
        other.kill()
        other.wait()
    (builds.folder / ".staging-left").mkdir()
    with builds.alone():
        assert not (builds.folder / ".staging-left").exists()
        assert set(json.loads((builds.folder / "lock").read_text())) == {"pid", "started_s"}


def test_a_file_where_the_folder_should_be_is_told(home: Home) -> None:
    home.root.mkdir()
    home.engines.touch()
    with pytest.raises(HomeUnusable, match="PADDOCK_HOME"), Builds(home).alone():
        raise AssertionError


def test_the_program_that_lies_least_deep_is_the_one(tmp_path: Path) -> None:
    for folder in ("a/b/c", "z/y"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "llama-server").touch()
    assert find_program(tmp_path) == tmp_path / "z" / "y" / "llama-server"
    assert find_program(tmp_path / "a" / "b" / "c" / "none") is None
