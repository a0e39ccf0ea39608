"""Tests that one paddock at a time holds a thing, that it says so, and that nothing is left of one that let go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paddock.ownership import Ownership, holders, joined


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    first, second = (Ownership(tmp_path / "x" / ".lock") for _ in range(2))
    assert first.take()
    assert first.take()
    assert not second.take()
    first.release()
    first.release()
    assert second.take()
    assert second.is_held
    second.release()


def test_others_read_what_the_owner_noted_last(tmp_path: Path) -> None:
    first, second = (Ownership(tmp_path / ".lock") for _ in range(2))
    assert first.take(url="http://127.0.0.1:1/a-long-address")
    assert (second.holder()["pid"], second.holder()["url"]) == (os.getpid(), "http://127.0.0.1:1/a-long-address")
    first.release()
    assert second.take(url="http://127.0.0.1:2")
    assert first.holder()["url"] == "http://127.0.0.1:2"
    second.release()


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    assert Ownership(path).holder() == {}
    for text in ("", "{", "[1]"):
        path.write_text(text)
        assert Ownership(path).holder() == {}


def test_each_of_many_has_a_lock_of_its_own_and_is_told_of_until_it_lets_go(tmp_path: Path) -> None:
    assert holders(tmp_path) == []
    first, second = joined(tmp_path), joined(tmp_path)
    second.note(url="http://127.0.0.1:2")
    assert [one.get("url") for one in holders(tmp_path)] == [None, "http://127.0.0.1:2"]
    first.release()
    assert [one["url"] for one in holders(tmp_path)] == ["http://127.0.0.1:2"]
    third = joined(tmp_path)
    assert len(holders(tmp_path)) == 2
    second.release()
    third.release()
    assert holders(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_in_which_nothing_can_be_locked_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "present").write_text("a file", "utf-8")
    with pytest.raises(OSError, match="present"):
        joined(tmp_path / "present")
