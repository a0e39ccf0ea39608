"""Tests Anthropic's own SDK, unmodified, against the real engine: all that people use it for."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from paddock.app import Studio
from tests.shapes.messages import check_count, check_message

pytestmark = pytest.mark.anyio
ASK: dict[str, Any] = {"role": "user", "content": "What is the weather in Lisbon?"}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[Any] = [{"name": "get_weather", "description": "Weather of a city", "input_schema": SCHEMA}]
BASE: dict[str, Any] = {"model": "pocket-v0", "max_tokens": 200, "messages": [ASK]}


class Sky(BaseModel):
    """What the sky looks like."""

    is_blue: bool


@pytest.fixture
async def claude(studio: Studio) -> AsyncGenerator[Any]:
    async with anthropic.AsyncAnthropic(base_url=studio.url, api_key="any", max_retries=0, timeout=60) as client:
        yield client


@pytest.mark.rule("answers-complete")
async def test_a_message_is_answered_and_streamed_the_same(claude: Any) -> None:
    whole = await claude.messages.create(**BASE, extra_body={"temperature": 0})
    async with claude.messages.stream(**BASE, extra_body={"temperature": 0}) as stream:
        pieces = [text async for text in stream.text_stream]
        streamed = await stream.get_final_message()
    check_message(whole.to_dict())
    assert "".join(pieces) == streamed.content[0].text == whole.content[0].text
    assert streamed.stop_reason == whole.stop_reason == "end_turn"
    used = [(usage.input_tokens + usage.cache_read_input_tokens, usage.output_tokens)
            for usage in (whole.usage, streamed.usage)]  # fmt: skip
    assert used[0] == used[1]


@pytest.mark.rule("libraries")
async def test_a_tool_loop_goes_round(claude: Any) -> None:
    called = await claude.messages.create(**BASE, tools=TOOLS, tool_choice={"type": "tool", "name": "get_weather"})
    check_message(called.to_dict())
    use = called.content[-1]
    assert (called.stop_reason, use.type, use.name) == ("tool_use", "tool_use", "get_weather")
    assert isinstance(use.input["city"], str)
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "Sunny, 24 degrees"}]
    turns = [ASK, {"role": "assistant", "content": called.content}, {"role": "user", "content": results}]
    told = await claude.messages.create(**{**BASE, "messages": turns}, tools=TOOLS)
    check_message(told.to_dict())
    assert told.content


async def test_a_typed_answer_is_one(claude: Any) -> None:
    asked = {**BASE, "messages": [{"role": "user", "content": "Is the sky blue? Answer with is_blue true or false."}]}
    parsed = await claude.messages.parse(**asked, output_format=Sky)
    assert isinstance(parsed.parsed_output, Sky)
    async with claude.messages.stream(**asked, output_format=Sky) as stream:
        assert isinstance(json.loads((await stream.get_final_message()).content[0].text)["is_blue"], bool)


@pytest.mark.rule("messages-count")
async def test_a_count_is_what_the_answer_then_tells(claude: Any) -> None:
    counted = await claude.messages.count_tokens(model="pocket-v0", messages=[ASK], tools=TOOLS)
    check_count(counted.to_dict())
    usage = (await claude.messages.create(**BASE, tools=TOOLS)).usage
    assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


@pytest.mark.rule("error-overflow")
async def test_errors_are_of_the_sdks_own_kinds(claude: Any) -> None:
    with pytest.raises(anthropic.NotFoundError, match="nope"):
        await claude.messages.create(**{**BASE, "model": "nope"})
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        await claude.messages.create(**{**BASE, "max_tokens": 0})
    long = [{"role": "user", "content": "barn " * 6000}]
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 4096 maximum"):
        await claude.messages.create(**{**BASE, "messages": long})
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        async with claude.messages.stream(**{**BASE, "messages": long}) as stream:
            await stream.get_final_message()
