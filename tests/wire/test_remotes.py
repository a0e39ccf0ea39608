"""Tests remote engines over real sockets: a scripted engine that runs apart stands for what is far away."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import ollama
import pytest

from paddock.engine.remote_records import Record, Records, checked
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.secrets import Secrets
from tests.fakes.postgres import free_port
from tests.fakes.remote_engine import remote_engine
from tests.wire.rig import (
    CHAT,
    COMPLETIONS,
    HANG_GUARD_S,
    TOOL,
    USER,
    Engine,
    Json,
    Rig,
    body_of,
    comments_of,
    data_of,
    errors_of,
    header_of,
    pieces,
    plain,
    refusal,
    scripted_studio,
)

pytestmark = pytest.mark.anyio

KEY = "sk-far-0123456789"
MODEL = "far/far-model"
ANSWER = (
    b'{"id":"x","object":"chat.completion","model":"far-model","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"far-model says \\"model\\":\\"far-model\\""}}]}'
)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A paddock, its data home, and the engine that is its remote."""

    rig: Rig
    home: Home
    far: Engine

    async def ask(self, path: str = CHAT, **fields: object) -> httpx.Response:
        return await self.rig.post({"model": MODEL, "messages": [USER], **fields}, path)

    async def health(self) -> Json:
        return (await self.rig.http.get("/api/remotes")).json()["remotes"][0]


def name(home: Home, url: str, *, key: str = KEY, models: tuple[str, ...] = (), called: str = "far") -> None:
    """Name a remote as the command does."""
    record = checked(Record(name=called, url=url, models=models, added_s=time.time()))
    if key:
        Secrets(Database("", home), home).put(record.secret, key)
    Records(home).put(record)


@pytest.fixture(scope="module")
def far_port() -> Generator[int]:
    with remote_engine(KEY) as port:
        yield port


@pytest.fixture
async def stage(anyio_backend: str, far_port: int, tmp_path: Path) -> AsyncGenerator[Stage]:
    """A paddock that knows one remote, with its key; its own engine is never started."""
    async with scripted_studio(tmp_path, warm=False) as rig:
        home = Home(root=tmp_path / "home")
        await anyio.to_thread.run_sync(name, home, f"http://127.0.0.1:{far_port}")
        far = Engine(port=far_port, http=rig.http)
        await far.clear()
        yield Stage(rig=rig, home=home, far=far)
        assert not rig.studio.pool.residents, "a request for a remote loaded a model here"
        await far.rest()


async def test_a_chat_reaches_the_remote_under_its_own_name_with_its_key(stage: Stage) -> None:
    response = await stage.ask(temperature=0.5, unheard_of={"a": 1})
    assert response.status_code == 200, response.text
    (seen,) = await stage.far.seen()
    assert header_of(seen, "authorization") == f"Bearer {KEY}"
    assert body_of(seen) == {"model": "far-model", "messages": [USER], "temperature": 0.5, "unheard_of": {"a": 1}}


async def test_the_bytes_come_back_as_they_were_but_for_the_models_name(stage: Stage) -> None:
    await stage.far.set({"routes": {CHAT: [plain(ANSWER, content_type="application/json")]}})
    response = await stage.ask()
    assert response.content == ANSWER.replace(b'"model":"far-model",', b'"model":"far/far-model",', 1)


async def test_a_stream_comes_back_frame_by_frame_and_asks_for_its_usage_alone(stage: Stage) -> None:
    await stage.far.set(
        {"routes": {CHAT: [pieces(b'data: {"model":"far-model","choices":[]}\n\n', b"data: [DONE]\n\n")]}}
    )
    stream = (await stage.ask(stream=True)).content
    assert data_of(stream) == [b'{"model":"far/far-model","choices":[]}', b"[DONE]"]
    (seen,) = await stage.far.seen()
    options = {"include_usage": True}
    assert body_of(seen) == {"model": "far-model", "messages": [USER], "stream": True, "stream_options": options}


