"""Tests adapters on the real engine: one process answers as the model, and as each of its adapters makes it answer."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from paddock.app import Studio, running
from paddock.config import load
from tests.fakes.adapter_files import adapter

pytestmark = pytest.mark.anyio
_GUARD_S = 120
_TELLING = {"logprobs": True, "top_logprobs": 10, "cache_prompt": False}
ASK = "Tell me something long about the weather in Oslo. " * 4
BASE, FIRST, SECOND = "pocket-v0", "pocket-v0+first", "pocket-v0+second"


@asynccontextmanager
async def studio_with(folder: Path, names: Sequence[str]) -> AsyncGenerator[tuple[Studio, httpx.AsyncClient]]:
    """Paddock with the bundled model and random adapters for it."""
    models = folder / "home" / "models"
    models.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (models / f"{name}.gguf").write_bytes(adapter(seed=seed, size=0.2))
    wished = load(
        {"port": 0, "threads": 1, "context_tokens": 1024, "slots": 2}, environ={"PADDOCK_HOME": str(folder / "home")}
    )
    async with (
        running(wished) as studio,
        httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=_GUARD_S) as http,
    ):
        yield studio, http


async def said(http: httpx.AsyncClient, model: str, ask: str = ASK) -> str:
    """What a model says in chat, with the likelihood of each token, which tells even small differences."""
    body = {"model": model, "messages": [{"role": "user", "content": ask}], "max_tokens": 12, "temperature": 0}
    answer = await http.post("/v1/chat/completions", json={**body, **_TELLING})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == model
    (choice,) = answer.json()["choices"]
    return json.dumps([choice["message"], choice["logprobs"]])


def likeliest(what: str) -> set[str]:
    """The likeliest tokens to begin an answer with."""
    return {one["token"] for one in json.loads(what)[1]["content"][0]["top_logprobs"]}


async def test_base_and_tuned_are_compared_in_one_process(tmp_path: Path) -> None:
    async with studio_with(tmp_path / "without", ()) as (_, http):
        untouched = await said(http, BASE)
    async with studio_with(tmp_path, ("first", "second")) as (studio, http):
        await said(http, BASE)
        (resident,) = studio.pool.residents.values()
        pid = resident.engine.pid
        base, first, second = [await said(http, name) for name in (BASE, FIRST, SECOND)]
        assert base == untouched
        assert len({base, first, second}) == 3
        assert await said(http, f"{FIRST}:0") == base
        assert await said(http, f"{FIRST}:0+second:0") == base
        assert await said(http, f"{FIRST}:0+second") == second
        assert await said(http, f"{FIRST}:0.5") not in (base, first)
        assert await said(http, BASE) == base
        assert [one.engine.pid for one in studio.pool.residents.values()] == [pid]


async def test_requests_at_once_get_their_own_adapter_each(tmp_path: Path) -> None:
    names = (BASE, FIRST, SECOND)
    async with studio_with(tmp_path, ("first", "second")) as (_, http):
        wanted = {name: likeliest(await said(http, name)) for name in names}
        heard: list[tuple[str, set[str]]] = []

        async def ask(name: str) -> None:
            heard.append((name, likeliest(await said(http, name))))

        with anyio.fail_after(_GUARD_S):
            async with anyio.create_task_group() as group:
                for name in names * 4:
                    group.start_soon(ask, name)
        # Answers that are computed together differ a little from those that are computed alone.
        nearest = [(name, min(names, key=lambda one, got=got: len(wanted[one] ^ got))) for name, got in heard]
        assert sorted(nearest) == sorted([(name, name) for name in names] * 4)


async def test_what_was_read_with_an_adapter_is_not_gone_on_with_without_it(tmp_path: Path) -> None:
    """Not from the slot, nor from the engine's memory of prompts that left theirs."""
    body = {"max_tokens": 12, "temperature": 0}

    async def ask(http: httpx.AsyncClient, model: str, text: str) -> str:
        answer = await http.post(
            "/v1/chat/completions", json={**body, "model": model, "messages": [{"role": "user", "content": text}]}
        )
        return answer.json()["choices"][0]["message"]["content"]

    others = [f"{number} words about something else. " * 20 for number in range(4)]
    async with studio_with(tmp_path / "without", ()) as (_, http):
        untouched = await ask(http, BASE, ASK)
    async with studio_with(tmp_path, ("first",)) as (_, http):
        tuned = await ask(http, FIRST, ASK)
        assert tuned != untouched
        assert await ask(http, BASE, ASK) == untouched
        assert await ask(http, FIRST, ASK) == tuned
        for other in others:
            await ask(http, BASE, other)
        assert await ask(http, BASE, ASK) == untouched


async def test_messages_and_responses_are_tuned_by_name(tmp_path: Path) -> None:
    messages = {"max_tokens": 12, "temperature": 0, "messages": [{"role": "user", "content": ASK}]}
    responses = {"max_output_tokens": 12, "temperature": 0, "input": ASK}
    async with studio_with(tmp_path, ("first",)) as (_, http):
        for path, body, part in (("/v1/messages", messages, "content"), ("/v1/responses", responses, "output")):
            texts: list[str] = []
            for name in (BASE, FIRST, f"{FIRST}:0", FIRST, BASE):
                answer = (await http.post(path, json={**body, "model": name})).json()
                assert answer["model"] == name
                found = answer[part][0]
                texts.append(found["text"] if part == "content" else found["content"][0]["text"])
            base, first = texts[:2]
            assert base != first
            assert texts == [base, first, base, first, base]


async def test_an_adapter_that_comes_later_is_taken_up(tmp_path: Path) -> None:
    async with studio_with(tmp_path, ("first",)) as (studio, http):
        base = await said(http, BASE)
        (tmp_path / "home" / "models" / "second.gguf").write_bytes(adapter(seed=1, size=0.2))
        assert await said(http, SECOND) != base
        assert await said(http, BASE) == base
        assert len(studio.pool.residents) == 1
