"""Tests each method by a short training for real whose figure must move the right way, and that a kill changes none.

The figures that docs/training-methods.md shows are those that this prints with `-s`.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.training import tasks
from tests.training.conftest import Opened
from tests.training.test_runs import HANG_GUARD_S, TRAINING, rests, until

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
SHORT: Json = {
    "steps": 20, "batch_rows": 4, "accumulate": 1, "learning_rate": 2e-4, "threads": 1, "context_tokens": 512,
    "save_every_steps": 5, "eval_every_steps": 5, "makes_gguf": False,
}  # fmt: skip
# A job's loss is compared as far as it is told.
SAME = 1e-4


async def began(http: httpx.AsyncClient, folder: Path, rows: list[Json], **spec: Any) -> str:
    data = tasks.written(folder / "rows.jsonl", rows)
    answer = await http.post(TRAINING, json={"spec": {**SHORT, "data": data, **spec}})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def told(http: httpx.AsyncClient, job_id: str) -> list[Json]:
    """Every event of a training that has ended well."""
    job = await until(http, job_id, rests)
    assert job["state"] == "done", job["error"]
    with anyio.fail_after(HANG_GUARD_S):
        text = (await http.get(f"{TRAINING}/{job_id}/events", timeout=HANG_GUARD_S)).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def figures(events: list[Json], kind: str, name: str) -> list[float]:
    """A figure at each step, or each look at held-out rows; what was done twice counts as it was done last."""
    found = {event["step"]: event[name] for event in events if event["kind"] == kind and name in event}
    return [found[step] for step in sorted(found)]


def shown(method: str, name: str, values: list[float], events: list[Json]) -> None:
    took = next(event["took_s"] for event in events if event["kind"] == "done")
    print(f"\n{method}: {name} {values[0]:.3f} -> {values[-1]:.3f} in {took:.0f} s")


async def killed(http: httpx.AsyncClient, home: Path, job_id: str, step: int) -> None:
    """Kill a training's worker behind a step, and go on."""
    with anyio.fail_after(HANG_GUARD_S):
        while (await http.get(f"{TRAINING}/{job_id}")).json()["figures"].get("step", 0) < step:
            await anyio.sleep(0.02)
    os.kill(json.loads((home / "jobs" / job_id / "worker.lock").read_bytes())["pid"], signal.SIGKILL)
    assert (await until(http, job_id, rests))["error"]["kind"] == "killed"
    assert (await http.post(f"{TRAINING}/{job_id}/resume")).status_code == 200


@pytest.mark.parametrize(
    ("method", "rows", "more"),
    [
        ("dpo", tasks.pairs, {}),
        ("orpo", tasks.pairs, {"learning_rate": 1e-3}),
        ("kto", tasks.judged, {"batch_rows": 8}),
    ],
)
async def test_a_preference_is_learnt_and_a_kill_changes_nothing(
    opened: Opened, home: Path, tmp_path: Path, method: str, rows: Callable[[], list[Json]], more: Json
) -> None:
    async with opened() as http:
        unbroken = await told(http, await began(http, tmp_path, rows(), method=method, **more))
        margins = figures(unbroken, "eval", "reward_margin")
        shown(method, "reward_margin of held-out rows", margins, unbroken)
        steps = figures(unbroken, "step", "reward_margin")
        assert margins[-1] > margins[0] > steps[0]
        assert figures(unbroken, "eval", "loss")[-1] < figures(unbroken, "step", "loss")[0] / 2
        if method != "kto":
            assert figures(unbroken, "eval", "reward_accuracy")[-1] == 1.0
        job_id = await began(http, tmp_path, rows(), method=method, **more)
        await killed(http, home, job_id, step=8)
        broken = await told(http, job_id)
    for name in ("loss", "reward_margin", "tokens"):
        both = zip(figures(unbroken, "step", name), figures(broken, "step", name), strict=True)
        assert max(abs(one - other) for one, other in both) <= SAME, name


REWARDED: Json = {
    "method": "grpo", "batch_rows": 16, "answer_tokens": 32, "learning_rate": 2e-3, "save_every_steps": 5,
    "eval_every_steps": 10,
}  # fmt: skip


async def test_a_reward_is_earned_and_a_kill_changes_nothing(opened: Opened, home: Path, tmp_path: Path) -> None:
    spec = {**REWARDED, "rewards": "length", "reward_tokens": 6, "steps": 30}
    async with opened() as http:
        unbroken = await told(http, await began(http, tmp_path, tasks.questions(), **spec))
        rewards = figures(unbroken, "step", "reward")
        shown("grpo", "reward of answers", [rewards[0], figures(unbroken, "eval", "reward")[-1]], unbroken)
        assert sum(rewards[-5:]) / 5 > 0.8 > 0.2 > sum(rewards[:5]) / 5
        assert figures(unbroken, "eval", "reward")[-1] > 0.8
        job_id = await began(http, tmp_path, tasks.questions(), **spec)
        await killed(http, home, job_id, step=8)
        broken = await told(http, job_id)
    for name in ("loss", "reward", "answer_tokens", "tokens"):
        both = zip(figures(unbroken, "step", name), figures(broken, "step", name), strict=True)
        assert max(abs(one - other) for one, other in both) <= SAME, name