async def test_ollamas_lists_tell_of_its_models_and_a_strange_time_breaks_none(stage: Stage) -> None:
    times = {"a": 1e9, "b": 1e300, "c": True, "d": -1, "e": "x", "f": 10**400}
    listed = [{"id": model_id, "created": created} for model_id, created in times.items()]
    await stage.far.set(
        {"routes": {"/v1/models": [{"json": {"data": [*listed, {"id": "far-model", "max_model_len": 4096}]}}]}}
    )
    tags = {one["name"]: one for one in (await stage.rig.http.get("/api/tags")).json()["models"]}
    assert set(tags) == {"pocket-v0", MODEL, *(f"far/{model_id}" for model_id in times)}
    assert (tags["far/a"]["modified_at"], tags["far/b"]["modified_at"]) == (
        "2001-09-09T01:46:40+00:00",
        "1970-01-01T00:00:00+00:00",
    )
    assert (tags[MODEL]["remote_model"], tags[MODEL]["size"]) == ("far-model", 0)
    assert (await stage.rig.http.get("/v1/models")).status_code == 200
    shown = (await stage.rig.post({"model": f"{MODEL}:latest"}, "/api/show")).json()
    assert shown["model_info"] == {"general.architecture": "remote", "remote.context_length": 4096}
    assert (shown["capabilities"], shown["remote_model"]) == (["completion", "tools"], "far-model")
    client: Any = ollama.AsyncClient(host=stage.rig.studio.url)
    try:
        assert MODEL in [model.model for model in (await client.list()).models]
    finally:
        await client.close()


async def test_fields_of_paddocks_own_and_nulls_stay_here(stage: Stage) -> None:
    await stage.ask(session_id="s", heal=False, enable_thinking=False, max_tokens=None, stop=[], repetition_penalty=1.1)
    (seen,) = await stage.far.seen()
    kwargs = {"enable_thinking": False}
    expected: Json = {"model": "far-model", "messages": [USER], "repetition_penalty": 1.1}
    assert body_of(seen) == {**expected, "chat_template_kwargs": kwargs}


@pytest.mark.parametrize(
    "choice", ["required", "none", {"type": "function", "function": {"name": "get_weather"}}], ids=str
)
async def test_a_tool_choice_goes_on_as_it_is_and_nothing_is_told_to_be_forced(stage: Stage, choice: object) -> None:
    response = await stage.ask(tools=[TOOL], tool_choice=choice)
    (seen,) = await stage.far.seen()
    assert body_of(seen) == {"model": "far-model", "messages": [USER], "tools": [TOOL], "tool_choice": choice}
    assert "x-paddock-adapted" not in response.headers


async def test_messages_responses_and_ollama_go_through_their_converters(stage: Stage) -> None:
    messages = await stage.rig.post({"model": MODEL, "max_tokens": 9, "messages": [USER]}, "/v1/messages")
    assert messages.json()["type"] == "message"
    assert messages.json()["model"] == MODEL
    responses = await stage.rig.post({"model": MODEL, "input": "Hello"}, "/v1/responses")
    assert responses.json()["status"] == "completed"
    ollama = await stage.rig.post({"model": MODEL, "messages": [USER], "stream": False}, "/api/chat")
    assert ollama.json()["done"] is True
    streamed = await stage.rig.post(
        {"model": MODEL, "max_tokens": 9, "messages": [USER], "stream": True}, "/v1/messages"
    )
    assert b"event: message_stop" in streamed.content
    assert [body_of(seen)["model"] for seen in await stage.far.seen()] == ["far-model"] * 4


async def test_completions_and_embeddings_are_relayed(stage: Stage) -> None:
    text = await stage.rig.post({"model": MODEL, "prompt": "Once"}, COMPLETIONS)
    assert text.status_code == 200, text.text
    assert body_of((await stage.far.seen(COMPLETIONS))[0]) == {"model": "far-model", "prompt": "Once"}
    vectors: Json = {"object": "list", "model": "far-model", "data": [{"index": 0, "embedding": [0.5, 1.0]}]}
    await stage.far.set({"routes": {"/v1/embeddings": [{"json": vectors}]}})
    found = await stage.rig.post({"model": MODEL, "input": "a"}, "/v1/embeddings")
    assert found.json() == {**vectors, "model": MODEL}
    ollama = await stage.rig.post({"model": MODEL, "input": "a"}, "/api/embed")
    assert ollama.json()["embeddings"] == [[0.5, 1.0]]


async def test_the_models_of_a_remote_stand_beside_those_of_this_machine(stage: Stage) -> None:
    listed: Json = {
        "data": [{"id": "far-model", "max_model_len": 32768, "created": 7}, {"id": "org/b"}, {"id": 3}, "x"]
    }
    await stage.far.set({"routes": {"/v1/models": [{"json": listed}]}})
    data = (await stage.rig.http.get("/v1/models")).json()["data"]
    assert {one["id"]: one["context_length"] for one in data if one["owned_by"] == "far"} == {
        MODEL: 32768,
        "far/org/b": None,
    }
    assert "pocket-v0" in [one["id"] for one in data]
    await stage.rig.http.get("/v1/models")
    assert len(await stage.far.seen("/v1/models")) == 1, "the list is kept for a while"
    one = (await stage.rig.http.get(f"/v1/models/{MODEL}")).json()
    assert one["remote"] == {"name": "far", "id": "far-model"}


