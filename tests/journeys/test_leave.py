"""Tests that a client's leaving stops the engine at once, again and again, and leaves nothing behind (rows 49, 50).

asyncio's debug mode is on, and warnings are errors: a lost task or a cancel scope left in another task fails the test.
The measured times are printed; that they are short is for the bench to say.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from paddock.app import Studio, running
from paddock.config import load
from tests import leaks
from tests.engine import environ
from tests.fakes.scripted_shapes import Answer
from tests.wire.rig import CHAT, COMPLETIONS, HANG_GUARD_S, USER, Rig, pieces, scripted_studio
from tests.wire.test_bytes import WORDS

pytestmark = [pytest.mark.anyio, pytest.mark.leave]
PATHS = [CHAT, COMPLETIONS]
SLICE, ALL = 20, 100


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The event loop with its own checks on."""
    return "asyncio", {"debug": True}


@pytest.fixture
def rounds(full: bool) -> int:
    """How often each client leaves."""
    return ALL if full else SLICE


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing may be logged as an error: not by asyncio, not by the server, not by paddock."""
    yield
    complaints = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in complaints] == []


def request_bytes(url: str, path: str, *, stream: bool, **fields: object) -> bytes:
    """A whole request on a kept connection."""
    body = json.dumps({"messages": [USER], "prompt": "x", "stream": stream, **fields}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {url.removeprefix('http://')}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def connected(url: str) -> SocketStream:
    host, port = url.removeprefix("http://").split(":")
    return await anyio.connect_tcp(host, int(port))


async def read_until(stream: SocketStream, marker: bytes) -> bytes:
    got = b""
    while marker not in got:
        got += await stream.receive()
    return got


async def leave(stream: SocketStream, *, rudely: bool) -> float:
    """Close the connection, by FIN or by RST, and return the time at which it was done."""
    if rudely:
        raw: socket.socket = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    left_s = time.monotonic()
    await stream.aclose()
    return left_s


def told(what: str, times_s: list[float]) -> None:
    """Print how long it took, for a person to read."""
    ordered = sorted(times_s)
    p50, p95 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.95))
    print(
        f"{what}: {len(ordered)} times, p50 {p50 * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms, most {ordered[-1] * 1e3:.1f} ms"
    )


async def standing_still(count: Callable[[], tuple[int, ...]]) -> tuple[int, ...]:
    """`count()` once it has been the same for a while."""
    last, since_s = count(), time.monotonic()
    with anyio.fail_after(HANG_GUARD_S):
        while time.monotonic() - since_s < 0.1:
            await anyio.sleep(0.01)
            if (now := count()) != last:
                last, since_s = now, time.monotonic()
    return last


# Where the client is when it leaves: the engine's answer, whether it is streamed, and what the client has read by then.
MOMENTS: dict[str, tuple[Answer, bool, bytes]] = {
    "while streaming": ({"generate": {"chunks": 100_000, "per_s": 200}}, True, b" hello"),
    "while streaming as fast as it goes": ({"generate": {"chunks": 10_000_000, "per_s": 0}}, True, b" hello"),
    "while the prompt is read in silence": ({"wait_s": None}, True, b""),
    "while the prompt is read and the stream kept alive": ({"wait_s": None}, True, b": keep-alive"),
    "while the engine is silent after its first frames": ({**pieces(WORDS), "end": "stall"}, True, b"finish_reason"),
    "while a whole answer is awaited": ({"wait_s": None}, False, b""),
}


@pytest.mark.rule("stop-connection")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_row_49_the_engines_connection_is_closed(tmp_path: Path, rounds: int, path: str, moment: str) -> None:
    answer, stream, read = MOMENTS[moment]
    patience = 0.02 if b"keep-alive" in read else 10.0
    async with scripted_studio(tmp_path, status_deadline_s=patience, keepalive_s=0.02) as rig:
        times_s: list[float] = []
        for n in range(rounds):
            await rig.engine.clear()
            await rig.script(answer, path=path)
            client = await connected(rig.studio.url)
            if n % 2:
                await client.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await read_until(client, b'"ok"')
            await client.send(request_bytes(rig.studio.url, path, stream=stream))
            await rig.engine.until(lambda record: record["hits"].get(path))
            with anyio.fail_after(HANG_GUARD_S):
                await read_until(client, read)
            left_s = await leave(client, rudely=n % 4 > 1)
            record = await rig.engine.until(lambda record: record["requests"][0]["closed_s"])
            closed_s = record["requests"][0]["closed_s"]
            assert closed_s is not None
            assert record["hits"] == {path: 1}
            times_s.append(closed_s - left_s)
        told(f"{path} {moment}", times_s)
        assert (await rig.chat()).status_code == 200 if path == COMPLETIONS else True


async def test_row_50_leaving_leaves_nothing_behind(tmp_path: Path, rounds: int) -> None:
    async with scripted_studio(tmp_path, status_deadline_s=0.02, keepalive_s=0.02) as rig:

        async def visit(n: int) -> None:
            answer, stream, read = list(MOMENTS.values())[n % len(MOMENTS)]
            await rig.script(answer)
            client = await connected(rig.studio.url)
            await client.send(request_bytes(rig.studio.url, CHAT, stream=stream))
            with anyio.fail_after(HANG_GUARD_S):
                await read_until(client, read)
            await leave(client, rudely=bool(n % 2))

        def count() -> tuple[int, ...]:
            return len(leaks.open_files()), len(asyncio.all_tasks())

        await visit(0)
        await rig.engine.rest()
        before = await standing_still(count)
        for n in range(rounds):
            await visit(n)
        await rig.engine.until(lambda record: record["open_connections"] <= 1)
        await rig.engine.rest()
        assert await standing_still(count) == before


@pytest.mark.rule("stop-connection")
async def test_clients_that_leave_together_are_all_noticed(tmp_path: Path, rounds: int) -> None:
    async with scripted_studio(tmp_path, queue_most=rounds) as rig:
        await rig.script({"generate": {"chunks": 100_000, "per_s": 100}})
        clients = [await connected(rig.studio.url) for _ in range(rounds)]
        for client in clients:
            await client.send(request_bytes(rig.studio.url, CHAT, stream=True))
            await read_until(client, b" hello")
        for client in clients:
            await client.aclose()
        # What is asked beside the answers, such as a prompt's count, comes over connections that are kept.
        await rig.engine.until(
            lambda record: all(seen["closed_s"] for seen in record["requests"] if seen["path"] == CHAT)
        )
        assert await _answers(rig)


async def _answers(rig: Rig) -> bool:
    await rig.engine.clear()
    return (await rig.chat()).status_code == 200


async def test_a_slow_reader_is_no_leaver(tmp_path: Path) -> None:
    """A client that does not read holds the engine back rather than fill paddock's memory; then it gets every byte."""
    async with scripted_studio(tmp_path) as rig:
        frame = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 50_000 + b'"}}]}\n\n'
        await rig.script(pieces(*([frame] * 400)))
        client = await connected(rig.studio.url)
        await client.send(request_bytes(rig.studio.url, CHAT, stream=True))
        await anyio.sleep(0.5)
        assert (await rig.engine.seen())[0]["chunks_sent"] < 400
        with anyio.fail_after(HANG_GUARD_S):
            got = await read_until(client, b"0\r\n\r\n")
        assert got.count(b"data: {") == 400
        await client.aclose()


