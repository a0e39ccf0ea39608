"""Tests that stopping paddock tells those who are still waiting, in their own dialect."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import anyio
import httpx
import pytest

from tests.wire.rig import CHAT, HANG_GUARD_S, USER, scripted_studio

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


async def test_a_client_that_reads_nothing_does_not_hold_the_stop_up(tmp_path: Path) -> None:
    with socket.socket() as client:
        async with scripted_studio(tmp_path) as rig:
            # Far more than the system's buffers hold.
            await rig.script({"generate": {"chunks": 1_000_000, "per_s": 1e9}}, path=CHAT)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            address = httpx.URL(rig.studio.url)
            client.connect((address.host, address.port))
            body = json.dumps({"messages": [USER], "stream": True}).encode()
            head = f"POST {CHAT} HTTP/1.1\r\nHost: {address.host}:{address.port}\r\nContent-Type: application/json\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await rig.engine.until(lambda record: record["hits"].get(CHAT))
            leaving = anyio.current_time()
        took_s = anyio.current_time() - leaving
    # Two waits of a second for those who read, and the server's own end; a guard against hanging, no measure of speed.
    assert took_s < HANG_GUARD_S
