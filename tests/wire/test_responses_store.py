"""Tests what becomes of responses where the store fails, paddock died, or there is no room."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.responses import ResponseStore, Stored
from tests.fakes.scripted_shapes import Answer
from tests.wire.rig import CHAT, HANG_GUARD_S, Rig, refusal, scripted_studio
from tests.wire.test_responses import PATH, events_of, made, until_over

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
LONG: Answer = {"generate": {"chunks": 100_000, "per_s": 20}}


def statement(folder: Path, sql: str) -> list[Any]:
    """Run one statement on a paddock's database, from outside."""
    with closing(sqlite3.connect(folder / "home" / "paddock.db", timeout=HANG_GUARD_S)) as database, database:
        return database.execute(sql).fetchall()


@asynccontextmanager
async def without_its_table(folder: Path) -> AsyncGenerator[None]:
    """The time in which no response can be written or read."""
    await anyio.to_thread.run_sync(statement, folder, "ALTER TABLE responses RENAME TO elsewhere")
    try:
        yield
    finally:
        await anyio.to_thread.run_sync(statement, folder, "ALTER TABLE elsewhere RENAME TO responses")


async def begun(rig: Rig, **fields: Any) -> str:
    """A background response that the engine is answering."""
    response_id: str = (await made(rig, background=True, **fields))["id"]
    with anyio.fail_after(HANG_GUARD_S):
        while (await rig.http.get(f"{PATH}/{response_id}")).json()["status"] != "in_progress":
            await anyio.sleep(0.005)
    return response_id


async def replayed(rig: Rig, response_id: str, after: int = -1) -> list[Json]:
    """The events of a background response, each of a kind that the SDK knows."""
    answer = await rig.http.get(f"{PATH}/{response_id}?stream=true&starting_after={after}")
    assert answer.status_code == 200
    found = events_of(answer.content)
    for event in found:
        TypeAdapter[Any](ResponseStreamEvent).validate_python(event)
    return found


async def test_a_background_response_whose_end_cannot_be_stored_fails_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script(LONG)
        response_id = await begun(rig)
        async with without_its_table(tmp_path):
            cancelled = (await rig.post({}, f"{PATH}/{response_id}/cancel")).json()
            assert (cancelled["status"], "could not be stored" in cancelled["error"]["message"]) == ("failed", True)
            assert (await rig.http.get(f"{PATH}/{response_id}")).status_code == 503
        assert (await rig.http.get(f"{PATH}/{response_id}")).json()["status"] == "failed"
        events = await replayed(rig, response_id)
        assert [event["type"] for event in events] == ["response.created", "response.failed"]
        assert (await rig.post({}, f"{PATH}/{response_id}/cancel")).json()["status"] == "cancelled"
        assert (await rig.http.get(f"{PATH}/{response_id}")).json()["status"] == "cancelled"
        assert (await rig.post({"messages": [{"role": "user", "content": "x"}]}, CHAT)).status_code == 200
    told = [record.levelno for record in caplog.records if f"response {response_id}" in record.getMessage()]
    assert told == [logging.ERROR]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_cannot_be_stored_is_handed_out_and_says_so(tmp_path: Path, stream: bool) -> None:
    async with scripted_studio(tmp_path) as rig:
        await made(rig)
        async with without_its_table(tmp_path):
            answer = await rig.post({"input": "Hello", "stream": stream}, PATH)
        assert answer.status_code == 200
        if stream:
            assert events_of(answer.content)[-1]["type"] == "response.completed"
            assert b"\n\n: x-paddock-unstored: the database" in answer.content
            told = events_of(answer.content)[-1]["response"]
        else:
            told = answer.json()
            assert "database" in answer.headers["x-paddock-unstored"]
        assert told["output"][0]["content"][0]["text"]
        assert (await rig.http.get(f"{PATH}/{told['id']}")).status_code == 404


async def left_behind(folder: Path) -> None:
    """A background response as a paddock leaves it that was killed while it was being made."""
    home = Home(root=folder / "home")
    home.ensure()
    database = Database("", home)
    body: Json = {"id": "resp_cut", "object": "response", "created_at": 1, "model": "m", "output": [], "tools": [],
            "tool_choice": "auto", "parallel_tool_calls": True, "background": True, "status": "queued"}  # fmt: skip
    await ResponseStore(database).put(
        Stored(response_id="resp_cut", created_s=4e9, status="queued", body=body, items=[{"id": "msg_1"}])
    )
    await database.close()


