"""Tests that no path, link, pipe or folder leads out of a workspace, also where somebody plants them there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paddock.tools import beneath
from paddock.tools.beneath import NotThere


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace beside a secret."""
    (tmp_path / "secret").write_text("key")
    (tmp_path / "outside").mkdir()
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_what_is_written_is_read_and_listed(root: Path) -> None:
    beneath.write(root, "./a/b/c.txt", b"one")
    beneath.write(root, "a/b/c.txt", b"other")
    assert beneath.read(root, "a/b/c.txt", 3) == (b"oth", 5)
    assert [(one.path, one.size_bytes) for one in beneath.listed(root)] == [("a/b/c.txt", 5)]
    # An absolute path is one below the workspace, as a program in it would write it.
    assert beneath.read(root, "/a/b/c.txt", 9)[0] == b"other"


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize(
    "path", ["", ".", "/", "..", "../secret", "a/../../secret", "a/..", "x\0y", "a/" * 20 + "b", "n" * 201]
)
def test_what_is_no_path_here_is_refused(root: Path, path: str) -> None:
    with pytest.raises(NotThere):
        beneath.read(root, path, 9)
    with pytest.raises(NotThere):
        beneath.write(root, path, b"x")
    assert (root.parent / "secret").read_text() == "key"


@pytest.mark.attack("path traversal")
def test_no_link_is_followed(root: Path) -> None:
    (root / "file").symlink_to(root.parent / "secret")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "up").symlink_to("..")
    for path in ("file", "folder/x", "up/secret", "folder"):
        with pytest.raises(NotThere):
            beneath.read(root, path, 9)
    for path in ("folder/x", "up/secret"):
        with pytest.raises(NotThere):
            beneath.write(root, path, b"x")
    # A link is replaced by the file, and what it led to stays.
    beneath.write(root, "file", b"mine")
    assert (root.parent / "secret").read_text() == "key"
    assert (root / "file").read_bytes() == b"mine"
    assert os.listdir(root.parent / "outside") == []
    assert [one.path for one in beneath.listed(root)] == ["file"]


@pytest.mark.attack("path traversal")
def test_what_is_no_file_is_not_read(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    for path in ("pipe", "folder"):
        with pytest.raises(NotThere):
            beneath.read(root, path, 9)
    with pytest.raises(NotThere, match="is a folder"):
        beneath.write(root, "folder", b"x")
    assert beneath.listed(root) == []


def test_a_name_that_is_no_text_is_listed_as_one(root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/bad\xff"))).write_bytes(b"1")
    (root / "line\nbreak").write_bytes(b"22")
    assert sorted(one.size_bytes for one in beneath.listed(root)) == [1, 2]
    assert all(one.path.encode() for one in beneath.listed(root))


def test_a_draft_that_cannot_be_finished_is_taken_away(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        beneath.write(root, "a.txt", b"x")
    assert os.listdir(root) == []
