"""Tests copies of a SQLite database: whole while others write, and kept before its tables are changed."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from paddock.errors import StoreDamaged, StoreUnusable
from paddock.paths import Home
from paddock.store import copying
from paddock.store.db import Database

MIGRATIONS = Path(copying.__file__).parent / "migrations"
HANG_GUARD_S = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    return home


def opened(home: Home) -> None:
    database = Database("", home)
    database.try_it()
    database.engine().dispose()


def older(path: Path, revision: str) -> None:
    """A database as a paddock of that revision left it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@contextmanager
def writer(path: Path) -> Generator[list[int]]:
    """Somebody who writes numbers without a pause, each on its own; those that are kept are in the list."""
    kept: list[int] = []
    is_over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as there:
            there.execute("PRAGMA synchronous=OFF")
            while not is_over.is_set():
                there.execute("INSERT INTO numbers VALUES (?, ?)", (len(kept), "x" * 3000))
                kept.append(len(kept))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield kept
    finally:
        is_over.set()
        thread.join(HANG_GUARD_S)


def more(kept: list[int]) -> None:
    """Wait until the writer has kept another one."""
    count, deadline_s = len(kept), time.monotonic() + HANG_GUARD_S
    while len(kept) == count:
        assert time.monotonic() < deadline_s, "the writer waits"
        time.sleep(0)


def numbers(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as there:
        return [row[0] for row in there.execute("SELECT n FROM numbers ORDER BY n")]


def test_a_copy_is_whole_while_others_write_and_ends_although_they_do_not(home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as there:
        there.execute("PRAGMA journal_mode=WAL")
        there.execute("CREATE TABLE numbers (n INTEGER, text TEXT)")
        there.executemany("INSERT INTO numbers VALUES (?, ?)", [(-1 - n, "x" * 3000) for n in range(5000)])
        there.commit()
    steps: list[tuple[int, int]] = []
    with writer(home.database) as kept:
        more(kept)
        before = len(kept)

        def advance(done_bytes: int, all_bytes: int) -> None:
            steps.append((done_bytes, all_bytes))
            # The copy waits for the writer here, so that the writer cannot be waiting for the copy.
            more(kept)

        copying.copy(home.database, home.root / "copy", advance)
    copying.check(home.root / "copy")
    found = numbers(home.root / "copy")
    # Everything that was kept before, in one piece, and nothing of what came while it was copied.
    assert found[:5000] == list(range(-5000, 0))
    assert found[5000:] == list(range(len(found) - 5000))
    assert len(found) - 5000 >= before
    assert len(steps) > 5
    assert steps[-1][0] == steps[-1][1] == (home.root / "copy").stat().st_size
    assert sorted(path.name for path in home.root.glob("copy*")) == ["copy"]


def test_a_database_is_copied_before_its_tables_are_changed(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    older(home.database, "0003")
    with caplog.at_level(logging.WARNING):
        opened(home)
    copy = home.root / f"paddock.db.before-{copying.revisions()[-1]}"
    assert copying.revision_of(copy) == "0003"
    assert copying.revision_of(home.database) == copying.revisions()[-1]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert f"changed from 0003 to {copying.revisions()[-1]}; {copy.name} is as it was" in caplog.text
    assert [path.name for path in home.root.iterdir() if path.name.startswith(".")] == []
    # What is as it should be is left alone, as is a new one.
    copy.unlink()
    opened(home)
    assert copying.kept(home.database) == []


def test_the_last_two_copies_stay(home: Home) -> None:
    older(home.database, "0002")
    for number, revision in enumerate(("0001", "0002", "0003")):
        old = home.root / f"paddock.db.before-{revision}"
        old.write_bytes(b"old")
        os.utime(old, (number, number))
    opened(home)
    kept = [path.name for path in copying.kept(home.database)]
    assert kept == [f"paddock.db.before-{copying.revisions()[-1]}", "paddock.db.before-0003"]


def test_a_database_that_cannot_be_copied_is_not_changed(home: Home) -> None:
    older(home.database, "0003")
    # A folder stands where the copy should.
    (home.root / f"paddock.db.before-{copying.revisions()[-1]}").mkdir()
    with pytest.raises(StoreUnusable, match=r"paddock\.db cannot be copied"):
        opened(home)
    assert copying.revision_of(home.database) == "0003"
    assert [path.name for path in home.root.iterdir() if path.name.startswith(".")] == []


def test_a_damaged_database_is_told_of(home: Home) -> None:
    opened(home)
    data = bytearray(home.database.read_bytes())
    data[4096 * 3 : 4096 * 6] = bytes(4096 * 3)
    home.database.write_bytes(data)
    with pytest.raises(StoreDamaged, match=r"paddock\.db is damaged"):
        copying.check(home.database)
    home.database.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreDamaged, match=r"is damaged: file is not a database"):
        copying.copy(home.database, home.root / "copy")


def test_what_the_address_of_a_database_names(home: Home, tmp_path: Path) -> None:
    assert copying.file_of("", home) == home.database
    assert copying.file_of(f"sqlite:///{tmp_path}/a.db", home) == tmp_path / "a.db"
    for url in ("postgresql://user@host/name", "sqlite://", "nonsense"):
        assert copying.file_of(url, home) is None