@pytest.mark.parametrize("first", ["find", "cancel", "events"])
async def test_what_a_killed_paddock_left_has_failed_whatever_is_asked_first(tmp_path: Path, first: str) -> None:
    await left_behind(tmp_path)
    async with scripted_studio(tmp_path, warm=False) as rig:
        if first == "cancel":
            assert (await rig.post({}, f"{PATH}/resp_cut/cancel")).json()["status"] == "failed"
        if first == "events":
            events = await replayed(rig, "resp_cut")
            assert [event["sequence_number"] for event in events] == [0, 1]
            assert (events[1]["type"], events[1]["response"]["status"]) == ("response.failed", "failed")
            assert await replayed(rig, "resp_cut", 0) == events[1:]
        assert (await rig.http.get(f"{PATH}/resp_cut")).json()["status"] == "failed"


async def test_a_background_response_that_finds_no_room_leaves_nothing(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, queue_most=100) as rig:
        await rig.script(LONG)
        answers: list[httpx.Response] = []

        async def ask() -> None:
            answers.append(await rig.post({"input": "x", "background": True}, PATH))

        async with anyio.create_task_group() as group:
            for _ in range(72):
                group.start_soon(ask)
        assert sorted(answer.status_code for answer in answers) == [200] * 64 + [429] * 8
        assert statement(tmp_path, "SELECT count(*) FROM responses") == [(64,)]
        one = next(answer.json()["id"] for answer in answers if answer.status_code == 200)
        assert (await rig.http.delete(f"{PATH}/{one}")).status_code == 200
        assert (await rig.http.get(f"{PATH}/{one}")).status_code == 404
        assert (await rig.post({"input": "x", "background": True}, PATH)).status_code == 200


@pytest.mark.parametrize("name", ["\ud800", "resp_\x00", "resp_ü", "resp_" + "a" * 80])
async def test_an_id_that_is_none_is_not_found(rig: Rig, name: str) -> None:
    response = await rig.post({"input": "x", "previous_response_id": name}, PATH)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "response_not_found")
    for path in ("resp_%00", "resp_%ED%A0%80", "resp_%C3%BC"):
        assert (await rig.http.get(f"{PATH}/{path}")).status_code == 404
        assert (await rig.http.delete(f"{PATH}/{path}")).status_code == 404
        assert (await rig.post({}, f"{PATH}/{path}/cancel")).status_code == 404


@pytest.mark.parametrize("background", [False, True])
async def test_half_a_pair_in_what_is_repeated_breaks_no_answer(rig: Rig, background: bool) -> None:
    fields: Json = {"metadata": {"a": "x\ud800"}, "input": "y\udfff"}
    first = await made(rig, background=background, **fields)
    done = await until_over(rig, first["id"])
    assert (done["status"], done["metadata"]) == ("completed", {"a": "x\ufffd"})
    items = (await rig.http.get(f"{PATH}/{first['id']}/input_items")).json()
    assert items["data"][0]["content"][0]["text"] == "y\ufffd"
    await made(rig, previous_response_id=first["id"])


@pytest.mark.parametrize("is_refused", [False, True])
async def test_who_watches_a_response_that_ends_early_is_told_of_it(rig: Rig, is_refused: bool) -> None:
    watched: list[Json] = []
    if is_refused:
        await rig.script(refusal(400, "no", "invalid_request_error"))
        watched = events_of((await rig.post({"input": "x", "background": True, "stream": True}, PATH)).content)
        response_id = watched[0]["response"]["id"]
        kinds = ["response.created", "response.failed"]
        assert [event["type"] for event in watched] == kinds
        status = "failed"
    else:
        await rig.script(LONG)
        response_id, status = await begun(rig), "cancelled"

        async def watch() -> None:
            watched.extend(await replayed(rig, response_id))

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await anyio.sleep(0.1)
            assert (await rig.post({}, f"{PATH}/{response_id}/cancel")).json()["status"] == "cancelled"
        assert watched[-1]["type"] == "response.incomplete"
    assert [event["sequence_number"] for event in watched] == list(range(len(watched)))
    assert watched[-1]["response"]["status"] == status
    assert await replayed(rig, response_id) == watched
    assert json.loads((await rig.http.get(f"{PATH}/{response_id}")).content) == watched[-1]["response"]
