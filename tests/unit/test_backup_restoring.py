"""Tests what a backup that is restored does not bring along: who was signed in, what waited, and programs to be run."""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert

from paddock.backup import making, restoring
from paddock.backup.restoring import Outcome, Plan
from paddock.config import Settings, in_file
from paddock.errors import BackupFailed, BackupRefused, SettingInvalid
from paddock.paths import Home
from paddock.store import copying, migrating
from paddock.store.db import Database
from paddock.store.tables import accounts, jobs, keys, links, sessions

STATES = ("queued", "running", "stopping", "stopped", "done", "failed", "cancelled")


def nothing(_: int, __: int) -> None:
    """Progress that nobody looks at."""


def home_at(root: Path, config: str = "") -> Home:
    home = Home(root=root)
    home.ensure()
    if config:
        home.config_file.write_text(config, "utf-8")
    return home


def restored(source: Home, target: Home, *, trusts_settings: bool = False, agrees: bool = True) -> Outcome:
    archive = source.root.parent / "b.tar"
    archive.unlink(missing_ok=True)
    making.make(Settings(home=source), archive, making.Choice(), nothing)
    return restoring.restore(
        target, archive, {}, agree=lambda _: agrees, advance=nothing, trusts_settings=trusts_settings
    )


def rows(home: Home, asked: str) -> list[Sequence[object]]:
    with closing(sqlite3.connect(home.database)) as there:
        return there.execute(asked).fetchall()


