"""Downloads of a running paddock: begun, watched, paused, cancelled, and killed in the middle."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fakes.hub import Hub as FakeHub
from tests.journeys.downloading import (
    MODEL,
    POCKET,
    REPO,
    SLOW,
    WAIT_S,
    fetched,
    filled,
    partial_bytes,
    ranges,
    serving,
    surroundings,
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Generator[FakeHub]:
    with filled(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture
def env(hub: FakeHub, tmp_path: Path) -> dict[str, str]:
    hub.misbehave()
    return surroundings(hub, tmp_path)


def test_a_model_is_downloaded_told_of_and_served(env: dict[str, str], hub: FakeHub) -> None:
    with serving(env) as paddock:
        download = paddock.start()
        assert (download["model"], download["size_bytes"]) == (MODEL, len(POCKET))
        done = paddock.ended(download)
        assert (done["state"], done["done_bytes"], done["error"]) == ("done", len(POCKET), None)
        assert fetched(env) == [POCKET]
        assert MODEL in paddock.models()
        assert paddock.http.get("/api/downloads").json()["data"] == [done]
        every = paddock.events(download)
        assert [kind for _, kind, _ in every if kind == "state"] == ["state"] * 3
        assert [data["state"] for _, kind, data in every if kind == "state"] == ["queued", "running", "done"]
        numbers = [number for number, _, _ in every]
        assert numbers == sorted(set(numbers))
        for place, number in enumerate(numbers):
            assert paddock.events(download, number) == every[place + 1 :]
        assert paddock.http.delete(f"/api/downloads/{download['id']}").json()["deleted"] is True
        assert paddock.http.get("/api/downloads").json()["data"] == []
        assert MODEL in paddock.models()


def test_events_come_while_it_runs_and_silence_is_kept_alive(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave({"stalls": 1, "cut_after_bytes": 3_000_000})
    with serving(env) as paddock:
        download = paddock.start()
        with paddock.http.stream("GET", f"/api/downloads/{download['id']}/events") as stream:
            lines = list(stream.iter_lines())
        assert ": keep-alive" in lines
        assert any(line == "event: progress" for line in lines)
        assert '"state": "done"' in [line for line in lines if line.startswith("data: ")][-1]
        rates = [json.loads(line[6:])["bytes_per_s"] for line in lines if line.startswith("data: ")]
        assert any(rates)


def test_a_paddock_that_is_killed_goes_on_at_its_next_start(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env) as paddock:
        download = paddock.start()
        paddock.until(download, lambda seen: seen["done_bytes"] > 1_000_000)
        paddock.process.send_signal(signal.SIGKILL)
        paddock.process.wait()
    hub.misbehave()
    kept = partial_bytes(env)
    assert 0 < kept < len(POCKET)
    with serving(env) as paddock:
        assert paddock.ended(download)["state"] == "done"
        states = [data["state"] for _, kind, data in paddock.events(download) if kind == "state"]
    assert fetched(env) == [POCKET]
    assert ranges(hub)[0] is not None
    assert states == ["queued", "running", "queued", "running", "done"]


def test_nothing_of_a_killed_paddock_goes_on_by_itself(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env) as paddock:
        paddock.until(paddock.start(), lambda seen: seen["done_bytes"] > 500_000)
        paddock.process.send_signal(signal.SIGKILL)
        paddock.process.wait()
    time.sleep(0.5)
    kept = partial_bytes(env)
    time.sleep(0.5)
    assert partial_bytes(env) == kept


def test_a_paddock_that_is_stopped_leaves_at_once_and_goes_on_later(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave({"stalls": -1, "cut_after_bytes": 100_000})
    with serving(env) as paddock:
        download = paddock.start()
        paddock.until(download, lambda seen: seen["state"] == "running")
        paddock.process.terminate()
        assert paddock.process.wait(20) == 0
    hub.misbehave()
    with serving(env) as paddock:
        assert paddock.ended(download)["state"] == "done"


def test_pause_keeps_what_came_over_a_restart_and_resume_goes_on(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env) as paddock:
        download = paddock.start()
        paddock.until(download, lambda seen: seen["done_bytes"] > 500_000)
        assert paddock.tell(download, "pause").json()["state"] == "paused"
        kept = partial_bytes(env)
        assert kept > 0
        assert paddock.tell(download, "pause").json()["state"] == "paused"
    with serving(env) as paddock:
        assert paddock.see(download)["state"] == "paused"
        assert partial_bytes(env) == kept
        hub.misbehave()
        assert paddock.tell(download, "resume").json()["state"] == "queued"
        assert paddock.ended(download)["state"] == "done"
        assert paddock.tell(download, "resume").status_code == 400
    assert ranges(hub) == [f"bytes={kept}-"]
    assert fetched(env) == [POCKET]


def test_a_cancelled_download_takes_its_bytes_and_stays_cancelled(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env) as paddock:
        download = paddock.start()
        paddock.until(download, lambda seen: seen["done_bytes"] > 500_000)
        assert paddock.tell(download, "cancel").json()["state"] == "cancelled"
        assert partial_bytes(env) == 0
        assert paddock.tell(download, "pause").status_code == 400
        assert paddock.tell(download, "cancel").json()["state"] == "cancelled"
        paddock.process.send_signal(signal.SIGKILL)
        paddock.process.wait()
    hub.misbehave()
    with serving(env) as paddock:
        assert paddock.see(download)["state"] == "cancelled"
        assert paddock.tell(download, "resume").status_code == 400
        assert hub.seen() == []
        again = paddock.start()
        assert again["id"] != download["id"]
        assert paddock.ended(again)["state"] == "done"


def test_what_a_killed_paddock_did_not_take_away_is_taken_away_later(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env) as paddock:
        download = paddock.start()
        paddock.until(download, lambda seen: seen["done_bytes"] > 500_000)
        paddock.process.send_signal(signal.SIGKILL)
        paddock.process.wait()
    path = Path(env["PADDOCK_HOME"]) / "downloads" / f"{download['id']}.json"
    state = json.loads(path.read_text())
    state["events"][-1]["state"] = "cancelled"
    path.write_text(json.dumps(state))
    assert partial_bytes(env) > 0
    with serving(env) as paddock:
        deadline = time.monotonic() + WAIT_S
        while partial_bytes(env):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert paddock.see(download)["state"] == "cancelled"


def test_two_wishes_for_one_model_are_one_download(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env) as paddock:
        ids = {paddock.start(words)["id"] for words in (MODEL, REPO, f"{REPO}:q8_0")}
        assert len(ids) == 1
        (download,) = paddock.http.get("/api/downloads").json()["data"]
        paddock.tell(download, "pause")
        assert paddock.start()["id"] == download["id"]
        assert paddock.see(download)["state"] in ("queued", "running")
        paddock.tell(download, "cancel")


def test_downloads_beyond_the_bound_wait_their_turn(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env, "--downloads-at-once", "1") as paddock:
        first, second = paddock.start(), paddock.start("ours/second")
        paddock.until(first, lambda seen: seen["done_bytes"] > 0)
        assert paddock.see(second)["state"] == "queued"
        paddock.tell(first, "pause")
        paddock.until(second, lambda seen: seen["done_bytes"] > 0)
        hub.misbehave()
        paddock.tell(first, "resume")
        assert [paddock.ended(one)["state"] for one in (second, first)] == ["done", "done"]