@pytest.fixture
async def real(tmp_path: Path) -> AsyncGenerator[Studio]:
    """Paddock with the real engine and a context that takes a while to read."""
    flags = {"port": 0, "context_tokens": 16384, "threads": 1, "slots": 1}
    async with running(load(flags, environ=environ(tmp_path / "home"))) as studio:
        yield studio


async def idle_after(studio: Studio) -> float:
    """Wait until no slot of the real engine works, and return the time."""
    async with studio.pool.lease("pocket-v0") as lease:
        with anyio.fail_after(HANG_GUARD_S):
            while any(slot["is_processing"] for slot in await lease.client.ask(lease.endpoint, "/slots")):
                await anyio.sleep(0.001)
    return time.monotonic()


@pytest.mark.rule("stop-slot")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("moment", ["while generating", "while the prompt is read"])
async def test_the_real_engines_slot_is_idle_soon(real: Studio, rounds: int, path: str, moment: str) -> None:
    words = "word " * 6000 if "prompt" in moment else "Hello"
    fields: dict[str, object] = {"messages": [{"role": "user", "content": words}], "prompt": words}
    fields |= {"cache_prompt": False, "ignore_eos": True, "max_tokens": 15_000, "return_progress": True}
    read = b'"prompt_progress"' if "prompt" in moment else b'data: {"choices":[{"finish_reason":null'
    if path == COMPLETIONS and "prompt" not in moment:
        read = b'"finish_reason":null}]'
    times_s: list[float] = []
    for _ in range(max(3, rounds // 5)):
        client = await connected(real.url)
        await client.send(request_bytes(real.url, path, stream=True, **fields))
        with anyio.fail_after(HANG_GUARD_S):
            await read_until(client, read)
        left_s = await leave(client, rudely=False)
        times_s.append(await idle_after(real) - left_s)
    told(f"{path} {moment}, the real engine", times_s)


async def test_an_early_break_of_the_clients_iterator_is_a_leaving(tmp_path: Path, rounds: int) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script({"generate": {"chunks": 100_000, "per_s": 100}})
        for _ in range(rounds):
            asked = {"messages": [USER], "stream": True}
            async with (
                rig.http.stream("POST", CHAT, json=asked) as response,
                aclosing(cast(AsyncGenerator[bytes], response.aiter_raw())) as chunks,
            ):
                async for _data in chunks:
                    break
        await rig.engine.until(lambda record: all(seen["closed_s"] for seen in record["requests"]))
        assert (await rig.engine.record())["hits"] == {CHAT: rounds}
