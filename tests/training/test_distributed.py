"""Tests several processes that train together, on the processor by gloo: torch's launcher, Ray, how each can end."""

from __future__ import annotations

import array
import hashlib
import json
import os
import signal
import struct
from pathlib import Path
from typing import Any

import anyio
import httpx
import psutil
import pytest

from paddock.app import running
from paddock.config import load
from paddock.install import stacking
from paddock.install.prefix import Prefix
from paddock.training.trainings import WORK
from tests.fakes import two_cards
from tests.training.conftest import STACK, Opened
from tests.training.test_runs import HANG_GUARD_S, TRAINING, begun, curve, rests, until

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
# The batches of a step, which two share.
STEP: Json = {"accumulate": 2, "makes_gguf": False}
TWO: Json = {**STEP, "processes": 2}
ON_RAY: Json = {**TWO, "cluster": "ray"}
# Sums of the same numbers in another order.
SAME = 1e-4


@pytest.fixture(autouse=True)
def has_ray() -> None:
    assert stacking.has_ray(Prefix(STACK)), "python3 dev.py test --tier training makes the stack, with Ray in it"


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[float, int]]:
    """Loss and tokens by step of one process that nobody kills."""
    home = tmp_path_factory.mktemp("unbroken")
    (home / "stack").symlink_to(STACK)
    settings = load({"port": 0}, environ={"PADDOCK_HOME": str(home), "PADDOCK_SCAN_OTHERS": "0"})

    async def train() -> dict[int, tuple[float, int]]:
        async with (
            running(settings) as studio,
            httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=120) as http,
        ):
            return await curve(http, (await trained(http, **STEP))["id"])

    return anyio.run(train)


async def trained(http: httpx.AsyncClient, **spec: Any) -> Json:
    """A training that has ended well."""
    job = await until(http, await begun(http, **spec), rests)
    assert job["state"] == "done", job["error"]
    return job


async def events(http: httpx.AsyncClient, job_id: str) -> list[Json]:
    with anyio.fail_after(HANG_GUARD_S):
        text = (await http.get(f"{TRAINING}/{job_id}/events", timeout=HANG_GUARD_S)).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def weights(job: Json) -> Path:
    """The file of what was trained."""
    (found,) = Path(job["figures"]["artifacts"]["adapter"]).glob("*.safetensors")
    return found


def checksum(job: Json) -> str:
    return hashlib.sha256(weights(job).read_bytes()).hexdigest()


def numbers(job: Json) -> dict[str, array.array[float]]:
    """Every number of what was trained, by the name of its matrix."""
    data = weights(job).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])
    head.pop("__metadata__", None)
    spans = {name: [8 + length + offset for offset in about["data_offsets"]] for name, about in head.items()}
    return {name: array.array("f", data[begin:end]) for name, (begin, end) in spans.items()}


def distances(one: dict[str, array.array[float]], other: dict[str, array.array[float]]) -> list[float]:
    """How far each number is from the other, the furthest first."""
    assert one.keys() == other.keys()
    return sorted((abs(a - b) for name in one for a, b in zip(one[name], other[name], strict=True)), reverse=True)


def held_by(home: Path, job_id: str, lock: str) -> int:
    return int(json.loads((home / "jobs" / job_id / lock).read_bytes())["pid"])


async def at_step(http: httpx.AsyncClient, job_id: str, step: int) -> None:
    job = await until(http, job_id, lambda job: job["figures"].get("step", 0) >= step or rests(job))
    assert not rests(job), job["error"]


async def until_gone(pids: set[int]) -> None:
    with anyio.fail_after(HANG_GUARD_S):
        while any(psutil.pid_exists(pid) for pid in pids):
            await anyio.sleep(0.1)


