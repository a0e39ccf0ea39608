"""Tests that what only the engine itself would stumble over is refused by name, never with a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from paddock.app import Studio

pytestmark = pytest.mark.anyio
USER = {"role": "user", "content": "What is 2 + 3?"}
ADD: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}


def turn(call: object) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [call]}


SHAPES: dict[str, dict[str, Any]] = {
    "an empty tool": {"messages": [USER], "tools": [{}]},
    "a tool without its function": {"messages": [USER], "tools": [{"type": "function"}]},
    "a tool whose function is a number": {"messages": [USER], "tools": [{"type": "function", "function": 5}]},
    "a flat tool of another kind": {"messages": [USER], "tools": [{"type": "web_search", "name": "add"}]},
    "a tool of another kind": {"messages": [USER], "tools": [{"type": "web_search"}]},
    "a call without a function": {"messages": [USER, turn({}), USER]},
    "a call of another kind": {"messages": [USER, turn({"type": "custom", "custom": {"name": "x"}}), USER]},
    "a text part without text": {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
    "a text part with a number": {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
    "a part of another kind": {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]},
    "a part without a kind": {"messages": [{"role": "user", "content": [{}]}]},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_shape_that_the_engine_cannot_read_is_named(studio: Studio, shape: str, stream: bool) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            f"{studio.url}/v1/chat/completions", json={**SHAPES[shape], "stream": stream, "max_tokens": 4}
        )
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["param"], answer.text


async def test_a_cut_call_in_the_history_does_not_end_the_conversation(studio: Studio) -> None:
    cut = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"a": 1'}}
    messages = [USER, turn(cut), {"role": "tool", "tool_call_id": "a", "content": "cut"}]
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            f"{studio.url}/v1/chat/completions", json={"messages": messages, "tools": [ADD], "max_tokens": 4}
        )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-paddock-normalized"] == "unreadable-arguments-wrapped"


async def test_a_forced_call_goes_before_a_wanted_shape(studio: Studio) -> None:
    body: dict[str, Any] = {
        "messages": [USER],
        "tools": [ADD],
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
        "max_tokens": 60,
    }
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{studio.url}/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "add"
    assert "response_format left out" in answer.headers["x-paddock-adapted"]
