"""Tests builds over the API: what is here, and jobs that install, go back, remove, fail and are cancelled."""

from __future__ import annotations

import platform
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from paddock.app import running
from paddock.config import load
from paddock.install.manifest import shipped
from tests.fakes.release_server import Releases, running_releases
from tests.fakes.scripted_llama_server import Behaviour, lay_out, tar
from tests.wire.rig import HANG_GUARD_S, Rig, client, engine_program

pytestmark = pytest.mark.anyio
TAG = shipped().tag
NAME = f"{TAG}-ubuntu-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"
ASSET = f"llama-{TAG}-bin-{NAME.removeprefix(f'{TAG}-')}.tar.gz"
PAD = b"#" * 300_000
PASSED_ON = {"X-Forwarded-For": "203.0.113.7"}


@pytest.fixture
def releases(tmp_path: Path) -> Generator[Releases]:
    with running_releases(tmp_path / "releases") as releases:
        yield releases


@asynccontextmanager
async def studio(
    folder: Path, mirror: str = "http://127.0.0.1:9", program: list[str] | None = None
) -> AsyncGenerator[Rig]:
    """Paddock whose builds come from a mirror, and are worked on by `program` in place of its own."""
    flags = {"port": 0, "scan_others": False, "engine_mirror": mirror}
    settings = load(flags, environ={"PADDOCK_HOME": str(folder / "home")})
    words = engine_program(folder)
    async with running(settings, engine_program=words, builds_program=program) as made, client(made.url) as http:
        yield Rig(studio=made, http=http)


@pytest.fixture
async def own(tmp_path: Path, releases: Releases) -> AsyncGenerator[Rig]:
    async with studio(tmp_path, releases.address) as rig:
        yield rig


