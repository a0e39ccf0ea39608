"""Tests a disk that fills up in each step of an export: it says so, leaves what is whole, and goes on with room."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.training.exporting import POCKET, make, order, worked
from tests.wire.test_store_faults import fill, small_disk

# Room for one step more each time: a merged model and a file in F16 have 9.7 MB each, one in Q8_0 has 5.2, and what an
# engine tells of a file before it is compared has as much.
ROOM_BYTES = {"merge": 2**20, "convert F16": 11 * 10**6, "quantise Q8_0": 11 * 10**6, "certify": 6 * 10**6}
DISK_MIB = 96


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Path]:
    with small_disk(tmp_path / "disk", DISK_MIB) as found:
        yield found


def test_a_disk_that_fills_up_in_any_step_costs_that_step_alone(tmp_path: Path, disk: Path) -> None:
    adapter = tmp_path / "adapter"
    make("adapter", str(POCKET), str(adapter))
    job = order(disk / "job", POCKET, adapter, ["F16", "Q8_0"])
    made: dict[str, int] = {}
    for step, room_bytes in ROOM_BYTES.items():
        ballast = fill(disk)
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - room_bytes)
        told = worked(job)
        ballast.unlink()
        assert told[-1]["kind"] == "failed", told[-1]
        assert [event["doing"] for event in told if event["kind"] == "step"][-1] == step
        assert told[-1]["error"]["kind"] == "disk", told[-1]
        assert "Free space, and resume" in told[-1]["error"]["message"]
        # What is whole stays as it is, and nothing is left half written.
        kept = {str(path): path.stat().st_mtime_ns for path in (job.root / "files").rglob("*.gguf")}
        assert {name: kept.get(name) for name in made} == made
        assert [path.name for path in job.root.rglob(".*.draft*")] == []
        made = kept
    told = worked(job)
    assert told[-1]["kind"] == "done", told[-1]
    assert {event["name"]: event["verdict"] for event in told if event["kind"] == "certificate"} == {
        "F16": "pass",
        "Q8_0": "pass",
    }
