"""Tests the form of backups: what is written is read again, also by others; what was tampered with is refused."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.backup import manifest, tar
from paddock.backup.archive import opened
from paddock.backup.manifest import Absent, File, Manifest
from paddock.errors import BackupFailed, BackupRefused

LONG = "requests/" + "/".join("d" * 60 for _ in range(4)) + "/x.json.gz"
FILES = {
    "config.toml": b"slots = 3\n", "templates/" + "t" * 200: b"{{ x }}" * 500, "models/Größe.gguf": b"", LONG: b"long",
}  # fmt: skip
SAID = Manifest(
    made_by="0.1.0", made_at="2026-11-27T12:00:00+00:00", database="none", schema=None,
    speaks_of=("config.toml", "aliases.json"), files=(),
    absent_models=(Absent(id="a/b:Q4", size_bytes=3, origin="pulled"),),
)  # fmt: skip


def nothing(_: int) -> None:
    """Progress that nobody looks at."""


def said_of(files: dict[str, bytes]) -> Manifest:
    told = (
        File(path=name, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in files.items()
    )
    return replace(SAID, files=tuple(told))


def written(path: Path, files: dict[str, bytes], last: bytes | None = None) -> Path:
    """An archive of these files, with a manifest of its own or another last member."""
    with path.open("wb") as file:
        writer = tar.Writer(file, nothing)
        for name, data in files.items():
            writer.add(name, io.BytesIO(data), len(data), changed_s=0)
        end = said_of(files).written() if last is None else last
        writer.add(manifest.NAME, io.BytesIO(end), len(end), changed_s=0)
        writer.close()
    return path


def resealed(change: Callable[[dict[str, Any]], object], files: dict[str, bytes] = FILES) -> bytes:
    """A manifest that was changed by somebody who knows how it is sealed."""
    told = json.loads(said_of(files).written())
    del told["sha256"]
    change(told)
    return json.dumps(
        {**told, "sha256": hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}
    ).encode()


def checked(path: Path) -> None:
    with opened(path) as archive:
        archive.check(nothing)


def test_what_is_written_is_given_out_again(tmp_path: Path) -> None:
    path = written(tmp_path / "b.tar", FILES)
    with opened(path) as archive:
        archive.check(nothing)
        assert archive.manifest == said_of(FILES)
        assert archive.size_bytes == sum(map(len, FILES.values()))
        for number, file in enumerate(archive.manifest.files):
            archive.give(file, tmp_path / str(number), nothing)
            assert (tmp_path / str(number)).read_bytes() == FILES[file.path]
            assert (tmp_path / str(number)).stat().st_mode & 0o777 == 0o600
        assert archive.data("config.toml", most_bytes=100) == b"slots = 3\n"
        assert archive.data("aliases.json", most_bytes=100) == b""


def test_another_program_reads_it(tmp_path: Path) -> None:
    with tarfile.open(written(tmp_path / "b.tar", FILES)) as archive:
        found = {one.name: archive.extractfile(one) for one in archive.getmembers()}
    names = [name if name != LONG and len(name) < 200 else None for name in FILES]
    assert list(found) == [name or f"long-names/{number}" for number, name in enumerate(names)] + [manifest.NAME]


def test_a_size_beyond_eight_gigabytes_is_written_as_others_write_it() -> None:
    block = tar.header("models/large.gguf", 300 * 2**30 + 7, 1_000_000)
    other = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    assert (other.name, other.size, other.mtime, other.mode) == ("models/large.gguf", 300 * 2**30 + 7, 1_000_000, 0o600)
    with pytest.raises(tar.Malformed, match="ends in the middle"):
        list(tar.members(io.BytesIO(block)))


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(tmp_path_factory: pytest.TempPathFactory, place: int, change: int) -> None:
    folder = tmp_path_factory.mktemp("changed")
    data = bytearray(written(folder / "b.tar", FILES).read_bytes())
    place %= len(data)
    data[place] ^= change
    (folder / "c.tar").write_bytes(data)
    try:
        with opened(folder / "c.tar") as archive:
            archive.check(nothing)
            # It was in what fills a block up, or behind the end.
            assert archive.manifest == said_of(FILES)
    except BackupRefused:
        return


def test_every_shortened_archive_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "b.tar", {"config.toml": b"x" * 600}).read_bytes()
    ends = range(0, len(data) - 2 * tar.BLOCK_BYTES, 61)
    for end in ends:
        (tmp_path / "c.tar").write_bytes(data[:end])
        with pytest.raises(BackupRefused):
            checked(tmp_path / "c.tar")
    assert len(ends) > 40


def hostile(kind: bytes, name: str = "config.toml", size_bytes: int = 0) -> bytes:
    """The header of a member that is no regular file, with a checksum that is right."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, "/etc/passwd", size_bytes
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
        tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE, b"\0", b"7",
    ],
)  # fmt: skip
def test_what_is_no_regular_file_is_refused(kind: bytes, tmp_path: Path) -> None:
    block = hostile(kind)
    # tarfile writes blanks where POSIX leaves a choice.
    (tmp_path / "b.tar").write_bytes(block + written(tmp_path / "a.tar", {}).read_bytes())
    with pytest.raises(BackupRefused, match=r"regular file|no backup"):
        checked(tmp_path / "b.tar")