async def started(rig: Rig, deed: str, **body: Any) -> dict[str, Any]:
    answer = await rig.http.post(f"/api/engines/{deed}", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def until(rig: Rig, done: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    with anyio.fail_after(4 * HANG_GUARD_S):
        while not done(job := (await rig.http.get("/api/engines/job")).json()["job"]):
            await anyio.sleep(0.05)
    return job


async def ended(rig: Rig, deed: str, **body: Any) -> dict[str, Any]:
    """A job's end."""
    await started(rig, deed, **body)
    return await until(rig, lambda job: job["ended_s"] is not None)


async def active(rig: Rig) -> tuple[str, str, str | None]:
    told = (await rig.http.get("/api/engines")).json()
    return told["running"], told["active"], told["previous"]


async def test_a_build_is_looked_for_installed_left_and_removed(own: Rig, releases: Releases) -> None:
    releases.add(TAG, ASSET, tar())
    assert releases.seen() == []
    looked = await ended(own, "look")
    offers = {one["name"]: one for one in looked["result"]["offers"]}
    assert (offers[NAME]["fits"], offers[NAME]["reason"]) == (True, "It runs on the processor.")
    assert offers[NAME]["size_bytes"] == (releases.root / TAG / ASSET).stat().st_size
    assert looked["result"]["newest"] is None
    done = await ended(own, "install", build=NAME)
    assert (done["state"], done["result"]) == ("done", {"build": NAME}), done
    assert any(line.startswith("Canary, 3 of 3") for line in done["lines"])
    assert await active(own) == ("embedded", NAME, "embedded")
    (build,) = (await own.http.get("/api/engines")).json()["builds"]
    assert (build["version"], build["canary"]["status"], build["is_whole"]) == ("11434 (scripted)", "passed", True)
    refused = await ended(own, "remove", build=NAME)
    assert (refused["state"], refused["error"]["kind"]) == ("failed", "BuildBroken")
    assert (await ended(own, "use", build="previous"))["result"] == {"build": "embedded"}
    assert (await ended(own, "remove", build=NAME))["state"] == "done"
    assert (await own.http.get("/api/engines")).json()["builds"] == []
    lines = (await own.http.get("/api/engines/job?after=0")).json()["job"]
    assert lines["lines"] == lines["lines"][: lines["last_line"]]


async def test_a_cancelled_download_leaves_the_active_build_and_is_gone_on_with(own: Rig, releases: Releases) -> None:
    releases.add(TAG, ASSET, tar() + PAD)
    releases.misbehave({"pause_s": 0.3})
    await started(own, "install", build=NAME)
    busy = await own.http.post("/api/engines/use", json={"build": "embedded"})
    assert (busy.status_code, busy.json()["error"]["code"]) == (409, "install_busy")
    going = await until(own, lambda job: job["per_s"] is not None)
    assert (going["unit"], going["total"]) == ("bytes", (releases.root / TAG / ASSET).stat().st_size)
    assert going["seconds_left"] is not None
    assert (await own.http.post("/api/engines/job/cancel")).json()["state"] == "cancelling"
    over = await until(own, lambda job: job["ended_s"] is not None)
    assert (over["state"], over["error"]) == ("cancelled", None)
    assert await active(own) == ("embedded", "embedded", None)
    came = next((releases.root.parent / "home").glob("engines/downloads/*.partial")).stat().st_size
    releases.misbehave()
    assert (await ended(own, "install", build=NAME))["state"] == "done"
    assert [seen["range"] for seen in releases.files()] == [f"bytes={came}-"]


async def test_what_goes_wrong_is_told_and_the_active_build_stays(own: Rig, releases: Releases) -> None:
    missing = await ended(own, "look", tag="b0")
    assert (missing["error"]["kind"], "b0" in missing["error"]["message"]) == ("BuildUnavailable", True)
    releases.add(TAG, ASSET, tar())
    releases.misbehave({"wrong_bytes": True})
    wrong = await ended(own, "install", build=NAME)
    assert (wrong["state"], wrong["error"]["kind"]) == ("failed", "BuildRefused")
    assert await active(own) == ("embedded", "embedded", None)


async def test_a_build_that_fails_its_canary_is_kept_and_used_only_anyway(own: Rig, releases: Releases) -> None:
    behaviour: Behaviour = {"lets_anyone_in": True}
    releases.add(TAG, ASSET, tar(behaviour))
    failed = await ended(own, "install", build=NAME)
    assert (failed["state"], failed["error"]["kind"]) == ("failed", "CanaryFailed"), failed
    (build,) = (await own.http.get("/api/engines")).json()["builds"]
    assert build["canary"]["status"] == "failed"
    assert build["canary"]["reasons"]
    assert (await ended(own, "use", build=NAME, anyway=True))["result"] == {"build": NAME}


async def test_the_newest_release_is_asked_for_only_when_wanted(own: Rig, releases: Releases) -> None:
    releases.add(TAG, ASSET, tar())
    releases.misbehave({"newest": "b99999"})
    assert (await ended(own, "look", afresh=True))["result"]["newest"] == "b99999"
    releases.misbehave({"newest": "b99999"})
    assert (await ended(own, "look"))["result"]["newest"] is None
    assert releases.seen() == []


async def test_no_network_is_told(tmp_path: Path) -> None:
    async with studio(tmp_path) as rig:
        told = await ended(rig, "look", afresh=True)
        assert (told["state"], told["error"]["kind"]) == ("failed", "BuildUnavailable")
        assert "cannot be reached" in told["error"]["message"]


@pytest.mark.parametrize(
    ("deed", "body", "status"),
    [
        ("use", {"build": "gone"}, 404), ("use", {}, 422), ("use", {"build": 1}, 422),
        ("remove", {"build": "../x"}, 404),
        ("look", {"tag": "../b0"}, 400), ("install", {"colour": 1}, 422), ("install", {"anyway": "yes"}, 422),
        ("remove", {"build": "embedded"}, 404), ("job/cancel", {}, 404),
    ],
)  # fmt: skip
async def test_an_order_that_makes_no_sense_is_refused(tmp_path: Path, deed: str, body: Any, status: int) -> None:
    async with studio(tmp_path) as rig:
        assert (await rig.http.post(f"/api/engines/{deed}", json=body)).status_code == status
        assert (await rig.http.get("/api/engines/job")).json() == {"job": None}


async def test_only_this_machine_changes_builds(tmp_path: Path) -> None:
    async with studio(tmp_path) as rig:
        for deed in ("look", "install", "use", "remove", "job/cancel"):
            answer = await rig.http.post(f"/api/engines/{deed}", json={}, headers=PASSED_ON)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_permitted")
        assert (await rig.http.get("/api/engines", headers=PASSED_ON)).json()["can_change"] is False


async def test_a_program_that_dies_without_a_word_is_a_failure(tmp_path: Path) -> None:
    async with studio(tmp_path, program=[sys.executable, "-c", 'print(\'{"say": "hello"}\')']) as rig:
        told = await ended(rig, "look")
        assert (told["state"], told["lines"]) == ("failed", ["hello"])
        assert "without a word" in told["error"]["message"]


async def test_a_job_ends_with_paddock(tmp_path: Path) -> None:
    stubborn = 'import os, time; print(\'{"say": "%d"}\' % os.getpid(), flush=True); time.sleep(600)'
    async with studio(tmp_path, program=[sys.executable, "-c", stubborn]) as rig:
        await started(rig, "look")
        (pid,) = (await until(rig, lambda job: job["lines"]))["lines"]
    assert not psutil.pid_exists(int(pid))


async def test_a_persons_own_build_that_lost_its_program_is_not_whole(tmp_path: Path) -> None:
    async with studio(tmp_path) as rig:
        binary = lay_out(tmp_path / "mine")
        folder = tmp_path / "home" / "engines" / "own-1"
        folder.mkdir(parents=True)
        record = f'{{"name": "own-1", "origin": "path", "binary": "{binary}", "devices": []}}'
        (folder / "build.json").write_text(record)
        assert (await rig.http.get("/api/engines")).json()["builds"][0]["is_whole"] is True
        binary.unlink()
        assert (await rig.http.get("/api/engines")).json()["builds"][0]["is_whole"] is False
