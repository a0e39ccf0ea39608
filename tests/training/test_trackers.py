"""Tests trackers for real: each gets the figures that paddock tells, on this machine alone, and none ends a training.

Their libraries are installed by the very command that paddock names where one is missing.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.training.trackers import TRACKERS
from tests.training.conftest import STACK, Opened
from tests.training.test_runs import HANG_GUARD_S, QUICK, TRAINING, rests, until

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
READER = Path(__file__).with_name("read_tracked.py")
FIGURES = ("loss", "eval_loss", "learning_rate", "gradient", "tokens_per_s")


@pytest.fixture
def libraries(home: Path) -> Path:
    """Where the libraries of trackers lie, from one run of these tests to the next."""
    kept = STACK.parent / "trackers"
    kept.mkdir(exist_ok=True)
    (home / "trackers").symlink_to(kept)
    return kept


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Generator[list[bytes]]:
    """What reached for the network: every proxy that a library may heed is this listener, which notes and hangs up."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, address)

        def listen() -> None:
            while True:
                try:
                    with closing(server.accept()[0]) as one:
                        one.settimeout(1)
                        heard.append(one.recv(200))
                except OSError:
                    if server.fileno() < 0:
                        return

        listener = threading.Thread(target=listen)
        listener.start()
        yield heard
        server.shutdown(socket.SHUT_RDWR)
    listener.join()


async def with_library(http: httpx.AsyncClient, name: str, **spec: Any) -> str:
    """Begin a training with a tracker, whose library is installed first where it is missing, as the refusal says."""
    asked = {"name": "kept", "spec": {**QUICK, "makes_gguf": False, "trackers": [name], **spec}}
    answer = await http.post(TRAINING, json=asked)
    if answer.status_code == 422:
        error = answer.json()["error"]
        assert error["param"] == "trackers"
        command = error["message"].partition("folder of its own: ")[2]
        environment = {"PATH": "/usr/bin:/bin", **{k: v for k, v in os.environ.items() if "proxy" not in k.lower()}}
        await anyio.run_process([*shlex.split(command), "--quiet", "--no-input"], env=environment)
        answer = await http.post(TRAINING, json=asked)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def events_of(http: httpx.AsyncClient, job_id: str) -> list[Json]:
    with anyio.fail_after(HANG_GUARD_S):
        text = (await http.get(f"{TRAINING}/{job_id}/events", timeout=HANG_GUARD_S)).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def told(events: list[Json]) -> dict[str, list[tuple[int, float]]]:
    """Each figure by step, as paddock told it."""
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in FIGURES}
    for event in events:
        if event["kind"] == "step":
            for name in set(FIGURES) - {"eval_loss"}:
                if event.get(name) is not None:
                    found[name].append((event["step"], event[name]))
        elif event["kind"] == "eval":
            found["eval_loss"].append((event["step"], event["loss"]))
    return found


def read(home: Path, name: str, job_id: str) -> dict[str, list[tuple[int, float]]]:
    """The same, as the tracker's own library reads what it kept."""
    python = str(next(STACK.glob("env-*/bin/python")))
    words = [python, "-I", str(READER), name, str(home / "trackers" / name), str(home / "tracked" / name), job_id]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=HANG_GUARD_S)
    found: dict[str, list[tuple[int, float]]] = json.loads(done.stdout.splitlines()[-1])
    return {figure: [(step, value) for step, value in found.get(figure, [])] for figure in FIGURES}


@pytest.mark.parametrize("name", TRACKERS)
async def test_a_tracker_keeps_what_was_told_here_alone_over_a_stop(
    opened: Opened, home: Path, libraries: Path, called: list[bytes], name: str
) -> None:
    async with opened() as http:
        job_id = await with_library(http, name, steps=300)
        await until(http, job_id, lambda job: job["figures"].get("step", 0) >= 5 or rests(job))
        await http.post(f"{TRAINING}/{job_id}/stop")
        job = await until(http, job_id, rests)
        assert job["state"] == "stopped", job["error"]
        assert (await http.post(f"{TRAINING}/{job_id}/resume")).status_code == 200
        begun = (await until(http, job_id, lambda job: rests(job) or job["state"] == "running"))["figures"]["step"]
        await until(http, job_id, lambda job: job["figures"].get("step", 0) >= begun + 5 or rests(job))
        await http.post(f"{TRAINING}/{job_id}/stop")
        job = await until(http, job_id, rests)
        assert job["state"] == "stopped", job["error"]
        events = await events_of(http, job_id)
    assert [event for event in events if event["kind"] == "tracker_failed"] == []
    assert [event["tracker"] for event in events if event["kind"] == "tracked"] == [name, name]
    kept = read(home, name, job_id)
    for figure, values in told(events).items():
        assert [step for step, _ in kept[figure]] == [step for step, _ in values], figure
        assert [value for _, value in kept[figure]] == pytest.approx([value for _, value in values], rel=1e-6), figure
    assert len(kept["loss"]) >= 10
    assert called == []


async def test_a_tracker_that_fails_ends_no_training(opened: Opened, home: Path, libraries: Path) -> None:
    (home / "tracked").mkdir()
    (home / "tracked" / "tensorboard").write_text("no folder")
    async with opened() as http:
        job_id = await with_library(http, "tensorboard")
        assert (await until(http, job_id, rests))["state"] == "done"
        failed = [event for event in await events_of(http, job_id) if event["kind"] == "tracker_failed"]
    assert [event["tracker"] for event in failed] == ["tensorboard"]
    assert failed[0]["message"]


async def test_figures_are_sent_where_paddock_was_told_to_if_a_training_asks_for_it(
    opened: Opened, libraries: Path, called: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hush@mlflow.invalid:5000")
    # Nobody listens there: that it was tried, and only there, is what shows.
    async with opened() as http:
        job_id = await with_library(http, "mlflow")
        await until(http, job_id, rests)
        assert called == []
        job_id = await with_library(http, "mlflow", trackers=["mlflow=online"])
        assert (await until(http, job_id, rests))["state"] == "done"
        events = await events_of(http, job_id)
    assert [event["tracker"] for event in events if event["kind"] == "tracker_failed"] == ["mlflow"]
    assert [event["where"] for event in events if event["kind"] == "tracked"] == ["http://me:…@mlflow.invalid:5000"]
    assert called
    assert all(b"mlflow.invalid:5000" in one for one in called)
