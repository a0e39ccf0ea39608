"""Tests what is told of the machine: what it is and does, the log without secrets, and the end that is asked for."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.install.support import known
from tests.wire.rig import HANG_GUARD_S, Rig, client, scripted_studio

pytestmark = pytest.mark.anyio
_log = logging.getLogger("paddock.tests")
PASSED_ON = {"X-Forwarded-For": "203.0.113.7"}


async def test_the_machine_is_told(rig: Rig) -> None:
    told = (await rig.http.get("/api/system")).json()
    assert told["cpu"]["usable_cores"] >= 1
    assert told["memory"]["total_bytes"] > 2**20
    assert 0 < told["home"]["used_bytes"] < told["home"]["disk_bytes"]
    assert (told["engine"], told["can_end"]) == ("embedded", True)
    assert set(told["platform"]["experimental"]) < set(known().features)
    assert told["platform"]["name"] in known().platforms.values()
    assert (await rig.http.get("/api/system", headers=PASSED_ON)).json()["can_end"] is False


async def test_a_reading_tells_of_paddock_and_of_each_engine(rig: Rig) -> None:
    told = (await rig.http.get("/api/system/meters")).json()
    assert 0 <= told["cpu_share"] <= 1
    names = [(one["name"], one["is_model"]) for one in told["processes"]]
    assert names == [("paddock", False), ("pocket-v0", True)]
    assert all(one["memory_bytes"] > 2**20 for one in told["processes"])


async def test_readings_come_for_as_long_as_somebody_watches(rig: Rig) -> None:
    found: list[dict[str, Any]] = []
    with anyio.fail_after(HANG_GUARD_S):
        async with rig.http.stream("GET", "/api/system/meters?stream=true") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    found.append(json.loads(line[6:]))
                if len(found) == 2:
                    break
    assert found[0]["time_s"] < found[1]["time_s"]
    assert found[1]["processes"][1]["busy_cores"] is not None


async def test_a_word_that_is_no_choice_is_refused(rig: Rig) -> None:
    for query in ("meters?stream=maybe", "log?level=loud", "log?after=-1", "log?limit=x"):
        answer = await rig.http.get(f"/api/system/{query}")
        assert answer.status_code == 400, query
        assert answer.json()["error"]["param"] in query


async def test_the_log_is_filtered_followed_and_without_secrets(rig: Rig) -> None:
    start = (await rig.http.get("/api/system/log")).json()["last"]
    _log.info("a quiet %s with the key pdk-0123456789abcdefghij", "line")
    _log.warning("connecting to postgresql://me:hunter2@db.example/chats")
    try:
        raise ValueError("Bearer abcdefghijklmnop")
    except ValueError:
        _log.exception("it failed")
    await rig.http.get("/api/system/log")
    told = (await rig.http.get(f"/api/system/log?after={start}")).json()
    assert [line["level"] for line in told["lines"]] == ["info", "warning", "error"]
    text = json.dumps(told)
    assert "pdk-0123" not in text
    assert "hunter2" not in text
    assert "abcdefghijklmnop" not in text
    assert "Traceback" in told["lines"][2]["message"]
    severe = (await rig.http.get(f"/api/system/log?after={start}&level=warning&limit=1")).json()
    assert [line["message"].split("\n")[0] for line in severe["lines"]] == ["it failed"]
    quiet = (await rig.http.get(f"/api/system/log?after={start}&contains=QUIET")).json()["lines"]
    assert [line["logger"] for line in quiet] == ["paddock.tests"]
    assert (await rig.http.get(f"/api/system/log?after={told['last']}")).json()["lines"] == []


async def test_an_engines_life_is_logged(rig: Rig) -> None:
    lines = (await rig.http.get("/api/system/log?contains=engine%20pocket-v0")).json()["lines"]
    assert "engine pocket-v0: ready" in [line["message"] for line in lines]


async def test_only_this_machine_ends_paddock(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        refused = await rig.http.post("/api/shutdown", headers=PASSED_ON)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_permitted")
        foreign = await rig.http.post("/api/shutdown", headers={"Origin": "http://elsewhere.example"})
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "page_forbidden")
        assert not rig.studio.ended.is_set()
        ending = await rig.http.post("/api/shutdown")
        assert (ending.status_code, ending.json()) == (202, {"status": "ending"})
        with anyio.fail_after(HANG_GUARD_S):
            await rig.studio.ended.wait()


async def test_a_key_is_needed_where_keys_are(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig, client(rig.studio.url) as http:
        answers: list[httpx.Response] = [
            await http.get("/api/system"), await http.get("/api/system/meters"), await http.get("/api/system/log"),
            await http.get("/api/settings"), await http.patch("/api/settings", json={"slots": 3}),
            await http.post("/api/shutdown"),
        ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [401] * 6
        assert not rig.studio.ended.is_set()
