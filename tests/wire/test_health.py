"""Tests the two signs of life: one that never checks, and one that tells whether paddock can take work."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import anyio
import pytest

from paddock.app import running
from paddock.config import load
from tests.wire.rig import HANG_GUARD_S, Json, Rig, client, scripted_studio

pytestmark = pytest.mark.anyio
READY = "/health/ready"


async def asked(rig: Rig) -> tuple[int, Json]:
    answer = await rig.http.get(READY)
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


async def errors(rig: Rig) -> int:
    """How often the database could not do something."""
    told = (await rig.http.get("/metrics")).text
    return int(told.partition("\npaddock_database_errors_total ")[2].partition("\n")[0])


async def until(rig: Rig, status: int) -> Json:
    """Wait until readiness is told with that status; what was found is told for two seconds."""
    with anyio.fail_after(HANG_GUARD_S):
        while (found := await asked(rig))[0] != status:
            await anyio.sleep(0.05)
    return found[1]


@pytest.mark.rule("also-health")
async def test_a_paddock_that_can_work_says_so_before_any_model_is_loaded(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        assert await asked(rig) == (200, {"status": "ready"})
        assert not rig.studio.pool.residents
        # What was never needed is not made for being asked.
        assert not (tmp_path / "home" / "paddock.db").exists()
        await rig.http.get("/api/chats")
        assert [path.name for path in (tmp_path / "home").glob("*.db")] != []
        assert await asked(rig) == (200, {"status": "ready"})


async def test_a_data_home_that_is_gone_is_a_reason_until_it_is_back(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        home, away = tmp_path / "home", tmp_path / "away"
        home.rename(away)
        # Not to be made anew by what begins beside the start.
        home.write_text("")
        assert await until(rig, 503) == {"status": "not_ready", "reasons": ["data_home"]}
        assert (await rig.http.get("/health")).status_code == 200
        home.unlink()
        away.rename(home)
        assert await until(rig, 200) == {"status": "ready"}
        lines = (await rig.http.get("/api/system/log?contains=paddock.api.health")).json()["lines"]
        assert [line["message"].partition(":")[0] for line in lines] == ["not ready, data_home", "ready again"]


async def test_an_engines_program_that_is_gone_is_a_reason(tmp_path: Path) -> None:
    program = tmp_path / "engine"
    program.symlink_to(shutil.which("true") or "/bin/true")
    settings = load({"port": 0, "scan_others": False}, environ={"PADDOCK_HOME": str(tmp_path / "home")})
    async with running(settings, engine_program=[str(program)]) as studio, client(studio.url) as http:
        rig = Rig(studio=studio, http=http)
        assert await asked(rig) == (200, {"status": "ready"})
        program.unlink()
        assert await until(rig, 503) == {"status": "not_ready", "reasons": ["engine"]}


async def test_a_database_that_is_broken_is_a_reason(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        await rig.http.get("/api/chats")
        assert (await asked(rig))[0] == 200
        (database,) = (tmp_path / "home").glob("*.db")
        with sqlite3.connect(database) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert await until(rig, 503) == {"status": "not_ready", "reasons": ["database"]}
        other.close()
        await until(rig, 200)


async def test_a_database_elsewhere_that_is_gone_is_a_reason_that_names_nothing(tmp_path: Path) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/chats"
    async with scripted_studio(tmp_path, warm=False, database_url=url) as rig:
        answer = await rig.http.get(READY)
        assert (answer.status_code, answer.json()) == (503, {"status": "not_ready", "reasons": ["database"]})
        words = (await rig.http.get("/api/system/log?level=warning")).text
        assert "not ready, database" in words
        assert "hunter2" not in words


async def test_a_paddock_that_was_told_to_end_is_not_ready(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        assert (await rig.http.post("/api/shutdown")).status_code == 202
        with anyio.fail_after(HANG_GUARD_S):
            await rig.studio.ended.wait()
        assert await asked(rig) == (503, {"status": "not_ready", "reasons": ["ending"]})
        assert (await rig.http.get("/health")).status_code == 200


async def test_strangers_are_told_no_more_than_that(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        assert await asked(rig) == (200, {"status": "ready"})
        live = await rig.http.get("/health")
        assert sorted(live.json()) == ["engine", "name", "status", "version"]


async def test_however_many_ask_at_once_one_try_is_made(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, database_url="postgresql://me@127.0.0.1:1/x") as rig:
        # Whether answers are to be carried on, and the newest of its stamps, are looked for at the start, once each.
        with anyio.fail_after(HANG_GUARD_S):
            while (before := await errors(rig)) < 2:
                await anyio.sleep(0.01)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(asked, rig)
        assert await errors(rig) == before + 1
