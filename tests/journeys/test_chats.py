"""Tests the page's chats with the real engine: asked, stopped, gone on with, and found again."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from paddock.app import Studio

pytestmark = pytest.mark.anyio
CHATS = "/api/chats"
GREEDY: dict[str, Any] = {"temperature": 0, "seed": 1}


async def settled(http: httpx.AsyncClient, answer: dict[str, Any]) -> dict[str, Any]:
    """The message of an answer, once it is made."""
    made = answer["message"]
    with anyio.fail_after(60):
        while made["status"] == "generating":
            await anyio.sleep(0.05)
            made = (await http.get(f"{CHATS}/{made['chat_id']}/messages/{made['id']}")).json()
    return made


async def test_an_answer_that_was_cut_goes_on_to_what_it_would_have_been(studio: Studio) -> None:
    async with httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=60) as http:
        chat = (await http.post(CHATS, json={"settings": GREEDY})).json()["id"]
        body = {"parent_id": None, "role": "user", "content": "Tell me a joke about models"}
        said = (await http.post(f"{CHATS}/{chat}/messages", json=body)).json()["id"]

        async def ask(**fields: Any) -> dict[str, Any]:
            answer = await http.post(f"{CHATS}/{chat}/answers", json=fields)
            assert answer.status_code == 202, answer.text
            return await settled(http, answer.json())

        whole = await ask(parent_id=said)
        cut = await ask(parent_id=said, settings={"max_output_tokens": 6})
        assert (whole["status"], cut["status"], cut["usage"]["output_tokens"]) == ("complete", "cut", 6)
        assert whole["content"][0]["text"].startswith(cut["content"][0]["text"])
        assert cut["timings"]["output_tokens_per_s"] > 0
        done = await ask(continues=cut["id"], settings={"max_output_tokens": 200})
        assert (done["status"], done["content"]) == ("complete", whole["content"])
        assert done["timings"]["prompt_tokens"] < whole["usage"]["input_tokens"]
        found = (await http.get(f"{CHATS}/search?q=joke+mod")).json()["data"]
        assert [hit["kind"] for hit in found] == ["title", "message"]
