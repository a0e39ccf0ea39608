"""Tests the scripted engine itself, without paddock: a fake that errs proves nothing."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.fakes.scripted_shapes import Answer, Script
from tests.wire.rig import CHAT, HANG_GUARD_S, Engine, Json, b64, body_of, client, engine_program, pieces

pytestmark = pytest.mark.anyio
KEY = {"Authorization": "Bearer secret"}


@asynccontextmanager
async def child(folder: Path, script: Script | None = None) -> AsyncGenerator[Process]:
    """The program as paddock starts it, its key handed over."""
    command = [*engine_program(folder, script), "--model", "none.gguf", "--alias", "fake", "--ctx-size", "512"]
    async with await anyio.open_process(command, stdin=subprocess.PIPE) as process:
        try:
            assert process.stdin
            await process.stdin.send(b'{"api_key": "secret"}\n')
            with anyio.fail_after(HANG_GUARD_S):
                yield process
        finally:
            if process.returncode is None:
                process.kill()


async def said(process: Process) -> dict[str, object]:
    """The first line of its stdout."""
    assert process.stdout
    return json.loads(await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 65536))


@asynccontextmanager
async def engine(folder: Path, script: Script | None = None) -> AsyncGenerator[Engine]:
    """A ready scripted engine."""
    async with child(folder, script) as process, client() as http:
        event = await said(process)
        assert event["event"] == "ready"
        yield Engine(port=int(str(event["port"])), http=http)


async def raw(port: int, request: bytes) -> bytes:
    """All bytes of an answer up to the end of the connection."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        got = b""
        try:
            while True:
                got += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return got


def chat_request(stream: bool = True) -> bytes:
    body = json.dumps({"messages": [], "stream": stream}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def test_it_reports_its_port_and_answers_with_the_key_alone(tmp_path: Path) -> None:
    async with engine(tmp_path) as fake:
        url = f"http://127.0.0.1:{fake.port}"
        assert (await fake.http.get(f"{url}/health")).json() == {"status": "ok"}
        assert (await fake.http.get(f"{url}/props")).status_code == 401
        props = (await fake.http.get(f"{url}/props", headers=KEY)).json()
        assert props["default_generation_settings"]["n_ctx"] == 512
        assert props["model_alias"] == "fake"
        answer = await fake.http.post(f"{url}{CHAT}", json={"messages": []}, headers=KEY)
        assert answer.json()["choices"][0]["message"]["content"]
        assert (await fake.record())["hits"] == {"/health": 1, "/props": 2, CHAT: 1}


async def test_the_end_of_its_stdin_ends_it(tmp_path: Path) -> None:
    async with child(tmp_path) as process:
        await said(process)
        assert process.stdin
        await process.stdin.aclose()
        assert await process.wait() == 0


async def test_a_stubborn_one_outlives_the_end_of_stdin_and_sigterm(tmp_path: Path) -> None:
    async with child(tmp_path, {"starts": [{"stubborn": True}]}) as process:
        await said(process)
        assert process.stdin
        await process.stdin.aclose()
        process.terminate()
        with anyio.move_on_after(0.2):
            await process.wait()
        assert process.returncode is None


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ({"then": "fail", "message": "no such model"}, 1),
        ({"then": "exit", "code": 7, "stderr": ["out of memory"]}, 7),
        ({"then": "signal", "signal": int(signal.SIGSEGV)}, -signal.SIGSEGV),
    ],
)
async def test_a_start_fails_as_scripted(tmp_path: Path, start: dict[str, object], code: int) -> None:
    script: Script = json.loads(json.dumps({"starts": [start]}))
    async with child(tmp_path, script) as process:
        if start["then"] == "fail":
            assert await said(process) == {"event": "failed", "message": "no such model"}
        assert await process.wait() == code
        if "stderr" in start:
            assert process.stderr
            assert await process.stderr.receive() == b"out of memory\n"