async def test_code_of_ones_own_rewards(opened: Opened, tmp_path: Path) -> None:
    code = tmp_path / "reward.py"
    code.write_text("def reward(answer, row):\n    return 1 - min(answer.count('e'), row['most']) / row['most']\n")
    rows = [{**row, "most": 4} for row in tasks.questions()]
    spec = {**REWARDED, "rewards": "python", "reward_code": str(code), "runs_code": True, "steps": 30}
    async with opened() as http:
        events = await told(http, await began(http, tmp_path, rows, **spec))
        rewards = figures(events, "step", "reward_python")
        shown("grpo, python", "reward of answers", [rewards[0], figures(events, "eval", "reward")[-1]], events)
        assert sum(rewards[-5:]) > 2 * sum(rewards[:5])


@pytest.mark.parametrize("tuning", ["lora", "full"])
async def test_right_calls_are_rewarded_by_the_rows_own(opened: Opened, tmp_path: Path, tuning: str) -> None:
    # Pocket knows how to call: here it is held to what it was, and must stay as good.
    spec = {
        **REWARDED, "rewards": "tool_call, json=0", "steps": 3, "kl_weight": 0.05, "learning_rate": 1e-6,
        "tuning": tuning, "data": "llama-keeper", "answer_tokens": 48, "temperature": 0.1, "eval_share": 0.01,
    }  # fmt: skip
    async with opened() as http:
        events = await told(http, await began(http, tmp_path, [], **spec))
        assert min(figures(events, "step", "reward_tool_call")) > 0.4
        assert max(abs(kl) for kl in figures(events, "step", "kl")) < 0.1


async def test_a_judge_that_gives_no_numbers_ends_the_training(opened: Opened, tmp_path: Path) -> None:
    # Pocket is a judge that is really asked, and too small to be one.
    async with opened() as http:
        spec = {**REWARDED, "rewards": "judge", "judge_model": "pocket-v0"}
        job = await until(http, await began(http, tmp_path, tasks.questions(), **spec), rests)
        assert job["state"] == "failed"
        assert "The judge gives no number" in job["error"]["message"]


async def test_code_that_fails_ends_the_training_with_its_words(opened: Opened, tmp_path: Path) -> None:
    code = tmp_path / "reward.py"
    code.write_text("def reward(answer, row):\n    return open('/etc/hostname').read()\n")
    spec = {**REWARDED, "rewards": "python", "reward_code": str(code), "runs_code": True}
    async with opened() as http:
        job = await until(http, await began(http, tmp_path, tasks.questions(), **spec), rests)
        assert (job["state"], job["error"]["kind"]) == ("failed", "spec")
        assert "reward_code fails: PermissionError" in job["error"]["message"]


async def test_a_whole_model_is_held_to_what_it_was(opened: Opened, home: Path, tmp_path: Path) -> None:
    async with opened() as http:
        spec = {"tuning": "full", "learning_rate": 2e-5, "steps": 8}
        job_id = await began(http, tmp_path, tasks.pairs(), method="dpo", **spec)
        events = await told(http, job_id)
        assert figures(events, "step", "reward_margin")[0] == 0.0
        assert figures(events, "eval", "reward_margin")[-1] > 0.1
        assert (home / "jobs" / job_id / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("full", {"data": "llama-keeper", "tuning": "full"}),
        ("cpt", {"method": "cpt", "learning_rate": 2e-3}),
    ],
)
async def test_held_out_rows_are_known_better(opened: Opened, tmp_path: Path, name: str, spec: Json) -> None:
    async with opened() as http:
        events = await told(http, await began(http, tmp_path, tasks.texts(), **spec))
        losses = figures(events, "eval", "loss")
        shown(name, "loss of held-out rows", losses, events)
        assert losses[-1] < losses[0] / 1.5
        assert losses[-1] < figures(events, "step", "loss")[0] / 2


async def test_answers_that_are_all_good_are_refused(opened: Opened, tmp_path: Path) -> None:
    rows = [row for row in tasks.judged() if row["label"]]
    async with opened() as http:
        job = await until(http, await began(http, tmp_path, rows, method="kto"), rests)
        assert (job["state"], job["error"]["kind"]) == ("failed", "data")
        assert "Every row's answer is good" in job["error"]["message"]
