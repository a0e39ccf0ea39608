"""Tests a disk that is full when a training begins: told as that, and gone on with once there is room."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.wire.rig import scripted_studio
from tests.wire.test_store_faults import fill, small_disk
from tests.wire.test_training import DONE, TRAINING, WORKER, asked, begun, until

pytestmark = pytest.mark.anyio
PAGE_BYTES = 4096


@pytest.fixture
def jobs(tmp_path: Path) -> Generator[Path]:
    """Where trainings lie, on a disk of their own: the database, which is on another, goes on."""
    (tmp_path / "home").mkdir()
    with small_disk(tmp_path / "home" / "jobs", 1) as found:
        yield found


# By pages: nothing can be written, then only some of what lies in a training's folder before its worker tells anything.
@pytest.mark.parametrize("free_pages", range(5))
async def test_a_disk_that_is_full_at_the_beginning_is_told_as_that(
    tmp_path: Path, jobs: Path, free_pages: int
) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        filling = fill(jobs)
        os.truncate(filling, filling.stat().st_size - free_pages * PAGE_BYTES)
        answer = await rig.http.post(TRAINING, json=asked(tmp_path, DONE))
        assert answer.status_code == 202, answer.text
        job_id = answer.json()["id"]
        job = await until(rig, job_id, lambda job: job["state"] not in ("queued", "running"))
        error = job["error"]
        assert error, "there was room for all of it: leave less"
        assert (job["state"], error["kind"]) == ("failed", "disk"), error
        assert "Free space, and resume" in error["message"]
        filling.unlink()
        assert (await rig.http.post(f"{TRAINING}/{job_id}/resume")).status_code == 200
        job = await until(rig, job_id, lambda job: job["state"] == "done")
        assert job["error"] is None
        # What it left half keeps no other from running.
        await until(rig, await begun(rig, tmp_path, DONE), lambda job: job["state"] == "done")
