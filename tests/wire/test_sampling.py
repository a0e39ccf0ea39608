"""Tests that recommended sampling reaches the engine where a request leaves it out, and what is set for one model."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from tests.fakes.gguf_files import gguf
from tests.wire.rig import CHAT, COMPLETIONS, TOOL, USER, Json, Rig, body_of, scripted_studio

pytestmark = pytest.mark.anyio
FILES: dict[str, dict[str, object]] = {
    "verified": {"general.architecture": "qwen2", "general.name": "Qwen2.5 7B Instruct"},
    "unread": {"general.architecture": "llama", "general.name": "Mixtral 8x7B Instruct v0.1"},
    "nameless": {"general.name": "Something"},
    "outspoken": {
        "general.architecture": "qwen2", "general.name": "Qwen2.5 7B Instruct", "general.sampling.temp": 0.5
    },
    "thinker": {"general.architecture": "qwen35", "general.name": "Qwen3.5 4B"},
}  # fmt: skip
FIELDS = {"temperature", "top_p", "top_k", "min_p", "presence_penalty", "repeat_penalty"}
QWEN = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repeat_penalty": 1.05}


@pytest.fixture
async def paddock(anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Rig]:
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    for name, about in FILES.items():
        (models / f"{name}.gguf").write_bytes(gguf(more=about))
    async with scripted_studio(tmp_path, warm=False) as rig:
        yield rig


async def sent(rig: Rig, path: str = CHAT, **fields: object) -> tuple[Json, httpx.Response]:
    """The body that reached the engine on a route, and the answer."""
    said = {COMPLETIONS: {"prompt": "x"}, "/v1/responses": {"input": "x"}}.get(path, {"messages": [USER]})
    response = await rig.post({**said, "max_tokens": 9, **fields}, path)
    assert response.status_code == 200, response.text
    seen = COMPLETIONS if path == COMPLETIONS else CHAT
    return body_of((await rig.engine.seen(seen))[-1]), response


async def put(rig: Rig, model: str, **changes: object) -> httpx.Response:
    return await rig.http.put(f"/api/models/{model}/settings", json=changes)


def sampling_in(body: Json) -> Json:
    return {name: value for name, value in body.items() if name in FIELDS}


@pytest.mark.rule("sampling-recommended")
async def test_a_verified_familys_sampling_is_put_in_where_the_client_says_nothing(paddock: Rig) -> None:
    for path in (CHAT, COMPLETIONS, "/v1/messages", "/v1/responses"):
        body, response = await sent(paddock, path, model="verified")
        assert sampling_in(body) == QWEN, path
        assert response.headers["x-paddock-sampling"].startswith("qwen2.5: temperature 0.7")


@pytest.mark.rule("sampling-recommended")
async def test_what_the_client_says_is_sent_as_it_came(paddock: Rig) -> None:
    fields: Json = {"temperature": 0, "top_p": 0.1, "top_k": -1, "repetition_penalty": 1.5}
    body, response = await sent(paddock, model="verified", **fields)
    assert sampling_in(body) == {"temperature": 0, "top_p": 0.1, "top_k": -1, "repeat_penalty": 1.5}
    assert "x-paddock-sampling" not in response.headers
    body, response = await sent(paddock, model="verified", temperature=1.5, stream=True)
    assert sampling_in(body) == {**QWEN, "temperature": 1.5}
    assert "temperature" not in response.headers["x-paddock-sampling"]


@pytest.mark.parametrize("model", ["unread", "nameless", "pocket-v0"])
@pytest.mark.rule("sampling-left")
async def test_nothing_is_put_in_for_a_model_of_which_nothing_was_read(paddock: Rig, model: str) -> None:
    body, response = await sent(paddock, model=model)
    assert sampling_in(body) == {}
    assert "x-paddock-sampling" not in response.headers


async def test_the_files_own_word_is_left_to_the_engine(paddock: Rig) -> None:
    body, _ = await sent(paddock, model="outspoken")
    assert sampling_in(body) == {name: value for name, value in QWEN.items() if name != "temperature"}
    shown = (await paddock.http.get("/v1/models/outspoken")).json()["recommended_sampling"]
    assert (shown["applied"]["temperature"], shown["sources"]["temperature"]) == (0.5, "file")


async def test_what_is_set_for_a_model_comes_before_its_family_and_its_file(paddock: Rig) -> None:
    answer = await put(paddock, "outspoken", temperature=0.25, top_k=7)
    assert answer.json() == {"id": "outspoken", "settings": {"temperature": 0.25, "top_k": 7}, "needs_reload": False}
    body, _ = await sent(paddock, model="outspoken")
    assert sampling_in(body) == {**QWEN, "temperature": 0.25, "top_k": 7}
    await put(paddock, "outspoken", temperature=None)
    assert (await paddock.http.get("/api/models/outspoken/settings")).json()["settings"] == {"top_k": 7}
    body, _ = await sent(paddock, model="outspoken")
    assert "temperature" not in body


async def test_a_small_model_is_told_not_to_think_unless_asked(paddock: Rig) -> None:
    body, response = await sent(paddock, model="thinker")
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert (body["temperature"], body["presence_penalty"]) == (0.7, 1.5)
    assert "thinking off" in response.headers["x-paddock-sampling"]
    body, _ = await sent(paddock, model="thinker", enable_thinking=True)
    assert body["chat_template_kwargs"] == {"enable_thinking": True}
    assert body["temperature"] == 1.0
    body, _ = await sent(paddock, "/v1/messages", model="thinker", thinking={"type": "enabled", "budget_tokens": 1024})
    assert body["chat_template_kwargs"]["enable_thinking"] is True


async def test_a_model_shows_what_is_applied_and_what_is_only_offered(paddock: Rig) -> None:
    verified = (await paddock.http.get("/v1/models/verified")).json()["recommended_sampling"]
    assert verified["applied"] == {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05}
    assert (verified["verified"], verified["family"], bool(verified["source"])) == (True, "qwen2.5", True)
    unread = (await paddock.http.get("/v1/models/unread")).json()["recommended_sampling"]
    assert (unread["applied"], unread["verified"], unread["offered"]) == ({}, False, {"temperature": 0.7})
    assert "recommended_sampling" not in (await paddock.http.get("/v1/models")).json()["data"][0]


REFUSED: list[tuple[Json, str, str]] = [
    ({"temprature": 1}, "temprature", "Did you mean 'temperature'?"),
    ({"temperature": 99}, "temperature", "between 0 and 5"),
    ({"kv_type": "q1"}, "kv_type", "one of"),
    ({"flash_attention": "off", "kv_type": "q8_0"}, "kv_type", "flash attention"),
    ({"draft_model": "nobody"}, "model", "There is no model"),
]


@pytest.mark.parametrize(("changes", "param", "words"), REFUSED, ids=[param for _, param, _ in REFUSED])
async def test_a_setting_that_cannot_be_used_is_a_named_refusal(
    paddock: Rig, changes: Json, param: str, words: str
) -> None:
    answer = await put(paddock, "verified", **changes)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["param"] == param
    assert words in answer.json()["error"]["message"]
    assert (await paddock.http.get("/api/models/verified/settings")).json()["settings"] == {}


async def test_settings_of_an_unknown_model_are_a_404(paddock: Rig) -> None:
    assert (await put(paddock, "nobody", slots=1)).status_code == 404
    assert (await paddock.http.get("/api/models/nobody/settings")).status_code == 404
    assert (await paddock.http.get("/api/models/nobody/template")).status_code == 404


async def test_a_model_is_loaded_as_it_is_set(tmp_path: Path) -> None:
    journal = tmp_path / "starts"
    async with scripted_studio(tmp_path, script={"journal": str(journal)}) as rig:
        changes = {
            "context_tokens": 512,
            "slots": 3,
            "kv_type": "q8_0",
            "rope_freq_scale": 0.5,
            "ngram_speculation": True,
        }
        assert (await put(rig, "pocket-v0", **changes)).json()["needs_reload"] is True
        assert (await rig.http.get("/v1/models/pocket-v0")).json()["context_length"] != 512
        await rig.http.post("/api/models/pocket-v0/unload")
        await rig.http.post("/api/models/pocket-v0/load")
        assert (await rig.http.get("/v1/models/pocket-v0")).json()["context_length"] == 512
    words = json.loads(journal.read_text("utf-8").splitlines()[-1])["argv"]
    for flag, value in (
        ("--ctx-size", "1536"), ("--parallel", "3"), ("--cache-type-k", "q8_0"), ("--cache-type-v", "q8_0"),
        ("--rope-freq-scale", "0.5"), ("--spec-type", "ngram-mod"),
    ):  # fmt: skip
        assert words[words.index(flag) + 1] == value


async def test_a_template_that_renders_no_tools_says_so(tmp_path: Path) -> None:
    caps = {"chat_template_caps": {"supports_tools": False}}
    async with scripted_studio(tmp_path, script={"props": caps}) as rig:
        told = (await rig.http.get("/api/models/pocket-v0/template")).json()
        assert told["renders"]["tools"] is False
        assert any("knows no tools" in sentence for sentence in told["lacks"])
        assert (await rig.chat(tools=[TOOL])).status_code == 400
