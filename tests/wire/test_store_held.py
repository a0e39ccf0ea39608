"""Tests what goes on while another program holds the database, and that nobody waits longer than one wait."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from sqlalchemy.engine import Connection

from paddock.errors import StoreBusy
from paddock.paths import Home
from paddock.store import db
from paddock.store.db import Database
from tests.wire.chatting import new_chat, sent
from tests.wire.rig import HANG_GUARD_S, USER, scripted_studio
from tests.wire.test_accounts import LINK, SESSION, enrolled, page_of
from tests.wire.test_store_faults import held

pytestmark = [pytest.mark.anyio, pytest.mark.attack("damage")]
CHATS = "/v1/chat/completions"


async def test_a_key_is_known_and_its_use_delays_nothing_while_somebody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_studio(tmp_path, require_key=False) as rig:
        made = await sent(rig, "POST", "/api/keys", {"name": "mine"}, status=201)
        headers = {"authorization": f"Bearer {made['key']}"}
        # Whoever waited for the writer would wait until the guard.
        monkeypatch.setattr(db, "_BUSY_TIMEOUT_S", 10 * HANG_GUARD_S)
        with held(tmp_path / "home" / "paddock.db"), anyio.fail_after(HANG_GUARD_S):
            for _ in range(3):
                answer = await rig.http.post(CHATS, json={"messages": [USER]}, headers=headers)
                assert answer.status_code == 200
                # What is known of keys is read anew after a second.
                await anyio.sleep(1.1)
            wrong = {"authorization": f"Bearer {made['key'][:-4]}AAAA"}
            assert (await rig.http.post(CHATS, json={"messages": [USER]}, headers=wrong)).status_code == 401


@pytest.mark.parametrize("path", [CHATS, "/v1/responses", "/v1/messages", "/api/chat"])
async def test_who_cannot_be_recognised_before_the_first_opening_is_told_so_in_each_dialect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async with scripted_studio(tmp_path) as rig:
        key = (await sent(rig, "POST", "/api/keys", {"name": "mine"}, status=201))["key"]
    monkeypatch.setattr(db, "_BUSY_TIMEOUT_S", 0.5)
    more: dict[str, Any] = {"input": "Hello"} if path == "/v1/responses" else {"messages": [USER], "max_tokens": 5}
    with held(tmp_path / "home" / "paddock.db"):
        async with scripted_studio(tmp_path, warm=False) as rig:
            headers = {"authorization": f"Bearer {key}"}
            answer = await rig.http.post(path, json={"model": "pocket-v0", **more}, headers=headers)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "holds the database" in answer.text


async def test_all_who_come_before_the_first_opening_share_what_comes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(root=tmp_path / "home")
    home.ensure()
    first = Database("", home)
    await first.run(lambda connection: connection.exec_driver_sql("SELECT 1").close())
    await first.close()
    database = Database("", home)
    monkeypatch.setattr(db, "_BUSY_TIMEOUT_S", 2.0)
    ends: list[float] = []

    async def ask() -> None:
        with pytest.raises(StoreBusy):
            await anyio.to_thread.run_sync(database.try_it)
        ends.append(time.monotonic())

    with held(home.database):
        begun_s = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(ask)
    # One after the other they would have waited eight times.
    assert max(ends) - begun_s < 4 * 2.0
    await database.close()


async def test_no_wait_outlives_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(root=tmp_path / "home")
    home.ensure()
    database = Database("", home)
    await database.run(lambda connection: connection.exec_driver_sql("SELECT 1").close())
    monkeypatch.setattr(db, "_BUSY_TIMEOUT_S", 10 * HANG_GUARD_S)
    with held(home.database), anyio.fail_after(HANG_GUARD_S):
        threading.Timer(0.5, database.end_waits).start()
        with pytest.raises(StoreBusy):
            await anyio.to_thread.run_sync(database.try_it)
    await database.close()


async def test_a_look_at_the_readiness_leaves_one_thread_behind_at_most(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await new_chat(rig, title="there is a database now")
        with held(tmp_path / "home" / "paddock.db"):
            found: list[int] = []
            for _ in range(3):
                answer: httpx.Response = await rig.http.get("/health/ready")
                assert answer.status_code == 503
                found.append(threading.active_count())
                await anyio.sleep(1.2)
            assert found[-1] <= found[0] + 1


async def test_who_writes_waits_and_whoever_reads_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(root=tmp_path / "home")
    home.ensure()
    database = Database("", home)
    await database.run(lambda connection: connection.exec_driver_sql("SELECT 1").close())
    monkeypatch.setattr(db, "_BUSY_TIMEOUT_S", 10 * HANG_GUARD_S)
    written: list[int] = []

    def selected(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT 1").scalar_one())

    async def write() -> None:
        written.append(await database.run(selected))

    with anyio.fail_after(HANG_GUARD_S):
        async with anyio.create_task_group() as tasks:
            with held(home.database):
                for _ in range(20):
                    tasks.start_soon(write)
                await anyio.wait_all_tasks_blocked()
                for _ in range(20):
                    assert await database.run(selected, only_reads=True) == 1
                with pytest.raises(StoreBusy):
                    await database.run(selected, waits=False)
                assert written == []
    assert len(written) == 20
    await database.close()


@pytest.mark.attack("floods")
async def test_strangers_who_try_links_and_passwords_keep_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrolled(tmp_path, anna="admin")
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig, "anna") as http:
        assert (await http.get("/v1/models")).status_code == 200
        monkeypatch.setattr(db, "_BUSY_TIMEOUT_S", 10 * HANG_GUARD_S)
        with held(tmp_path / "home" / "paddock.db"), anyio.fail_after(HANG_GUARD_S):
            async with page_of(rig) as stranger, anyio.create_task_group() as tasks:
                found: list[int] = []

                async def tried(path: str, body: dict[str, str]) -> None:
                    found.append((await stranger.post(path, json=body)).status_code)

                # The refusal of a password is written down, which waits.
                for name in ("anna", "berta", "carl"):
                    tasks.start_soon(tried, SESSION, {"name": name, "password": "a wrong password"})
                async with anyio.create_task_group() as trying:
                    for _ in range(120):
                        trying.start_soon(tried, LINK, {"token": "pdl-nobodys"})
                assert found == [410] * 120
                for path in ("/v1/models", "/api/keys", "/api/users", "/api/audit", "/api/session/places", "/"):
                    assert (await http.get(path)).status_code == 200, path
                tasks.cancel_scope.cancel()
