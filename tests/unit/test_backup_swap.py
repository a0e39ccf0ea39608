"""Tests putting restored files in their places: all of them or none, with what was there kept, across disks too."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from paddock.backup.swap import Change, Journal, settle, swap, workplace
from paddock.errors import BackupFailed, HomeBusy, HomeUnusable
from paddock.paths import Home

OTHER_DISK = Path("/dev/shm")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    return home


@pytest.fixture
def elsewhere(tmp_path: Path) -> Generator[Path]:
    """A folder on another disk."""
    if not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one disk here")
    with tempfile.TemporaryDirectory(dir=OTHER_DISK) as folder:
        yield Path(folder)


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def held(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix().replace("/", "__"): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def swapped(home: Home, *going: str, **coming: str) -> None:
    changes = [Change(path=name.replace("__", "/"), comes=False) for name in going]
    changes += [Change(path=name.replace("__", "/"), comes=True) for name in coming]
    with workplace(home) as gathered:
        put(gathered, **coming)
        swap(home, Journal(source="b.tar", kept="then", changes=tuple(changes)))


def test_files_come_and_go_and_what_was_there_is_kept(home: Home) -> None:
    put(home.root, a="old a", b="old b", c="stays", models__x="old x")
    swapped(home, "b", "never", a="new a", models__x="new x", templates__t="new t")
    kept = {"replaced__then__a": "old a", "replaced__then__b": "old b", "replaced__then__models__x": "old x"}
    assert held(home.root) == {"a": "new a", "c": "stays", "models__x": "new x", "templates__t": "new t", **kept}
    assert not home.restoring.exists()


def test_what_cannot_be_put_in_its_place_leaves_all_as_it_was(home: Home) -> None:
    put(home.root, a="old a", b="old b", templates="a file where a folder should be")
    before = held(home.root)
    with pytest.raises(BackupFailed, match=r"could not put templates in its place .*All is as it was"):
        swapped(home, "b", a="new a", templates__t="new t", z="new z")
    assert held(home.root) == before
    assert not home.restoring.exists()


def test_a_link_to_another_disk_is_no_hindrance(home: Home, elsewhere: Path) -> None:
    home.models.rmdir()
    home.models.symlink_to(elsewhere)
    put(home.root, models__x="old x", models__y="old y")
    swapped(home, models__x="new x", models__z="new z")
    assert held(elsewhere) == {"x": "new x", "y": "old y", "z": "new z"}
    assert held(home.replaced) == {"then__models__x": "old x"}


def test_an_error_on_another_disk_leaves_all_as_it_was(home: Home, elsewhere: Path) -> None:
    home.models.rmdir()
    home.models.symlink_to(elsewhere)
    put(home.root, models__x="old x", templates="a file")
    with pytest.raises(BackupFailed, match="All is as it was"):
        swapped(home, models__x="new x", models__z="new z", templates__t="new t")
    assert held(elsewhere) == {"x": "old x"}


def test_a_restore_that_is_under_way_is_left_alone(home: Home) -> None:
    said: list[str] = []
    with workplace(home) as gathered:
        put(gathered, a="new a")
        with pytest.raises(HomeBusy, match=r"is under way \(process \d+\)"):
            settle(home, said.append)
        with pytest.raises(HomeBusy), workplace(home):
            pytest.fail("two at once")
        assert held(gathered) == {"a": "new a"}
    assert said == []
    assert not home.restoring.exists()


def test_a_journal_that_cannot_be_read_is_told_of_and_nothing_is_removed(home: Home) -> None:
    put(home.root, restoring__journal="x", restoring__new__a="new a")
    (home.restoring / "journal").rename(home.restoring / "journal.json")
    with pytest.raises(HomeUnusable, match="cannot be finished"):
        settle(home, print)
    assert (home.restoring / "new" / "a").exists()
