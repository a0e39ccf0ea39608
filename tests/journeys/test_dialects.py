"""Tests one generation seen through the three dialects of the real engine, streamed or not, and row 62."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest

from paddock.app import Studio

pytestmark = pytest.mark.anyio
ASK = "What is the weather in Lisbon?"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLAUDE_TOOL: dict[str, Any] = {"name": "get_weather", "description": "Weather of a city", "input_schema": SCHEMA}
FLAT_TOOL: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": SCHEMA,
}
CHAT_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA},
}


def claude(studio: Studio) -> Any:
    return anthropic.AsyncAnthropic(base_url=studio.url, api_key="any", max_retries=0)


@pytest.mark.parametrize("stream", [False, True])
async def test_row_62_any_gives_a_tool_use_block(studio: Studio, stream: bool) -> None:
    async with claude(studio) as client:
        ask: dict[str, Any] = {
            "model": "pocket-v0", "max_tokens": 200, "messages": [{"role": "user", "content": ASK}],
            "tools": [CLAUDE_TOOL], "tool_choice": {"type": "any"},
        }  # fmt: skip
        if stream:
            async with client.messages.stream(**ask) as events:
                message = await events.get_final_message()
        else:
            message = await client.messages.create(**ask)
    assert message.stop_reason == "tool_use"
    assert [block.type for block in message.content] == ["tool_use"]


@pytest.mark.rule("one-generation")
async def test_one_generation_is_the_same_in_every_dialect(studio: Studio, sdk: Any) -> None:
    chat = await sdk.chat.completions.create(
        model="pocket-v0", messages=[{"role": "user", "content": ASK}], tools=[CHAT_TOOL], temperature=0,
        max_tokens=100, tool_choice="required",
    )  # fmt: skip
    calls: Any = chat.choices[0].message.tool_calls
    wanted = ("get_weather", json.loads(calls[0].function.arguments))
    assert chat.usage is not None
    counted = (chat.usage.prompt_tokens, chat.usage.completion_tokens)
    response: Any = await sdk.responses.create(
        model="pocket-v0", input=ASK, tools=[FLAT_TOOL], temperature=0, max_output_tokens=100, tool_choice="required"
    )
    assert (response.output[0].name, json.loads(response.output[0].arguments)) == wanted
    assert (response.usage.input_tokens, response.usage.output_tokens) == counted
    async with claude(studio) as client:
        message: Any = await client.messages.create(
            model="pocket-v0", max_tokens=100, messages=[{"role": "user", "content": ASK}], tools=[CLAUDE_TOOL],
            extra_body={"temperature": 0}, tool_choice={"type": "any"},
        )  # fmt: skip
    assert (message.content[0].name, message.content[0].input) == wanted
    usage = message.usage
    assert (usage.input_tokens + usage.cache_read_input_tokens, usage.output_tokens) == counted
