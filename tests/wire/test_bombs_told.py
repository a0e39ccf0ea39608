"""Tests answers of hubs, mirrors and engines that are small and unpack to much, or never end: given up in words."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from paddock.engine.client import EngineClient
from paddock.errors import BuildRefused, EngineUnreachable, HubUnavailable
from paddock.install.release import Origin, asked
from paddock.models.hub_process import HubProcess
from paddock.paths import Home
from tests.fakes import bombs
from tests.wire.test_fetch import listening, whole

pytestmark = [pytest.mark.anyio, pytest.mark.attack("bombs")]
HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class There:
    """An engine at an address."""

    port: int
    api_key: str = ""

    def url_of(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"


def answered(size_bytes: int) -> bytes:
    return whole(bombs.packed("gzip", size_bytes), kind="application/json", more="Content-Encoding: gzip\r\n")


@pytest.mark.parametrize("question", ["search", "list"])
async def test_a_hub_whose_answer_unpacks_to_gigabytes_is_given_up(tmp_path: Path, question: str) -> None:
    async with listening(HOST, answered(3072 * bombs.MIB)) as hub:
        environ = {**os.environ, "HF_ENDPOINT": f"http://{HOST}:{hub.port}", "HF_HOME": str(tmp_path / "hf")}
        asked_of = HubProcess(Home(root=tmp_path), lends_token=False, environ=environ)
        with pytest.raises(HubUnavailable, match="more of this than paddock reads"):
            await (asked_of.search("x", most=5) if question == "search" else asked_of.files_of("org/repo"))


async def test_a_hub_that_tells_of_endless_files_is_given_up(tmp_path: Path) -> None:
    about = f'"size": 1, "blobId": "{"a" * 40}"'
    names = ",".join(f'{{"rfilename": "{"x" * 180}{number}.gguf", {about}}}' for number in range(70_000))
    said = f'{{"id": "org/repo", "sha": "{"a" * 40}", "siblings": [{names}]}}'.encode()
    async with listening(HOST, whole(said, kind="application/json")) as hub:
        environ = {**os.environ, "HF_ENDPOINT": f"http://{HOST}:{hub.port}", "HF_HOME": str(tmp_path / "hf")}
        with pytest.raises(HubUnavailable, match="more of this than paddock reads"):
            await HubProcess(Home(root=tmp_path), lends_token=False, environ=environ).files_of("org/repo")


async def test_a_mirror_whose_description_unpacks_to_gigabytes_is_given_up() -> None:
    async with listening(HOST, answered(3072 * bombs.MIB)) as mirror:
        url = f"http://{HOST}:{mirror.port}"
        with pytest.raises(BuildRefused, match="too long to be one"):
            await anyio.to_thread.run_sync(lambda: asked("b1", Origin(api=url, web=url)))


async def test_an_engine_whose_answer_never_ends_is_given_up() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            while True:
                writer.write(b" " * bombs.MIB)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server, client = await asyncio.start_server(endless, HOST, 0), EngineClient()
    there = There(port=server.sockets[0].getsockname()[1])
    try:
        async with client.open(there, "/x", b"{}", streamed=False) as answer:
            with anyio.fail_after(60), pytest.raises(EngineUnreachable, match="longer than 268435456 bytes"):
                await answer.body()
    finally:
        await client.close()
        server.close()
        await server.wait_closed()
