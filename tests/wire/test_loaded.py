"""Tests steering what is loaded: by clients that leave, of models whose file is gone, and in Ollama's way."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from pathlib import Path

import anyio
import httpx
import pytest

from tests.wire.rig import HANG_GUARD_S, Json, scripted_studio
from tests.wire.test_pool import (
    ASKED,
    FIRST,
    LANES,
    SECOND,
    living,
    loaded,
    stalled,
    three_models,
    until,
    until_waiting,
)
from tests.wire.test_swapping import alias_of, starts_in

pytestmark = pytest.mark.anyio


def told_in(answer: httpx.Response, *, stream: bool) -> str:
    """What an error says, in whichever dialect and place."""
    text = answer.text if not stream else answer.text.strip().split("\n")[-1].removeprefix("data: ")
    error: str | Json = json.loads(text)["error"]
    return error if isinstance(error, str) else error["message"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("lane", LANES)
async def test_to_unload_a_model_ends_its_load_and_tells_who_waits(tmp_path: Path, lane: str, stream: bool) -> None:
    async with three_models(tmp_path, {"starts": [{"delay_s": 10 * HANG_GUARD_S}, {}]}) as rig:
        answers: list[httpx.Response] = []

        async def ask() -> None:
            answers.append(await rig.post({**ASKED, "model": SECOND, "stream": stream}, LANES[lane]))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await until(rig, lambda models: SECOND in models and models[SECOND]["live_requests"] == 1)
            unloaded = await rig.http.post(f"/api/models/{SECOND}/unload")
            assert unloaded.json() == {"id": SECOND, "state": "stopped"}
        assert (living(tmp_path), await loaded(rig)) == ([], {})
        [answer] = answers
        assert answer.status_code == (200 if stream else 503)
        assert stream or answer.headers["x-should-retry"] == "false"
        assert told_in(answer, stream=stream) == (
            "The model 'second' was unloaded before it was ready. Ask again to load it anew."
        )
        assert (await rig.chat(model=SECOND)).status_code == 200


async def test_a_load_that_is_asked_for_by_name_is_told_that_it_was_unloaded(tmp_path: Path) -> None:
    async with three_models(tmp_path, {"starts": [{"delay_s": 10 * HANG_GUARD_S}]}) as rig:
        answers: list[httpx.Response] = []

        async def ask(what: str) -> None:
            answers.append(await rig.http.post(f"/api/models/{SECOND}/{what}"))

        async with anyio.create_task_group() as group:
            for what in ("load", "pin"):
                group.start_soon(ask, what)
            await until(rig, lambda models: SECOND in models and models[SECOND]["live_requests"] == 2)
            for _ in range(3):
                group.start_soon(rig.http.post, f"/api/models/{SECOND}/unload")
        assert [answer.json()["error"]["code"] for answer in answers] == ["model_unloaded"] * 2
        assert await loaded(rig) == {}


async def test_to_unload_a_model_that_answers_waits_and_the_next_request_loads_it_anew(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig:
        states: list[str] = []

        async def ask(answer: Awaitable[httpx.Response]) -> None:
            states.append(str((await answer).status_code))

        async with anyio.create_task_group() as group, stalled(rig, SECOND):
            group.start_soon(ask, rig.http.post(f"/api/models/{SECOND}/unload"))
            with anyio.fail_after(HANG_GUARD_S):
                while not rig.studio.pool.residents[SECOND].is_leaving:
                    await anyio.sleep(0.005)
            group.start_soon(ask, rig.chat(model=SECOND))
            await until_waiting(rig, 1)
            assert ((await loaded(rig))[SECOND]["state"], states) == ("ready", [])
        assert states == ["200", "200"]
        assert [alias_of(start) for start in starts_in(tmp_path)] == [SECOND, SECOND]


@pytest.mark.parametrize("path", ["load", "pin", "template"])
async def test_a_client_that_leaves_a_load_holds_nothing(tmp_path: Path, path: str) -> None:
    async with three_models(tmp_path, {"starts": [{"delay_s": HANG_GUARD_S}]}) as rig:
        method = "GET" if path == "template" else "POST"
        with pytest.raises(httpx.ReadTimeout):
            await rig.http.request(method, f"/api/models/{SECOND}/{path}", timeout=0.5)
        await until(rig, lambda models: models[SECOND]["live_requests"] == 0)
        with pytest.raises(httpx.ReadTimeout):
            await rig.http.post("/v1/messages/count_tokens", json={**ASKED, "model": SECOND}, timeout=0.5)
        await until(rig, lambda models: models[SECOND]["live_requests"] == 0)


async def test_a_loaded_model_whose_file_is_gone_can_be_unpinned_and_unloaded(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig:
        assert (await rig.http.post(f"/api/models/{SECOND}/pin")).status_code == 200
        for file in (tmp_path / "home" / "models").glob(f"{SECOND}*"):
            file.unlink()
        for path in ("/health", "/metrics", "/v1/models", "/api/tags", "/api/models/loaded"):
            assert (await rig.http.get(path)).status_code == 200, path
        assert [model["name"] for model in (await rig.http.get("/api/ps")).json()["models"]] == [SECOND]
        assert (await rig.http.post(f"/api/models/{SECOND}/unpin")).json()["pinned"] is False
        assert (await rig.http.post(f"/api/models/{SECOND}/unload")).json()["state"] == "stopped"
        assert SECOND not in await loaded(rig)


async def test_a_pin_that_is_set_for_a_model_outlives_paddock(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1) as rig:
        told = await rig.http.put(f"/api/models/{SECOND}/settings", json={"pinned": True})
        assert told.json()["settings"] == {"pinned": True}
        assert (await rig.http.post(f"/api/models/{FIRST}/pin")).json()["pinned"] is True
    async with scripted_studio(tmp_path, warm=False, models_most=1) as rig:
        assert await loaded(rig) == {}
        assert (await rig.chat(model=FIRST)).status_code == 200
        assert (await loaded(rig))[FIRST]["pinned"] is False
        assert (await rig.chat(model=SECOND)).status_code == 200
        assert (await loaded(rig))[SECOND]["pinned"] is True
        assert f"{SECOND} is pinned" in (await rig.chat(model=FIRST)).json()["error"]["message"]
        assert (await rig.http.post(f"/api/models/{SECOND}/unpin")).json()["pinned"] is False
        assert (await rig.chat(model=FIRST)).status_code == 200
        assert list(await loaded(rig)) == [FIRST]


async def test_a_place_that_pinned_models_hold_is_told_as_that(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1) as rig:
        assert (await rig.http.post(f"/api/models/{FIRST}/pin")).status_code == 200
        refused = await rig.chat(model=SECOND)
        assert refused.status_code == 400
        assert "models_most is 1" in refused.json()["error"]["message"]


async def test_ollamas_way_to_unload_a_model_unloads_it(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig:
        await rig.chat(model=SECOND)
        told = (await rig.post({"model": SECOND, "prompt": "", "keep_alive": 0}, "/api/generate")).json()
        assert (told["done"], told["done_reason"]) == (True, "unload")
        assert SECOND not in await loaded(rig)


@pytest.mark.parametrize(
    "what", ["POST load", "POST unload", "POST pin", "POST unpin", "GET settings", "GET template", "GET fit"]
)
async def test_a_path_that_names_no_model_means_none(tmp_path: Path, what: str) -> None:
    method, _, last = what.partition(" ")
    async with three_models(tmp_path) as rig:
        assert (await rig.http.post(f"/api/models/{FIRST}/pin")).status_code == 200
        for name in ("", "%2f", "%F0%9F%A6%99", "%ED%A0%80", "..%2f..%2fetc", "x" * 5000):
            answer = await rig.http.request(method, f"/api/models/{name}/{last}")
            assert answer.json()["error"]["code"] == "model_not_found", name
        assert (await rig.http.put("/api/models//settings", json={"top_k": 1})).status_code == 404
        assert [(model["id"], model["pinned"]) for model in (await loaded(rig)).values()] == [(FIRST, True)]
