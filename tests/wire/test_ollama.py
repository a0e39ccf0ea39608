"""Tests Ollama's routes with its own client, and aliases, load and unload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ollama
import pytest

from paddock.models.aliases import Aliases
from paddock.paths import Home
from tests.fakes.gguf_files import MODEL, gguf
from tests.wire.rig import CHAT, USER, Rig, body_of, data_of, scripted_studio

pytestmark = pytest.mark.anyio
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


async def lines_of(rig: Rig, path: str, **fields: Any) -> list[dict[str, Any]]:
    response = await rig.post({"model": "pocket-v0:latest", **fields}, path)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.rule("ollama")
async def test_ollamas_own_client_lists_shows_and_chats(rig: Rig) -> None:
    client: Any = ollama.AsyncClient(host=rig.studio.url)
    try:
        assert [model.model for model in (await client.list()).models] == ["pocket-v0"]
        assert (await client.show("pocket-v0")).modelinfo
        whole = await client.chat("pocket-v0", messages=[{"role": "user", "content": "Hello"}])
        pieces = [piece async for piece in await client.chat("pocket-v0", messages=[USER], stream=True)]
        assert whole.message.content
        assert "".join(piece.message.content or "" for piece in pieces)
        assert (pieces[-1].done, pieces[-1].done_reason) == (True, "stop")
        assert (whole.eval_count or 0) > 0
        with pytest.raises(ollama.ResponseError):
            await client.chat("nope", messages=[USER])
    finally:
        await client.close()


async def test_answers_come_in_lines_unless_that_is_refused(rig: Rig) -> None:
    response = await rig.post({"model": "pocket-v0", "prompt": "Hello"}, "/api/generate")
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    whole = (await lines_of(rig, "/api/generate", prompt="Hello", stream=False))[0]
    assert whole["response"]
    assert "".join(line["response"] for line in lines)


async def test_calls_and_results_without_ids_find_each_other(rig: Rig) -> None:
    calls = [{"function": {"name": "look", "arguments": {"at": place}}} for place in ("sky", "sea")]
    turns = [
        USER, {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "blue", "tool_name": "look"},
        {"role": "tool", "content": "grey", "tool_name": "look"},
    ]  # fmt: skip
    await lines_of(rig, "/api/chat", messages=turns, tools=[TOOL])
    messages = body_of((await rig.engine.seen(CHAT))[-1])["messages"]
    ids = [call["id"] for call in messages[1]["tool_calls"]]
    assert [message["tool_call_id"] for message in messages[2:]] == ids
    assert len(set(ids)) == 2


@pytest.mark.rule("ollama")
async def test_options_reach_the_engine_by_its_names(rig: Rig) -> None:
    options = {"num_predict": 7, "temperature": 0.5, "num_ctx": 9, "stop": ["x"]}
    ask = {"model": "pocket-v0", "messages": [USER], "options": options, "format": "json"}
    response = await rig.post(ask, "/api/chat")
    body = body_of((await rig.engine.seen(CHAT))[-1])
    assert (body["max_tokens"], body["temperature"], body["stop"]) == (7, 0.5, ["x"])
    assert body["response_format"] == {"type": "json_object"}
    assert "num_ctx" not in body
    assert "num_ctx" in response.headers["x-paddock-adapted"]


@pytest.mark.rule("ollama")
async def test_an_option_that_is_null_is_one_that_is_left_out(rig: Rig) -> None:
    ask = {"model": "pocket-v0", "messages": [USER], "options": {"stop": None, "num_ctx": None, "seed": 3}}
    response = await rig.post(ask, "/api/chat")
    assert "x-paddock-adapted" not in response.headers
    body = body_of((await rig.engine.seen(CHAT))[-1])
    assert ("stop" in body, body["seed"]) == (False, 3)


@pytest.mark.rule("ollama")
@pytest.mark.parametrize(
    ("path", "body", "empty"),
    [
        ("/api/chat", {"messages": []}, {"message": {"role": "assistant", "content": ""}}),
        ("/api/generate", {"prompt": ""}, {"response": ""}), ("/api/generate", {}, {"response": ""}),
    ],
)  # fmt: skip
async def test_an_empty_prompt_loads_the_model(tmp_path: Path, path: str, body: Any, empty: Any) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        (told,) = await lines_of(rig, path, **body)
        assert (told["model"], told["done"], told["done_reason"]) == ("pocket-v0:latest", True, "load")
        assert empty.items() <= told.items()
        assert rig.studio.pool.ready("pocket-v0")
        assert await rig.engine.seen(CHAT) == []


@pytest.mark.rule("ollama")
@pytest.mark.parametrize(
    ("template", "vision", "expected"),
    [
        ("{{ messages }}", False, ["completion"]), ("{% if tools %}x{% endif %}", False, ["completion", "tools"]),
        ("{{ messages }}", True, ["completion", "vision"]), (None, False, ["completion"]),
    ],
)  # fmt: skip
async def test_a_model_is_shown_with_what_it_can_do(
    tmp_path: Path, template: str | None, vision: bool, expected: list[str]
) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf({**MODEL, "tokenizer.chat_template": template or ""}))
    script: Any = {"props": {"modalities": {"vision": vision, "audio": False}}}
    async with scripted_studio(tmp_path, script=script, warm=vision, model=str(path)) as rig:
        (shown,) = await lines_of(rig, "/api/show", model="tiny")
        assert shown["capabilities"] == expected


@pytest.mark.rule("ollama")
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/chat", {"messages": []}, 400), ("/api/chat", {"model": "nope", "messages": []}, 404),
        ("/api/chat", {"model": "pocket-v0"}, 400),
        ("/api/pull", {"model": "x"}, 400),
        ("/api/generate", {"model": "pocket-v0", "prompt": "x", "raw": True}, 400),
        ("/api/show", {"model": "nope"}, 404),
        ("/api/embed", {"model": "pocket-v0", "input": "x"}, 400), ("/api/chat", {"model": 1, "messages": []}, 400),
    ],
)  # fmt: skip
async def test_a_refusal_has_ollamas_shape(rig: Rig, path: str, body: Any, status: int) -> None:
    response = await rig.post(body, path)
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    assert isinstance(response.json()["error"], str)


@pytest.mark.rule("load-unload")
async def test_a_model_is_loaded_and_unloaded_from_afar(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        loaded = (await rig.post({}, "/api/models/pocket-v0/load")).json()
        assert (loaded["state"], loaded["context_length"] > 0) == ("ready", True)
        assert (await rig.http.get("/v1/models")).json()["data"][0]["loaded"] is True
        assert (await rig.post({}, "/api/models/pocket-v0/unload")).json()["state"] == "stopped"
        assert (await rig.http.get("/v1/models")).json()["data"][0]["loaded"] is False
        assert (await rig.post({}, "/api/models/nope/unload")).status_code == 404
        assert (await rig.chat()).status_code == 200


@pytest.mark.rule("aliases")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_alias_is_answered_under_the_requested_name(tmp_path: Path, stream: bool) -> None:
    async with scripted_studio(tmp_path) as rig:
        assert (await rig.chat(model="claude-sonnet")).status_code == 404
        aliases = Aliases(Home(root=tmp_path / "home"))
        aliases.set("claude-*", "pocket-v0")
        aliases.set("claude-h*", "nowhere")
        answer = await rig.chat(model="claude-sonnet", stream=stream)
        assert answer.headers["x-paddock-model"] == "pocket-v0"
        bodies = data_of(answer.content)[:-1] if stream else [answer.content]
        assert {json.loads(body)["model"] for body in bodies} == {"claude-sonnet"}
        assert (await rig.chat(model="claude-haiku")).status_code == 404
        message = await rig.post({"model": "claude-x", "max_tokens": 5, "messages": [USER]}, "/v1/messages")
        assert message.json()["model"] == "claude-x"
        aliases.remove("claude-*")
        assert (await rig.chat(model="claude-sonnet")).status_code == 404
        assert "x-paddock-model" not in (await rig.chat(model="pocket-v0")).headers


@pytest.mark.rule("cursor")
async def test_the_shape_of_the_other_lane_is_taken_on_chat_completions(rig: Rig) -> None:
    flat: dict[str, Any] = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    response = await rig.post(
        {"model": "pocket-v0", "input": [{"role": "user", "content": "Hi"}], "tools": [flat]}, CHAT
    )
    assert response.status_code == 200, response.text
    body = body_of((await rig.engine.seen(CHAT))[-1])
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert body["tools"][0]["function"]["name"] == "look"
    assert "input" in response.headers["x-paddock-adapted"]
