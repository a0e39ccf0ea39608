"""Tests that one paddock at a time holds a thing, that it says so, and that nothing is left of one that let go."""

from __future__ import annotations

import os
from pathlib import Path

from paddock.ownership import Ownership


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
