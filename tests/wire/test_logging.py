"""Tests the log of a paddock that serves: one line a request, with its id, that nobody can forge or read secrets in."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from paddock.log import Json, Text
from tests.fakes.collector import collecting
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, killed, scripted_studio

pytestmark = pytest.mark.anyio
LINE = re.compile(r"\d{4}-\d\d-\d\d [\d:,]{12} (DEBUG|INFO|WARNING|ERROR) [\w.]+( \[[0-9a-f]{16}\])?: \S.*|    .+")
FORGED = '2026-01-01 00:00:00,000 ERROR paddock: forged {"level": "error", "message": "forged"}'
EVIL = [
    f"a{mark}{FORGED}{mark}b"
    for mark in ("\n", "\r", "\r\n", "\x1b[1A\x1b[2K", "\u2028", "\x85", "\x0b", "\x00", "\u202e")
]


@contextlib.contextmanager
def printed(formatter: logging.Formatter) -> Generator[io.StringIO]:
    """What would be printed, in one form."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    try:
        yield stream
    finally:
        logging.getLogger().removeHandler(handler)


async def lines_about(rig: Rig, request_id: str) -> list[dict[str, Any]]:
    """What the log keeps about one request, once its last line is there."""
    with anyio.fail_after(HANG_GUARD_S):
        while True:
            lines = (await rig.http.get(f"/api/system/log?contains={request_id}")).json()["lines"]
            if any(line["logger"] == "paddock.access" for line in lines):
                return lines
            await anyio.sleep(0.005)


async def ask_evil(rig: Rig, evil: str) -> None:
    """Put a text wherever whoever asks may put one."""
    header = re.sub(r"[^\x20-\x7e]", "?", evil)
    plain, said = {"X-Title": header, "User-Agent": header, "Referer": header}, {"role": "user", "content": evil}
    await rig.http.get(f"/{quote(evil)}", headers=plain)
    await rig.http.get(f"/v1/models/{quote(evil, safe='')}?key={quote(evil)}")
    await rig.http.post(f"/api/models/{quote(evil, safe='')}/load", json={})
    await rig.http.get(f"/v1/responses/{quote(evil, safe='')}")
    for path, body in (
        (CHAT, {"model": evil, "messages": [said]}),
        (CHAT, {"messages": [said], "user": evil, "metadata": {evil: evil}, "stop": evil}),
        (CHAT, {"messages": [said], evil: evil, "temperature": evil}),
        ("/v1/messages", {"model": evil, "max_tokens": 5, "messages": [said]}),
        ("/v1/responses", {"model": evil, "input": evil, "previous_response_id": evil}),
        ("/api/chat", {"model": evil, "messages": [said]}),
        ("/api/keys", {"name": evil}),
        ("/api/remotes/check", {"name": evil}),
    ):
        await rig.post(body, path, plain)


@pytest.mark.attack("log injection")
@pytest.mark.parametrize("form", [Text, Json])
async def test_nobody_forges_a_line(tmp_path: Path, form: type[Text | Json]) -> None:
    async with scripted_studio(tmp_path) as rig:
        with printed(form()) as stream:
            for evil in EVIL:
                await ask_evil(rig, evil)
            # The engine's words, too, and what is told of an engine that ends.
            await rig.script({"status": 500, "json": {"error": {"message": EVIL[0]}}})
            await rig.chat()
            await killed(rig.process.pid or 0)
            await rig.chat()
    text = stream.getvalue()
    lines = text.split("\n")[:-1]
    assert len(lines) > 10 * len(EVIL)
    assert "forged" in text
    assert text.replace("\n", "").isprintable()
    if form is Text:
        assert [line for line in lines if not LINE.fullmatch(line)] == []
    else:
        told = [json.loads(line) for line in lines]
        assert [one for one in told if one["message"] == "forged" or not one["message"].isprintable()] == []


