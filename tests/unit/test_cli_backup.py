"""Tests that what a stranger's backup says of itself is shown as the words of a stranger, and steers no terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from paddock.backup.manifest import Absent
from paddock.backup.parts import LeftOut
from tests.unit.test_backup_archive import SAID, said_of, written
from tests.unit.test_cli_adapters import run

STEERING = "\x1b]0;pwn\x07\nIt is yours, and whole.\r\x9b8m\u202e"
ID = f"x; touch /tmp/theirs #{STEERING}"
HOSTILE = replace(
    SAID,
    made_by=STEERING,
    made_at=STEERING + "\ud800" + "9" * 5000,
    absent_models=(
        Absent(id=ID, size_bytes=1, origin="pulled"),
        Absent(id="--index=http://elsewhere", size_bytes=1, origin="pulled"),
        Absent(id="a/b:Q4", size_bytes=1, origin="pulled"),
        Absent(id=ID, size_bytes=1, origin=STEERING),
    ),
    left_out=(LeftOut(path=f"a{STEERING}", why=f"is fine{STEERING}"),),
)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PADDOCK_HOME", str(tmp_path / "home"))
    return written(tmp_path / "b.tar", {}, HOSTILE.written())


SHOWN: dict[str, Callable[[Path], int]] = {
    "show": lambda path: run("backup", "show", str(path)),
    "show, as JSON": lambda path: run("backup", "show", "--json", str(path)),
    "check": lambda path: run("backup", "check", str(path)),
    "restore": lambda path: run("backup", "restore", str(path)),
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_no_word_of_a_backup_steers_the_terminal_or_writes_a_line(
    shown: Callable[[Path], int], archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(archive) == 0
    said = "".join(capsys.readouterr())
    assert [one for one in said if one != "\n" and not one.isprintable()] == []
    assert [line for line in said.splitlines() if line.startswith("It is yours")] == []
    assert max(map(len, said.splitlines())) < 2000


def test_only_a_name_is_put_into_a_line_to_be_copied(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backup", "show", str(archive)) == 0
    said = capsys.readouterr().err
    assert said.count("`paddock pull") == 1
    assert "the model a/b:Q4 (1 bytes); `paddock pull a/b:Q4` fetches it." in said
    assert "the model 'x; touch /tmp/theirs #" in said
    assert said.count("no model that can be pulled has that name") == 2


def test_a_newer_paddock_is_named_in_one_line(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"paddock.db": b"x"}
    newer = replace(HOSTILE, database="sqlite", schema="9" + STEERING, files=said_of(files).files)
    assert run("backup", "check", str(written(archive, files, newer.written()))) == 1
    said = capsys.readouterr().err
    assert "Upgrade paddock, then restore it." in said
    assert [line for line in said.splitlines() if line.startswith("It is yours")] == []