def test_nobody_is_signed_in_after_a_restore_and_nothing_goes_on_by_itself(tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source"), home_at(tmp_path / "target")
    database = Database("", source)
    times = {"created_s": 1.0, "seen_s": 1.0}
    with database.engine().begin() as connection:
        connection.execute(insert(accounts).values(id="a", name="anna", role="admin", **times))
        of_anna = {"account_id": "a", "digest": "d"}
        connection.execute(insert(sessions).values(id="s", address="", program="", **of_anna, **times))
        connection.execute(insert(links).values(expires_s=9e12, **of_anna))
        for state in STATES:
            row = {"id": state, "kind": "training", "name": "t", "state": state, "priority": 0, "spec": "{}"}
            connection.execute(insert(jobs).values(**row, figures="{}", created_s=1.0))
    database.engine().dispose()

    done = restored(source, target)
    assert rows(target, "SELECT name FROM accounts") == [("anna",)]
    assert rows(target, "SELECT * FROM sessions") == rows(target, "SELECT * FROM account_links") == []
    assert rows(target, "SELECT id, state FROM jobs ORDER BY rowid") == [
        (state, "stopped" if state in ("queued", "running", "stopping") else state) for state in STATES
    ]
    assert rows(target, "SELECT count(*) FROM jobs WHERE ended_s IS NOT NULL") == [(3,)]
    assert any("Everybody is signed out" in note and "`paddock keys list`" in note for note in done.notes)
    # The home that was copied is as it was.
    assert len(rows(source, "SELECT * FROM sessions")) == 1
    database = Database("", target)
    database.try_it()
    database.engine().dispose()


def test_a_database_before_there_were_accounts_is_restored(tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source"), home_at(tmp_path / "target")
    with closing(sqlite3.connect(source.database)) as there:
        there.execute("CREATE TABLE words (word TEXT)")
        there.execute("INSERT INTO words VALUES ('old')")
        there.commit()
    restored(source, target)
    assert rows(target, "SELECT word FROM words") == [("old",)]


# What a stranger could have put into a database so that nothing that is taken back stays so.
UNDOING = {
    "signed_in": "CREATE TRIGGER {} AFTER DELETE ON sessions BEGIN INSERT INTO sessions VALUES "
    "(old.id || 'x', old.account_id, old.digest || 'x', old.created_s, old.seen_s, old.address, old.program); END",
    "good_again": "CREATE TRIGGER {} AFTER UPDATE OF revoked_s ON keys BEGIN UPDATE keys SET revoked_s = NULL; END",
    "queued": "CREATE TRIGGER {} AFTER UPDATE OF state ON jobs BEGIN UPDATE jobs SET state = 'queued'; END",
    "quoted \"'; ": "CREATE TRIGGER {} BEFORE DELETE ON accounts BEGIN SELECT RAISE(IGNORE); END",
    "in_place": "CREATE VIEW {} AS SELECT * FROM sessions",
    "once": "CREATE UNIQUE INDEX {} ON sessions (address)",
}


def test_nothing_in_a_database_acts_but_what_paddock_made(tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source"), home_at(tmp_path / "target")
    database = Database("", source)
    with database.engine().begin() as connection:
        times = {"created_s": 1.0, "seen_s": 1.0}
        connection.execute(insert(accounts).values(id="a", name="anna", role="admin", **times))
        connection.execute(insert(sessions).values(id="s", account_id="a", digest="d", address="", program="", **times))
        row = {"id": "j", "kind": "training", "name": "t", "state": "queued", "priority": 0, "spec": "{}"}
        connection.execute(insert(jobs).values(**row, figures="{}", created_s=1.0))
        connection.execute(insert(keys).values(id="k", name="k", digest="d", hint="", created_s=1.0, is_recorded=False))
    database.engine().dispose()
    with closing(sqlite3.connect(source.database)) as there:
        before = there.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        for name, statement in UNDOING.items():
            quoted = name.replace('"', '""')
            there.execute(statement.format(f'"{quoted}"'))
        there.commit()

    done = restored(source, target)
    assert rows(target, "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2") == before
    assert rows(target, "SELECT * FROM sessions") == []
    assert rows(target, "SELECT state FROM jobs") == [("stopped",)]
    with closing(sqlite3.connect(target.database)) as there:
        there.execute("UPDATE keys SET revoked_s = 2.0")
        assert there.execute("SELECT revoked_s FROM keys").fetchall() == [(2.0,)]
    note = next(note for note in done.notes if "paddock makes no such thing" in note)
    assert all(f"{name!r}" in note for name in UNDOING)


# What stands in the place of what paddock makes.
REPLACED = {
    "a view for a table": ["ALTER TABLE sessions RENAME TO other", "CREATE VIEW sessions AS SELECT * FROM other"],
    "a table that refuses in silence": [
        "DROP TABLE account_links",
        "CREATE TABLE account_links (digest VARCHAR(64) UNIQUE ON CONFLICT IGNORE, account_id TEXT, expires_s FLOAT)",
    ],
    "a table that is gone": ["DROP TABLE account_links"],
    "an index that is gone": ["DROP INDEX ix_jobs_kind"],
    "an index that is another": ["DROP INDEX ix_jobs_kind", "CREATE UNIQUE INDEX ix_jobs_kind ON jobs (kind)"],
    "a trigger that is another": [
        "DROP TRIGGER chat_search_added",
        "CREATE TRIGGER chat_search_added AFTER INSERT ON chat_words BEGIN DELETE FROM audit; END",
    ],
}


@pytest.mark.parametrize("statements", REPLACED.values(), ids=REPLACED)
def test_a_database_that_is_made_otherwise_is_refused(statements: list[str], tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source"), home_at(tmp_path / "target")
    database = Database("", source)
    database.try_it()
    database.engine().dispose()
    with closing(sqlite3.connect(source.database)) as there:
        for statement in statements:
            there.execute(statement)
        there.commit()
    with pytest.raises(BackupRefused, match=r"is not the one that paddock makes\. Take another backup"):
        restored(source, target)
    assert not target.database.exists()


@pytest.mark.parametrize("revision", copying.revisions())
def test_a_database_of_every_paddock_before_comes_back_as_it_was(revision: str, tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source"), home_at(tmp_path / "target")
    engine = create_engine(f"sqlite:///{source.database}")
    migrating.upgrade(engine, revision)
    engine.dispose()
    with closing(sqlite3.connect(source.database)) as there:
        # What its owner, and SQLite itself, may have added.
        there.execute("CREATE TABLE words (word TEXT)")
        there.execute("ANALYZE")
        there.commit()
    assert not any("makes no such thing" in note for note in restored(source, target).notes)
    asked = "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2"
    assert rows(target, asked) == rows(source, asked)
    database = Database("", target)
    database.try_it()
    database.engine().dispose()


CONFIG = """\
# mine
slots = 3
engine = "/tmp/a-program" # theirs
engine_mirror = "https://elsewhere.example/builds"
"""


def test_programs_that_a_backup_names_are_left_out_and_told_of(tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source", CONFIG), home_at(tmp_path / "target")
    plans: list[Plan] = []
    done = restored(source, target)
    assert target.config_file.read_text("utf-8") == "# mine\nslots = 3\n"
    left_out = {"engine": "/tmp/a-program", "engine_mirror": "https://elsewhere.example/builds"}
    assert done.withheld == left_out
    archive = tmp_path / "b.tar"

    def agree(plan: Plan) -> bool:
        plans.append(plan)
        return False

    with pytest.raises(BackupFailed, match="nobody agreed"):
        restoring.restore(target, archive, {}, agree=agree, advance=nothing, trusts_settings=False)
    assert plans[0].withheld == left_out


@pytest.mark.parametrize(
    ("config", "here"),
    [
        ('engine = "embedded"\n', ""), ('engine = ""\n', 'engine = "/other"\n'), ('slots = "engine"\n', ""),
        ('engine = "/mine"\n', 'engine = "/mine"\n'), ('model = "x"\nhost = "::1"\n', ""),
    ],
)  # fmt: skip
def test_settings_that_name_no_program_or_one_that_is_agreed_to_come_along(
    config: str, here: str, tmp_path: Path
) -> None:
    source, target = home_at(tmp_path / "source", config), home_at(tmp_path / "target", here)
    assert restored(source, target).withheld == {}
    assert target.config_file.read_text("utf-8") == config


def test_one_who_says_so_has_them_all(tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source", CONFIG), home_at(tmp_path / "target")
    assert restored(source, target, trusts_settings=True).withheld == {}
    assert target.config_file.read_text("utf-8") == CONFIG


UNREAD = {
    "a line end that TOML does not know": b'# mine\rengine = "/tmp/a-program"\n',
    "TOML that its owner mends later": b'slots = \nengine = "/tmp/a-program"\n',
    "no text": b'# \xff\nengine = "/tmp/a-program"\n',
    "nested too deeply": b"slots = " + b"[" * 100_000,
    "a number without end": b"slots = " + b"9" * 10_000,
}


@pytest.mark.parametrize("data", UNREAD.values(), ids=UNREAD)
def test_settings_that_cannot_be_read_are_left_out_and_those_here_stay(data: bytes, tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source"), home_at(tmp_path / "target", "slots = 2\n")
    source.config_file.write_bytes(data)
    source.aliases.write_text("{}", "utf-8")
    done = restored(source, target)
    assert done.unread
    assert done.withheld == {}
    assert target.config_file.read_text("utf-8") == "slots = 2\n"
    assert target.aliases.read_text("utf-8") == "{}"
    assert restored(source, target, trusts_settings=True).unread == ""
    assert target.config_file.read_bytes() == data


def test_a_home_reads_its_settings_as_a_backup_does(tmp_path: Path) -> None:
    for number, data in enumerate(UNREAD.values()):
        home = home_at(tmp_path / str(number))
        home.config_file.write_bytes(data)
        with pytest.raises(SettingInvalid, match=r"config\.toml in the data home cannot be read"):
            in_file(home)


def test_the_database_is_looked_for_where_the_settings_that_stay_have_it(tmp_path: Path) -> None:
    source = home_at(tmp_path / "source", "this is no TOML\n")
    target = home_at(tmp_path / "target", 'database_url = "sqlite:////elsewhere/p.db"\n')
    Database("", source).try_it()
    assert any("database_url names /elsewhere/p.db" in note for note in restored(source, target).notes)


@pytest.mark.parametrize(
    "spelling",
    [
        '"engine" = "/x"',
        "engine = '''/x'''",
        "engine.a = 1",
        "[engine]\na = 1",
        "engine = ['/x']",
        "[engine.a]\nb = 1\n[engine.c]\nd = 1",
    ],
)
def test_however_it_is_spelt(spelling: str, tmp_path: Path) -> None:
    source, target = home_at(tmp_path / "source", f"slots = 3\r\n{spelling}\r\n"), home_at(tmp_path / "target")
    assert list(restored(source, target).withheld) == ["engine"]
    assert tomllib.loads(target.config_file.read_text("utf-8")) == {"slots": 3}
