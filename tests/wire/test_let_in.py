"""Tests that what goes on for somebody ends once he is let in no longer, or may do less."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from tests.fakes.scripted_shapes import Answer
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, scripted_studio
from tests.wire.test_accounts import SESSION, USERS, enrolled, page_of

pytestmark = pytest.mark.anyio
EVENTS = "/api/chats/events"
ENDLESS: Answer = {"generate": {"chunks": 100_000, "per_s": 50}}


async def changed(anna: httpx.AsyncClient, change: dict[str, object] | None) -> httpx.Response:
    """Berta's account is changed, or removed."""
    path = f"{USERS}/berta"
    return await (anna.delete(path) if change is None else anna.patch(path, json=change))


@asynccontextmanager
async def studio_of(folder: Path) -> AsyncGenerator[tuple[Rig, httpx.AsyncClient]]:
    """Paddock with an admin, who is signed in, and a user."""
    await enrolled(folder, anna="admin", ben="user")
    async with (
        scripted_studio(folder, warm=False, require_login=True, keepalive_s=0.2) as rig,
        page_of(rig, "anna") as anna,
    ):
        yield rig, anna


async def key_of(anna: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
    """A new key's id, and the header that shows it."""
    made = (await anna.post("/api/keys", json={"may": ["ask", "chats"]})).json()
    return made["id"], {"authorization": f"Bearer {made['key']}"}


async def broken_off(answer: httpx.Response, after: Callable[[], Awaitable[object]]) -> bool:
    """Whether a stream that is going on breaks off after a deed; it goes on for ever, or it does."""
    assert answer.status_code == 200
    pieces = answer.aiter_raw()
    await anext(pieces)
    await after()
    with anyio.fail_after(HANG_GUARD_S), pytest.raises(httpx.RemoteProtocolError):
        async for _ in pieces:
            pass
    return True


@pytest.mark.parametrize("path", [EVENTS, CHAT])
async def test_a_stream_breaks_off_once_its_key_is_revoked(tmp_path: Path, path: str) -> None:
    async with studio_of(tmp_path) as (rig, anna):
        key_id, shown = await key_of(anna)
        await anna.post("/api/models/pocket-v0/load")
        await rig.script(ENDLESS)
        method, body = ("GET", None) if path == EVENTS else ("POST", {"messages": [USER], "stream": True})
        async with rig.http.stream(method, path, headers=shown, json=body) as answer:
            assert await broken_off(answer, lambda: anna.delete(f"/api/keys/{key_id}"))
        assert (await rig.http.get("/v1/models", headers=shown)).status_code == 401
        if path == CHAT:
            await rig.engine.until(lambda record: record["requests"][-1]["closed_s"])


async def test_an_answer_of_which_nothing_is_out_is_refused_once_its_key_is_revoked(tmp_path: Path) -> None:
    async with studio_of(tmp_path) as (rig, anna), anyio.create_task_group() as group:
        key_id, shown = await key_of(anna)
        await anna.post("/api/models/pocket-v0/load")
        await rig.script({"wait_s": None})

        async def ask() -> None:
            answer = await rig.http.post(CHAT, json={"messages": [USER]}, headers=shown)
            assert answer.status_code == 401
            assert "let in no longer" in answer.json()["error"]["message"]

        group.start_soon(ask)
        await rig.engine.until(lambda record: [one for one in record["requests"] if one["path"] == CHAT])
        await anna.delete(f"/api/keys/{key_id}")


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "user"}, None], ids=["disabled", "a user", "removed"])
async def test_a_stream_breaks_off_once_its_account_may_do_less(
    tmp_path: Path, change: dict[str, object] | None
) -> None:
    await enrolled(tmp_path, berta="admin")
    async with (
        studio_of(tmp_path) as (rig, anna),
        page_of(rig, "berta") as berta,
        berta.stream("GET", EVENTS) as answer,
    ):
        assert await broken_off(answer, lambda: changed(anna, change))


async def test_a_stream_breaks_off_once_one_signed_out_and_goes_on_for_others(tmp_path: Path) -> None:
    async with studio_of(tmp_path) as (rig, anna), page_of(rig, "ben") as ben, anna.stream("GET", EVENTS) as kept:
        others = kept.aiter_raw()
        async with ben.stream("GET", EVENTS) as answer:
            assert await broken_off(answer, lambda: ben.delete(SESSION))
        await anna.post("/api/chats", json={"title": "hers"})
        with anyio.fail_after(HANG_GUARD_S):
            while b"event: chat" not in await anext(others):
                pass