async def test_two_processes_here_or_by_ray_train_what_one_does(opened: Opened) -> None:
    async with opened() as http:
        one = await trained(http, **STEP)
        here = await trained(http, **TWO)
        by_ray = await trained(http, **ON_RAY)
        curves = [await curve(http, job["id"]) for job in (one, here, by_ray)]
        told = await events(http, here["id"])
    assert checksum(here) == checksum(by_ray)
    difference = distances(numbers(one), numbers(here))[0]
    print(f"furthest weights of one process and of two: {difference:.2g}; checksum of two {checksum(here)[:16]}")
    assert difference <= SAME
    assert curves[1] == curves[2]
    for step, (loss, tokens) in curves[0].items():
        assert abs(curves[1][step][0] - loss) <= SAME
        assert curves[1][step][1] == tokens
    # The first alone is heard.
    assert [event["number"] for event in told] == list(range(1, len(told) + 1))
    assert [event["processes"] for event in told if event["kind"] == "started"] == [2]
    assert [event["step"] for event in told if event["kind"] == "step"] == list(range(1, 13))
    assert [event["step"] for event in told if event["kind"] == "checkpoint"] == [4, 8, 12]


@pytest.mark.parametrize(
    ("spec", "who"),
    [(TWO, "worker"), (TWO, "first"), (TWO, "second"), (ON_RAY, "worker"), (ON_RAY, "first")],
    ids=["launcher", "first", "second", "driver of ray", "first of ray"],
)
async def test_whichever_is_killed_all_end_and_going_on_changes_nothing(
    opened: Opened, home: Path, unbroken: dict[int, tuple[float, int]], spec: Json, who: str
) -> None:
    async with opened() as http:
        job_id = await begun(http, **spec)
        await at_step(http, job_id, 6)
        worker, first = held_by(home, job_id, "worker.lock"), held_by(home, job_id, "first.lock")
        them = {one.pid for one in psutil.Process(worker).children(recursive=True)}
        second = next((one for one in psutil.Process(worker).children() if one.pid != first), None)
        killed = {"worker": worker, "first": first, "second": second.pid if second else 0}[who]
        os.kill(killed, signal.SIGKILL)
        job = await until(http, job_id, rests)
        assert (job["state"], job["error"]["kind"]) == ("failed", "killed"), job["error"]
        if who != "worker":
            number = 1 if who == "first" else 2
            assert f"Of 2 processes number {number} was killed" in job["error"]["message"]
        await until_gone({worker, first, *them})
        assert (await http.post(f"{TRAINING}/{job_id}/resume")).status_code == 200
        job = await until(http, job_id, rests)
        assert job["state"] == "done", job["error"]
        found = await curve(http, job_id)
        told = await events(http, job_id)
    (_, again) = [number for number, event in enumerate(told) if event["kind"] == "begins"]
    # It may have come further than was seen before it was killed, but it goes on where it last saved.
    assert told[again]["step"] == [event["step"] for event in told[:again] if event["kind"] == "checkpoint"][-1]
    assert told[again]["step"] in (4, 8)
    assert sorted(found) == sorted(unbroken)
    assert max(abs(found[step][0] - unbroken[step][0]) for step in unbroken) <= SAME
    assert {step: tokens for step, (_, tokens) in found.items()} == {s: tokens for s, (_, tokens) in unbroken.items()}


