"""Tests that the bundled model uses the server's own tools on the real engine, read by the SDKs, unmodified."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from paddock.app import Studio
from tests.journeys.test_sdk import MODEL

pytestmark = pytest.mark.anyio
SUM = "What is 23 * 19?"
ON: dict[str, Any] = {"enable_tools": True, "enabled_tools": ["calculator"], "temperature": 0}


async def test_a_sum_is_worked_out_in_chat_completions_whole_and_streamed(sdk: openai.AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": SUM}]
    whole = await sdk.chat.completions.create(model=MODEL, messages=messages, extra_body=ON)
    said = whole.choices[0].message.content
    assert said
    assert "437" in said
    (turn, *_) = (whole.model_extra or {})["paddock"]["turns"]
    assert [(one["name"], one["output"]) for one in turn["tools"]] == [("calculator", "437")]
    async with sdk.chat.completions.stream(model=MODEL, messages=messages, extra_body=ON) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == said
    assert final.choices[0].message.role == "assistant"
    assert final.choices[0].finish_reason == "stop"


async def test_a_sum_is_worked_out_in_responses_whole_and_streamed(sdk: openai.AsyncOpenAI) -> None:
    whole = await sdk.responses.create(model=MODEL, input=SUM, extra_body=ON)
    call = next(item for item in whole.output if item.type == "mcp_call")
    assert (call.name, call.output, call.server_label) == ("calculator", "437", "paddock")
    assert "437" in whole.output_text
    async with sdk.responses.stream(model=MODEL, input=SUM, extra_body=ON) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert "response.mcp_call.completed" in kinds
    assert final.output_text == whole.output_text
    again = await sdk.responses.create(model=MODEL, input="And what is 2 * 3?", previous_response_id=whole.id)
    assert again.status == "completed"


async def test_a_sum_is_worked_out_in_messages_whole_and_streamed(studio: Studio) -> None:
    asked: dict[str, Any] = {
        "model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": SUM}], "extra_body": ON,
    }  # fmt: skip
    async with anthropic.AsyncAnthropic(base_url=studio.url, api_key="any", max_retries=0, timeout=60) as client:
        claude: Any = client
        whole = await claude.messages.create(**asked)
        async with claude.messages.stream(**asked) as stream:
            pieces = [text async for text in stream.text_stream]
            final = await stream.get_final_message()
    assert [block.type for block in whole.content] == [block.type for block in final.content]
    said = "".join(block.text for block in whole.content if block.type == "text")
    assert "437" in said
    assert "".join(pieces) == said
    assert final.stop_reason == whole.stop_reason == "end_turn"
