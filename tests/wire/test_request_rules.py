"""Tests the rules of a request's fields (rows 1-18) and the repairs in front of them, in both modes, on the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.wire.rig import CHAT, COMPLETIONS, TOOL, USER, Json, Rig

pytestmark = pytest.mark.anyio


def call(call_id: str = "call_1", name: str = "get_weather", arguments: str = '{"city": "Oslo"}') -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def turn(*calls: Json, **fields: object) -> Json:
    """An assistant turn with calls."""
    return {"role": "assistant", "tool_calls": list(calls or (call(),)), **fields}


def output(content: Any = "Rain", call_id: str | None = "call_1", **fields: object) -> Json:
    """A tool's answer."""
    message: Json = {"role": "tool", "content": content, **fields}
    return message if call_id is None else {**message, "tool_call_id": call_id}


async def accepted(rig: Rig, messages: list[Json], **fields: object) -> tuple[list[Json], str | None]:
    """The messages that reached the engine, and what was repaired."""
    response = await rig.chat(messages=messages, **fields)
    assert response.status_code == 200, response.text
    return (await rig.forwarded(messages=messages, **fields))["messages"], response.headers.get("x-paddock-normalized")


async def refused(rig: Rig, status: int = 422, *, path: str = CHAT, **fields: object) -> Json:
    """The error of a request that must be refused before the engine is asked."""
    response = await rig.post({"messages": [USER], **fields}, path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    assert set(response.json()) == {"error"}
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert await rig.engine.seen(path) == []
    return error


@pytest.mark.parametrize("tools", [None, [], [TOOL]])
async def test_row_1_tools_may_be_absent_null_or_a_list_of_objects(rig: Rig, tools: list[Json] | None) -> None:
    await rig.forwarded()
    await rig.forwarded(tools=tools)


@pytest.mark.parametrize("tools", ["get_weather", {"type": "function"}, ["get_weather"], [1], 5])
async def test_row_1_tools_of_another_shape_are_refused(rig: Rig, tools: Any) -> None:
    error = await refused(rig, tools=tools)
    assert error["param"].startswith("tools")


NAMED = {"type": "function", "function": {"name": "get_weather"}}


@pytest.mark.parametrize("choice", [None, "auto", "required", "none", NAMED])
async def test_row_2_every_tool_choice_is_accepted(rig: Rig, choice: Any) -> None:
    await rig.forwarded(tools=[TOOL], tool_choice=choice)


@pytest.mark.parametrize("choice", ["sometimes", 5, ["auto"]])
async def test_row_2_another_tool_choice_is_refused(rig: Rig, choice: Any) -> None:
    error = await refused(rig, tools=[TOOL], tool_choice=choice)
    assert error["param"] == "tool_choice"


@pytest.mark.parametrize("choice", [{"type": "function"}, {"type": "function", "function": {"name": "nowhere"}}])
async def test_row_2_a_forced_function_that_is_not_among_the_tools_is_refused(rig: Rig, choice: Json) -> None:
    response = await rig.chat(tools=[TOOL], tool_choice=choice)
    assert response.status_code in (400, 422), response.text
    assert response.json()["error"]["param"].startswith("tool_choice")
    assert await rig.engine.seen() == []


@pytest.mark.parametrize("stop", ["END", ["END", "STOP"]])
async def test_row_3_stop_is_text_or_a_list_of_texts(rig: Rig, stop: Any) -> None:
    assert (await rig.forwarded(stop=stop))["stop"] == stop
    assert "stop" not in await rig.forwarded() or (await rig.forwarded())["stop"] is None


async def test_row_3_another_stop_is_refused(rig: Rig) -> None:
    assert (await refused(rig, stop={"at": "END"}))["param"] == "stop"
    assert (await refused(rig, stop=[1]))["param"].startswith("stop")


async def test_row_4_unknown_fields_reach_the_engine(rig: Rig) -> None:
    extras = {
        "frequency_penalty": 0.5,
        "seed": 7,
        "response_format": {"type": "json_object"},
        "tomorrow": {"deep": [1]},
    }
    body = await rig.forwarded(**extras)
    assert {name: body[name] for name in extras} == extras


async def test_row_5_without_stream_the_answer_is_one_json_body(rig: Rig) -> None:
    response = await rig.chat()
    assert response.headers["content-type"].startswith("application/json")
    assert response.json()["choices"][0]["message"]["role"] == "assistant"
    assert (await rig.engine.seen())[0]["chunks_sent"] == 0


async def test_row_6_extension_fields_are_understood(rig: Rig) -> None:
    await rig.forwarded(enable_tools=False, enabled_tools=["python"], session_id="s")
    wrong: list[Json] = [{"enable_tools": "yes"}, {"enabled_tools": "python"}, {"session_id": 5}]
    for fields in wrong:
        await rig.engine.clear()
        assert (await refused(rig, **fields))["param"].startswith(next(iter(fields)))


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
async def test_row_7_roles_are_accepted(rig: Rig, role: str) -> None:
    messages, repaired = await accepted(rig, [{"role": role, "content": "Hi"}, USER])
    assert (messages[0]["role"], repaired) == (role, None)


@pytest.mark.parametrize("role", ["function", "robot", "", None, 5])
async def test_row_7_another_role_is_refused_in_both_modes(either: Rig, role: Any) -> None:
    error = await refused(either, messages=[{"role": role, "content": "Hi"}])
    assert error["param"].endswith("role")


@pytest.mark.parametrize("fields", [{"content": None}, {}])
async def test_row_8_content_may_be_null_or_absent_beside_calls(rig: Rig, fields: Json) -> None:
    messages, repaired = await accepted(rig, [USER, turn(**fields), output()], tools=[TOOL])
    assert (messages[1], repaired) == (turn(**fields), None)


async def test_row_9_content_and_calls_together_are_accepted(strict: Rig) -> None:
    messages, _ = await accepted(strict, [USER, turn(content="Let me look."), output()], tools=[TOOL])
    assert messages[1]["content"] == "Let me look."


@pytest.mark.parametrize("fields", [{}, {"content": None}, {"content": ""}, {"tool_calls": []}, {"tool_calls": None}])
async def test_row_10_an_assistant_turn_with_neither_is_refused_by_name(strict: Rig, fields: Json) -> None:
    error = await refused(strict, messages=[USER, {"role": "assistant", **fields}, USER])
    assert "content" in error["message"]
    assert "tool_calls" in error["message"]


@pytest.mark.parametrize("call_id", [None, ""])
async def test_row_11_a_tool_message_needs_its_call_id(strict: Rig, call_id: str | None) -> None:
    error = await refused(strict, messages=[USER, turn(), output(call_id=call_id)])
    assert "tool_call_id" in error["message"]


@pytest.mark.parametrize("content", ["", None, []])
async def test_row_12_a_tool_message_needs_content(strict: Rig, content: Any) -> None:
    assert "content" in (await refused(strict, messages=[USER, turn(), output(content)]))["message"]


@pytest.mark.parametrize("role", ["user", "system"])
@pytest.mark.parametrize("content", ["", None, []])
async def test_row_13_user_and_system_need_content_in_both_modes(either: Rig, role: str, content: Any) -> None:
    assert "content" in (await refused(either, messages=[{"role": role, "content": content}]))["message"]


WRONG_PLACES: list[tuple[str, Json]] = [
    (field, {"role": role, "content": "x", **({"tool_call_id": "call_1"} if role == "tool" else {}), field: value})
    for field, value, roles in (
        ("tool_calls", [call()], ("user", "system", "tool")),
        ("tool_call_id", "call_1", ("user", "system", "assistant")),
    )
    for role in roles
]


@pytest.mark.parametrize(("field", "message"), WRONG_PLACES, ids=[f"{f}-on-{m['role']}" for f, m in WRONG_PLACES])
async def test_rows_14_and_15_tool_fields_on_a_wrong_role_are_refused_in_both_modes(
    either: Rig, field: str, message: Json
) -> None:
    error = await refused(either, messages=[USER, turn(), message])
    assert field in error["message"]


@pytest.mark.parametrize("role", ["user", "system", "assistant"])
async def test_row_16_a_name_belongs_to_tool_messages(strict: Rig, role: str) -> None:
    assert "name" in (await refused(strict, messages=[{"role": role, "content": "x", "name": "Ada"}, USER]))["message"]


async def test_row_16_a_name_on_a_tool_message_reaches_the_engine(strict: Rig) -> None:
    messages, _ = await accepted(strict, [USER, turn(), output(name="get_weather")], tools=[TOOL])
    assert messages[2]["name"] == "get_weather"


async def test_row_17_the_tool_loop_keeps_its_order_ids_and_nulls(either: Rig) -> None:
    loop = [USER, turn(content=None), output()]
    assert await accepted(either, loop, tools=[TOOL]) == (loop, None)


@pytest.mark.parametrize("stream", [False, True])
async def test_row_18_a_broken_rule_is_told_before_the_engine_is_asked_also_for_streams(rig: Rig, stream: bool) -> None:
    await refused(rig, messages=[{"role": "user"}], stream=stream)


@pytest.mark.parametrize("messages", [None, [], "Hello", {"role": "user"}, ["Hello"], [None]])
async def test_messages_of_another_shape_are_refused(rig: Rig, messages: Any) -> None:
    assert (await refused(rig, messages=messages))["param"].startswith("messages")


@pytest.mark.parametrize(
    ("field", "value"),
    [("stream", "yes"), ("temperature", "hot"), ("max_tokens", "many"), ("top_p", [1]), ("n", "two"), ("model", 5)],
)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_a_field_of_a_wrong_type_is_named(rig: Rig, field: str, value: Any, path: str) -> None:
    error = await refused(rig, path=path, prompt="Hello", **{field: value})
    assert error["param"] == field


DOCS = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
REPAIRS: dict[str, tuple[list[Json], list[Json]]] = {
    "missing tool_call_id": ([USER, turn(), output(call_id=None)], [USER, turn(), output()]),
    "empty tool_call_id": ([USER, turn(), output(call_id="")], [USER, turn(), output()]),
    "missing tool_call_id of the second call": (
        [USER, turn(call("a"), call("b")), output(call_id="a"), output(call_id=None)],
        [USER, turn(call("a"), call("b")), output(call_id="a"), output(call_id="b")],
    ),
    "empty tool output": ([USER, turn(), output("")], [USER, turn(), output("")]),
    "null tool output": ([USER, turn(), output(None)], [USER, turn(), output("")]),
    "tool output without parts": ([USER, turn(), output([])], [USER, turn(), output("")]),
    "developer": (
        [{"role": "developer", "content": "Be kind"}, USER],
        [{"role": "system", "content": "Be kind"}, USER],
    ),
    "name on user": ([{**USER, "name": "Ada"}], [{**USER, "name": "Ada"}]),
    "name on system": (
        [{"role": "system", "content": "x", "name": "Ada"}, USER],
        [{"role": "system", "content": "x", "name": "Ada"}, USER],
    ),
    "name on assistant": (
        [USER, {"role": "assistant", "content": "x", "name": "Ada"}, USER],
        [USER, {"role": "assistant", "content": "x", "name": "Ada"}, USER],
    ),
    "empty assistant text": ([USER, {"role": "assistant", "content": ""}, USER], [USER, USER]),
    "null assistant text": ([USER, {"role": "assistant", "content": None}, USER], [USER, USER]),
    "assistant without text": ([USER, {"role": "assistant"}, USER], [USER, USER]),
    "empty text beside calls": ([USER, turn(content=""), output()], [USER, turn(content=""), output()]),
}


@pytest.mark.rule("normalized")
@pytest.mark.parametrize("name", REPAIRS)
async def test_a_repair_is_made_and_named_by_default(rig: Rig, name: str) -> None:
    given, wanted = REPAIRS[name]
    messages, repaired = await accepted(rig, given, tools=[TOOL])
    assert repaired
    assert all(f"`{made}`" in DOCS for made in repaired.split(", "))
    assert [_without_empty(message) for message in messages] == [_without_empty(message) for message in wanted]


def _without_empty(message: Json) -> Json:
    """Empty text beside calls may also travel as null or be left out: the template sees the same."""
    if message.get("tool_calls") and not message.get("content"):
        return {key: value for key, value in message.items() if key != "content"}
    return message


@pytest.mark.rule("normalized-strict")
@pytest.mark.parametrize("name", REPAIRS)
async def test_a_repair_is_a_refusal_in_strict_mode(strict: Rig, name: str) -> None:
    await refused(strict, messages=REPAIRS[name][0], tools=[TOOL])


async def test_a_request_that_needs_no_repair_names_none(rig: Rig) -> None:
    assert "x-paddock-normalized" not in (await rig.chat()).headers


@pytest.mark.rule("normalized")
async def test_a_stream_names_its_repairs_too(rig: Rig) -> None:
    response = await rig.chat(messages=[{"role": "developer", "content": "x"}, {**USER, "name": "Ada"}], stream=True)
    assert len(response.headers["x-paddock-normalized"].split(",")) == 2


NOT_REPAIRABLE: dict[str, list[Json]] = {
    "no open call": [USER, output(call_id=None)],
    "no open call, empty id": [USER, output(call_id="")],
    "several open calls": [USER, turn(call("a"), call("b")), output(call_id=None)],
    "several open calls, empty id": [USER, turn(call("a"), call("b")), output(call_id="")],
    "call already answered": [USER, turn(), output(), output(call_id=None)],
    "role function": [USER, {"role": "function", "name": "get_weather", "content": "Rain"}],
    "empty user text": [{"role": "user", "content": ""}],
}


@pytest.mark.rule("never-repaired")
@pytest.mark.parametrize("name", NOT_REPAIRABLE)
async def test_what_cannot_be_repaired_is_refused_in_both_modes(either: Rig, name: str) -> None:
    await refused(either, messages=NOT_REPAIRABLE[name])
