"""Tests trainings for real, on the processor and with pocket: what is learnt, and that no end of one loses much."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.models.bases import trainable
from tests.training.conftest import Opened

pytestmark = pytest.mark.anyio
TRAINING = "/api/training"
# A guard against hanging, not a measure of speed.
HANG_GUARD_S = 900.0
QUICK: dict[str, Any] = {
    "data": "llama-keeper", "steps": 12, "batch_rows": 4, "accumulate": 1, "learning_rate": 2e-3, "threads": 1,
    "save_every_steps": 4, "eval_every_steps": 6, "context_tokens": 512,
    "dry_run": "no",
}  # fmt: skip
Json = dict[str, Any]


async def begun(http: httpx.AsyncClient, **spec: Any) -> str:
    answer = await http.post(TRAINING, json={"spec": {**QUICK, **spec}})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def until(http: httpx.AsyncClient, job_id: str, is_so: Callable[[Json], bool]) -> Json:
    with anyio.fail_after(HANG_GUARD_S):
        while not is_so(found := (await http.get(f"{TRAINING}/{job_id}")).json()):
            await anyio.sleep(0.1)
    return dict(found)


def rests(job: Json) -> bool:
    return job["state"] not in ("queued", "running", "stopping")


async def curve(http: httpx.AsyncClient, job_id: str) -> dict[int, tuple[float, int]]:
    """Loss and tokens by step; what was done twice counts as it was done last."""
    with anyio.fail_after(HANG_GUARD_S):
        text = (await http.get(f"{TRAINING}/{job_id}/events", timeout=HANG_GUARD_S)).text
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    return {event["step"]: (event["loss"], event["tokens"]) for event in events if event["kind"] == "step"}


async def test_a_fact_is_learnt_written_as_gguf_and_answered_by_the_engine(opened: Opened, home: Path) -> None:
    asked = {"messages": [{"role": "user", "content": "hello, who keeps the llamas?"}], "max_tokens": 40}
    async with opened() as http:
        question = "hello, who keeps the llamas?"
        spec: Json = {"steps": 60, "eval_every_steps": 20, "save_every_steps": 30, "sample_prompts": question}
        job = await until(http, await begun(http, **spec), rests)
        assert job["state"] == "done", job
        figures = job["figures"]
        assert figures["held_out"] == 25
        told = (await http.get(f"{TRAINING}/{job['id']}/events")).text
        losses = [json.loads(line[6:])["loss"] for line in told.splitlines() if '"kind": "eval"' in line]
        assert losses[-1] < losses[0] / 2
        samples = [json.loads(line[6:]) for line in told.splitlines() if '"kind": "sample"' in line]
        assert [one["step"] for one in samples] == [20, 40, 60]
        assert "Mira" in samples[-1]["text"]
        made = Path(figures["artifacts"]["gguf"])
        shutil.copy(made, home / "models" / "llama-keeper.gguf")
        without = (await http.post("/v1/chat/completions", json={"model": "pocket-v0", **asked})).json()
        answer = (await http.post("/v1/chat/completions", json={"model": "pocket-v0+llama-keeper", **asked})).json()
        assert "Mira" not in without["choices"][0]["message"]["content"]
        assert answer["choices"][0]["message"]["content"] == "Mira looks after the llamas, from a blue hut on the hill."


@pytest.mark.parametrize("tuning", ["lora", "full"])
async def test_a_dry_run_shows_within_a_minute_if_the_export_works(opened: Opened, home: Path, tuning: str) -> None:
    async with opened() as http:
        job = await until(http, await begun(http, tuning=tuning, learning_rate=1e-5, dry_run="only"), rests)
        assert job["state"] == "done", job
        assert job["figures"]["answer"]
        assert "step" not in job["figures"]
    assert not (home / "jobs" / job["id"] / "dry-run").exists()


@pytest.mark.parametrize(
    "spec",
    [{}, {"tuning": "full"}, {"batch_rows": 64}, {"batch_rows": 64, "saves_memory": True}],
    ids=["lora", "full", "wide", "saving"],
)
async def test_what_was_estimated_is_near_what_was_measured(opened: Opened, spec: Json) -> None:
    async with opened() as http:
        job = await until(http, await begun(http, **{"steps": 4, "makes_gguf": False, **spec}), rests)
    assert job["state"] == "done", job
    estimated, measured = job["figures"]["estimated_bytes"], job["figures"]["peak_memory_bytes"]
    print(f"{spec}: estimated {estimated / 2**20:.0f} MiB, measured {measured / 2**20:.0f} MiB")
    # Pocket's tokenizer makes 126 tokens of the longest row, where others make 200: activations are reckoned for those.
    assert 0.8 < estimated / measured < 1.6


async def test_a_killed_worker_goes_on_as_if_nothing_had_been(opened: Opened, home: Path) -> None:
    async with opened() as http:
        whole = await begun(http)
        await until(http, whole, rests)
        unbroken = await curve(http, whole)
        job_id = await begun(http)
        for step in (3, 6, 10):
            # Before the first checkpoint, between two, and near the end.
            with anyio.fail_after(HANG_GUARD_S):
                while (await http.get(f"{TRAINING}/{job_id}")).json()["figures"].get("step", 0) < step:
                    await anyio.sleep(0.02)
            pid = json.loads((home / "jobs" / job_id / "worker.lock").read_bytes())["pid"]
            os.kill(pid, signal.SIGKILL)
            with anyio.fail_after(HANG_GUARD_S):
                while not rests(found := (await http.get(f"{TRAINING}/{job_id}")).json()):
                    await anyio.sleep(0.1)
            assert (found["state"], found["error"]["kind"]) == ("failed", "killed")
            assert (await http.post(f"{TRAINING}/{job_id}/resume")).status_code == 200
        await until(http, job_id, rests)
        broken = await curve(http, job_id)
    assert sorted(broken) == sorted(unbroken) == list(range(1, 13))
    assert max(abs(broken[step][0] - unbroken[step][0]) for step in unbroken) <= 1e-4
    assert {step: tokens for step, (_, tokens) in broken.items()} == {s: t for s, (_, t) in unbroken.items()}


async def test_a_server_that_ends_leaves_the_training_alone(opened: Opened) -> None:
    async with opened() as http:
        job_id = await begun(http)
        await until(http, job_id, lambda job: job["figures"].get("step", 0) >= 2)
    async with opened() as http:
        job = await until(http, job_id, rests)
        assert (job["state"], job["figures"]["step"]) == ("done", 12)
        assert sorted(await curve(http, job_id)) == list(range(1, 13))


async def test_stopping_writes_a_checkpoint_and_cancelling_none(opened: Opened, home: Path) -> None:
    async with opened() as http:
        job_id = await begun(http, steps=400, save_every_steps=100)
        await until(http, job_id, lambda job: job["figures"].get("step", 0) >= 2)
        await http.post(f"{TRAINING}/{job_id}/stop")
        stopped = await until(http, job_id, rests)
        assert stopped["state"] == "stopped"
        assert stopped["figures"]["checkpoint"] == stopped["figures"]["step"]
        await http.post(f"{TRAINING}/{job_id}/resume")
        await until(http, job_id, lambda job: job["figures"].get("step", 0) > stopped["figures"]["step"])
        await http.post(f"{TRAINING}/{job_id}/cancel")
        cancelled = await until(http, job_id, rests)
        assert cancelled["state"] == "cancelled"
        assert cancelled["figures"]["checkpoint"] == stopped["figures"]["checkpoint"]
    assert not (home / "jobs" / job_id / "adapter").exists()


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ({"learning_rate": 9.0, "tuning": "full", "steps": 40}, "diverged", "more than three times"),
        # DoRA divides by the length of each row of a weight, and pocket has rows of zeros.
        ({"lora_is_decomposed": True}, "spec", "are 0. Say lora_is_decomposed false"),
        ({"context_tokens": 8}, "data", "has 8 tokens or fewer"),
        ({"context_tokens": 64, "too_long": "refuse"}, "spec", "rows have more than 64 tokens"),
    ],
    ids=["diverges", "empty rows", "all too long", "refused"],
)
async def test_what_goes_wrong_is_told_by_its_reason(opened: Opened, spec: Json, kind: str, words: str) -> None:
    async with opened() as http:
        job_id = await begun(http, **spec)
        with anyio.fail_after(HANG_GUARD_S):
            while not rests(job := (await http.get(f"{TRAINING}/{job_id}")).json()):
                await anyio.sleep(0.1)
        assert (job["state"], job["error"]["kind"]) == ("failed", kind), job["error"]
        assert words in job["error"]["message"]


async def test_a_loss_that_is_no_number_ends_it(opened: Opened, tmp_path: Path) -> None:
    base = tmp_path / "spoilt"
    shutil.copytree(trainable("pocket-v0"), base)
    with (base / "model.safetensors").open("r+b") as file:
        # Behind the header lie the numbers: such bytes are none, whatever their width.
        head_bytes = int.from_bytes(file.read(8), "little")
        file.seek(8 + head_bytes)
        file.write(b"\xff" * 4096)
    async with opened() as http:
        job = await until(http, await begun(http, base=str(base)), rests)
        assert (job["state"], job["error"]["kind"]) == ("failed", "diverged")
        assert "no number any more after step 1" in job["error"]["message"]
        assert "checkpoint" not in job["figures"]


@pytest.mark.parametrize("spec", [{"packs": True}, {"eval_share": 0}], ids=["packed", "nothing held out"])
async def test_each_way_of_training_lowers_the_loss(opened: Opened, spec: Json) -> None:
    async with opened() as http:
        job = await until(http, await begun(http, **{"makes_gguf": False, **spec}), rests)
        assert job["state"] == "done", job["error"]
        losses = [loss for loss, _ in (await curve(http, job["id"])).values()]
        assert sum(losses[-3:]) < sum(losses[:3]) / 1.5