@pytest.mark.parametrize("field", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"-0000000001\0", b"77777777777\0", b" " * 12])
def test_a_size_that_cannot_be_is_refused(field: bytes, tmp_path: Path) -> None:
    block = bytearray(tar.header("config.toml", 0, 0))
    block[124:136] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "b.tar").write_bytes(bytes(block) + bytes(1024))
    with pytest.raises(BackupRefused):
        checked(tmp_path / "b.tar")


@pytest.mark.parametrize("data", [b"", b"GIF89a", bytes(10240), b"PK\3\4" + bytes(600), b"x" * 4096])
def test_what_is_no_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(data)
    with pytest.raises(BackupRefused, match=r"Nothing of it is used"):
        checked(tmp_path / "b.tar")


@pytest.mark.parametrize(
    "last",
    [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b'{"paddock_backup": 1}', b'{"paddock_backup": NaN, "sha256": ""}'],
)
def test_a_manifest_that_is_none_is_refused(last: bytes, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="damaged manifest"):
        checked(written(tmp_path / "b.tar", {}, last))


LIES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda told: told["files"].pop(), "other files than"),
    (lambda told: told["files"].reverse(), "other files than"),
    (lambda told: told["files"].append(told["files"][0]), "names are one"),
    (lambda told: told["files"][0].update(path="../config.toml"), "not every system"),
    (lambda told: told["files"][0].update(path="serving.lock"), "nothing that a backup holds"),
    (lambda told: told["files"][0].update(path="paddock.db"), "makes no sense"),
    (lambda told: told["files"][0].update(path=7), "makes no sense"),
    (lambda told: told["files"][0].update(size_bytes=-1), "makes no sense"),
    (lambda told: told["files"][0].update(size_bytes=True), "makes no sense"),
    (lambda told: told["files"][0].update(size_bytes=2**62), "other files than"),
    (lambda told: told["files"][0].update(sha256="0" * 64), "damaged 'config.toml'"),
    (lambda told: told.update(speaks_of=["models"]), "makes no sense"),
    (lambda told: told.update(speaks_of=["../x"]), "makes no sense"),
    (lambda told: told.update(database="oracle"), "makes no sense"),
    (lambda told: told.update(database=["sqlite"]), "makes no sense"),
    (lambda told: told.update(database="sqlite"), "makes no sense"),
    (lambda told: told.update(schema="0005"), "makes no sense"),
    (lambda told: told.update(files=None), "makes no sense"),
    (lambda told: told.update(files=[3]), "makes no sense"),
    (lambda told: told.update(paddock_backup=2), "a newer paddock made it"),
    (lambda told: told.pop("made_by"), "makes no sense"),
]


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize(("change", "words"), LIES)
def test_a_manifest_that_lies_is_refused(
    change: Callable[[dict[str, Any]], object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(BackupRefused, match=words):
        checked(written(tmp_path / "b.tar", FILES, resealed(change)))


@pytest.mark.attack("path traversal")
def test_names_that_are_one_on_some_systems_are_refused(tmp_path: Path) -> None:
    for twins in (("templates/A", "templates/a"), ("templates/\u00e9", "templates/e\u0301")):
        with pytest.raises(BackupRefused, match="names are one"):
            checked(written(tmp_path / "b.tar", dict.fromkeys(twins, b"x")))


def test_a_file_that_becomes_shorter_ends_the_writing() -> None:
    writer = tar.Writer(io.BytesIO(), nothing)
    with pytest.raises(tar.Changed, match="events"):
        writer.add("jobs/job_1/events.jsonl", io.BytesIO(b"abc"), 4, changed_s=0)


def test_a_backup_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tar", tmp_path):
        with pytest.raises(BackupFailed, match="cannot be read"):
            checked(path)
