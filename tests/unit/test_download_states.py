"""What is remembered of a download: its events, thinned and numbered, and a file that is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import HomeUnusable
from paddock.models.download_states import Download, forget_state, read_states, write_state
from paddock.models.hub_choice import HubFile

SIZE = 1000


def download(name: str = "dl_a") -> Download:
    file = HubFile(name="m-Q8_0.gguf", size_bytes=SIZE, digest="sha256:0")
    return Download(id=name, model="a/b:Q8_0", revision="c" * 40, files=(file,), created_s=1).then(10, "queued")


def test_of_a_percent_the_newest_progress_is_kept_and_every_change_of_state() -> None:
    one = download().then(11, "running")
    for done_bytes in range(101):
        one = one.then(12 + done_bytes, "running", done_bytes=done_bytes)
    one = one.then(900, "paused")
    assert [(event.state, event.done_bytes) for event in one.events] == [
        ("queued", 0), ("running", 0), *[("running", 9 + 10 * place) for place in range(10)], ("running", 100),
        ("paused", 100),
    ]  # fmt: skip


@given(times=st.lists(st.integers(0, 100), max_size=30))
def test_numbers_grow_whatever_the_clock_says(times: list[int]) -> None:
    one, numbers = download(), [10]
    for place, now_ms in enumerate(times):
        one = one.then(now_ms, "running", done_bytes=place * 40)
        numbers.append(one.last.number)
    assert numbers == sorted(set(numbers))
    assert [event.number for event in one.events] == sorted({event.number for event in one.events})


def test_the_plan_of_a_download_names_its_files() -> None:
    plan = download().plan
    assert (plan.id, plan.size_bytes, plan.revision) == ("a/b:Q8_0", SIZE, "c" * 40)


def test_a_state_is_read_as_it_was_written_the_oldest_first(tmp_path: Path) -> None:
    failed = download("dl_b").then(5, "failed", error=("HubUnavailable", "gone"))
    later = Download(id="dl_a", model="a/c:F16", revision="d" * 40, files=(), created_s=2).then(99, "done")
    for one in (later, failed):
        write_state(tmp_path, one)
    assert list(read_states(tmp_path)) == [failed, later]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    forget_state(tmp_path, "dl_a")
    forget_state(tmp_path, "dl_none")
    assert list(read_states(tmp_path)) == [failed]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", "[" * 9999, '{"files": [], "events": []}', '{"files": [{}], "events": [3]}'],
)
def test_a_state_that_is_damaged_is_passed_over(tmp_path: Path, content: str) -> None:
    write_state(tmp_path, download())
    (tmp_path / "dl_b.json").write_text(content)
    (tmp_path / "dl_c.json").write_text((tmp_path / "dl_a.json").read_text())
    assert [one.id for one in read_states(tmp_path)] == ["dl_a"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HomeUnusable, match="cannot be written in the data home"):
        write_state(tmp_path / "file" / "downloads", download())
    assert list(read_states(tmp_path / "file" / "downloads")) == []