async def test_each_request_has_one_line_with_its_id(rig: Rig) -> None:
    answer = await rig.chat()
    (line,) = await lines_about(rig, answer.headers["x-request-id"])
    assert line["level"] == "info"
    shape = rf"POST {CHAT} 200 in \d+\.\d{{3}} s, \d+ \+ \d+ cached \+ \d+ tokens, by local"
    assert re.fullmatch(shape, line["message"])
    assert line["request_id"] == answer.headers["x-request-id"]


async def test_a_refusal_tells_its_error_and_a_query_is_never_told(rig: Rig) -> None:
    answer = await rig.http.get("/v1/models/nope?key=hunter2&x=hunter2")
    (line,) = await lines_about(rig, answer.headers["x-request-id"])
    assert re.fullmatch(r"GET /v1/models/nope 404 in \d+\.\d{3} s, ModelUnknown, by local", line["message"])
    assert "hunter2" not in (await rig.http.get("/api/system/log")).text


async def test_who_asks_is_told_and_a_stranger_is_nobody(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        with printed(Json()) as stream:
            assert (await rig.http.get("/v1/models")).status_code == 401
            assert (await rig.http.get("/metrics")).status_code == 401
            assert (await rig.http.get("/health")).status_code == 200
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    access = [(one["path"], one["status"], one["caller"], one["error"]) for one in told if "caller" in one]
    assert access == [("/v1/models", 401, "nobody", "KeyRefused"), ("/metrics", 401, "nobody", "KeyRefused")]


async def test_a_request_whose_client_left_says_so(rig: Rig) -> None:
    await rig.script({"generate": {"chunks": 100_000, "per_s": 100}})
    async with rig.http.stream("POST", CHAT, json={"messages": [USER], "stream": True}) as answer:
        await answer.aiter_raw().__anext__()
        request_id = answer.headers["x-request-id"]
    line = (await lines_about(rig, request_id))[-1]
    assert re.fullmatch(rf"POST {CHAT} 200 in [\d.]+ s, broken off, .* tokens, by local", line["message"])


async def test_what_a_request_begins_is_about_it_and_an_engines_life_is_about_none(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        answer = await rig.chat()
        lines = await lines_about(rig, answer.headers["x-request-id"])
        assert [line["logger"] for line in lines] == ["paddock.engine.resident", "paddock.access"]
        await rig.post({}, "/api/models/pocket-v0/unload")
        life = (await rig.http.get("/api/system/log?contains=engine%20pocket-v0:")).json()["lines"]
        assert [line["message"].partition(": ")[2] for line in life][:2] == ["starting", "ready"]
        assert {line["request_id"] for line in life} == {""}


async def test_a_background_response_is_about_the_request_that_began_it(rig: Rig) -> None:
    await rig.script({"generate": {"chunks": 2}, "end": "reset"})
    answer = await rig.post({"input": "Hello", "background": True}, "/v1/responses")
    request_id, response_id = answer.headers["x-request-id"], answer.json()["id"]
    with anyio.fail_after(HANG_GUARD_S):
        while (await rig.http.get(f"/v1/responses/{response_id}")).json()["status"] in ("queued", "in_progress"):
            await anyio.sleep(0.01)
    assert [line["logger"] for line in await lines_about(rig, request_id)] == ["paddock.access"]


async def test_what_only_watches_is_no_news_unless_it_fails(rig: Rig) -> None:
    start = (await rig.http.get("/api/system/log")).json()["last"]
    for path in ("/health", "/health/ready", "/metrics", "/api/models/loaded", "/api/requests", "/api/system/log"):
        assert (await rig.http.get(path)).status_code == 200
    await rig.http.get("/api/system/log?level=loud")
    await rig.http.get("/health", headers={"Host": "evil.example"})
    lines = (await rig.http.get(f"/api/system/log?after={start}")).json()["lines"]
    assert [line["message"].split(" in ")[0] for line in lines] == ["GET /api/system/log 400", "GET /health 403"]


async def test_a_line_names_the_trace_that_its_request_belongs_to(tmp_path: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with collecting() as collector:
        async with scripted_studio(tmp_path, trace_endpoint=collector.url) as rig:
            with printed(Json()) as stream:
                await rig.post({"messages": [USER]}, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert json.loads(stream.getvalue().splitlines()[-1])["trace_id"] == trace
