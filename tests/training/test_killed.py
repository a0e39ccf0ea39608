"""Tests `kill -9` of the worker, the server and both at random steps: the training is the same, and little is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.page import rig
from tests.page.rig import Served
from tests.training.conftest import STACK
from tests.training.test_runs import HANG_GUARD_S, QUICK, TRAINING, Json

SOURCES = Path(__file__).resolve().parents[2] / "src"
WHO = ("worker", "server", "both")


def read(studio: Served, path: str) -> str:
    with urlopen(f"{studio.url}{TRAINING}/{path}", timeout=HANG_GUARD_S) as answer:
        return answer.read().decode()


def until(studio: Served, job_id: str, is_so: Callable[[Json], bool]) -> Json:
    end_s = time.monotonic() + HANG_GUARD_S
    while not is_so(job := json.loads(read(studio, job_id))):
        assert time.monotonic() < end_s
        time.sleep(0.02)
    return job


def rests(job: Json) -> bool:
    return job["state"] not in ("queued", "running", "stopping")


def told(studio: Served, job_id: str) -> list[Json]:
    lines = read(studio, f"{job_id}/events").splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def curve(events: list[Json]) -> dict[int, tuple[float, int]]:
    """Loss and tokens by step; what was done twice counts as it was done last."""
    return {event["step"]: (event["loss"], event["tokens"]) for event in events if event["kind"] == "step"}


def begun(studio: Served) -> str:
    return str(studio.ask(TRAINING, {"spec": QUICK})["id"])


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[float, int]]:
    home = tmp_path_factory.mktemp("unbroken")
    (home / "stack").symlink_to(STACK)
    with rig.served(SOURCES, home) as studio:
        job_id = begun(studio)
        assert until(studio, job_id, rests)["state"] == "done"
        return curve(told(studio, job_id))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("who", WHO)
def test_a_kill_changes_nothing(home: Path, unbroken: dict[int, tuple[float, int]], who: str, seed: int) -> None:
    at_step = random.Random(f"{who} {seed}").randrange(1, QUICK["steps"])
    with rig.served(SOURCES, home) as studio:
        job_id = begun(studio)
        until(studio, job_id, lambda job: job["figures"].get("step", 0) >= at_step)
        if who != "server":
            os.kill(json.loads((home / "jobs" / job_id / "worker.lock").read_bytes())["pid"], signal.SIGKILL)
        if who != "worker":
            studio.process.kill()
            studio.process.wait(30)
        else:
            assert until(studio, job_id, rests)["error"]["kind"] == "killed"
    with rig.served(SOURCES, home) as studio:
        job = until(studio, job_id, rests)
        if who == "server":
            assert job["state"] == "done", job["error"]
        else:
            assert (job["state"], job["error"]["kind"]) == ("failed", "killed")
            studio.ask(f"{TRAINING}/{job_id}/resume", {})
            assert until(studio, job_id, rests)["state"] == "done"
        events = told(studio, job_id)
    found = curve(events)
    assert sorted(found) == sorted(unbroken) == list(range(1, QUICK["steps"] + 1))
    assert max(abs(found[step][0] - unbroken[step][0]) for step in unbroken) <= 1e-4
    assert {step: tokens for step, (_, tokens) in found.items()} == {s: tokens for s, (_, tokens) in unbroken.items()}
    beginnings = [place for place, event in enumerate(events) if event["kind"] == "begins"]
    assert len(beginnings) == (1 if who == "server" else 2)
    for place in beginnings[1:]:
        reached = max((event["step"] for event in events[:place] if event["kind"] == "step"), default=0)
        print(f"{who} killed at step {reached}, gone on with from {events[place]['step']}")
        assert reached - events[place]["step"] <= QUICK["save_every_steps"]
