"""Tests that a clock which jumps, by a year and in both directions, deletes nothing and locks nobody out for long."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from paddock.clock import steady_s
from tests.wire.chatting import new_chat, sent
from tests.wire.rig import USER, Rig, scripted_studio

pytestmark = pytest.mark.anyio
YEAR_S = 366 * 86400.0
Set = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets the system's clock forward by so many seconds, as everything in this process sees it."""
    real = time.time

    def put(ahead_s: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + ahead_s)

    return put


def test_the_steady_clock_hears_of_no_jump(clock: Set) -> None:
    before = steady_s()
    clock(YEAR_S)
    assert time.time() - before > YEAR_S / 2
    assert 0 <= steady_s() - before < 3600


@pytest.mark.parametrize("ahead_s", [YEAR_S, -YEAR_S], ids=["ahead", "back"])
async def test_what_is_kept_is_still_there_after_a_jump(tmp_path: Path, clock: Set, ahead_s: float) -> None:
    async with scripted_studio(tmp_path, record=True) as rig:
        kept, gone = await new_chat(rig, title="kept"), await new_chat(rig, title="in the bin")
        await sent(rig, "DELETE", f"/api/chats/{gone}")
        response = await sent(rig, "POST", "/v1/responses", {"input": "Hello", "store": True})
        recorded = await recordings(rig)
        assert recorded
    clock(ahead_s)
    # Within one process: how one that begins with a wrong clock tidies is not shown here.
    async with scripted_studio(tmp_path) as rig:
        assert (await sent(rig, "GET", f"/api/chats/{kept}"))["title"] == "kept"
        await sent(rig, "POST", f"/api/chats/{gone}/restore")
        assert (await sent(rig, "GET", f"/v1/responses/{response['id']}"))["id"] == response["id"]
        assert recorded <= await recordings(rig)
        # And it goes on: what is made now is read back, the newest first.
        await new_chat(rig, title="now")
        titles = [chat["title"] for chat in (await sent(rig, "GET", "/api/chats"))["data"]]
        assert set(titles) == {"now", "kept", "in the bin"}
        assert (await rig.chat()).status_code == 200
    clock(0.0)
    async with scripted_studio(tmp_path) as rig:
        assert len((await sent(rig, "GET", "/api/chats"))["data"]) == 3


async def recordings(rig: Rig) -> set[str]:
    return {one["id"] for one in (await sent(rig, "GET", "/api/requests"))["data"]}


async def test_a_limit_by_the_minute_is_over_after_a_minute_whatever_the_clock_says(tmp_path: Path, clock: Set) -> None:
    async with scripted_studio(tmp_path, require_key=False) as rig:
        key = (await sent(rig, "POST", "/api/keys", {"name": "hasty", "requests_per_minute": 2}, status=201))["key"]

        async def ask() -> httpx.Response:
            headers = {"authorization": f"Bearer {key}"}
            return await rig.http.post("/v1/chat/completions", json={"messages": [USER]}, headers=headers)

        clock(YEAR_S)
        assert [(await ask()).status_code for _ in range(2)] == [200, 200]
        clock(0.0)
        refused = await ask()
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) <= 61


async def test_the_log_of_deeds_keeps_what_it_has(tmp_path: Path, clock: Set) -> None:
    async with scripted_studio(tmp_path) as rig:
        await sent(rig, "POST", "/api/keys", {"name": "first"}, status=201)
        clock(10 * YEAR_S)
        await sent(rig, "POST", "/api/keys", {"name": "second"}, status=201)
        clock(0.0)
        told = [one["deed"] for one in (await sent(rig, "GET", "/api/audit"))["data"]]
    assert len(told) == 2