@pytest.mark.parametrize("spec", [TWO, ON_RAY], ids=["here", "ray"])
async def test_two_processes_stop_after_the_same_step_and_go_on(opened: Opened, home: Path, spec: Json) -> None:
    async with opened() as http:
        job_id = await begun(http, **{**spec, "steps": 60, "save_every_steps": 50, "eval_every_steps": 60})
        await at_step(http, job_id, 2)
        await http.post(f"{TRAINING}/{job_id}/stop")
        stopped = await until(http, job_id, rests)
        assert stopped["state"] == "stopped", stopped["error"]
        assert stopped["figures"]["checkpoint"] == stopped["figures"]["step"]
        await http.post(f"{TRAINING}/{job_id}/resume")
        await at_step(http, job_id, stopped["figures"]["step"] + 1)
        # Whoever ends the session tells the worker, and those that it started.
        os.kill(held_by(home, job_id, "worker.lock"), signal.SIGTERM)
        ended = await until(http, job_id, rests)
        assert ended["state"] == "stopped", ended["error"]
        assert ended["figures"]["checkpoint"] > stopped["figures"]["checkpoint"]
        await http.post(f"{TRAINING}/{job_id}/resume")
        await at_step(http, job_id, ended["figures"]["step"] + 1)
        await http.post(f"{TRAINING}/{job_id}/cancel")
        cancelled = await until(http, job_id, rests)
        assert cancelled["state"] == "cancelled", cancelled["error"]


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ({**TWO, "context_tokens": 64, "too_long": "refuse"}, "spec", "rows have more than 64 tokens"),
        ({**TWO, "context_tokens": 8}, "data", "has 8 tokens or fewer"),
        ({**TWO, "learning_rate": 9.0, "tuning": "full", "steps": 40}, "diverged", "more than three times"),
        ({**TWO, "strategy": "fsdp"}, "spec", "this machine has none that torch sees. Say ddp."),
        ({**TWO, "cluster": "127.0.0.1:9"}, "spec", "There is no Ray at '127.0.0.1:9' that this training stack can"),
    ],
    ids=["refused", "all too long", "diverges", "no cards", "no Ray there"],
)
async def test_what_goes_wrong_in_several_is_told_once(opened: Opened, spec: Json, kind: str, words: str) -> None:
    async with opened() as http:
        job = await until(http, await begun(http, **spec), rests)
        assert (job["state"], job["error"]["kind"]) == ("failed", kind), job["error"]
        assert words in job["error"]["message"]
        assert [event["kind"] for event in await events(http, job["id"])].count("failed") == 1


async def test_a_dry_run_of_two_processes_shows_the_export(opened: Opened, home: Path) -> None:
    async with opened() as http:
        job = await trained(http, **{**TWO, "dry_run": "only"})
    assert job["figures"]["answer"]
    assert not (home / "jobs" / job["id"] / "dry-run").exists()


@pytest.mark.parametrize("tuning", ["lora", "full"])
async def test_a_model_divided_between_two_trains_as_a_whole_one_also_when_killed(
    opened: Opened, home: Path, tuning: str
) -> None:
    spec: Json = {
        "precision": "fp32", "tuning": tuning, "learning_rate": 1e-3, "sample_prompts": "hello, who keeps the llamas?"
    }  # fmt: skip
    async with opened() as http:
        whole = await trained(http, **STEP, **spec)
        unbroken = await curve(http, whole["id"])
        answers = [event["text"] for event in await events(http, whole["id"]) if event["kind"] == "sample"]
    settings = load({"port": 0}, environ={"PADDOCK_HOME": str(home), "PADDOCK_SCAN_OTHERS": "0"})
    python = stacking.python(Prefix(home / "stack"))
    worker = [str(python), "-I", two_cards.__file__, WORK]
    async with (
        running(settings, worker_program=worker) as studio,
        httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=120) as http,
    ):
        job_id = await begun(http, **{**TWO, **spec, "strategy": "fsdp", "dry_run": "first"})
        await at_step(http, job_id, 6)
        os.kill(held_by(home, job_id, "worker.lock"), signal.SIGKILL)
        assert (await until(http, job_id, rests))["error"]["kind"] == "killed"
        await http.post(f"{TRAINING}/{job_id}/resume")
        job = await until(http, job_id, rests)
        assert job["state"] == "done", job["error"]
        found = await curve(http, job_id)
        told = await events(http, job_id)
    assert max(abs(found[step][0] - unbroken[step][0]) for step in unbroken) <= SAME
    assert [event["text"] for event in told if event["kind"] == "sample"][-2:] == answers
    if tuning == "lora":
        apart = distances(numbers(whole), numbers(job))
        share = sum(one > SAME / 10 for one in apart) / len(apart)
        print(f"furthest weights of a whole model and of one divided: {apart[0]:.2g}; apart are {share:.2%}")
        # Where a gradient is all but 0, AdamW makes a step of how it was rounded.
        assert apart[0] <= spec["learning_rate"]
        assert share < 0.005
