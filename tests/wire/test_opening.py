"""Tests when an answer opens: with the engine's real status while it is ready, at once and alive while it is not."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest

from tests.fakes.scripted_shapes import Answer, Script, Start
from tests.wire.rig import (
    CHAT,
    COMPLETIONS,
    HANG_GUARD_S,
    USER,
    Json,
    Rig,
    comments_of,
    data_of,
    errors_of,
    pieces,
    plain,
    refusal,
    scripted_studio,
)
from tests.wire.test_bytes import DONE, WORDS

pytestmark = pytest.mark.anyio
PATHS = [CHAT, COMPLETIONS]
STREAM = {"messages": [USER], "prompt": "x", "stream": True}


@asynccontextmanager
async def opened(rig: Rig, path: str = CHAT) -> AsyncGenerator[httpx.Response]:
    """A streamed answer whose head has come."""
    with anyio.fail_after(HANG_GUARD_S):
        async with rig.http.stream("POST", path, content=json.dumps(STREAM).encode()) as response:
            yield response


async def first_bytes(response: httpx.Response) -> bytes:
    async for data in response.aiter_raw():
        return data
    return b""


def slow_start(**start: Any) -> Script:
    first = cast(Start, {"delay_s": 1.0, **start})
    return {"starts": [first], "routes": {CHAT: [pieces(WORDS, DONE)], COMPLETIONS: [pieces(WORDS, DONE)]}}


@pytest.mark.rule("opens-cold")
@pytest.mark.parametrize("path", PATHS)
async def test_a_cold_stream_opens_while_the_model_loads_and_tells_of_it(tmp_path: Path, path: str) -> None:
    async with (
        scripted_studio(tmp_path, script=slow_start(), warm=False, keepalive_s=0.1) as rig,
        opened(rig, path) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert rig.process.state == "starting"
        body = b"".join([data async for data in response.aiter_raw()])
        assert len(comments_of(body)) > 2
        assert b"pocket-v0" in comments_of(body)[0]
        assert body.endswith(WORDS + DONE)
        assert body.removesuffix(WORDS + DONE).count(b"\ndata") == 0


@pytest.mark.rule("opens-whole")
async def test_a_cold_request_without_stream_waits_for_its_real_status(tmp_path: Path) -> None:
    script = slow_start()
    script["routes"] = {CHAT: [refusal(400, "no")]}
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        assert (await rig.chat()).status_code == 400


@pytest.mark.rule("opens-checked")
async def test_a_prompt_that_does_not_fit_is_told_before_the_stream_opens_also_while_no_slot_is_free(
    tmp_path: Path,
) -> None:
    flags: dict[str, Any] = {"slots": 1, "context_tokens": 256, "status_deadline_s": 0.05}
    async with scripted_studio(tmp_path, **flags) as rig:
        await rig.script(pieces(WORDS, DONE, gap_s=HANG_GUARD_S))
        async with opened(rig):
            long = {"role": "user", "content": "word " * 400}
            refused = await rig.post({**STREAM, "messages": [long]})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert "256" in refused.json()["error"]["message"]


@pytest.mark.rule("opens-late-failure")
async def test_a_cold_stream_that_fails_later_ends_with_one_error_frame(tmp_path: Path) -> None:
    failing = slow_start(then="exit", code=1, stderr=["ggml: failed to allocate 99 GiB"])
    async with scripted_studio(tmp_path, script=failing, warm=False) as rig:
        (error,) = errors_of(await rig.stream())
        assert (error["type"], error["code"]) == ("server_error", "engine_failed_to_start")
        assert "failed to allocate" in error["message"]


@pytest.mark.rule("opens-checked")
async def test_what_is_checked_before_the_first_byte_has_its_status_also_when_cold(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, script=slow_start(), warm=False) as rig:
        bad: list[tuple[Json, int]] = [({"messages": []}, 422), ({"model": "none"}, 404), ({"audio": {}}, 400)]
        for fields, status in bad:
            assert (await rig.post({**STREAM, **fields})).status_code == status
        assert not rig.studio.pool.residents


@pytest.mark.rule("opens-checked")
@pytest.mark.parametrize("stream", [True, False])
async def test_a_stranger_and_an_image_on_a_text_model_have_their_status_also_when_cold(
    tmp_path: Path, stream: bool
) -> None:
    """Whether a model sees is known once it is loaded; a stream is not opened until then."""
    flags: dict[str, Any] = {"warm": False, "keepalive_s": 0.1, "status_deadline_s": 0.1}
    pixel = "data:image/png;base64,aGVsbG8="
    turn = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": pixel}}]}
    async with scripted_studio(tmp_path, script=slow_start(), **flags) as rig:
        refused = await rig.post({**STREAM, "stream": stream, "messages": [turn]})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "image_refused")
    async with scripted_studio(tmp_path, script=slow_start(), require_key=True, **flags) as rig:
        for header in ({}, {"Authorization": "Bearer pdk-wrong"}, {"x-api-key": "pdk-wrong"}):
            assert (await rig.post({**STREAM, "stream": stream}, headers=header)).status_code == 401
        assert not rig.studio.pool.residents


async def test_the_server_is_ready_before_any_model_is(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    async with scripted_studio(tmp_path, script={"journal": str(journal)}, warm=False) as rig:
        for path in ("/", "/health", "/v1/models", "/v1/models/pocket-v0"):
            assert (await rig.http.get(path)).status_code == 200
        assert not journal.exists()


async def test_requests_that_come_while_the_model_loads_share_one_start(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script: Script = {"journal": str(journal), "starts": [{"delay_s": 0.3}]}
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        statuses: list[int] = []

        async def one(stream: bool) -> None:
            statuses.append((await rig.chat(stream=stream)).status_code)

        async with anyio.create_task_group() as group:
            for n in range(12):
                group.start_soon(one, bool(n % 2))
        assert statuses == [200] * 12
        assert len(journal.read_text().splitlines()) == 1


async def test_a_client_that_leaves_while_the_model_loads_does_not_stop_the_load(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script: Script = {"journal": str(journal), "starts": [{"delay_s": 0.3}]}
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        async with opened(rig):
            pass
        assert (await rig.chat()).status_code == 200
        assert len(journal.read_text().splitlines()) == 1


SILENT: dict[str, Answer] = {
    "no head": {**pieces(WORDS, DONE), "wait_s": 0.6},
    "a head and no frame": {"chunks": [{"text": WORDS.decode(), "delay_s": 0.6}, {"text": DONE.decode()}]},
}


@pytest.mark.rule("opens-ready")
@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("path", PATHS)
async def test_a_silent_engine_is_covered_by_comments(tmp_path: Path, name: str, path: str) -> None:
    async with scripted_studio(tmp_path, status_deadline_s=0.1, keepalive_s=0.1) as rig:
        await rig.script(SILENT[name], path=path)
        got = await rig.stream(path)
        assert len(comments_of(got)) >= 2
        assert b"".join(b"data: " + data + b"\n\n" for data in data_of(got)) == WORDS + DONE
        assert got.endswith(WORDS + DONE)


async def test_comments_never_split_a_frame(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, keepalive_s=0.05) as rig:
        half = len(WORDS) // 2
        await rig.script(pieces(WORDS[:half], WORDS[half:], WORDS[:-1], WORDS[-1:] + DONE, gap_s=0.2))
        got = await rig.stream()
        assert comments_of(got)
        assert b"".join(part for part in got.split(b": keep-alive\n\n") if part) == WORDS * 2 + DONE


async def test_progress_frames_that_are_withheld_do_not_count_as_life(tmp_path: Path) -> None:
    """The engine writes a frame for each batch of the prompt; the client, who gets none, must hear something."""
    progress = b'data: {"choices":[],"prompt_progress":{"total":9,"cache":0,"processed":1,"time_ms":1}}\n\n'
    async with scripted_studio(tmp_path, keepalive_s=0.1) as rig:
        await rig.script(pieces(*([progress] * 12), WORDS + DONE, gap_s=0.05))
        got = await rig.stream()
        assert len(comments_of(got)) >= 3
        assert got.endswith(WORDS + DONE)
        assert b"prompt_progress" not in got


@pytest.mark.rule("opens-ready")
async def test_a_ready_engine_is_waited_for_before_the_stream_opens(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, status_deadline_s=HANG_GUARD_S) as rig:
        for answer, status in ((refusal(400, "no"), 400), (refusal(503, "busy"), 503), (pieces(WORDS, DONE), 200)):
            await rig.script({**answer, "wait_s": 0.3})
            response = await rig.chat(stream=True)
            assert response.status_code == status
            assert not response.content.startswith(b":")


@pytest.mark.rule("opens-late-failure")
async def test_after_the_deadline_an_engines_refusal_is_one_error_frame(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, status_deadline_s=0.1) as rig:
        await rig.script({**refusal(400, "no such grammar"), "wait_s": 0.4})
        (error,) = errors_of(await rig.stream())
        assert error["message"] == "no such grammar"
        assert error["type"] == "server_error"


async def test_many_streams_at_once_all_get_the_engines_status(rig: Rig) -> None:
    """That others are asking at the same moment is no reason to open a stream before the engine has answered."""
    await rig.script({**refusal(400, "no"), "wait_s": 0.05})
    statuses: list[int] = []

    async def one() -> None:
        statuses.append((await rig.chat(stream=True)).status_code)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)
    assert statuses == [400] * 20


async def test_a_stream_on_an_engine_that_was_just_lost_works(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script({**plain(b""), "no_head": True, "framing": "close", "end": "crash"})
        assert (await rig.chat()).status_code == 502
        got = await rig.stream()
        assert errors_of(got) == []
        assert data_of(got)[-1] == b"[DONE]"
