"""Tests a disk that fills up under a training: it ends with the reason, and goes on from its last checkpoint."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from paddock.jobs.folder import JobFolder
from tests.training.conftest import STACK, Opened
from tests.training.test_runs import HANG_GUARD_S, QUICK, TRAINING, Json, begun, curve, rests, until
from tests.wire.test_store_faults import fill, small_disk

pytestmark = pytest.mark.anyio
# A checkpoint of every weight of pocket and of what trains them is some 57 MB; a training keeps two.
SPEC: Json = {"tuning": "full", "learning_rate": 1e-5, "keep_checkpoints": 1, "makes_gguf": False}
DISK_MIB = 260


@pytest.fixture
def home(tmp_path: Path) -> Generator[Path]:
    """A data home on a disk of its own, so that the database has no room either."""
    with small_disk(tmp_path / "home", DISK_MIB) as found:
        (found / "stack").symlink_to(STACK)
        yield found


async def test_a_disk_that_fills_up_costs_one_checkpoint_at_most(opened: Opened, home: Path) -> None:
    async with opened() as http:
        whole = await begun(http, **SPEC)
        assert (await until(http, whole, rests))["state"] == "done"
        unbroken = await curve(http, whole)
        assert (await http.delete(f"{TRAINING}/{whole}")).is_success
        job_id = await begun(http, **SPEC)
        checkpoint = home / "jobs" / job_id / "checkpoints" / "checkpoint-4" / "paddock.json"
        with anyio.fail_after(HANG_GUARD_S):
            while not checkpoint.exists():
                await anyio.sleep(0.01)
        ballast = fill(home)
        with anyio.fail_after(HANG_GUARD_S):
            while JobFolder(root=home / "jobs" / job_id).is_alive():
                await anyio.sleep(0.1)
        assert checkpoint.exists()
        ballast.unlink()
        job = await until(http, job_id, rests)
        assert (job["state"], job["error"]["kind"]) == ("failed", "disk"), job["error"]
        assert "Free space, and resume" in job["error"]["message"]
        assert (await http.post(f"{TRAINING}/{job_id}/resume")).status_code == 200
        job = await until(http, job_id, rests)
        assert job["state"] == "done", job["error"]
        broken = await curve(http, job_id)
    assert sorted(broken) == sorted(unbroken) == list(range(1, QUICK["steps"] + 1))
    assert max(abs(broken[step][0] - unbroken[step][0]) for step in unbroken) <= 1e-4
    assert {step: tokens for step, (_, tokens) in broken.items()} == {s: t for s, (_, t) in unbroken.items()}
