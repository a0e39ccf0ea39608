"""Tests that no path, link, pipe or folder leads out of a workspace, also where somebody plants them there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paddock.sandbox import files
from paddock.tools.files import name_of
from paddock.tools.tool import Unfit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace beside a secret."""
    (tmp_path / "secret").write_text("key")
    (tmp_path / "outside").mkdir()
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def names(root: Path) -> list[str]:
    return sorted(files.look(root, entries_most=99).sizes_bytes)


def test_what_is_written_is_read_and_listed(root: Path) -> None:
    files.write(root, "a/b/c.txt", b"one")
    files.write(root, "a/b/c.txt", b"other")
    assert files.read(root, "a/b/c.txt", most_bytes=3, is_cut=True) == b"oth"
    assert names(root) == ["a/b/c.txt"]


@pytest.mark.parametrize(
    ("path", "name"), [("a.txt", "a.txt"), ("./a/b.txt", "a/b.txt"), ("/a/b.txt", "a/b.txt"), (" a//b ", "a/b")]
)
def test_a_path_as_models_write_it_is_below_the_workspace(path: str, name: str) -> None:
    assert name_of(path) == name


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize(
    "path", ["", ".", "/", "..", "../secret", "a/../../secret", "a/..", "x\0y", "a\n/b", "\x1b[2J"]
)
def test_what_is_no_path_here_is_refused(path: str) -> None:
    with pytest.raises(Unfit, match="is no path of a file here"):
        name_of(path)


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize("name", ["", ".", "..", "../secret", "a/../../secret", "/etc/passwd", "x\0y", "a//b"])
def test_what_is_no_name_within_is_neither_read_nor_written(root: Path, name: str) -> None:
    with pytest.raises(OSError, match="is no name within a workspace"):
        files.read(root, name, most_bytes=9)
    with pytest.raises(OSError, match="is no name within a workspace"):
        files.write(root, name, b"x")
    assert (root.parent / "secret").read_text() == "key"


@pytest.mark.attack("path traversal")
def test_no_link_is_followed(root: Path) -> None:
    (root / "file").symlink_to(root.parent / "secret")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "up").symlink_to("..")
    for name in ("file", "folder/x", "up/secret", "folder"):
        with pytest.raises(OSError, match=r".+"):
            files.read(root, name, most_bytes=9)
    for name in ("folder/x", "up/secret"):
        with pytest.raises(OSError, match=r".+"):
            files.write(root, name, b"x")
    # A link is replaced by the file, and what it led to stays.
    files.write(root, "file", b"mine")
    assert (root.parent / "secret").read_text() == "key"
    assert (root / "file").read_bytes() == b"mine"
    assert os.listdir(root.parent / "outside") == []
    assert names(root) == ["file"]


def test_what_cannot_be_written_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(root, "folder", b"x")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write(root, "a.txt", b"x")
    assert os.listdir(root) == ["folder"]
