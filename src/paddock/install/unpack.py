"""Owns unpacking an archive from elsewhere into an empty folder, wholly inside it; refuses to know what it holds.

Refused: absolute names and names that lead out, links that do, devices and pipes, names that are one name on some
system or that a system keeps for itself, more than `MOST_FILES` files or `MOST_BYTES` bytes, and archives that grow
beyond `MOST_RATIO` times their own size. Kept: links inside, as libraries have them. A zip tool that knows no links
turns one into a small file with the target's name in it; such a file is made a link again, since a program could not
load it. Not covered: what the unpacked programs do.
"""

from __future__ import annotations

import lzma
import os
import posixpath
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from paddock.errors import BuildRefused

MOST_FILES = 20_000
MOST_BYTES = 8 * 2**30
MOST_RATIO = 100
# Small archives of text and zeros may be tighter than that without harm.
RATIO_COUNTS_FROM_BYTES = 16 * 2**20
_BLOCK_BYTES = 2**20
_MOST_LINK_BYTES = 1024
_MANGLED_BYTES = 255
_LIBRARY = re.compile(r"\.(so|dylib)(\.[\w.]+)?$")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_BAD_CHARACTERS = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
# What the two libraries raise for bytes that make no sense, or that they cannot read.
_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One member: its name with `/`, and for a link where it leads."""

    name: str
    kind: Literal["file", "folder", "link", "other"]
    size_bytes: int = 0
    is_executable: bool = False
    target: str = ""
    member: tarfile.TarInfo | zipfile.ZipInfo


class _Archive:
    """A tar or zip file, read in one way."""

    def __init__(self, file: tarfile.TarFile | zipfile.ZipFile) -> None:
        self._file = file

    def entries(self) -> Generator[Entry]:
        """The members as the archive lists them."""
        if isinstance(self._file, tarfile.TarFile):
            yield from map(_of_tar, self._file)
        else:
            for member in self._file.infolist():
                yield self._of_zip(self._file, member)

    def open(self, entry: Entry) -> IO[bytes]:
        """The bytes of a file."""
        if isinstance(self._file, zipfile.ZipFile):
            return self._file.open(entry.member.filename if isinstance(entry.member, zipfile.ZipInfo) else "")
        opened = self._file.extractfile(entry.member) if isinstance(entry.member, tarfile.TarInfo) else None
        if opened is None:
            raise BuildRefused(f"'{entry.name}' in the archive has no bytes. Install another build.")
        return opened

    @staticmethod
    def _of_zip(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> Entry:
        mode = member.external_attr >> 16
        if member.is_dir():
            return Entry(name=member.filename, kind="folder", member=member)
        if stat.S_ISLNK(mode):
            if member.file_size > _MOST_LINK_BYTES:
                return Entry(name=member.filename, kind="other", member=member)
            target = file.read(member).decode("utf-8", "replace")
            return Entry(name=member.filename, kind="link", target=target, member=member)
        kind = "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "other"
        return Entry(
            name=member.filename, kind=kind, size_bytes=member.file_size, is_executable=bool(mode & 0o100),
            member=member,
        )  # fmt: skip


def unpack(archive: Path, folder: Path) -> int:
    """Unpack all of a zip or tar archive into `folder`, which is empty. Returns the bytes that were written.

    Raises:
        BuildRefused: it is no archive, is damaged, or holds what is refused; `folder` then holds a part of it.
        OSError: the folder cannot be written.
    """
    with _opened(archive) as opened:
        try:
            return _unpacked(opened, folder, archive.stat().st_size, archive.name)
        except _BROKEN as error:
            raise _refused(archive.name, f"is damaged ({error})") from error


@contextmanager
def _opened(archive: Path) -> Generator[_Archive]:
    try:
        is_zip, is_tar = zipfile.is_zipfile(archive), tarfile.is_tarfile(archive)
        file = zipfile.ZipFile(archive) if is_zip else tarfile.open(archive) if is_tar else None  # noqa: SIM115
    except _BROKEN as error:
        raise _refused(archive.name, f"is damaged ({error})") from error
    if file is None:
        with archive.open("rb") as begin:
            is_page = begin.read(512).lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"{"))
        raise _refused(archive.name, "is a page and no archive" if is_page else "is no archive")
    with file:
        yield _Archive(file)


def _unpacked(archive: _Archive, folder: Path, packed_bytes: int, title: str) -> int:
    seen: dict[str, tuple[str, bool]] = {}
    links: list[tuple[str, str]] = []
    limit_bytes = min(MOST_BYTES, max(RATIO_COUNTS_FROM_BYTES, MOST_RATIO * packed_bytes))
    written_bytes = 0
    for count, entry in enumerate(archive.entries()):
        if count >= MOST_FILES:
            raise _refused(title, f"holds more than {MOST_FILES} files")
        name = checked_name(entry.name, title)
        if name is None:
            continue
        _refuse_twins(seen, name, title, is_folder=entry.kind == "folder")
        place = folder / name
        if entry.kind == "folder":
            place.mkdir(parents=True, exist_ok=True)
        elif entry.kind == "link":
            links.append((name, entry.target))
        elif entry.kind == "other":
            raise _refused(title, f"holds '{name}', which is neither file, folder nor link")
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source:
                written_bytes += _copy(source, place, limit_bytes - written_bytes, title)
            place.chmod(0o755 if entry.is_executable else 0o644)
    # Links come last, so that nothing can be written through one.
    for name, target in links:
        _link(folder, name, target, title)
    _mend_links(folder)
    return written_bytes


def checked_name(name: str, title: str) -> str | None:
    """A member's name with plain parts, None for the archive's own root. Raises BuildRefused where it is unsafe."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    unsafe = name.startswith("/") or ".." in parts or _BAD_CHARACTERS.search(name)
    if unsafe or any(_RESERVED.fullmatch(part) or part != part.rstrip(" .") for part in parts):
        raise _refused(title, f"holds the name {name!r:.120}, which is not safe to unpack")
    return "/".join(parts) or None


