"""Tests that the OpenAI Python SDK, unmodified, works with the real engine and the bundled model (rows 52-54)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, cast

import openai
import pytest
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolChoiceOptionParam,
    ChatCompletionToolParam,
)
from pydantic import BaseModel

from paddock.app import Studio

pytestmark = pytest.mark.anyio
MODEL = "pocket-v0"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
WEATHER: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Lisbon?"}]


def tool(name: str, description: str, **properties: str) -> ChatCompletionToolParam:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {field: {"type": kind} for field, kind in properties.items()},
        "required": list(properties),
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


GET_WEATHER = tool("get_weather", "Get the current weather for a city", city="string")
ADD = tool("add", "Add two numbers", a="number", b="number")


def calls_of(completion: ChatCompletion) -> list[ChatCompletionMessageFunctionToolCall]:
    """The calls of an answer, which must all be of functions."""
    calls = completion.choices[0].message.tool_calls or []
    return [cast(ChatCompletionMessageFunctionToolCall, call) for call in calls]


@pytest.mark.rule("answers-complete")
async def test_row_52_a_chat_is_answered_with_a_finish_reason_and_usage(sdk: openai.AsyncOpenAI) -> None:
    answer = await sdk.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=40, temperature=0)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.model == MODEL
    assert answer.id
    assert answer.usage
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def answered(
    sdk: openai.AsyncOpenAI, messages: list[ChatCompletionMessageParam], **fields: Any
) -> ChatCompletion:
    """A greedy answer."""
    create = cast(Callable[..., Awaitable[ChatCompletion]], sdk.chat.completions.create)
    return await create(model=MODEL, messages=messages, temperature=0, **fields)


async def streamed(
    sdk: openai.AsyncOpenAI, messages: Iterable[ChatCompletionMessageParam], **fields: Any
) -> list[ChatCompletionChunk]:
    """All chunks of a greedy stream."""
    stream = await sdk.chat.completions.create(model=MODEL, messages=messages, stream=True, temperature=0, **fields)
    async with stream:
        return [chunk async for chunk in stream]


@pytest.mark.rule("answers-complete")
async def test_row_52_a_stream_says_the_same_as_the_whole_answer(sdk: openai.AsyncOpenAI) -> None:
    whole = await sdk.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=40, temperature=0)
    chunks = await streamed(sdk, HELLO, max_tokens=40, stream_options={"include_usage": True})
    usage = chunks.pop().usage
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == [
        whole.choices[0].finish_reason
    ]
    assert usage
    assert whole.usage
    assert usage.prompt_tokens == whole.usage.prompt_tokens
    assert usage.completion_tokens == whole.usage.completion_tokens


@pytest.mark.rule("amend-usage")
async def test_a_stream_shows_usage_and_progress_only_to_those_who_ask(sdk: openai.AsyncOpenAI) -> None:
    chunks = await streamed(sdk, HELLO, max_tokens=5)
    assert all(chunk.choices for chunk in chunks)
    assert not any("prompt_progress" in chunk.model_dump() for chunk in chunks)
    asked = await streamed(sdk, HELLO, max_tokens=5, extra_body={"return_progress": True})
    assert any("prompt_progress" in chunk.model_dump() for chunk in asked)


@pytest.mark.rule("choice-auto")
async def test_row_52_tools_on_auto_give_a_call(sdk: openai.AsyncOpenAI) -> None:
    answer = await sdk.chat.completions.create(
        model=MODEL, messages=WEATHER, tools=[GET_WEATHER], tool_choice="auto", temperature=0
    )
    (call,) = calls_of(answer)
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Lisbon"})
    assert call.id
    assert answer.usage
    assert answer.usage.completion_tokens > 0


def joined(chunks: list[ChatCompletionChunk]) -> dict[int, dict[str, str]]:
    """The calls of a stream: by index, with their id, name and arguments put together."""
    calls: dict[int, dict[str, str]] = {}
    for delta in [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]:
        call = calls.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
        call["id"] += delta.id or ""
        assert delta.function
        call["name"] += delta.function.name or ""
        call["arguments"] += delta.function.arguments or ""
    return calls


@pytest.mark.rule("calls-add-up")
@pytest.mark.parametrize("choice", ["auto", "required"])
async def test_row_52_a_streamed_call_is_the_call_of_the_whole_answer(
    sdk: openai.AsyncOpenAI, choice: Literal["auto", "required"]
) -> None:
    whole = await sdk.chat.completions.create(
        model=MODEL, messages=WEATHER, tools=[GET_WEATHER], tool_choice=choice, temperature=0
    )
    chunks = await streamed(
        sdk, WEATHER, tools=[GET_WEATHER], tool_choice=choice, stream_options={"include_usage": True}
    )
    usage = chunks.pop().usage
    calls = joined(chunks)
    (expected,) = calls_of(whole)
    assert list(calls) == [0]
    assert calls[0]["id"]
    assert (calls[0]["name"], calls[0]["arguments"]) == (expected.function.name, expected.function.arguments)
    assert [reason for chunk in chunks if (reason := chunk.choices[0].finish_reason)] == ["tool_calls"]
    assert not "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert usage
    assert usage.completion_tokens > 0


@pytest.mark.rule("choice-allowed")
@pytest.mark.parametrize("allowed", [["get_weather"], ["add"], ["get_weather", "add"]])
async def test_the_tools_that_are_not_allowed_are_never_called_on_auto(
    sdk: openai.AsyncOpenAI, allowed: list[str]
) -> None:
    """Asked for the weather, the model calls the tool for it where it has that; elsewhere it cannot."""
    listed: list[dict[str, object]] = [{"type": "function", "function": {"name": name}} for name in allowed]
    raw = await sdk.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=WEATHER,
        tools=[GET_WEATHER, ADD],
        tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": listed}},
        temperature=0,
        max_tokens=100,
    )
    assert raw.headers["x-paddock-adapted"] == f"tool_choice allowed_tools: auto with {len(allowed)} of 2 tools"
    called = [call.function.name for call in calls_of(raw.parse())]
    if "get_weather" in allowed:
        assert called == ["get_weather"]
    else:
        assert set(called) <= {"add"}


CHOICES: dict[str, tuple[ChatCompletionToolChoiceOptionParam, set[str]]] = {
    "required": ("required", {"get_weather", "add"}),
    "named": ({"type": "function", "function": {"name": "add"}}, {"add"}),
    "the other named": ({"type": "function", "function": {"name": "get_weather"}}, {"get_weather"}),
    "allowed and required": (
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "add"}}]},
        },
        {"add"},
    ),
}


@pytest.mark.rule("choice-named")
@pytest.mark.parametrize("name", CHOICES)
async def test_row_53_a_forced_choice_gives_a_call_whose_arguments_parse(sdk: openai.AsyncOpenAI, name: str) -> None:
    choice, names = CHOICES[name]
    for messages in (HELLO, WEATHER, [*WEATHER, {"role": "assistant", "content": "Rain."}, *HELLO]):
        raw = await sdk.chat.completions.with_raw_response.create(
            model=MODEL,
            messages=cast(list[ChatCompletionMessageParam], messages),
            tools=[GET_WEATHER, ADD],
            tool_choice=choice,
            max_tokens=200,
        )
        assert raw.headers["x-paddock-adapted"]
        answer: ChatCompletion = raw.parse()
        assert answer.choices[0].finish_reason == "tool_calls"
        assert not answer.choices[0].message.content
        for call in calls_of(answer):
            assert call.id
            assert call.function.name in names
            assert isinstance(json.loads(call.function.arguments), dict)
        assert calls_of(answer)


@pytest.mark.rule("choice-none")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_choice_of_none_gives_no_call(sdk: openai.AsyncOpenAI, stream: bool) -> None:
    fields: dict[str, Any] = {"tools": [GET_WEATHER], "tool_choice": "none", "max_tokens": 60}
    if stream:
        chunks = await streamed(sdk, WEATHER, **fields)
        assert joined(chunks) == {}
        assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    else:
        answer = await answered(sdk, WEATHER, **fields)
        assert calls_of(answer) == []
        assert answer.choices[0].finish_reason in ("stop", "length")


@pytest.mark.rule("libraries")
async def test_row_54_a_three_message_tool_loop_is_answered(sdk: openai.AsyncOpenAI) -> None:
    first = await sdk.chat.completions.create(model=MODEL, messages=WEATHER, tools=[GET_WEATHER], temperature=0)
    (call,) = calls_of(first)
    loop: list[ChatCompletionMessageParam] = [
        *WEATHER,
        cast(ChatCompletionMessageParam, first.choices[0].message.model_dump(exclude_none=True)),
        {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 21, "sky": "sunny"}'},
    ]
    answer = await sdk.chat.completions.create(
        model=MODEL, messages=loop, tools=[GET_WEATHER], temperature=0, max_tokens=60
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    later: list[ChatCompletionMessageParam] = [
        *loop, {"role": "assistant", "content": answer.choices[0].message.content}, *HELLO,
    ]  # fmt: skip
    again = await sdk.chat.completions.create(model=MODEL, messages=later, temperature=0, max_tokens=60)
    assert again.choices[0].message.content


class Opinion(BaseModel):
    """What `.parse()` is to return. Without free text, which a very small model does not know how to end."""

    mood: Literal["good", "bad"]
    likes_rain: bool
    cities: tuple[Literal["Lisbon", "Oslo"], Literal["Rome", "Bern"]]


async def test_parse_returns_an_object_of_the_schema(sdk: openai.AsyncOpenAI) -> None:
    answer = await sdk.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Opinion, temperature=0)
    assert isinstance(answer.choices[0].message.parsed, Opinion)


async def test_a_json_object_is_one(sdk: openai.AsyncOpenAI) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    answer = await sdk.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        max_tokens=100,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    assert isinstance(json.loads(answer.choices[0].message.content or "")["ok"], bool)


@pytest.mark.rule("calls-cut")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_the_token_limit_cut_is_length(sdk: openai.AsyncOpenAI, stream: bool) -> None:
    fields: dict[str, Any] = {"tools": [GET_WEATHER], "tool_choice": "required", "max_tokens": 5}
    if stream:
        reasons = [chunk.choices[0].finish_reason for chunk in await streamed(sdk, WEATHER, **fields)]
    else:
        answer = await answered(sdk, WEATHER, **fields)
        reasons = [answer.choices[0].finish_reason]
    assert reasons[-1] == "length"


@pytest.mark.rule("also-completions")
async def test_text_completions_answer_and_stream(sdk: openai.AsyncOpenAI) -> None:
    whole = await sdk.completions.create(model=MODEL, prompt="Hello", max_tokens=8, temperature=0)
    stream = await sdk.completions.create(model=MODEL, prompt="Hello", max_tokens=8, temperature=0, stream=True)
    async with stream:
        text = "".join([chunk.choices[0].text async for chunk in stream])
    assert text == whole.choices[0].text
    assert whole.usage
    assert whole.usage.completion_tokens == 8


async def test_embeddings_are_refused_clearly_by_a_model_that_chats(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="makes no embeddings"):
        await sdk.embeddings.create(model=MODEL, input="Hello")


@pytest.mark.rule("also-models")
async def test_models_are_listed_with_their_real_context(sdk: openai.AsyncOpenAI) -> None:
    await sdk.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1)
    (listed,) = [model async for model in sdk.models.list() if model.id == MODEL]
    assert listed.model_dump()["context_length"] == 4096
    assert (await sdk.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError, match="There is no model 'nothing'"):
        await sdk.models.retrieve("nothing")


@pytest.mark.rule("error-overflow")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_overflow_says_so_with_exact_counts(sdk: openai.AsyncOpenAI, stream: bool) -> None:
    await sdk.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1)
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello " * 20_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(model=MODEL, messages=long, stream=stream)
    assert caught.value.code == "context_length_exceeded"
    assert "4096" in caught.value.message


@pytest.mark.rule("error-shapes")
async def test_errors_are_of_the_sdks_own_kinds(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError):
        await sdk.chat.completions.create(model=MODEL, messages=[])
    with pytest.raises(openai.NotFoundError):
        await sdk.chat.completions.create(model="nothing", messages=HELLO)
    asked = {"enable_tools": True, "enabled_tools": ["rocket"]}
    with pytest.raises(openai.BadRequestError, match="enabled_tools"):
        await sdk.chat.completions.create(model=MODEL, messages=HELLO, extra_body=asked)


async def test_the_streaming_accumulator_of_the_sdk_works(sdk: openai.AsyncOpenAI) -> None:
    async with sdk.chat.completions.stream(
        model=MODEL, messages=WEATHER, tools=[{**GET_WEATHER, "function": {**GET_WEATHER["function"], "strict": True}}]
    ) as stream:
        kinds = {event.type async for event in stream}
        final = await stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    assert final.choices[0].message.tool_calls


async def test_the_engine_asks_every_other_local_program_for_its_key(sdk: openai.AsyncOpenAI, studio: Studio) -> None:
    await sdk.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1)
    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{studio.pool.residents[MODEL].engine.port}/v1", api_key="guessed", max_retries=0
    ) as intruder:
        with pytest.raises(openai.AuthenticationError):
            await intruder.chat.completions.create(model=MODEL, messages=HELLO)
