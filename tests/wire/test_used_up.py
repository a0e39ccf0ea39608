"""Tests what others could use up: memory, disk, connections, the log; those who come meanwhile are answered."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from paddock import listening
from paddock.api import chat_transfer
from paddock.log import ACCESS
from tests.wire.chatting import CHATS
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, scripted_studio
from tests.wire.test_accounts import LINK, PASSWORD, SESSION, enrolled, page_of
from tests.wire.test_http_limits import OPEN, port_of, told

pytestmark = [pytest.mark.anyio, pytest.mark.attack("floods")]
LARGE_BYTES = 2 * 2**20


def head(rig: Rig, path: str, *lines: str) -> bytes:
    """The head of a POST from paddock's own page."""
    own = (f"Host: 127.0.0.1:{port_of(rig)}", f"Origin: {rig.studio.url}", "Sec-Fetch-Site: same-origin")
    return "\r\n".join((f"POST {path} HTTP/1.1", *own, *lines, "", "")).encode()


def dripped(port: int, begun: bytes) -> bytes:
    """The answer to a body of which a byte comes every now and then; nothing where none comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG_GUARD_S) as connection:
        connection.sendall(begun)
        connection.settimeout(0.05)
        for _ in range(300):
            connection.sendall(b" ")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
            while b"\r\n\r\n{" not in answer:
                connection.settimeout(HANG_GUARD_S)
                answer += connection.recv(65536)
            return answer
    return b""


def said_at_once(port: int) -> bytes:
    """What is said to one who connects and asks nothing; nothing where that is waited for."""
    with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
        try:
            return connection.recv(65536)
        except TimeoutError:
            return b""


@contextmanager
def begun(rig: Rig, size_bytes: int, path: str = CHAT) -> Generator[None]:
    """A request whose body lacks its end."""
    with socket.create_connection(("127.0.0.1", port_of(rig)), timeout=HANG_GUARD_S) as connection:
        connection.sendall(head(rig, path, f"Content-Length: {size_bytes}") + b" " * (size_bytes - 1))
        yield


@pytest.mark.parametrize("path", [SESSION, LINK])
async def test_of_a_stranger_no_more_is_read_than_a_sign_in_needs(tmp_path: Path, path: str) -> None:
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig:
        announced = await told(rig, head(rig, path, "Content-Length: 60000000"), b"{" * 60_000)
        assert announced.startswith(b"HTTP/1.1 413 "), announced
        assert b"32 KiB" in announced
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        unannounced = await told(rig, head(rig, path, "Transfer-Encoding: chunked"), chunk, b"1\r\n \r\n")
        assert unannounced.startswith(b"HTTP/1.1 413 "), unannounced
        assert not unannounced.endswith(OPEN) or b"body_too_large" in unannounced


@pytest.mark.parametrize("path", [SESSION, LINK])
async def test_a_stranger_who_sends_byte_by_byte_is_given_up(tmp_path: Path, path: str) -> None:
    async with scripted_studio(tmp_path, warm=False, require_login=True, receive_timeout_s=0.5) as rig:
        begun_so = head(rig, path, "Content-Length: 1000") + b"{"
        answer = await anyio.to_thread.run_sync(dripped, port_of(rig), begun_so)
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert b"not all of it within 0.5 s" in answer


async def test_the_longest_password_is_read_however_it_is_escaped(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin")
    longest = json.dumps("🦙🦄🐢🐌" * 250)
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig, "anna") as http:
        body = f'{{"password": "{PASSWORD}", "new": {longest}}}'
        assert (await http.put(f"{SESSION}/password", content=body)).status_code == 200
        body = f'{{"password": {longest}, "new": "another horse battery"}}'
        assert (await http.put(f"{SESSION}/password", content=body)).status_code == 200


async def test_bodies_that_do_not_end_hold_so_much_together_and_small_ones_pass(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, max_body_bytes=LARGE_BYTES) as rig:
        large = b'{"messages": [{"role": "user", "content": "Hello"}]}'.ljust(LARGE_BYTES)
        assert (await rig.post(large)).status_code == 200
        with ExitStack() as held:
            # Of each the first MiB is free: eight times the second one is all there is.
            for _ in range(8):
                await anyio.to_thread.run_sync(held.enter_context, begun(rig, LARGE_BYTES))
            with anyio.fail_after(HANG_GUARD_S):
                while (answer := await rig.post(large)).status_code != 429:
                    assert answer.status_code == 200
            assert answer.headers["retry-after"]
            assert "Bodies that came in part hold" in answer.text
            assert (await rig.post({"messages": [USER]})).status_code == 200
        with anyio.fail_after(HANG_GUARD_S):
            while (answer := await rig.post(large)).status_code != 200:
                assert answer.status_code == 429


async def test_a_file_of_chats_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, receive_timeout_s=0.5) as rig:
        for body in (b"", b"{"):
            answer = await told(rig, head(rig, f"{CHATS}/import", "Content-Length: 1000") + body)
            assert answer.startswith(b"HTTP/1.1 408 "), answer
        left = [one for one in (tmp_path / "home").rglob("source") if one.is_file()]
        assert left == []


async def test_files_of_chats_hold_so_much_of_the_disk_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_transfer, "_FILES_MOST_BYTES", 3 * 2**20)
    async with scripted_studio(tmp_path, warm=False) as rig:
        path, large = f"{CHATS}/import", b'{"format": "paddock-chats", "version": 1, "chats": []}'.ljust(LARGE_BYTES)
        assert (await rig.http.post(path, content=large)).status_code == 200
        with ExitStack() as held:
            # One that is begun while another has all the room is refused itself, and holds nothing: more are begun.
            with anyio.fail_after(HANG_GUARD_S):
                while (answer := await rig.http.post(path, content=large)).status_code != 429:
                    assert answer.status_code == 200
                    await anyio.to_thread.run_sync(held.enter_context, begun(rig, LARGE_BYTES, path))
            assert (await rig.http.post(path, content=large[:1000])).status_code == 200


async def test_what_strangers_send_that_is_no_request_pushes_nothing_out_of_the_log(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        host = f"Host: 127.0.0.1:{port_of(rig)}\r\n".encode()
        for other in (b"h2c", b"websocket"):
            asked = b"GET /health HTTP/1.1\r\n" + host + b"Connection: Upgrade\r\nUpgrade: " + other + b"\r\n\r\n"
            assert (await told(rig, asked)).startswith(b"HTTP/1.1 200 ")
        assert (await told(rig, b"no request at all\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        lines = (await rig.http.get("/api/system/log")).json()["lines"]
        assert [line for line in lines if line["logger"].startswith("uvicorn")] == []
        refused = [line for line in lines if "no request of HTTP" in line["message"]]
        assert [(line["logger"], line["level"]) for line in refused] == [(ACCESS, "info")]
        assert "127.0.0.1" in refused[0]["message"]


class TestConnections:
    """Of many that rest, those of whoever has most make room; where none rests, a new one is refused in words."""

    MOST = 16

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listening, "_CONNECTIONS_MOST", self.MOST)

    async def test_those_that_rest_longest_make_room(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        async with scripted_studio(tmp_path, warm=False) as rig:
            with ExitStack() as held:
                resting = [
                    held.enter_context(socket.create_connection(("127.0.0.1", port_of(rig)), timeout=HANG_GUARD_S))
                    for _ in range(3 * self.MOST)
                ]
                assert (await rig.http.get("/health")).status_code == 200
                for one in resting[: -self.MOST // 2]:
                    assert await anyio.to_thread.run_sync(one.recv, 1) == b""
                resting[-1].sendall(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port_of(rig)}\r\n\r\n".encode())
                assert (await anyio.to_thread.run_sync(resting[-1].recv, 9)) == b"HTTP/1.1 "
        told_of = [one.getMessage() for one in caplog.records if "connections" in one.getMessage()]
        assert len(told_of) == 1
        assert "8 of them from 127.0.0.1" in told_of[0]

    async def test_where_none_rests_a_new_one_is_refused_in_words(self, tmp_path: Path) -> None:
        async with scripted_studio(tmp_path, warm=False) as rig:
            with ExitStack() as held:
                for _ in range(self.MOST // 2):
                    await anyio.to_thread.run_sync(held.enter_context, begun(rig, 1000))
                # Until the last head was read, one that was begun may have made room.
                with anyio.fail_after(HANG_GUARD_S):
                    while not (answer := await anyio.to_thread.run_sync(said_at_once, port_of(rig))):
                        await anyio.to_thread.run_sync(held.enter_context, begun(rig, 1000))
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"too many connections" in answer
            assert (await rig.http.get("/health")).status_code == 200

    async def test_behind_proxies_one_address_may_have_them_all(self, tmp_path: Path) -> None:
        async with scripted_studio(tmp_path, warm=False, trusted_proxies="127.0.0.1") as rig:
            with ExitStack() as held:
                for _ in range(self.MOST - 4):
                    await anyio.to_thread.run_sync(held.enter_context, begun(rig, 1000))
                assert (await rig.http.get("/health")).status_code == 200


def test_as_many_files_as_the_system_allows_may_be_open() -> None:
    if sys.platform == "win32":
        return
    words = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300));"
        "from paddock.listening import files_most; print(files_most(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    told_of = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
    assert told_of.split() == ["300", "300", "300"]