def _refuse_twins(seen: dict[str, tuple[str, bool]], name: str, title: str, *, is_folder: bool) -> None:
    """Two names that are one where case or composed letters do not count. Only a folder may be told of twice."""
    parts = name.split("/")
    for depth in range(1, len(parts) + 1):
        path = "/".join(parts[:depth])
        told = (path, is_folder or depth < len(parts))
        before = seen.setdefault(unicodedata.normalize("NFC", path).casefold(), told)
        if before is not told and not (before == told and told[1]):
            raise _refused(title, f"holds {before[0]!r:.120} and {path!r:.120}, which are one on some systems")


def _of_tar(member: tarfile.TarInfo) -> Entry:
    is_executable = bool(member.mode & 0o100)
    if member.issym():
        return Entry(name=member.name, kind="link", target=member.linkname, member=member)
    # A hard link is read as the file that it stands for, out of the archive.
    kind = "file" if member.isreg() or member.islnk() else "folder" if member.isdir() else "other"
    return Entry(name=member.name, kind=kind, size_bytes=member.size, is_executable=is_executable, member=member)


def _copy(source: IO[bytes], place: Path, left_bytes: int, title: str) -> int:
    size_bytes = 0
    with place.open("xb") as target:
        while block := source.read(_BLOCK_BYTES):
            size_bytes += len(block)
            if size_bytes > left_bytes:
                raise _refused(title, "unpacks to far more than its size promises")
            target.write(block)
    return size_bytes


def _link(folder: Path, name: str, target: str, title: str) -> None:
    """A link of the archive, if it stays inside: by its words, and by where it really leads past other links."""
    words = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    leads_out = not target or target.startswith("/") or words.split("/")[0] == ".." or _BAD_CHARACTERS.search(target)
    place = folder / name
    if not leads_out:
        place.parent.mkdir(parents=True, exist_ok=True)
        _make_link(place, target)
        leads_out = not place.resolve().is_relative_to(folder.resolve())
    if leads_out:
        place.unlink(missing_ok=True)
        raise _refused(title, f"holds the link {name!r:.120} to {target!r:.120}, which leads out")


def _make_link(place: Path, target: str) -> None:
    try:
        place.symlink_to(target)
    except OSError:
        # Windows lets only some users make links.
        if os.name != "nt" or not (place.parent / target).is_file():
            raise
        shutil.copyfile(place.parent / target, place)


def _mend_links(folder: Path) -> None:
    """Libraries that are a short text with a neighbour's name were links before some zip tool wrote them."""
    for place in folder.rglob("*"):
        if place.is_symlink() or not place.is_file() or not _LIBRARY.search(place.name):
            continue
        if place.stat().st_size > _MANGLED_BYTES:
            continue
        target = place.read_bytes().decode("utf-8", "replace").strip()
        if target and "/" not in target and target != place.name and (place.parent / target).is_file():
            place.unlink()
            _make_link(place, target)


def _refused(title: str, what: str) -> BuildRefused:
    return BuildRefused(f"The archive '{title}' {what}. Nothing of it is used; install another build.")
