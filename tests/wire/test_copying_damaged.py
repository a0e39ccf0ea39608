"""Tests backups of a database that is damaged, half gone or no file: told, unchanged, and never taken for none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from paddock.backup import making
from paddock.config import Settings
from paddock.errors import StoreDamaged, StoreUnusable
from paddock.paths import Home
from tests.wire.test_store_faults import DAMAGES, filled


def nothing(_: int, __: int) -> None:
    """Progress that nobody looks at."""


def made(home: Path, url: str = "") -> str:
    """What a backup says of the database."""
    settings = Settings(home=Home(root=home), database_url=url)
    return making.make(settings, home.parent / "b.tar", making.Choice(), nothing).database


@pytest.fixture
def home(tmp_path: Path) -> Path:
    root = tmp_path / "home"
    root.mkdir()
    return root


def logged(home: Path) -> tuple[bytes, bytes]:
    """A database and its log, as a killed paddock leaves them."""
    other = home.parent / "other.db"
    filled(other)
    with closing(sqlite3.connect(other)) as writer:
        writer.execute("UPDATE filling SET words = words || 'more' WHERE rowid > 390")
        writer.commit()
        return other.read_bytes(), other.with_name("other.db-wal").read_bytes()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_backup_of_a_damaged_database_is_refused_and_changes_no_byte(home: Path, damage: str) -> None:
    data, log = logged(home)
    data = DAMAGES[damage](data)
    (home / "paddock.db").write_bytes(data)
    (home / "paddock.db-wal").write_bytes(log)
    with pytest.raises(StoreDamaged, match="is damaged"):
        made(home)
    assert (home / "paddock.db").read_bytes() == data
    assert (home / "paddock.db-wal").read_bytes() == log
    assert not (home.parent / "b.tar").exists()


def test_a_backup_of_a_whole_database_changes_no_byte_either(home: Path) -> None:
    data, log = logged(home)
    (home / "paddock.db").write_bytes(data)
    (home / "paddock.db-wal").write_bytes(log)
    assert made(home) == "sqlite"
    assert (home / "paddock.db").read_bytes() == data
    assert (home / "paddock.db-wal").read_bytes() == log


def linked(path: Path) -> None:
    path.symlink_to("/nowhere/paddock.db")


HALVES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "its file is empty"),
    "gone, its log there": (lambda path: path.with_name("paddock.db-wal").write_bytes(b"x" * 100), "its log is there"),
    "gone, its journal there": (
        lambda path: path.with_name("paddock.db-journal").write_bytes(b"x" * 100), "its log is there",
    ),
    "gone, its empty log there": (lambda path: path.with_name("paddock.db-wal").write_bytes(b""), "its log is there"),
    "a link to nowhere": (linked, "is a link to /nowhere/paddock.db, which is not there"),
    "a folder": (lambda path: path.mkdir(), "is no file"),
}  # fmt: skip


@pytest.mark.parametrize("half", HALVES)
def test_half_a_database_is_not_none(home: Path, half: str) -> None:
    make, said = HALVES[half]
    make(home / "paddock.db")
    before = sorted(home.iterdir())
    with pytest.raises(StoreUnusable, match=said):
        made(home)
    assert sorted(home.iterdir()) == before
    assert not (home.parent / "b.tar").exists()
    with pytest.raises(StoreUnusable, match=said):
        made(home, f"sqlite:///{home}/paddock.db")


def test_an_empty_file_beside_its_log_is_not_backed_up_as_good(home: Path) -> None:
    _, log = logged(home)
    (home / "paddock.db").write_bytes(b"")
    (home / "paddock.db-wal").write_bytes(log)
    with pytest.raises(StoreDamaged, match="its file is empty"):
        made(home)
    assert (home / "paddock.db-wal").read_bytes() == log


def test_where_nothing_is_there_is_none(home: Path) -> None:
    assert made(home) == "none"
