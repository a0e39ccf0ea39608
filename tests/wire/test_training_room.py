"""Tests that models go for a training and come back, that no request is interrupted, and what is told of it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.wire.rig import HANG_GUARD_S, Json, Rig
from tests.wire.test_pool import FIRST, SECOND, loaded, stalled, three_models
from tests.wire.test_pool import until as until_loaded
from tests.wire.test_training import DONE, STEPS, TRAINING, WAITING, WORKER, asked, begun, claim, told, until

pytestmark = pytest.mark.anyio
ROOM: Json = {"makes_room": "always"}


def kinds(events: list[Json]) -> list[str]:
    return [event["kind"] for event in events]


async def models_of(rig: Rig) -> list[str]:
    return sorted(await loaded(rig))


async def test_idle_models_go_and_come_back(tmp_path: Path) -> None:
    async with three_models(tmp_path, worker_program=WORKER) as rig:
        for model in (FIRST, SECOND):
            assert (await rig.chat(model=model)).status_code == 200
        job_id = await begun(rig, tmp_path, WAITING, **ROOM)
        job = await until(rig, job_id, lambda job: job["figures"].get("step") == 3)
        assert await models_of(rig) == []
        assert sorted(job["figures"]["put_down"]) == [FIRST, SECOND]
        refused = await rig.chat(model=FIRST)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model_too_large")
        assert "until a training ends" in refused.json()["error"]["message"]
        await rig.http.post(f"{TRAINING}/{job_id}/stop")
        await until(rig, job_id, lambda job: job["state"] == "stopped")
        await until_loaded(rig, lambda models: sorted(models) == [FIRST, SECOND])
        assert (await rig.chat(model=FIRST)).status_code == 200
        events = await told(rig, job_id)
        assert kinds(events) == ["room_made", "begins", "step", "step", "step", "stopped", "room_back"]
        assert sorted(events[0]["models"]) == sorted(events[-1]["models"]) == [FIRST, SECOND]
        assert "put_down" not in (await until(rig, job_id, lambda job: True))["figures"]


@pytest.mark.parametrize("end", [[{"exit": 9}], DONE[-1:]], ids=["failed", "done"])
async def test_models_come_back_however_it_ends(tmp_path: Path, end: list[Json]) -> None:
    async with three_models(tmp_path, worker_program=WORKER) as rig:
        assert (await rig.chat(model=SECOND)).status_code == 200
        job_id = await begun(rig, tmp_path, [*STEPS, *end], **ROOM)
        job = await until(rig, job_id, lambda job: job["state"] not in ("queued", "running"))
        assert job["state"] == ("done" if end == DONE[-1:] else "failed")
        await until_loaded(rig, lambda models: list(models) == [SECOND])
        assert kinds(await told(rig, job_id))[-1] == "room_back"


async def test_a_live_request_is_waited_for_and_told(tmp_path: Path) -> None:
    async with three_models(tmp_path, worker_program=WORKER) as rig:
        async with stalled(rig, FIRST):
            job_id = await begun(rig, tmp_path, DONE, **ROOM)
            job = await until(rig, job_id, lambda job: job["figures"].get("events") == 1)
            assert (job["state"], await models_of(rig)) == ("queued", [FIRST])
            assert (await loaded(rig))[FIRST]["live_requests"] == 1
        events = await told(rig, job_id)
        assert kinds(events)[:2] == ["room_waits", "room_made"]
        assert events[0]["models"] == events[1]["models"] == [FIRST]
        assert (await until(rig, job_id, lambda job: True))["state"] == "done"


async def test_a_request_that_waited_before_is_served_first(tmp_path: Path) -> None:
    async with three_models(tmp_path, worker_program=WORKER, models_most=1, queue_patience_s=60) as rig:
        answers: list[int] = []
        job_id = ""

        async def ask() -> None:
            answers.append((await rig.chat(model=SECOND)).status_code)

        async with anyio.create_task_group() as group, stalled(rig, FIRST):
            group.start_soon(ask)
            with anyio.fail_after(HANG_GUARD_S):
                while not rig.studio.pool.waiting:
                    await anyio.sleep(0.005)
            job_id = await begun(rig, tmp_path, DONE, **ROOM)
            await until(rig, job_id, lambda job: job["figures"].get("events") == 1)
        assert answers == [200]
        events = await told(rig, job_id)
        assert sorted(events[0]["models"]) == [FIRST, SECOND]
        assert (await until(rig, job_id, lambda job: True))["state"] == "done"


async def test_a_training_that_is_called_off_while_it_waits_leaves_the_model_alone(tmp_path: Path) -> None:
    async with three_models(tmp_path, worker_program=WORKER) as rig:
        async with stalled(rig, FIRST):
            job_id = await begun(rig, tmp_path, DONE, **ROOM)
            await until(rig, job_id, lambda job: job["figures"].get("events") == 1)
            pid = rig.process.pid
            assert (await rig.http.post(f"{TRAINING}/{job_id}/cancel")).json()["state"] == "cancelled"
            await until(rig, job_id, lambda job: "put_down" not in job["figures"])
        assert (await until(rig, job_id, lambda job: True))["state"] == "cancelled"
        assert (await loaded(rig))[FIRST]["state"] == "ready"
        assert rig.process.pid == pid
        assert not (tmp_path / "home" / "jobs" / job_id / "order.json").exists()


async def test_pinned_models_stay(tmp_path: Path) -> None:
    async with three_models(tmp_path, worker_program=WORKER) as rig:
        assert (await rig.chat(model=SECOND)).status_code == 200
        await rig.studio.pool.pin(FIRST)
        job_id = await begun(rig, tmp_path, WAITING, **ROOM)
        await until(rig, job_id, lambda job: job["figures"].get("step") == 3)
        assert await models_of(rig) == [FIRST]
        assert (await rig.chat(model=FIRST)).status_code == 200
        await rig.http.post(f"{TRAINING}/{job_id}/cancel")
        await until_loaded(rig, lambda models: sorted(models) == [FIRST, SECOND])


def large(folder: Path) -> Json:
    """A training whose scores alone need far more memory than any machine has free, and whose weights fit."""
    body = asked(folder, WAITING, batch_rows=4096, context_tokens=2**20, makes_room="auto")
    base = Path(body["spec"]["base"])
    (base / "config.json").write_text(json.dumps({"vocab_size": 10**7, "num_hidden_layers": 1, "hidden_size": 8}))
    claim(str(base), 1)
    return body


@pytest.mark.parametrize("makes_room", ["auto", "never"])
async def test_models_go_where_free_memory_is_less_than_the_estimate(tmp_path: Path, makes_room: str) -> None:
    async with three_models(tmp_path, worker_program=WORKER) as rig:
        assert (await rig.chat(model=FIRST)).status_code == 200
        small = await begun(rig, tmp_path, DONE)
        assert "room_made" not in kinds(await told(rig, small))
        body = large(tmp_path)
        answer = await rig.http.post(TRAINING, json={"spec": {**body["spec"], "makes_room": makes_room}})
        assert answer.status_code == 202, answer.text
        job = await until(rig, answer.json()["id"], lambda job: job["figures"].get("step") == 3)
        assert await models_of(rig) == ([] if makes_room == "auto" else [FIRST])
        await rig.http.post(f"{TRAINING}/{job['id']}/cancel")
        await until_loaded(rig, lambda models: list(models) == [FIRST])
        await until(rig, job["id"], lambda job: job["state"] == "cancelled")


async def test_the_next_server_lends_on_and_has_models_come_back(tmp_path: Path) -> None:
    async with three_models(tmp_path, worker_program=WORKER) as rig:
        assert (await rig.chat(model=SECOND)).status_code == 200
        job_id = await begun(rig, tmp_path, WAITING, **ROOM)
        await until(rig, job_id, lambda job: job["figures"].get("step") == 3)
    more: dict[str, Any] = {"worker_program": WORKER}
    async with three_models(tmp_path, **more) as rig:
        with anyio.fail_after(HANG_GUARD_S):
            while (refused := await rig.chat(model=SECOND)).status_code == 200:
                await anyio.sleep(0.05)
        assert "until a training ends" in refused.json()["error"]["message"]
    # It ends while no server is there.
    lock = tmp_path / "home" / "jobs" / job_id / "worker.lock"
    os.kill(json.loads(lock.read_bytes())["pid"], signal.SIGKILL)
    async with three_models(tmp_path, **more) as rig:
        job = await until(rig, job_id, lambda job: job["state"] == "failed")
        assert job["error"]["kind"] == "killed"
        await until_loaded(rig, lambda models: list(models) == [SECOND])
        assert kinds(await told(rig, job_id))[-1] == "room_back"


async def test_models_stay_away_from_one_training_to_the_next(tmp_path: Path) -> None:
    async with three_models(tmp_path, worker_program=WORKER) as rig:
        assert (await rig.chat(model=SECOND)).status_code == 200
        first = await begun(rig, tmp_path, WAITING, **ROOM)
        await until(rig, first, lambda job: job["figures"].get("step") == 3)
        second = await begun(rig, tmp_path, WAITING, **ROOM)
        await rig.http.post(f"{TRAINING}/{first}/stop")
        job = await until(rig, second, lambda job: job["figures"].get("step") == 3)
        assert (job["figures"]["put_down"], await models_of(rig)) == ([SECOND], [])
        assert "room_back" not in kinds(await told(rig, first))
        await rig.http.post(f"{TRAINING}/{second}/stop")
        await until_loaded(rig, lambda models: list(models) == [SECOND])
        assert kinds(await told(rig, second))[-1] == "room_back"
