"""Tests reading files that a person named: whole within a bound, and nothing that never ends or is waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paddock.paths import kind_of, read_small

MOST_BYTES = 10


def test_a_file_within_the_bound_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * MOST_BYTES)
    assert read_small(file, most_bytes=MOST_BYTES) == b"x" * MOST_BYTES
    assert (kind_of(file), kind_of(tmp_path / "absent"), kind_of(Path("\0"))) == ("", "", "")


def test_a_larger_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (MOST_BYTES + 1))
    with pytest.raises(OSError, match="more than 10 bytes"):
        read_small(file, most_bytes=MOST_BYTES)


def test_what_is_no_file_is_refused_without_being_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, kind in {pipe: "a named pipe", Path("/dev/zero"): "a device", tmp_path: "a folder"}.items():
        assert kind_of(path) == kind
        with pytest.raises(OSError, match=f"it is {kind}"):
            read_small(path, most_bytes=MOST_BYTES)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "absent", most_bytes=MOST_BYTES)