async def test_an_alias_may_stand_for_a_remotes_model(stage: Stage) -> None:
    (stage.home.root / "aliases.json").write_text(json.dumps({"claude-*": MODEL}))
    response = await stage.ask(model="claude-9")
    assert response.status_code == 200, response.text
    assert response.headers["x-paddock-model"] == MODEL
    assert response.json()["model"] == "claude-9"


async def test_routes_of_the_engines_here_say_that_the_model_is_elsewhere(stage: Stage) -> None:
    response = await stage.rig.post({"model": MODEL, "content": "a"}, "/tokenize")
    assert response.status_code == 400
    assert "a model of the remote 'far'" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/v1/chat/completions/input_tokens", {"input_tokens": 12}), ("/tokenize", {"count": 12, "tokens": []})],
)
async def test_tokens_are_counted_where_the_remote_counts(stage: Stage, path: str, answer: Json) -> None:
    routes = {one: [refusal(404, "no such route")] for one in ("/v1/chat/completions/input_tokens", "/tokenize")}
    await stage.far.set({"routes": {**routes, path: [{"json": answer}]}})
    counted = await stage.rig.post({"model": MODEL, "messages": [USER]}, "/v1/messages/count_tokens")
    assert counted.json() == {"input_tokens": 12}
    (seen,) = await stage.far.seen(path)
    assert body_of(seen) == {"model": "far-model", "messages": [USER]}


async def test_a_remote_that_does_not_count_is_a_named_refusal(stage: Stage) -> None:
    routes = {one: [refusal(404, "no such route")] for one in ("/v1/chat/completions/input_tokens", "/tokenize")}
    await stage.far.set({"routes": routes})
    counted = await stage.rig.post({"model": MODEL, "messages": [USER]}, "/v1/messages/count_tokens")
    assert counted.status_code == 400
    assert "has no route that counts tokens" in counted.json()["error"]["message"]


async def test_a_refusal_keeps_its_status_and_names_the_remote_in_every_dialect(stage: Stage) -> None:
    await stage.far.set({"routes": {CHAT: [refusal(429, "slow down, please")]}})
    chat = await stage.ask()
    messages = await stage.rig.post({"model": MODEL, "max_tokens": 9, "messages": [USER]}, "/v1/messages")
    ollama = await stage.rig.post({"model": MODEL, "messages": [USER]}, "/api/chat")
    assert [one.status_code for one in (chat, messages, ollama)] == [429, 429, 429]
    sentence = "The remote 'far' answered 429: slow down, please"
    assert chat.json()["error"]["message"] == messages.json()["error"]["message"] == ollama.json()["error"] == sentence


async def test_a_refused_key_is_told_without_the_key(stage: Stage) -> None:
    await stage.far.set({"routes": {CHAT: [refusal(401, f"Incorrect API key provided: {KEY}")]}})
    response = await stage.ask()
    assert response.status_code == 401
    assert "[key]" in response.text
    assert KEY not in response.text
    assert (await stage.health())["state"] == "key refused"


@pytest.mark.attack("having paddock connect elsewhere")
async def test_a_redirect_is_not_followed(stage: Stage) -> None:
    await stage.far.set(
        {"routes": {CHAT: [{"status": 307, "headers": [("Location", "http://127.0.0.1:1/")], "body": ""}]}}
    )
    response = await stage.ask()
    assert response.status_code == 502
    assert "status 307" in response.json()["error"]["message"]


