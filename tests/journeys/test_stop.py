"""Tests that stopping paddock tells those who are still waiting, in their own dialect."""

from __future__ import annotations

from pathlib import Path

import anyio
import httpx
import pytest

from tests.wire.rig import CHAT, USER, scripted_studio

pytestmark = pytest.mark.anyio


async def test_a_stream_that_a_stop_ends_gets_one_error_frame(tmp_path: Path) -> None:
    got = bytearray()
    ended: list[str] = []
    async with (
        httpx.AsyncClient(timeout=30) as http,
        anyio.create_task_group() as group,
        scripted_studio(tmp_path) as rig,
    ):
        await rig.script({"generate": {"chunks": 100_000, "per_s": 50}}, path=CHAT)
        url = f"{rig.studio.url}{CHAT}"
        begun = anyio.Event()

        async def read() -> None:
            async with http.stream("POST", url, json={"messages": [USER], "stream": True}) as answer:
                async for chunk in answer.aiter_raw():
                    got.extend(chunk)
                    begun.set()
            ended.append("whole")

        group.start_soon(read)
        await begun.wait()
    assert ended == ["whole"]
    assert got.count(b'"error"') == 1
    assert b'"server_error"' in got


async def test_an_answer_that_a_stop_ends_is_an_error_in_our_shape(tmp_path: Path) -> None:
    answers: list[httpx.Response] = []
    async with (
        httpx.AsyncClient(timeout=30) as http,
        anyio.create_task_group() as group,
        scripted_studio(tmp_path) as rig,
    ):
        await rig.script({"wait_s": None}, path=CHAT)
        url = f"{rig.studio.url}{CHAT}"

        async def ask() -> None:
            answers.append(await http.post(url, json={"messages": [USER]}))

        group.start_soon(ask)
        await rig.engine.until(lambda record: record["hits"].get(CHAT))
    assert [answer.status_code for answer in answers] == [502]
    assert answers[0].json()["error"]["code"] == "engine_unreachable"
