"""Tests `GET /api/doctor/clients`: the recorded requests of clients, sent to paddock by paddock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.rehearsal.shapes import clients
from tests.wire.rig import CHAT, HANG_GUARD_S, Rig, body_of, data_of, plain, refusal, scripted_studio
from tests.wire.test_keys import keys_in

pytestmark = pytest.mark.anyio
ROUTE = "/api/doctor/clients"
HANGS: Any = {"chunks": [{"data": "", "delay_s": 60.0}]}


async def test_every_client_is_tried_and_told_of(rig: Rig) -> None:
    told = (await rig.http.get(ROUTE)).json()
    assert [entry["client"] for entry in told["clients"]] == clients()
    rules = {rule["rule"] for rule in told["rules"]}
    for entry in told["clients"]:
        assert {rule["rule"] for rule in entry["rules"]} == rules
        answers, shape = entry["rules"][:2]
        assert (answers["status"], shape["status"]) == ("pass", "pass"), entry
        assert answers["tried"] >= entry["requests"] - 1


async def test_a_client_is_tried_by_the_way_that_its_requests_take(rig: Rig) -> None:
    told = (await rig.http.get(ROUTE, params={"client": "continue-cli", "model": "pocket-v0"})).json()
    assert [entry["client"] for entry in told["clients"]] == ["continue-cli"]
    bodies = [body_of(seen) for seen in await rig.engine.seen(CHAT)]
    assert [len(body["tools"]) for body in bodies] == [11, 11]
    assert {body["model"] for body in bodies} == {"pocket-v0"}


async def test_what_the_engine_does_wrong_fails_the_client_with_the_reason(rig: Rig) -> None:
    await rig.script(refusal(400, "that cannot be"), plain(b'{"choices": []}'), path=CHAT)
    told = (await rig.http.get(ROUTE, params={"client": "pydantic-ai"})).json()
    assert told["ok"] is False
    rules = {rule["rule"]: rule for rule in told["clients"][0]["rules"]}
    assert rules["answers"]["status"] == "fail"
    assert "request 1, /v1/chat/completions: status 400: that cannot be" in rules["answers"]["reason"]
    assert rules["shape"]["status"] == "fail"


async def test_a_stream_tells_each_verdict_as_it_falls(rig: Rig) -> None:
    stream = (await rig.http.get(ROUTE, params={"client": ["llm", "aider"], "stream": "true"})).content
    events = [json.loads(data) for data in data_of(stream)[:-1]]
    assert data_of(stream)[-1] == b"[DONE]"
    kinds = [(event["kind"], event.get("client")) for event in events]
    assert kinds == [
        ("progress", "aider"), *[("verdict", "aider")] * 7,
        ("progress", "llm"), ("progress", "llm"), *[("verdict", "llm")] * 7,
        ("done", None),
    ]  # fmt: skip
    assert [entry["client"] for entry in events[-1]["clients"]] == ["aider", "llm"]


@pytest.mark.parametrize("query", ["client=emacs", "model=none", "stream=yes", "client="])
async def test_a_question_that_makes_no_sense_is_refused_by_name(rig: Rig, query: str) -> None:
    response = await rig.http.get(f"{ROUTE}?{query}")
    assert response.status_code in (400, 404)
    assert response.json()["error"]["param"] == query.partition("=")[0]


async def test_one_is_tried_at_a_time_and_leaving_ends_it(rig: Rig) -> None:
    await rig.engine.set({"routes": {CHAT: [HANGS]}})
    query = {"client": "llm", "stream": "true"}
    async with rig.http.stream("GET", ROUTE, params=query) as first:
        assert first.status_code == 200
        with anyio.fail_after(HANG_GUARD_S):
            while not await rig.engine.seen(CHAT):
                await anyio.sleep(0.01)
        second = await rig.http.get(ROUTE, params=query)
        assert second.status_code == 429
        assert second.headers["retry-after"]
    await rig.engine.clear()
    with anyio.fail_after(HANG_GUARD_S):
        while (third := await rig.http.get(ROUTE, params={"client": "llm"})).status_code == 429:
            await anyio.sleep(0.01)
    assert third.json()["clients"][0]["client"] == "llm"


async def test_the_requests_are_sent_with_the_callers_key(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    _, text = await anyio.to_thread.run_sync(keys.create, "laptop")
    await keys.close()
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        assert (await rig.http.get(ROUTE)).status_code == 401
        mine = await rig.http.get(ROUTE, params={"client": "llm"}, headers={"Authorization": f"Bearer {text}"})
        assert mine.json()["clients"][0]["rules"][0] == {"rule": "answers", "status": "pass", "reason": "", "tried": 2}