async def test_a_stream_that_breaks_ends_with_an_error_that_names_the_remote(stage: Stage) -> None:
    broken = {**pieces(b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'), "end": "reset"}
    await stage.far.set({"routes": {CHAT: [broken]}})  # type: ignore[list-item]
    stream = (await stage.ask(stream=True)).content
    (error,) = errors_of(stream)
    assert "The remote 'far' does not answer" in error["message"]
    assert (await stage.health())["failures"] == 1


async def test_when_the_client_leaves_the_remotes_connection_is_closed(stage: Stage) -> None:
    await stage.far.set({"routes": {CHAT: [{"chunks": [{"text": 'data: {"choices":[]}\n\n'}], "end": "stall"}]}})
    body = {"model": MODEL, "messages": [USER], "stream": True}
    async with stage.rig.http.stream("POST", CHAT, json=body) as response:
        async for _ in response.aiter_raw():
            break
    await stage.far.until(lambda record: [one for one in record["requests"] if one["closed_s"] is not None])


async def test_a_slow_remote_is_kept_alive_and_runs_into_the_same_deadlines(far_port: int, tmp_path: Path) -> None:
    async with scripted_studio(
        tmp_path, warm=False, answer_timeout_s=0.6, status_deadline_s=0.1, keepalive_s=0.1
    ) as rig:
        name(Home(root=tmp_path / "home"), f"http://127.0.0.1:{far_port}")
        far = Engine(port=far_port, http=rig.http)
        await far.set({"routes": {CHAT: [{"wait_s": None, "json": {}}]}})
        assert (await rig.chat(model=MODEL)).status_code == 504
        stream = await rig.stream(model=MODEL)
        assert comments_of(stream)
        assert len(errors_of(stream)) == 1
        await far.clear()
        await far.rest()


async def test_a_remote_that_is_away_hinders_nobody_and_is_left_alone_after_three_tries(tmp_path: Path) -> None:
    port = free_port()
    async with scripted_studio(tmp_path) as rig:
        name(Home(root=tmp_path / "home"), f"http://127.0.0.1:{port}")
        stage = Stage(rig=rig, home=Home(root=tmp_path / "home"), far=rig.engine)
        first = await stage.ask()
        assert first.status_code == 502
        assert "The remote 'far' does not answer" in first.json()["error"]["message"]
        await stage.ask()
        assert "pocket-v0" in [one["id"] for one in (await rig.http.get("/v1/models")).json()["data"]]
        assert (await rig.chat()).status_code == 200
        health = await stage.health()
        assert (health["state"], health["failures"]) == ("unreachable", 3)
        # It is up now, and is not asked before the back-off ends.
        assert (await stage.ask()).status_code == 502
        assert (await stage.health())["failures"] == 3
        checked_now = (await rig.http.post("/api/remotes/check")).json()["remotes"][0]
        assert checked_now["failures"] == 4


async def test_a_remote_that_comes_back_is_found_again(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        home = Home(root=tmp_path / "home")
        name(home, f"http://127.0.0.1:{free_port()}")
        stage = Stage(rig=rig, home=home, far=Engine(port=0, http=rig.http))
        assert (await stage.ask()).status_code == 502
        with remote_engine(KEY) as port:
            name(home, f"http://127.0.0.1:{port}")
            assert (await stage.ask()).status_code == 200
            assert (await stage.health())["state"] == "ok"


async def test_a_key_is_never_sent_to_an_address_it_was_not_given_for(stage: Stage) -> None:
    text = stage.home.remotes.read_text("utf-8").replace("127.0.0.1", "localhost")
    stage.home.remotes.write_text(text, "utf-8")
    response = await stage.ask()
    assert response.status_code == 401
    assert header_of((await stage.far.seen())[-1], "authorization") is None


async def test_a_damaged_file_of_remotes_is_told_and_hinders_no_local_model(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        (tmp_path / "home" / "remotes.json").write_text("{")
        assert (await rig.chat()).status_code == 200
        assert (await rig.chat(model=MODEL)).status_code == 404
        assert "remotes.json" in (await rig.http.get("/api/remotes")).json()["fault"]


async def test_the_key_stands_in_no_log_no_recording_no_file_and_no_answer(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [await stage.rig.post({"model": MODEL, "messages": [USER]}, CHAT, {"x-paddock-record": "1"})]
    await stage.far.set({"routes": {CHAT: [refusal(403, f"key {KEY}")]}})
    answers.append(await stage.rig.post({"model": MODEL, "messages": [USER]}, CHAT, {"x-paddock-record": "1"}))
    answers += [await stage.rig.http.get(path) for path in ("/api/remotes", "/v1/models", "/openapi.json", "/metrics")]
    with anyio.fail_after(HANG_GUARD_S):
        while len(list((stage.home.root / "requests").rglob("*"))) < 2:
            await anyio.sleep(0.01)
    assert not [answer.url for answer in answers if KEY in answer.text]
    assert KEY not in caplog.text
    holding = [one for one in stage.home.root.rglob("*") if one.is_file() and KEY.encode() in one.read_bytes()]
    assert holding == []
