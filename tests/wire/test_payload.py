"""Tests which requests reach the engine and with which body (rows 19-32), and that no field is dropped in silence."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from paddock.config import load
from tests.wire.rig import CHAT, COMPLETIONS, OTHER_TOOL, TOOL, USER, Json, Rig, body_of, header_of
from tests.wire.test_request_rules import call, output, turn

pytestmark = pytest.mark.anyio
LOOP = [USER, turn(content=None), output()]


@pytest.mark.parametrize("tools", [None, [], [TOOL]])
@pytest.mark.parametrize("messages", [[USER], LOOP])
@pytest.mark.parametrize("enable_tools", [None, False])
async def test_row_19_there_is_one_relay_for_every_mix_of_tools_and_tool_messages(
    rig: Rig, tools: list[Json] | None, messages: list[Json], enable_tools: bool | None
) -> None:
    fields = {name: value for name, value in (("tools", tools), ("enable_tools", enable_tools)) if value is not None}
    body = await rig.forwarded(messages=messages, **fields)
    assert body["messages"] == messages
    assert body.get("tools") == (tools or None)


async def test_row_21_an_empty_tools_list_is_an_ordinary_request(rig: Rig) -> None:
    body = await rig.forwarded(tools=[])
    assert not {"tools", "tool_choice"} & set(body)


async def test_row_22_a_follow_up_turn_without_a_tools_list_goes_through(rig: Rig) -> None:
    body = await rig.forwarded(messages=LOOP)
    assert body["messages"] == LOOP
    assert "tool_choice" not in body


async def test_row_23_messages_reach_the_engine_as_they_came(rig: Rig) -> None:
    messages = [
        {
            "role": "system",
            "content": [{"type": "text", "text": "Sé útil \u2028 \U0001f999"}],
            "cache_control": {"a": 1},
        },
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}], "weight": 0},
        turn(call(arguments='{ "city" : "Zürich" }'), content=None, reasoning_content="Hm."),
        output([{"type": "text", "text": "  rain\n"}]),
    ]
    assert (await rig.forwarded(messages=messages, tools=[TOOL]))["messages"] == messages


async def test_row_24_what_the_client_set_is_in_the_engines_body(rig: Rig) -> None:
    fields = {
        "messages": LOOP, "tools": [TOOL, OTHER_TOOL], "tool_choice": "auto", "temperature": 0, "top_p": 0.9,
        "top_k": 400, "stream": False,
    }  # fmt: skip
    body = await rig.forwarded(**fields)
    assert {name: body[name] for name in fields} == fields


@pytest.mark.rule("sampling-left")
async def test_sampling_that_the_client_leaves_out_is_left_to_the_model(rig: Rig) -> None:
    body = await rig.forwarded()
    assert not {"temperature", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty", "max_tokens"} & set(
        body
    )


async def test_row_25_tool_choice_is_auto_unless_given(rig: Rig) -> None:
    assert (await rig.forwarded(tools=[TOOL]))["tool_choice"] == "auto"
    assert (await rig.forwarded(tools=[TOOL], tool_choice=None))["tool_choice"] == "auto"
    assert "x-paddock-adapted" not in (await rig.chat(tools=[TOOL], tool_choice="auto")).headers


def named(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *names: str) -> Json:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [named(name) for name in names]}}


CHOICES: dict[str, tuple[Any, list[str], str, bool]] = {
    "required": ("required", ["get_weather", "add"], "required", True),
    "named": (named("add"), ["add"], "required", True),
    "allowed auto": (allowed("auto", "add"), ["add"], "auto", False),
    "allowed required": (allowed("required", "get_weather"), ["get_weather"], "required", True),
    "none": ("none", [], "none", False),
}


@pytest.mark.rule("choice-allowed", "choice-told")
@pytest.mark.parametrize("name", CHOICES)
async def test_row_25_a_choice_is_adapted_so_that_it_has_its_effect_and_says_so(rig: Rig, name: str) -> None:
    choice, tools, word, forced = CHOICES[name]
    response = await rig.chat(tools=[TOOL, OTHER_TOOL], tool_choice=choice)
    assert response.status_code == 200, response.text
    assert response.headers["x-paddock-adapted"]
    body = body_of((await rig.engine.seen())[-1])
    assert [tool["function"]["name"] for tool in body.get("tools", [])] == tools
    assert body.get("tool_choice", "none") == word
    assert body.get("max_tokens") == (8192 if forced else None)
    assert body["messages"][0] == USER
    starts = [message["content"] for message in body["messages"][1:]]
    assert starts == (['<tool_call>\n{"name": "'] if forced else [])


async def test_the_start_of_a_call_is_learned_once_for_each_engine(rig: Rig) -> None:
    for _ in range(3):
        await rig.forwarded(tools=[TOOL], tool_choice="required")
    assert len(await rig.engine.seen("/apply-template")) <= 2


async def test_row_26_limits_and_penalties_are_sent_if_set(rig: Rig) -> None:
    body = await rig.forwarded()
    assert not {"max_tokens", "stop", "min_p", "presence_penalty"} & set(body)
    assert "stop" not in await rig.forwarded(stop=[])
    assert "max_tokens" not in await rig.forwarded(max_tokens=None)
    body = await rig.forwarded(max_tokens=9, stop=["END"], min_p=0.1, presence_penalty=-1.5)
    assert (body["max_tokens"], body["stop"], body["min_p"], body["presence_penalty"]) == (9, ["END"], 0.1, -1.5)


async def test_row_27_repetition_penalty_is_renamed(rig: Rig) -> None:
    body = await rig.forwarded(repetition_penalty=1.1)
    assert body["repeat_penalty"] == 1.1
    assert "repetition_penalty" not in body


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_row_28_a_stream_asks_for_its_usage_and_nothing_else_does(rig: Rig, path: str) -> None:
    await rig.stream(path)
    assert body_of((await rig.engine.seen(path))[0])["stream_options"]["include_usage"] is True
    for options in ({"include_usage": False}, {"include_usage": True, "include_obfuscation": False}):
        await rig.stream(path, stream_options=options)
        sent = body_of((await rig.engine.seen(path))[-1])["stream_options"]
        assert sent == {**options, "include_usage": True}
    await rig.post({"messages": [USER], "prompt": "Hello"}, path)
    assert "stream_options" not in body_of((await rig.engine.seen(path))[-1])


async def test_row_29_extension_fields_never_reach_the_engine(rig: Rig) -> None:
    extensions = {"enable_tools": False, "enabled_tools": ["python"], "session_id": "s", "heal": True}
    assert not set(extensions) & set(await rig.forwarded(**extensions))
    assert not set(extensions) & set(await rig.forwarded(**extensions, tools=[TOOL]))


async def test_row_30_unset_fields_are_not_sent_as_null(rig: Rig) -> None:
    body = await rig.forwarded(messages=[USER, turn(), output()], tools=[TOOL])
    assert all(None not in message.values() for message in body["messages"])
    assert None not in body.values()


async def test_row_31_parallel_calls_and_results_keep_their_order(rig: Rig) -> None:
    ids = [f"call_{n}" for n in (3, 1, 2)]
    messages = [USER, turn(*(call(i) for i in ids)), *(output(f"of {i}", i) for i in ("call_2", "call_3", "call_1"))]
    assert (await rig.forwarded(messages=messages, tools=[TOOL]))["messages"] == messages


async def test_row_32_the_target_is_the_managed_engines_chat_endpoint_with_its_key(rig: Rig) -> None:
    await rig.chat(headers={"x": "y"})
    seen = (await rig.engine.record())["requests"]
    assert [(request["method"], request["path"]) for request in seen] == [("POST", CHAT)]
    assert header_of(seen[0], "content-type") == "application/json"
    assert load({}, environ={}).answer_timeout_s == 600


async def test_the_clients_credentials_never_reach_the_engine(rig: Rig) -> None:
    for header in ({"Authorization": "Bearer sk-mine"}, {"x-api-key": "sk-mine"}):
        response = await rig.post({"messages": [USER]}, headers=header)
        assert response.status_code == 200
    for seen in await rig.engine.seen():
        assert "sk-mine" not in str(seen["headers"])


FIELDS: Json = {
    "seed": 7,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True},
    },
    "logprobs": True,
    "top_logprobs": 3,
    "n": 2,
    "logit_bias": {"5": -100},
    "frequency_penalty": -0.5,
    "presence_penalty": -2,
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "user": "u",
    "metadata": {"a": "b"},
    "service_tier": "auto",
    "prediction": {"type": "content", "content": "x"},
    "modalities": ["text"],
    "max_completion_tokens": 9,
    "store": False,
    "verbosity": "low",
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "grammar": 'root ::= "a"',
    "json_schema": {"type": "object"},
    "cache_prompt": False,
    "id_slot": 0,
    "samplers": ["top_k"],
    "chat_template_kwargs": {"a": 1},
    "top_k": -1,
    "mirostat": 2,
    "mirostat_tau": 4.0,
    "dry_multiplier": 0.5,
    "xtc_probability": 0.1,
    "return_progress": False,
    "n_predict": 5,
    "a_field_of_tomorrow": [{"deep": None}],
}
REFUSED_FIELDS: Json = {
    "functions": [{"name": "f"}],
    "function_call": "auto",
    "audio": {"voice": "x", "format": "wav"},
    "web_search_options": {},
    "modalities": ["text", "audio"],
}


@pytest.mark.rule("fields-forwarded")
@pytest.mark.parametrize("name", FIELDS)
async def test_a_known_field_reaches_the_engine(rig: Rig, name: str) -> None:
    extra: Json = {"logprobs": True} if name == "top_logprobs" else {}
    body = await rig.forwarded(tools=[TOOL], **{name: FIELDS[name]}, **extra)
    assert body[name] == FIELDS[name]


@pytest.mark.rule("fields-refused")
@pytest.mark.parametrize("name", REFUSED_FIELDS)
async def test_a_field_that_cannot_be_honoured_is_a_named_400(rig: Rig, name: str) -> None:
    response = await rig.chat(**{name: REFUSED_FIELDS[name]})
    assert (response.status_code, response.json()["error"]["param"]) == (400, name)
    assert await rig.engine.seen() == []


async def test_enable_thinking_reaches_the_template(rig: Rig) -> None:
    body = await rig.forwarded(enable_thinking=False, chat_template_kwargs={"a": 1})
    assert body["chat_template_kwargs"] == {"a": 1, "enable_thinking": False}


@pytest.mark.rule("fields-forwarded")
async def test_numbers_travel_without_losing_digits(rig: Rig) -> None:
    await rig.post(b'{"messages":[{"role":"user","content":"x"}],"seed":18446744073709551615,"temperature":0.1000}')
    body = body_of((await rig.engine.seen())[0])
    assert (body["seed"], body["temperature"]) == (18446744073709551615, 0.1)


# A text that was cut within an emoji, where each dialect and route has it.
CUT: dict[str, tuple[str, bytes, str]] = {
    "openai": (CHAT, b'{"messages":[{"role":"user","content":"x \\ud83d"}]}', "messages.0.content"),
    "openai parts": (
        CHAT,
        b'{"messages":[{"role":"user","content":[{"type":"text","text":"x \\ud83d"}]}]}',
        "messages.0.content.0.text",
    ),
    "anthropic": (
        "/v1/messages",
        b'{"max_tokens":9,"messages":[{"role":"user","content":"x \\ud83d"}]}',
        "messages.0.content",
    ),
    "responses": ("/v1/responses", b'{"input":"x \\ud83d"}', "input"),
    "ollama": (
        "/api/chat",
        b'{"model":"pocket-v0","stream":false,"messages":[{"role":"user","content":"x \\ud83d"}]}',
        "messages.0.content",
    ),
    "a tool's words": (
        CHAT,
        (
            b'{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function",'
            b'"function":{"name":"f","description":"x \\ud83d"}}]}'
        ),
        "tools.0.function.description",
    ),
}


@pytest.mark.parametrize("name", CUT)
async def test_half_a_character_reaches_the_engine_as_its_replacement(rig: Rig, name: str) -> None:
    path, body, _ = CUT[name]
    response = await rig.post(body, path)
    assert response.status_code == 200, response.text
    assert response.headers["x-paddock-normalized"] == "half-characters-replaced"
    seen = b64decode((await rig.engine.seen())[0]["body"])
    assert "x \ufffd".encode() in seen
    assert b"\\ud83d" not in seen


@pytest.mark.parametrize("name", CUT)
async def test_half_a_character_is_refused_by_its_field_in_strict_mode(strict: Rig, name: str) -> None:
    path, body, place = CUT[name]
    response = await strict.post(body, path)
    assert response.status_code == (400 if name in ("anthropic", "ollama") else 422), response.text
    assert f"{place}: holds half of a surrogate pair" in response.text
    assert await strict.engine.seen() == []


@pytest.mark.rule("also-completions")
async def test_a_completion_reaches_the_engine_as_it_came(rig: Rig) -> None:
    body = {"prompt": ["Once", "Twice"], "max_tokens": 4, "echo": True, "suffix": "."}
    response = await rig.post({**body, "model": "pocket-v0"}, COMPLETIONS)
    assert response.status_code == 200, response.text
    sent = body_of((await rig.engine.seen(COMPLETIONS))[0])
    assert {name: sent[name] for name in body} == body


@pytest.mark.rule("unknown-model")
async def test_a_missing_model_is_the_default_one_and_an_unknown_one_is_told_what_exists(rig: Rig) -> None:
    for fields in ({}, {"model": None}, {"model": "pocket-v0"}):
        assert (await rig.chat(**fields)).status_code == 200
    await rig.engine.clear()
    for stream in (False, True):
        for path in (CHAT, COMPLETIONS):
            response = await rig.post({"messages": [USER], "prompt": "x", "model": "pocket", "stream": stream}, path)
            error = response.json()["error"]
            assert (response.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
            assert "'pocket-v0'" in error["message"]
    assert (await rig.engine.record())["requests"] == []


async def test_a_template_without_tools_refuses_them_rather_than_strip_them(tmp_path: Any) -> None:
    from tests.wire.rig import scripted_studio

    caps = {"chat_template_caps": {"supports_tools": False, "supports_tool_calls": False}}
    async with scripted_studio(tmp_path, script={"props": caps}) as toolless:
        response = await toolless.chat(tools=[TOOL])
        assert (response.status_code, response.json()["error"]["param"]) == (400, "tools")
        assert await toolless.engine.seen() == []
        assert (await toolless.chat()).status_code == 200
