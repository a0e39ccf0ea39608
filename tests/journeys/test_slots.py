"""Tests, on the real engine, that a conversation whose model went and came back is not read anew."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from paddock.app import running
from paddock.config import load
from paddock.models.catalog import BUNDLED
from tests.engine import environ
from tests.journeys.test_vision import data_url
from tools.pocket import projector

pytestmark = pytest.mark.anyio
SECOND = "second"
STORY = "The pony ran over the hill and the keeper of the paddock counted. " * 20
_GUARD_S = 120


@asynccontextmanager
async def serving(folder: Path, **more: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """Paddock with room for one model: the bundled one, or a copy of it."""
    home = folder / "home"
    (home / "models").mkdir(parents=True, exist_ok=True)
    if not (copy := home / "models" / f"{SECOND}.gguf").exists():
        shutil.copy(BUNDLED["pocket-v0"], copy)
    wished: dict[str, Any] = {"port": 0, "threads": 1, "context_tokens": 4096, "models_most": 1, "scan_others": False}
    async with (
        running(load({**wished, **more}, environ=environ(home))) as studio,
        httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=_GUARD_S) as http,
    ):
        yield http


class Talk:
    """One conversation; greedy, so that the same state gives the same words."""

    def __init__(self, opening: Any = STORY, model: str = "pocket-v0") -> None:
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": opening}]
        self.model = model

    async def turn(self, http: httpx.AsyncClient, says: str = "") -> tuple[str, int, int]:
        """Say something; the answer, the tokens of the prompt that were there already, and all of the prompt's."""
        if says:
            self.messages.append({"role": "user", "content": says})
        body = {"model": self.model, "messages": self.messages, "max_tokens": 24, "temperature": 0}
        answer = await http.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        text = told["choices"][0]["message"]["content"]
        self.messages.append({"role": "assistant", "content": text})
        usage = told["usage"]
        return text, usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"]


async def swap(http: httpx.AsyncClient) -> None:
    """Load the other model in the room of the first."""
    body = {"model": SECOND, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    assert (await http.post("/v1/chat/completions", json=body)).status_code == 200


async def unload(http: httpx.AsyncClient, model: str = "pocket-v0") -> None:
    assert (await http.post(f"/api/models/{model}/unload")).status_code == 200


async def without_a_swap(folder: Path) -> tuple[str, int, int]:
    async with serving(folder) as http:
        talk = Talk()
        await talk.turn(http)
        return await talk.turn(http, "And then?")


def saved_in(folder: Path) -> list[Path]:
    return sorted((folder / "home" / "slots").glob("*.kv"))


async def test_a_conversation_goes_on_where_it_was_after_another_model_had_its_room(tmp_path: Path) -> None:
    usual = await without_a_swap(tmp_path / "usual")
    async with serving(tmp_path / "swapped") as http:
        talk = Talk()
        _, _, opening_tokens = await talk.turn(http)
        await swap(http)
        answer, cached_tokens, _ = await talk.turn(http, "And then?")
    assert cached_tokens >= opening_tokens
    assert (answer, cached_tokens) == usual[:2]


async def test_two_conversations_go_on_after_an_unload_and_after_a_restart_of_paddock(tmp_path: Path) -> None:
    talks = [Talk(), Talk("Ada kept a diary of all engines that she had seen. " * 20)]
    async with serving(tmp_path) as http:
        opened = [await talk.turn(http) for talk in talks]
        await unload(http)
        went_on = [await talk.turn(http, "And then?") for talk in talks]
    async with serving(tmp_path) as http:
        again = [await talk.turn(http, "Why?") for talk in talks]
    for (_, _, opening_tokens), (_, cached_tokens, prompt_tokens), (_, last_cached_tokens, _) in zip(
        opened, went_on, again, strict=True
    ):
        assert cached_tokens >= opening_tokens
        assert last_cached_tokens >= prompt_tokens


async def test_what_is_saved_is_for_its_owner_alone_and_one_file_a_slot(tmp_path: Path) -> None:
    talk = Talk()
    async with serving(tmp_path) as http:
        for words in ("", "And then?", "Why?"):
            await talk.turn(http, words)
            await unload(http)
    (saved,) = saved_in(tmp_path)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


async def test_another_context_is_another_engine_and_reads_anew(tmp_path: Path) -> None:
    talk = Talk()
    async with serving(tmp_path) as http:
        await talk.turn(http)
    assert len(saved_in(tmp_path)) == 1
    async with serving(tmp_path, context_tokens=2048) as http:
        _, cached_tokens, _ = await talk.turn(http, "And then?")
    assert cached_tokens == 0


async def test_nothing_is_kept_where_nothing_is_to_be_and_what_was_goes(tmp_path: Path) -> None:
    talk = Talk()
    async with serving(tmp_path) as http:
        await talk.turn(http)
    assert len(saved_in(tmp_path)) == 1
    async with serving(tmp_path, slot_cache_bytes=0) as http:
        _, cached_tokens, _ = await talk.turn(http, "And then?")
        assert cached_tokens == 0
        await unload(http)
    assert saved_in(tmp_path) == []


async def test_a_conversation_about_an_image_goes_on_as_if_its_model_had_stayed(tmp_path: Path) -> None:
    eyes = tmp_path / "eyes"
    eyes.mkdir()
    shutil.copyfile(BUNDLED["pocket-v0"], eyes / "seer.gguf")
    projector.write(eyes / "mmproj-seer-F16.gguf", width=projector.width_of(eyes / "seer.gguf"))
    opening = [{"type": "text", "text": STORY}, {"type": "image_url", "image_url": {"url": data_url()}}]
    ends: list[tuple[str, int, int]] = []
    for goes in (False, True):
        async with serving(tmp_path / f"goes {goes}", model_folders=str(eyes)) as http:
            talk = Talk(opening, "seer")
            _, _, opening_tokens = await talk.turn(http)
            if goes:
                await unload(http, "seer")
            ends.append(await talk.turn(http, "And then?"))
            assert ends[-1][1] >= opening_tokens
    assert ends[0] == ends[1]