async def test_each_start_takes_the_next_scripted_one(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script: Script = {"journal": str(journal), "starts": [{"then": "exit", "code": 3}, {}]}
    async with child(tmp_path, script) as process:
        assert await process.wait() == 3
    async with engine(tmp_path, script):
        assert [json.loads(line)["argv"][-1] for line in journal.read_text().splitlines()] == ["512", "512"]


async def test_answers_are_given_in_turn_and_the_last_one_stays(tmp_path: Path) -> None:
    async with engine(tmp_path) as fake:
        await fake.set({"routes": {CHAT: [{"status": 503, "json": {}}, {"json": {"n": 2}}]}})
        url = f"http://127.0.0.1:{fake.port}{CHAT}"
        statuses = [(await fake.http.post(url, json={}, headers=KEY)).status_code for _ in range(3)]
        assert statuses == [503, 200, 200]


@pytest.mark.parametrize(
    ("end", "tail"), [("end", b"0\r\n\r\n"), ("drop", b"3\r\nend\r\n"), ("half", b"3\r\nend\r\n"), ("reset", b"")]
)
async def test_a_stream_ends_as_scripted(tmp_path: Path, end: str, tail: bytes) -> None:
    answer: Answer = json.loads(json.dumps({**pieces(b"\xc3", b"\xa9", b"end", gap_s=0.02), "end": end}))
    async with engine(tmp_path) as fake:
        await fake.set({"routes": {CHAT: [answer]}})
        request = chat_request()
        if end == "end":
            request = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        with anyio.move_on_after(1.0 if end == "end" else HANG_GUARD_S):
            got = await raw(fake.port, request)
            assert got.endswith(tail)
            assert end == "reset" or b"\r\n\r\n1\r\n\xc3\r\n1\r\n\xa9\r\n3\r\nend\r\n" in got


async def test_a_crash_ends_the_process(tmp_path: Path) -> None:
    async with child(tmp_path, {"routes": {CHAT: [{**pieces(b"x"), "end": "crash"}]}}) as process:
        event = await said(process)
        assert b"1\r\nx\r\n" in await raw(int(str(event["port"])), chat_request())
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("answer", [{"wait_s": None}, {**pieces(b"x"), "end": "stall"}])
async def test_the_moment_a_peer_leaves_is_noted(tmp_path: Path, answer: Answer) -> None:
    async with engine(tmp_path, {"routes": {CHAT: [answer]}}) as fake:
        async with await anyio.connect_tcp("127.0.0.1", fake.port) as stream:
            await stream.send(chat_request())
            await fake.until(lambda record: record["hits"].get(CHAT))
            assert (await fake.seen())[0]["closed_s"] is None
            left_s = (await fake.record())["now_s"]
        record = await fake.until(lambda record: record["requests"][0]["closed_s"])
        seen = record["requests"][0]
        assert seen["closed_s"] is not None
        assert seen["closed_s"] >= left_s
        assert seen["closed_how"] in ("eof", "reset")


async def test_a_chunked_request_body_is_read(tmp_path: Path) -> None:
    async def parts() -> AsyncGenerator[bytes]:
        yield b'{"a":'
        yield b" 1}"

    async with engine(tmp_path) as fake:
        await fake.http.post(f"http://127.0.0.1:{fake.port}/tokenize", content=parts(), headers=KEY)
        assert body_of((await fake.seen("/tokenize"))[0]) == {"a": 1}


async def test_the_generator_streams_frames_of_the_engines_shape(tmp_path: Path) -> None:
    async with engine(tmp_path, {"routes": {CHAT: [{"generate": {"chunks": 3, "per_s": 500, "stamp": True}}]}}) as fake:
        asked: Json = {
            "messages": [],
            "stream": True,
            "return_progress": True,
            "stream_options": {"include_usage": True},
        }
        answer = await fake.http.post(f"http://127.0.0.1:{fake.port}{CHAT}", json=asked, headers=KEY)
        frames = answer.text.split("\n\n")
        assert frames[-2:] == ["data: [DONE]", ""]
        frames = [json.loads(frame[6:]) for frame in frames[:-2]]
        assert ["prompt_progress" in frame for frame in frames] == [True, True] + [False] * 6
        assert [frame["choices"][0]["delta"].get("content") for frame in frames[3:6]] == [" hello"] * 3
        assert all(isinstance(frame["sent_s"], float) for frame in frames[3:6])
        assert frames[-1]["choices"] == []
        assert frames[-1]["usage"]["completion_tokens"] == 3


async def test_raw_bytes_may_stand_in_for_a_head(tmp_path: Path) -> None:
    async with engine(tmp_path) as fake:
        await fake.set({"routes": {CHAT: [{"no_head": True, "body": b64(b"SSH-2.0\r\n"), "framing": "close"}]}})
        with pytest.raises(httpx.RemoteProtocolError):
            await fake.http.post(f"http://127.0.0.1:{fake.port}{CHAT}", json={}, headers=KEY)
