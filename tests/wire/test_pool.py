"""Tests many models at once, as clients and the machine see them: who stays, who goes, who waits and who is refused."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx
import psutil
import pytest

from tests.fakes.scripted_shapes import Answer, Script
from tests.wire.rig import (
    CHAT,
    HANG_GUARD_S,
    USER,
    Json,
    Rig,
    client,
    comments_of,
    errors_of,
    killed,
    pieces,
    refusal,
    scripted_studio,
)
from tests.wire.test_bad_input import bundled
from tests.wire.test_bytes import DONE, WORDS
from tests.wire.test_swapping import alias_of, starts_in

pytestmark = pytest.mark.anyio
FIRST, SECOND, THIRD = "pocket-v0", "second", "third"
STALL: Answer = {**pieces(WORDS), "end": "stall"}
ASKED: Json = {"messages": [USER], "max_tokens": 9}
LANES = {"openai": CHAT, "anthropic": "/v1/messages", "ollama": "/api/chat"}


@asynccontextmanager
async def three_models(
    folder: Path, script: Script | None = None, *, warm: bool = False, **flags: Any
) -> AsyncGenerator[Rig]:
    """Paddock with the bundled model and two copies of it."""
    models = folder / "home" / "models"
    models.mkdir(parents=True, exist_ok=True)
    for name in (SECOND, THIRD):
        shutil.copy(bundled(), models / f"{name}.gguf")
    journal: Script = {"journal": str(folder / "journal")}
    async with scripted_studio(folder, script={**journal, **(script or {})}, warm=warm, **flags) as rig:
        yield rig


@asynccontextmanager
async def stalled(rig: Rig, model: str) -> AsyncGenerator[httpx.Response]:
    """A live stream of a model; its engine answers every later chat with a stream that does not end, too."""
    assert (await rig.chat(model=model)).status_code == 200
    await rig.engine_of(model).set({"routes": {CHAT: [STALL]}})
    with anyio.fail_after(HANG_GUARD_S):
        async with rig.http.stream("POST", CHAT, json={**ASKED, "model": model, "stream": True}) as response:
            assert response.status_code == 200
            await rig.engine_of(model).until(lambda record: record["hits"].get(CHAT))
            yield response


async def loaded(rig: Rig) -> dict[str, Json]:
    """What is loaded, by id."""
    answer = (await rig.http.get("/api/models/loaded")).json()
    return {model["id"]: model for model in answer["models"]}


async def until(rig: Rig, done: Callable[[dict[str, Json]], object]) -> dict[str, Json]:
    with anyio.fail_after(HANG_GUARD_S):
        while not done(found := await loaded(rig)):
            await anyio.sleep(0.005)
    return found


async def until_waiting(rig: Rig, count: int) -> None:
    with anyio.fail_after(HANG_GUARD_S):
        while len(rig.studio.pool.waiting) != count:
            await anyio.sleep(0.005)


def living(folder: Path) -> list[str]:
    """The models whose engine processes exist."""
    return [alias_of(start) for start in starts_in(folder) if psutil.pid_exists(start["pid"])]


async def test_two_models_are_loaded_at_once_and_stream_side_by_side(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig:
        streams: dict[str, bytes] = {}

        async def read(model: str) -> None:
            streams[model] = await rig.stream(model=model)

        for model in (FIRST, SECOND):
            assert (await rig.chat(model=model)).status_code == 200
            await rig.engine_of(model).set({"routes": {CHAT: [pieces(*[WORDS] * 10, DONE, gap_s=0.05)]}})
        with anyio.fail_after(HANG_GUARD_S):
            async with anyio.create_task_group() as group:
                group.start_soon(read, FIRST)
                group.start_soon(read, SECOND)
                await until(rig, lambda models: [model["live_requests"] for model in models.values()] == [1, 1])
        assert streams == {FIRST: WORDS * 10 + DONE, SECOND: WORDS * 10 + DONE}
        assert sorted(living(tmp_path)) == [FIRST, SECOND]


async def test_models_that_fit_together_load_side_by_side(tmp_path: Path) -> None:
    async with three_models(tmp_path, {"starts": [{"delay_s": 1}]}) as rig, anyio.create_task_group() as group:
        for model in (FIRST, SECOND, THIRD):
            group.start_soon(rig.post, {**ASKED, "model": model})
        states = await until(rig, lambda models: len(models) == 3)
        assert {model["state"] for model in states.values()} <= {"starting", "stopped"}
        await until(rig, lambda models: {model["state"] for model in models.values()} == {"ready"})


async def test_the_model_unused_for_longest_goes(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=2) as rig:
        for model in (FIRST, SECOND, FIRST, THIRD):
            assert (await rig.chat(model=model)).status_code == 200
        assert list(await loaded(rig)) == [FIRST, THIRD]
        assert living(tmp_path) == [FIRST, THIRD]


async def test_memory_is_what_decides(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig:
        await rig.chat(model=FIRST)
        one_bytes = (await loaded(rig))[FIRST]["memory_bytes"]
    assert one_bytes > bundled().stat().st_size
    async with three_models(tmp_path / "again", memory_budget_bytes=2 * one_bytes) as rig:
        for model in (FIRST, SECOND, THIRD):
            assert (await rig.chat(model=model)).status_code == 200
        answer = (await rig.http.get("/api/models/loaded")).json()
        assert [model["id"] for model in answer["models"]] == [SECOND, THIRD]
        assert answer["memory_bytes"] == answer["memory_budget_bytes"] == 2 * one_bytes


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_cannot_fit_is_refused_with_numbers_before_a_stream_opens(
    tmp_path: Path, lane: str, stream: bool
) -> None:
    async with three_models(tmp_path, memory_budget_bytes=2**20) as rig:
        response = await rig.post({**ASKED, "model": SECOND, "stream": stream}, LANES[lane])
        assert response.status_code == 400, response.text
        assert "1.0 MB" in response.text
        assert "memory_budget_bytes" in response.text
        assert not (tmp_path / "journal").exists()


async def test_a_pinned_model_stays_until_it_is_unpinned(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=2) as rig:
        pinned = (await rig.http.post(f"/api/models/{FIRST}/pin")).json()
        assert pinned.pop("context_length") > 0
        assert pinned == {"id": FIRST, "state": "ready", "pinned": True}
        for model in (SECOND, THIRD):
            assert (await rig.chat(model=model)).status_code == 200
        assert {model_id: model["pinned"] for model_id, model in (await loaded(rig)).items()} == {
            FIRST: True, THIRD: False,
        }  # fmt: skip
        await rig.http.post(f"/api/models/{THIRD}/pin")
        refused = await rig.chat(model=SECOND)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model_too_large")
        assert "are pinned" in refused.json()["error"]["message"]
        assert (await rig.http.post(f"/api/models/{FIRST}/unpin")).json() == {"id": FIRST, "pinned": False}
        assert (await rig.chat(model=SECOND)).status_code == 200
        assert list(await loaded(rig)) == [THIRD, SECOND]


async def test_a_pinned_model_is_unloaded_by_name(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig:
        await rig.http.post(f"/api/models/{FIRST}/pin")
        assert (await rig.http.post(f"/api/models/{FIRST}/unload")).json()["state"] == "stopped"
        assert await loaded(rig) == {}
        assert living(tmp_path) == []


async def test_what_nobody_uses_is_unloaded_after_a_while(tmp_path: Path) -> None:
    async with three_models(tmp_path, idle_unload_s=0.3) as rig:
        await rig.http.post(f"/api/models/{THIRD}/pin")
        async with stalled(rig, FIRST):
            assert (await rig.chat(model=SECOND)).status_code == 200
            await until(rig, lambda models: SECOND not in models)
            assert sorted(await loaded(rig)) == [FIRST, THIRD]
        await until(rig, lambda models: list(models) == [THIRD])
        assert (await rig.chat(model=SECOND)).status_code == 200


async def test_a_stream_that_waits_for_room_opens_and_tells_what_it_waits_for(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1, keepalive_s=0.1) as rig, anyio.create_task_group() as group:
        got: list[bytes] = []

        async def read() -> None:
            got.append(await rig.stream(model=SECOND))

        async with stalled(rig, FIRST):
            group.start_soon(read)
            await until_waiting(rig, 1)
            await anyio.sleep(0.3)
            assert got == []
        with anyio.fail_after(HANG_GUARD_S):
            while not got:
                await anyio.sleep(0.01)
        comments = comments_of(got[0])
        assert comments[0] == b": waiting for room to load second: 0 before it in the queue"
        assert len(comments) > 2
        assert got[0].endswith(b"data: [DONE]\n\n")


async def test_a_request_without_stream_that_waits_for_room_gets_its_real_status(tmp_path: Path) -> None:
    script: Script = {"routes": {CHAT: [refusal(400, "no such grammar")]}}
    async with three_models(tmp_path, models_most=1) as rig, anyio.create_task_group() as group:
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append((await rig.chat(model=SECOND)).status_code)

        async with stalled(rig, FIRST):
            (tmp_path / "script.json").write_text(json.dumps(script), "utf-8")
            group.start_soon(ask)
            await until_waiting(rig, 1)
        with anyio.fail_after(HANG_GUARD_S):
            while not statuses:
                await anyio.sleep(0.01)
        assert statuses == [400]


async def test_a_request_that_waits_too_long_closes_the_model_in_its_way(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1, queue_patience_s=0.1) as rig:
        answered: list[str] = []

        async def ask(model: str) -> None:
            assert (await rig.chat(model=model)).status_code == 200
            answered.append(model)

        async with anyio.create_task_group() as group, stalled(rig, FIRST):
            group.start_soon(ask, SECOND)
            with anyio.fail_after(HANG_GUARD_S):
                while not rig.studio.pool.residents[FIRST].is_draining:
                    await anyio.sleep(0.005)
            group.start_soon(ask, FIRST)
            await until_waiting(rig, 2)
        assert answered == [SECOND, FIRST]
        assert [alias_of(start) for start in starts_in(tmp_path)] == [FIRST, SECOND, FIRST]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_full_queue_is_a_429_that_says_when_to_come_again(tmp_path: Path, lane: str, stream: bool) -> None:
    async with three_models(tmp_path, models_most=1, queue_most=1) as rig, stalled(rig, FIRST):
        waiting = rig.http.stream("POST", CHAT, json={**ASKED, "model": SECOND, "stream": True})
        async with waiting:
            await until_waiting(rig, 1)
            response = await rig.post({**ASKED, "model": SECOND, "stream": stream}, LANES[lane])
            assert response.status_code == 429, response.text
            again_s = int(response.headers["retry-after"])
            # One waits, and the last answer took no time to speak of; 5 is told where nothing is known.
            assert 1 <= again_s < 5
            error: Any = response.json()["error"]
            told = error if lane == "ollama" else error["message"]
            assert f"queue_most). Ask again in {again_s} s" in told
            assert lane == "ollama" or error["type"] == "rate_limit_error"
        await until_waiting(rig, 0)


async def test_an_engine_is_given_no_more_than_may_wait_in_it(tmp_path: Path) -> None:
    async with (
        three_models(tmp_path, slots=1, queue_most=1) as rig,
        stalled(rig, FIRST),
        rig.http.stream("POST", CHAT, json={**ASKED, "stream": True}) as second,
    ):
        assert second.status_code == 200
        assert (await loaded(rig))[FIRST]["waiting_requests"] == 1
        assert (await rig.chat()).status_code == 429
        assert (await rig.chat(model=SECOND)).status_code == 200


async def test_a_client_that_leaves_the_queue_leaves_no_trace(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1, queue_most=1, queue_patience_s=0.05) as rig, stalled(rig, FIRST):
        for _ in range(3):
            async with rig.http.stream("POST", CHAT, json={**ASKED, "model": SECOND, "stream": True}) as waiting:
                assert waiting.status_code == 200
                await until_waiting(rig, 1)
            await until_waiting(rig, 0)
        assert not rig.studio.pool.residents[FIRST].is_draining
        assert [alias_of(start) for start in starts_in(tmp_path)] == [FIRST]


async def test_the_end_of_one_engine_does_not_disturb_another(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig, anyio.create_task_group() as group:
        got: list[bytes] = []

        async def read() -> None:
            got.append(await rig.stream(model=SECOND))

        assert (await rig.chat(model=SECOND)).status_code == 200
        await rig.engine_of(SECOND).set({"routes": {CHAT: [pieces(*[WORDS] * 20, DONE, gap_s=0.05)]}})
        async with stalled(rig, FIRST) as broken:
            group.start_soon(read)
            await rig.engine_of(SECOND).until(lambda record: record["hits"].get(CHAT))
            pid = rig.studio.pool.residents[FIRST].engine.pid
            assert pid
            await killed(pid)
            (error,) = errors_of(b"".join([data async for data in broken.aiter_raw()]))
            assert error["code"] == "engine_unreachable"
        assert (await rig.chat(model=FIRST)).status_code == 200
        with anyio.fail_after(HANG_GUARD_S):
            while not got:
                await anyio.sleep(0.01)
        assert got == [WORDS * 20 + DONE]
        assert sorted(living(tmp_path)) == [FIRST, SECOND]


async def test_to_stop_is_to_stop_all_engines_at_once(tmp_path: Path) -> None:
    """Each ignores its end for a second: one after the other would take three."""
    async with three_models(tmp_path, {"starts": [{"stubborn": True}]}) as rig:
        for model in (FIRST, SECOND, THIRD):
            assert (await rig.chat(model=model)).status_code == 200
        assert len(living(tmp_path)) == 3
        group = [resident.engine for resident in rig.studio.pool.residents.values()]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.studio.pool.close)
            await anyio.wait_all_tasks_blocked()
            assert all(engine.is_stopping for engine in group)
    assert living(tmp_path) == []


async def test_every_place_that_tells_of_models_tells_of_all(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=2) as rig, stalled(rig, SECOND):
        assert (await rig.chat()).status_code == 200
        health = (await rig.http.get("/health")).json()
        assert (health["engine"], health["models"]) == ("ready", {SECOND: "ready", FIRST: "ready"})
        models = {model["id"]: model for model in (await rig.http.get("/v1/models")).json()["data"]}
        told = {
            model_id: (model["loaded"], model["state"], model["live_requests"]) for model_id, model in models.items()
        }
        assert told == {FIRST: (True, "ready", 0), SECOND: (True, "ready", 1), THIRD: (False, "stopped", 0)}
        running = (await rig.http.get("/api/ps")).json()["models"]
        assert [model["model"] for model in running] == [SECOND, FIRST]
        assert all(model["size"] > 0 and model["context_length"] > 0 for model in running)
        metrics = (await rig.http.get("/metrics")).text
        for line in ('model_leases{model="second"} 1', 'model_leases{model="pocket-v0"} 0', "engines_ready 2"):
            assert f"paddock_{line}\n" in metrics
        second = (await loaded(rig))[SECOND]
        assert (second["idle_s"], second["live_requests"], second["waiting_requests"]) == (None, 1, 0)
        assert (await loaded(rig))[FIRST]["idle_s"] >= 0


async def test_thirty_clients_on_three_models_with_room_for_two_all_get_an_end(tmp_path: Path) -> None:
    """Each answer is whole, or an error in the client's own dialect; some leave, at any moment."""
    random = Random(4)
    wishes = [
        (random.choice((FIRST, SECOND, THIRD)), random.choice(list(LANES)), random.random() < 0.5, random.random())
        for _ in range(90)
    ]
    ends: Counter[str] = Counter()
    script: Script = {"routes": {CHAT: [pieces(*[WORDS] * 4, DONE, gap_s=0.02)]}}
    async with three_models(tmp_path, script, models_most=2, queue_patience_s=0.2) as rig:

        async def ask(http: httpx.AsyncClient, model: str, lane: str, stream: bool, chance: float) -> None:
            body = {**ASKED, "model": model, "stream": stream}
            with anyio.move_on_after(chance / 2 if chance < 0.3 else HANG_GUARD_S) as leaving:
                response = await http.post(LANES[lane], json=body)
                assert response.status_code == 200 or "error" in response.json(), response.text
                ends[f"{lane} {response.status_code}"] += 1
            if leaving.cancelled_caught:
                ends["left"] += 1

        async def one_client(number: int) -> None:
            async with client(rig.studio.url) as http:
                for wish in wishes[number::30]:
                    await ask(http, *wish)

        with anyio.fail_after(3 * HANG_GUARD_S):
            async with anyio.create_task_group() as group:
                for number in range(30):
                    group.start_soon(one_client, number)
        assert ends.total() == 90
        assert ends["left"] > 0
        assert all(ends[f"{lane} 200"] > 0 for lane in LANES), ends
        models = await until(rig, lambda models: not any(model["live_requests"] for model in models.values()))
        assert len(models) <= 2
        assert rig.studio.pool.waiting == []
    assert living(tmp_path) == []
