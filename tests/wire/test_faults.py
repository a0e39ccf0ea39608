"""Tests how every failure of the engine looks to the client (rows 42-48), streamed and not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fakes.scripted_shapes import Answer, Script
from tests.wire.rig import (
    CHAT,
    COMPLETIONS,
    HANG_GUARD_S,
    USER,
    Json,
    Rig,
    comments_of,
    errors_of,
    killed,
    pieces,
    plain,
    refusal,
    scripted_studio,
)
from tests.wire.test_bytes import DONE, WORDS

pytestmark = pytest.mark.anyio
MODES = [False, True]
PATHS = [CHAT, COMPLETIONS]
ENVELOPE = {"message", "type", "param", "code"}


async def failed(rig: Rig, status: int, *, stream: bool = False, path: str = CHAT) -> Json:
    """The error of a request that ends with this status."""
    response = await rig.post({"messages": [USER], "prompt": "x", "stream": stream}, path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    assert set(response.json()) == {"error"}
    error = response.json()["error"]
    assert set(error) == ENVELOPE
    assert "Traceback" not in error["message"]
    return error


def is_lost(error: Json) -> bool:
    """Whether these are the friendly words for a lost engine."""
    return "ost connection" in error["message"] and "crashed" in error["message"]


@pytest.mark.parametrize("path", PATHS)
async def test_row_42_an_engines_400_is_a_400_also_for_a_stream(rig: Rig, path: str) -> None:
    await rig.script(refusal(400, "Failed to parse grammar at line 3"), path=path)
    error = await failed(rig, 400, stream=True, path=path)
    assert (error["message"], error["type"]) == ("Failed to parse grammar at line 3", "invalid_request_error")


@pytest.mark.rule("error-engine")
@pytest.mark.parametrize("stream", MODES)
@pytest.mark.parametrize("status", [400, 404, 413, 429, 500, 501, 503])
@pytest.mark.parametrize("path", PATHS)
async def test_row_43_the_engines_status_is_kept_and_its_reason_cut(
    rig: Rig, stream: bool, status: int, path: str
) -> None:
    await rig.script(refusal(status, "é" * 2000, "some_error"), path=path)
    error = await failed(rig, status, stream=stream, path=path)
    assert error["message"] == "é" * 500


ODD_REASONS: dict[str, tuple[Answer, str]] = {
    "text": (plain(b"busy", content_type="text/plain", status=503), "busy"),
    "a string": (plain(b'{"error": "busy"}', status=503), "busy"),
    "html": (plain(b"<h1>busy</h1>", content_type="text/html", status=503), "busy"),
    "nothing": (plain(b"", status=503), "503"),
    "not utf-8": (plain(b'{"error": {"message": "\xff busy"}}', status=503), "busy"),
    "a list": (plain(b"[1]", status=503), ""),
    "null": (plain(b'{"error": null}', status=503), ""),
    "megabytes": (plain(b'{"error": {"message": "busy ' + b"x" * 2**21 + b'"}}', status=503), "busy"),
}


@pytest.mark.parametrize("stream", MODES)
@pytest.mark.parametrize("name", ODD_REASONS)
async def test_row_43_a_refusal_of_any_shape_is_told(rig: Rig, stream: bool, name: str) -> None:
    answer, word = ODD_REASONS[name]
    await rig.script(answer)
    error = await failed(rig, 503, stream=stream)
    assert word in error["message"]
    assert 0 < len(error["message"]) <= 500


OVERFLOWS = {
    "counts": refusal(400, "request too large", "exceed_context_size_error", n_prompt_tokens=18014, n_ctx=2048),
    "words": refusal(
        400, "request (18014 tokens) exceeds the available context size (2048 tokens), try increasing it", "x"
    ),
    "words of a 500": refusal(
        500, "the request has 18014 tokens, which exceeds the context size of 2048", "server_error"
    ),
}


@pytest.mark.rule("error-overflow")
@pytest.mark.parametrize("stream", MODES)
@pytest.mark.parametrize("name", OVERFLOWS)
@pytest.mark.parametrize("path", PATHS)
async def test_row_47_an_overflow_is_told_with_both_counts_and_advice(
    rig: Rig, stream: bool, name: str, path: str
) -> None:
    await rig.script(OVERFLOWS[name], path=path)
    error = await failed(rig, 400, stream=stream, path=path)
    assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded")
    assert "too long" in error["message"]
    assert "18014" in error["message"]
    assert "2048" in error["message"]


LOST: dict[str, Answer] = {
    "closed at once": {"no_head": True, "framing": "close", "end": "drop"},
    "reset at once": {"no_head": True, "framing": "close", "end": "reset"},
    "not http": {"no_head": True, "framing": "close", "body": "U1NILTIuMA0KDQo=", "end": "drop"},
    "half a head": {"no_head": True, "framing": "close", "body": "SFRUUC8xLjEgMjAwIE9LDQpDb250", "end": "drop"},
    "half-closed without a head": {"no_head": True, "framing": "close", "end": "half"},
}


@pytest.mark.rule("error-transport")
@pytest.mark.parametrize("stream", MODES)
@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("path", PATHS)
async def test_row_44_a_connection_lost_before_the_answer_is_a_friendly_502(
    rig: Rig, stream: bool, name: str, path: str
) -> None:
    await rig.script(LOST[name], path=path)
    error = await failed(rig, 502, stream=stream, path=path)
    assert is_lost(error), error
    assert (error["type"], error["code"]) == ("api_error", "engine_unreachable")


CUT_BODIES: dict[str, Answer] = {
    "short body": {**plain(b'{"choices": ['), "declared_length": 5000, "end": "drop"},
    "reset body": {**plain(b'{"choices": ['), "declared_length": 5000, "end": "reset"},
    "unfinished chunks": {**pieces(b'{"choices": ['), "end": "drop"},
}


@pytest.mark.parametrize("name", CUT_BODIES)
@pytest.mark.parametrize("status", [200, 500])
async def test_rows_44_and_48_a_body_that_breaks_off_is_the_same_502(rig: Rig, name: str, status: int) -> None:
    await rig.script({**CUT_BODIES[name], "status": status})
    assert is_lost(await failed(rig, 502))


@pytest.mark.parametrize("stream", MODES)
async def test_row_44_an_engine_that_is_gone_is_started_again_for_the_request(tmp_path: Path, stream: bool) -> None:
    journal = tmp_path / "journal"
    async with scripted_studio(tmp_path, script={"journal": str(journal)}) as rig:
        assert rig.process.pid
        await killed(rig.process.pid)
        response = await rig.chat(stream=stream)
        assert response.status_code == 200, response.text
        assert not errors_of(response.content) if stream else response.json()["choices"]
        assert len(journal.read_text().splitlines()) == 2


@pytest.mark.parametrize("stream", MODES)
@pytest.mark.parametrize("path", PATHS)
async def test_row_44_an_engine_that_dies_while_it_thinks_is_a_502_and_the_next_request_works(
    tmp_path: Path, stream: bool, path: str
) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script({"no_head": True, "framing": "close", "end": "crash", "wait_s": 0.05}, path=path)
        assert is_lost(await failed(rig, 502, stream=stream, path=path))
        assert (await rig.post({"messages": [USER], "prompt": "x"}, path)).status_code == 200


ENDS = ["drop", "reset", "crash", "exit"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("half", [b"", b'data: {"choices":[{"index":0,"del'])
async def test_row_45_a_stream_that_breaks_ends_with_one_error_frame(
    tmp_path: Path, end: Any, path: str, half: bytes
) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script({**pieces(WORDS, half, gap_s=0.02), "end": end}, path=path)
        got = await rig.stream(path)
        assert got.startswith(WORDS)
        (error,) = errors_of(got)
        assert set(error) == ENVELOPE
        assert is_lost(error)
        assert error["type"] == "server_error"
        frame = got[len(WORDS) :]
        assert frame.startswith(b"data: {")
        assert frame.endswith(b"}\n\n")
        assert frame.count(b"\n") == 2
        await rig.engine.clear() if end in ("drop", "reset") else None
        assert await rig.stream(path)


async def test_row_45_a_stream_that_breaks_before_its_first_frame_still_ends_with_one(rig: Rig) -> None:
    await rig.script({"chunks": [], "end": "drop"})
    response = await rig.chat(stream=True)
    if response.status_code == 200:
        assert len(errors_of(response.content)) == 1
    else:
        assert response.status_code == 502


async def test_an_engines_own_error_within_a_stream_reaches_the_client_once(rig: Rig) -> None:
    own = b'data: {"error":{"code":500,"message":"decode failed","type":"server_error"}}\n\n'
    await rig.script(pieces(WORDS, own))
    (error,) = errors_of(await rig.stream())
    assert (error["message"], error["type"]) == ("decode failed", "server_error")


async def test_a_finished_stream_whose_connection_breaks_afterwards_has_no_error(rig: Rig) -> None:
    await rig.script({**pieces(WORDS + DONE), "framing": "close", "end": "drop"}, {"json": {}})
    assert await rig.stream() == WORDS + DONE
    assert (await rig.chat()).status_code == 200


@pytest.mark.parametrize("end", ["drop", "reset"])
async def test_a_pooled_connection_that_the_engine_closed_is_not_an_error(rig: Rig, end: Any) -> None:
    await rig.script({**plain(b"{}"), "end": end})
    for _ in range(10):
        assert (await rig.chat()).status_code == 200
        await anyio.sleep(0.01)


@pytest.mark.rule("error-transport")
@pytest.mark.parametrize("path", PATHS)
async def test_our_own_deadline_is_a_504_before_the_answer(tmp_path: Path, path: str) -> None:
    async with scripted_studio(tmp_path, answer_timeout_s=0.3) as rig:
        for answer in ({"wait_s": None}, {**plain(b"{"), "declared_length": 9, "end": "stall"}):
            await rig.engine.clear()
            await rig.script(answer, path=path)  # pyright: ignore[reportArgumentType]
            error = await failed(rig, 504, path=path)
            assert (error["type"], error["code"]) == ("api_error", "engine_timeout")
            assert "0.3" in error["message"]
            record = await rig.engine.until(lambda record: record["requests"][-1]["closed_s"])
            assert record["hits"][path] == 1


async def test_our_own_deadline_ends_an_open_stream_with_one_error_frame(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, answer_timeout_s=0.4, status_deadline_s=0.1, keepalive_s=0.1) as rig:
        await rig.script({"wait_s": None})
        got = await rig.stream()
        assert comments_of(got)
        (error,) = errors_of(got)
        assert (error["code"], error["type"]) == ("engine_timeout", "server_error")


@pytest.mark.rule("error-transport")
async def test_our_own_deadline_before_the_stream_opened_is_a_504(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, answer_timeout_s=0.3) as rig:
        await rig.script({"wait_s": None})
        await failed(rig, 504, stream=True)


async def test_a_stream_may_last_longer_than_the_deadline_of_its_beginning(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, answer_timeout_s=0.3) as rig:
        await rig.script(pieces(*([WORDS] * 6), DONE, gap_s=0.1))
        assert await rig.stream() == WORDS * 6 + DONE


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
async def test_a_stream_that_breaks_after_its_last_frame_was_whole(rig: Rig, pause_s: float) -> None:
    await rig.script({**pieces(WORDS + DONE, b"", gap_s=pause_s), "end": "drop"})
    assert await rig.stream() == WORDS + DONE


async def test_frames_that_arrive_together_with_the_break_are_not_lost(rig: Rig) -> None:
    await rig.script({**pieces(WORDS), "end": "drop"})
    got = await rig.stream()
    assert got.startswith(WORDS)
    assert len(errors_of(got)) == 1


@pytest.mark.rule("error-engine")
@pytest.mark.parametrize("stream", MODES)
async def test_a_request_that_fails_inside_paddock_tells_no_internals(rig: Rig, stream: bool) -> None:
    """The engine's status line is one that no server may send; whatever that is, it is told without a stack."""
    await rig.script({"no_head": True, "framing": "close", "body": "SFRUUC8xLjEgOTk5OSBPZGQNCg0K", "end": "drop"})
    response = await rig.chat(stream=stream)
    assert response.status_code == 502
    assert "Traceback" not in response.text
    assert "aiohttp" not in response.text


async def test_a_burst_on_a_dying_engine_gives_each_client_one_error(tmp_path: Path) -> None:
    script: Script = {"routes": {CHAT: [{"json": {"choices": []}}]}}
    async with scripted_studio(tmp_path, script=script) as rig:
        stalls: Answer = {**pieces(WORDS), "end": "stall"}
        await rig.script(*([stalls] * 9), {**pieces(WORDS, b"x", gap_s=0.1), "end": "crash"})
        streams: list[bytes] = []

        async def one() -> None:
            streams.append(await rig.stream())

        with anyio.fail_after(HANG_GUARD_S):
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(one)
        assert [len(errors_of(stream)) for stream in streams] == [1] * 10
        assert json.loads((await rig.chat()).content) == {"choices": []}
