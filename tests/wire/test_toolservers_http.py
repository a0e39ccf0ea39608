"""Tests servers of tools at an address: answers whole and as streams, refusals, bounds, and where they may be."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.wire.rig import HANG_GUARD_S, Json, Rig
from tests.wire.test_fetch import listening
from tests.wire.test_toolservers import FAKE, notes, rig, said_in, used

__all__ = ["notes", "rig"]
pytestmark = pytest.mark.anyio


@asynccontextmanager
async def speaking(folder: Path, way: str, **env: str) -> AsyncGenerator[str]:
    """The fake over HTTP, as a process; its address."""
    port = folder / f"{way}.port"
    words = [sys.executable, FAKE, way, "--port-file", str(port)]
    async with await anyio.open_process(words, env=env, stdin=None, stdout=None, stderr=None) as process:
        try:
            with anyio.fail_after(HANG_GUARD_S):
                while not port.exists():
                    await anyio.sleep(0.01)
            yield f"http://127.0.0.1:{port.read_text()}/mcp"
        finally:
            process.kill()


async def hosted(rig: Rig, url: str, **fields: Any) -> Json:
    answer = await rig.post({"name": "fake", "url": url, "is_private": True, **fields}, "/api/mcp")
    assert answer.status_code == 201, answer.text
    return (await rig.post({}, "/api/mcp/fake/enable")).json()


@pytest.mark.parametrize("way", ["well", "stream"])
async def test_its_tools_are_called_with_its_headers(rig: Rig, tmp_path: Path, way: str, notes: Path) -> None:
    async with speaking(tmp_path, way, FAKE_NOTES=str(notes)) as url:
        found = await hosted(rig, url, headers={"Authorization": "Bearer very-secret"})
        assert (found["state"], found["error"]) == ("ready", "")
        assert await used(rig, "echo", '{"text": "hay"}') == "hay"
        assert set(said_in(notes)) == {"authorization", "Bearer", "very-secret"}
        assert "very-secret" not in (await rig.http.get("/api/mcp")).text


@pytest.mark.attack("bombs")
async def test_an_answer_without_bounds_is_told_and_the_server_is_asked_on(rig: Rig, tmp_path: Path) -> None:
    async with speaking(tmp_path, "well") as url:
        await hosted(rig, url)
        assert "its answer has more than 8 MiB" in await used(rig, "large")
        assert await used(rig, "echo", '{"text": "on"}') == "on"


@pytest.mark.parametrize(("way", "why"), [("closed", "status 401: it asks for a key"), ("redirects", "not followed")])
async def test_how_an_address_refuses_is_told(rig: Rig, tmp_path: Path, way: str, why: str) -> None:
    async with speaking(tmp_path, way) as url:
        found = await hosted(rig, url)
    assert found["state"] == "failed"
    assert why in found["error"]


async def test_a_server_that_goes_is_told_and_found_again(rig: Rig, tmp_path: Path) -> None:
    async with speaking(tmp_path, "well") as url:
        await hosted(rig, url)
    assert "cannot be reached (ConnectError)" in await used(rig, "echo", '{"text": "hay"}')


@pytest.mark.attack("having paddock connect elsewhere")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1", "0x7f.1"])
async def test_an_address_of_this_machine_is_asked_only_where_somebody_said_so(rig: Rig, host: str) -> None:
    async with listening("127.0.0.1", b"") as server:
        asked = {"name": "fake", "url": f"https://{host}:{server.port}/mcp"}
        added = await rig.post(asked, "/api/mcp")
        assert added.status_code == 201
        found = (await rig.post({}, "/api/mcp/fake/enable")).json()
        assert found["state"] == "failed"
        assert "is not fetched" in found["error"]
        assert server.connections == 0
    plain = await rig.post({"name": "fake", "url": f"http://{host}/mcp"}, "/api/mcp")
    assert plain.status_code == 400
