"""Tests what comes in no shape that HTTP has, without end, or byte by byte: refused, while others are served."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import anyio
import anyio.to_thread
import psutil
import pytest

from paddock.store.keys import Terms
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, scripted_studio
from tests.wire.test_keys import keys_in

pytestmark = pytest.mark.anyio
HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST
GET = b"GET /v1/models HTTP/1.1\r\n" + HOST
HIDDEN = b"GET /v1/models HTTP/1.1\r\n" + HOST + b"\r\n"
OPEN = b"(and waits for more)"
GROWTH_MOST_BYTES = 64 * 2**20


def port_of(rig: Rig) -> int:
    return int(rig.studio.url.rpartition(":")[2])


def talked(port: int, *pieces: bytes) -> bytes:
    """Whatever is answered to these bytes, until the other side closes or says no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG_GUARD_S) as connection:
        connection.settimeout(2.0)
        told = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while received := connection.recv(65536):
                told += received
        except TimeoutError:
            return told + OPEN
        except ConnectionError:
            pass
        return told


async def told(rig: Rig, *pieces: bytes) -> bytes:
    return await anyio.to_thread.run_sync(talked, port_of(rig), *pieces)


SMUGGLED: dict[str, bytes] = {
    "both lengths": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 70\r\n\r\n" + HIDDEN,
    "a list of lengths": POST + b"Content-Length: 0, 70\r\n\r\n" + HIDDEN,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n" + HIDDEN,
    "a signed length": POST + b"Content-Length: +0\r\n\r\n" + HIDDEN,
    "a length in hex": POST + b"Content-Length: 0x0\r\n\r\n" + HIDDEN,
    "a length beyond numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + HIDDEN,
    "an encoding of two words": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "an encoding nobody knows": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "an encoding before a blank": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a chunk of a bad size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" + HIDDEN,
    "a chunk of a negative size": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + HIDDEN,
    "a chunk beyond numbers": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + HIDDEN,
    "a folded header": GET + b"X-One: a\r\n b\r\nX-Two: c\r\n d\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
    "NUL in a header": GET + b"X-One: a\x00b\r\n\r\n",
    "a bare return in a header": GET + b"X-One: a\rX-Two: b\r\n\r\n",
    "a header without a name": GET + b": a\r\n\r\n",
    "a header without a colon": GET + b"nonsense\r\n\r\n",
    "a version of its own": b"GET /v1/models HTTP/9.9\r\n" + HOST + b"\r\n",
    "no version": b"GET /v1/models\r\n\r\n",
    "NUL in the line": b"GET /v1/\x00models HTTP/1.1\r\n" + HOST + b"\r\n",
    "no request at all": bytes(range(256)),
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.attack("request smuggling")
@pytest.mark.parametrize("shape", SMUGGLED)
async def test_what_could_be_read_in_two_ways_is_not_read(rig: Rig, shape: str) -> None:
    answer = await told(rig, SMUGGLED[shape])
    # Never the answer to what was hidden in it, and never two.
    assert b"pocket-v0" not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert not answer or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 ", b"HTTP/1.1 413 ", b"HTTP/1.1 422 ")), (
        answer
    )
    assert (await rig.http.get("/health")).status_code == 200


@pytest.mark.attack("request smuggling")
@pytest.mark.parametrize("name", [b"Host", b"Origin", b"Sec-Fetch-Site"])
async def test_what_is_judged_may_not_come_twice(rig: Rig, name: bytes) -> None:
    twice = b"GET /v1/models HTTP/1.1\r\n" + HOST + 2 * (name + b": 127.0.0.1\r\n") + b"\r\n"
    assert (await told(rig, twice)).startswith(b"HTTP/1.1 403 ")


@pytest.mark.attack("floods")
@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((GET, b"".join(b"X-%d: a\r\n" % number for number in range(100_000)), b"\r\n"), b"431"),
        ((GET, b"X-One: ", b"a" * 10_000_000, b"\r\n\r\n"), b"431"),
        ((b"GET /", b"a" * 1_000_000, b" HTTP/1.1\r\n", HOST, b"\r\n"), b"431"),
        ((b"G" * 1_000_000,), b"400"),
        ((GET, b"X" * 1_000_000), b"431"),
        ((POST, b"Content-Length: 999999999999\r\n\r\n", b"a" * 10_000), b"413"),
    ],
    ids=["headers", "header", "line", "method", "name", "announced"],
)
async def test_a_flood_is_refused_and_held_by_nobody(rig: Rig, pieces: tuple[bytes, ...], status: bytes) -> None:
    before = psutil.Process(os.getpid()).memory_info().rss
    answers: list[bytes] = []
    async with anyio.create_task_group() as group:

        async def flood() -> None:
            answers.append(await told(rig, *pieces))

        for _ in range(4):
            group.start_soon(flood)
        assert (await rig.post({"messages": [USER]}, CHAT)).status_code == 200
    assert all(not answer or answer.startswith(b"HTTP/1.1 " + status) for answer in answers), answers
    assert psutil.Process(os.getpid()).memory_info().rss - before < GROWTH_MOST_BYTES


@pytest.mark.attack("floods")
@pytest.mark.parametrize(
    "begun", [b"", GET, GET + b"X-One: a\r\n", b"GET /v1/mo"], ids=["none", "line", "header", "part"]
)
async def test_a_head_that_never_ends_is_given_up(tmp_path: Path, begun: bytes) -> None:
    async with scripted_studio(tmp_path, warm=False, receive_timeout_s=0.3) as rig:
        assert (await told(rig, begun)).startswith(b"HTTP/1.1 408 ")
        assert (await rig.http.get("/health")).status_code == 200


async def test_a_connection_that_rests_between_requests_is_kept(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, receive_timeout_s=0.3) as rig:
        two = await told(rig, GET + b"\r\n", b"")
        # Nothing was refused: it waits, as between requests.
        assert two.startswith(b"HTTP/1.1 200 ")
        assert two.endswith(OPEN)


@pytest.mark.attack("floods")
async def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, receive_timeout_s=0.3) as rig:
        answer = await told(rig, POST + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"1 bytes came" in answer


async def test_who_asks_on_a_connection_is_asked_anew_each_time(tmp_path: Path) -> None:
    # Code that begins in a connection's own callbacks must not be taken for whoever asked on it before.
    keys = keys_in(tmp_path)
    _, text = await anyio.to_thread.run_sync(lambda: keys.create("k", terms=Terms(rights=frozenset(("manage",)))))
    await keys.close()
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        shown = b"Authorization: Bearer " + text.encode() + b"\r\n"
        padding = b"a" * 200_000
        large = b"POST /api/users HTTP/1.1\r\n" + HOST + shown + b"Content-Length: 200000\r\n\r\n" + padding
        answer = await told(rig, large, b"GET /api/users HTTP/1.1\r\n" + HOST + b"\r\n")
        assert answer.count(b"HTTP/1.1 401 ") == 1
        assert answer.count(b"HTTP/1.1 ") == 2
