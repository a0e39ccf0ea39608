"""Files that lie: whatever a header says, the reader answers or refuses by name, in bounded time and memory."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddock.errors import ModelUnusable
from paddock.models.gguf import GgufHeader, read_header
from paddock.models.gguf_reader import MAX_KEPT_BYTES
from tests.fakes.gguf_files import ARRAY, BOOL, STRING, U32, Typed, gguf, text

pytestmark = pytest.mark.attack("malicious GGUF headers")
WHOLE = gguf(more={"a.list": [1, 2, 3], "a.flag": True, "a.real": 0.5})
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path, content: bytes) -> GgufHeader | ModelUnusable:
    """Whatever else is raised fails the test."""
    path.write_bytes(content)
    try:
        return read_header(path)
    except ModelUnusable as error:
        refusal = error
    assert refusal.message.startswith(f"'{path.name}' ")
    assert len(refusal.message) < 500
    return refusal


def test_every_truncation_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    assert isinstance(read(path, WHOLE), GgufHeader)
    last_data = len(WHOLE) - 32
    for length in range(last_data):
        assert isinstance(read(path, WHOLE[:length]), ModelUnusable), length


@QUICK
@given(at=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255))
def test_any_changed_byte_is_answered_or_refused(tmp_path: Path, at: int, value: int) -> None:
    read(tmp_path / "flip.gguf", WHOLE[:at] + bytes([value]) + WHOLE[at + 1 :])


@QUICK
@given(
    at=st.integers(4, len(WHOLE) - 8),
    number=st.one_of(st.sampled_from([2**63, 2**64 - 1, 2**62, 2**32, 2**31 - 1, 0]), st.integers(0, 2**64 - 1)),
)
def test_any_changed_number_is_answered_or_refused(tmp_path: Path, at: int, number: int) -> None:
    read(tmp_path / "number.gguf", WHOLE[:at] + struct.pack("<Q", number) + WHOLE[at + 8 :])


@QUICK
@given(tail=st.binary(max_size=400))
def test_any_bytes_after_the_magic_are_answered_or_refused(tmp_path: Path, tail: bytes) -> None:
    read(tmp_path / "noise.gguf", b"GGUF" + struct.pack("<I", 3) + tail)


def opening(tensors: int, entries: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, entries)


def nested(depth: int) -> bytes:
    return text("deep") + struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * depth + struct.pack("<IQ", U32, 0)


@pytest.mark.parametrize(
    "content",
    [
        opening(2**60, 0),
        opening(0, 2**60),
        opening(2**18, 2**16),
        opening(0, 1) + struct.pack("<Q", 2**40),
        opening(0, 1) + text("key") + struct.pack("<IQ", STRING, 2**40),
        opening(0, 1) + text("key") + struct.pack("<IIQ", ARRAY, STRING, 2**40),
        opening(0, 1) + text("key") + struct.pack("<IIQ", ARRAY, U32, 2**62),
        opening(0, 1) + text("key") + struct.pack("<IIQ", ARRAY, BOOL, 2**63),
        opening(0, 1) + text("key") + struct.pack("<IIQ", ARRAY, 77, 1),
        opening(0, 1) + text("key") + struct.pack("<I", 77),
        opening(0, 1) + nested(3),
        opening(0, 1) + nested(200),
    ],
)
def test_counts_that_lie_are_refused(tmp_path: Path, content: bytes) -> None:
    assert isinstance(read(tmp_path / "lie.gguf", content + bytes(4096)), ModelUnusable)


def test_endless_empty_strings_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "endless.gguf"
    count = 2**26
    path.write_bytes(opening(0, 1) + text("key") + struct.pack("<IIQ", ARRAY, STRING, count))
    with path.open("r+b") as file:
        file.truncate(count * 8 + 4096)
    with pytest.raises(ModelUnusable, match="lists of more than"):
        read_header(path)


def test_memory_stays_small_whatever_the_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "heavy.gguf"
    entry = text("k" * 100) + struct.pack("<IQ", STRING, 2**20)
    with path.open("wb") as file:
        file.write(opening(0, 60))
        for number in range(60):
            file.write(entry.replace(b"k" * 4, b"%04d" % number, 1) + bytes(2**20))
    tracemalloc.start()
    try:
        with pytest.raises(ModelUnusable, match="bytes of metadata"):
            read_header(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * MAX_KEPT_BYTES


def test_long_number_lists_are_stepped_over(tmp_path: Path) -> None:
    more = {f"list.{number}": Typed([0] * 1000, ARRAY) for number in range(30)}
    assert isinstance(read(tmp_path / "lists.gguf", gguf(more=more)), GgufHeader)
