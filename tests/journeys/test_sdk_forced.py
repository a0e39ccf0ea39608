"""Tests that a forced tool choice always gives a call, on prompts that invite chat, streamed and not."""

from __future__ import annotations

import json
from typing import Any, cast

import openai
import pytest
from openai.types.chat import (
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionToolChoiceOptionParam,
    ChatCompletionToolParam,
)

from tests.journeys.chat_prompts import CHAT_PROMPTS
from tests.journeys.test_sdk import ADD, MODEL, joined, streamed

pytestmark = pytest.mark.anyio
# The city is kept short by its schema: a very small model may never end a text of its own accord, and a call that the
# token limit cuts is rightly reported as `length`.
GET_WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather for a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 24}},
            "required": ["city"],
        },
    },
}
FORCED: dict[str, tuple[ChatCompletionToolChoiceOptionParam, set[str]]] = {
    "required": ("required", {"get_weather", "add"}),
    "named": ({"type": "function", "function": {"name": "get_weather"}}, {"get_weather"}),
}


@pytest.mark.rule("choice-required")
@pytest.mark.parametrize("name", FORCED)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
async def test_every_prompt_gets_a_call(sdk: openai.AsyncOpenAI, name: str, temperature: float) -> None:
    choice, names = FORCED[name]
    failed: dict[str, Any] = {}
    # With seeds: in one answer of some thousands, at this temperature, the engine's parser refuses what its own grammar
    # let the model write, where a text reaches its maxLength. It says so in an error, which paddock passes on.
    for seed, prompt in enumerate(CHAT_PROMPTS):
        answer = await sdk.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": prompt}],
            tools=[GET_WEATHER, ADD],
            tool_choice=choice,
            temperature=temperature,
            seed=seed,
            max_tokens=500,
        )
        calls = [cast(ChatCompletionMessageFunctionToolCall, c) for c in answer.choices[0].message.tool_calls or []]
        if not calls or not all(is_good(call.function.name, call.function.arguments, names) for call in calls):
            failed[prompt] = answer.choices[0].model_dump()
    assert failed == {}


@pytest.mark.rule("choice-required")
@pytest.mark.parametrize("name", FORCED)
async def test_every_prompt_gets_a_streamed_call(sdk: openai.AsyncOpenAI, name: str) -> None:
    choice, names = FORCED[name]
    failed: dict[str, Any] = {}
    for prompt in CHAT_PROMPTS:
        chunks = await streamed(
            sdk, [{"role": "user", "content": prompt}], tools=[GET_WEATHER, ADD], tool_choice=choice, max_tokens=500
        )
        calls = joined(chunks)
        good = bool(calls) and all(call["id"] for call in calls.values())
        good = good and all(is_good(call["name"], call["arguments"], names) for call in calls.values())
        if not good or chunks[-1].choices[0].finish_reason != "tool_calls":
            failed[prompt] = calls
    assert failed == {}


def is_good(name: str, arguments: str, names: set[str]) -> bool:
    """Whether a call is of an allowed function and its arguments are a JSON object."""
    try:
        return name in names and isinstance(json.loads(arguments), dict)
    except ValueError:
        return False
