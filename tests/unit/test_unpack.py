"""Tests that an archive unpacks wholly inside its folder, or is refused with a reason."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from paddock.errors import BuildRefused
from paddock.install import unpack as room
from paddock.install.unpack import unpack

Member = tuple[str, bytes, str]


def tar(*members: Member) -> bytes:
    """A tar of (name, content, kind); the content of a link is its target."""
    raw = io.BytesIO()
    kinds = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "pipe": tarfile.FIFOTYPE}
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.mode = 0o755 if kind == "program" else 0o644
            if kind in kinds:
                info.type = kinds[kind]
                info.linkname = content.decode()
            elif kind == "folder":
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def zipped(*members: Member) -> bytes:
    raw = io.BytesIO()
    modes = {
        "link": stat.S_IFLNK | 0o777,
        "program": stat.S_IFREG | 0o755,
        "device": stat.S_IFCHR,
        "pipe": stat.S_IFIFO,
    }
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, kind in members:
            info = zipfile.ZipInfo(name + ("/" if kind == "folder" else ""))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = modes.get(kind, 0) << 16
            archive.writestr(info, content)
    return raw.getvalue()


KINDS: dict[str, Callable[..., bytes]] = {"tar": tar, "zip": zipped}


def put(tmp_path: Path, content: bytes) -> tuple[Path, Path]:
    archive, folder = tmp_path / "archive", tmp_path / "folder with ünicode"
    archive.write_bytes(content)
    folder.mkdir()
    return archive, folder


def outside(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_files_rights_and_inner_links_are_kept(tmp_path: Path, kind: str) -> None:
    members = [
        ("build", b"", "folder"), ("build/llama-server", b"program", "program"), ("./build/a b/ü.txt", b"text", "file"),
        ("build/libx.so", b"libx.so.1", "link"), ("build/libx.so.1", b"library", "file"),
        ("build/up", b"a b/../libx.so", "link"),
    ]  # fmt: skip
    archive, folder = put(tmp_path, KINDS[kind](*members))
    assert unpack(archive, folder) == len(b"program" + b"text" + b"library")
    assert (folder / "build" / "a b" / "ü.txt").read_bytes() == b"text"
    assert os.access(folder / "build" / "llama-server", os.X_OK)
    assert not os.access(folder / "build" / "libx.so.1", os.X_OK)
    assert (folder / "build" / "libx.so").readlink() == Path("libx.so.1")
    assert (folder / "build" / "up").read_bytes() == b"library"


def test_a_hard_link_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    archive, folder = put(tmp_path, tar(("a", b"bytes", "file"), ("b", b"a", "hard")))
    unpack(archive, folder)
    assert (folder / "b").read_bytes() == b"bytes"
    assert not (folder / "b").is_symlink()


@pytest.mark.parametrize("kind", KINDS)
def test_links_that_a_tool_wrote_as_texts_are_links_again(tmp_path: Path, kind: str) -> None:
    members = [
        ("lib/libx.so", b"libx.so.0", "file"), ("lib/libx.so.0", b"libx.so.0.1", "file"),
        ("lib/libx.so.0.1", b"\x7fELF and more", "file"), ("lib/notes.so", b"libgone.so", "file"),
        ("lib/README", b"libx.so.0", "file"),
    ]  # fmt: skip
    archive, folder = put(tmp_path, KINDS[kind](*members))
    unpack(archive, folder)
    assert (folder / "lib" / "libx.so").is_symlink()
    assert (folder / "lib" / "libx.so").read_bytes() == b"\x7fELF and more"
    assert (folder / "lib" / "README").read_bytes() == b"libx.so.0"
    assert (folder / "lib" / "notes.so").read_bytes() == b"libgone.so"


BAD: dict[str, tuple[Member, ...]] = {
    "a way up": (("../evil", b"x", "file"),),
    "a way up in the middle": (("a/../../evil", b"x", "file"),),
    "an absolute name": (("/evil", b"x", "file"),),
    "a backslash": (("..\\evil", b"x", "file"),),
    "a drive": (("C:evil", b"x", "file"),),
    "a device's name": (("a/NUL.txt", b"x", "file"),),
    "a dot at the end": (("a/evil.", b"x", "file"),),
    "a control character": (("a\nb", b"x", "file"),),
    "a link up": (("a/link", b"../../evil", "link"),),
    "an absolute link": (("link", b"/etc/passwd", "link"),),
    "a link up through a link": (
        ("a/b/d", b"../..", "link"), ("a/b/c/out", b"../../../a/b/d/../evil", "link"),
    ),
    "a file through a link": (("a", b".", "link"), ("a/b", b"x", "file")),
    "a device": (("dev", b"", "device"),),
    "a pipe": (("pipe", b"", "pipe"),),
    "names that differ by case": (("Lib/x", b"1", "file"), ("lib/x", b"2", "file")),
    "names that differ by composition": (("\u00e9", b"1", "file"), ("e\u0301", b"2", "file")),
    "one name twice": (("a", b"1", "file"), ("a", b"2", "file")),
    "a file that is a folder": (("a", b"1", "file"), ("a/b", b"2", "file")),
}  # fmt: skip


@pytest.mark.attack("path traversal")
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BAD)
def test_what_could_leave_the_folder_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    archive, folder = put(tmp_path, KINDS[kind](*BAD[name]))
    before = outside(tmp_path)
    with pytest.raises(BuildRefused, match="Nothing of it is used"):
        unpack(archive, folder)
    assert outside(tmp_path) == before
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in folder.rglob("*"))


@pytest.mark.attack("bombs")
@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_grows_too_much_is_refused(tmp_path: Path, kind: str) -> None:
    archive, folder = put(tmp_path, KINDS[kind](("zeros", bytes(room.RATIO_COUNTS_FROM_BYTES + 1), "file")))
    with pytest.raises(BuildRefused, match="far more than"):
        unpack(archive, folder)


@pytest.mark.attack("bombs")
@pytest.mark.parametrize("kind", KINDS)
def test_too_many_files_are_refused(tmp_path: Path, kind: str) -> None:
    members = [("d", b"", "folder")] * (room.MOST_FILES + 1) if kind == "tar" else []
    many = [(f"d{number}", b"", "folder") for number in range(room.MOST_FILES + 1)] if kind == "zip" else members
    archive, folder = put(tmp_path, KINDS[kind](*many))
    with pytest.raises(BuildRefused, match="more than 20000 files"):
        unpack(archive, folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "is a page"),
        (b'{"message": "Not Found"}', "is a page"),
        (b"", "is no archive"),
        (b"\x7fELF", "is no archive"),
        (tar(("a", os.urandom(5000), "file"))[:-2000], "damaged"),
        (zipped(("a", os.urandom(5000), "file"))[:-100], "is no archive"),
    ],
)
def test_what_is_no_archive_is_told_so(tmp_path: Path, content: bytes, words: str) -> None:
    archive, folder = put(tmp_path, content)
    with pytest.raises(BuildRefused, match=words):
        unpack(archive, folder)


def test_a_flipped_bit_in_a_zip_is_noticed(tmp_path: Path) -> None:
    raw = bytearray(zipped(("a", os.urandom(5000), "file")))
    raw[2000] ^= 1
    archive, folder = put(tmp_path, bytes(raw))
    with pytest.raises(BuildRefused, match="damaged"):
        unpack(archive, folder)
