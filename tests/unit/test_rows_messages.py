"""Tests rows 55-59 and 63 of the wire table on the converters of Messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paddock.protocol.messages import to_chat
from paddock.protocol.messages_answer import MessagesPassage
from paddock.protocol.messages_tools import tool_choice_of

TOOL: dict[str, Any] = {"name": "look", "description": "Look", "input_schema": {"type": "object", "properties": {}}}


def chat(**fields: Any) -> dict[str, Any]:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}], **fields}
    return to_chat(body).body


def test_row_55_auto_is_auto() -> None:
    assert tool_choice_of({"type": "auto"}) == "auto"


def test_row_56_any_is_required() -> None:
    assert tool_choice_of({"type": "any"}) == "required"


def test_row_57_none_is_none() -> None:
    assert tool_choice_of({"type": "none"}) == "none"


def test_row_58_a_tool_is_a_named_function() -> None:
    wanted = {"type": "function", "function": {"name": "look"}}
    assert tool_choice_of({"type": "tool", "name": "look"}) == wanted
    assert chat(tools=[TOOL], tool_choice={"type": "tool", "name": "look"})["tool_choice"] == wanted


@pytest.mark.parametrize(
    "choice", [{"type": "tool"}, {"type": "tool", "name": ""}, None, {"type": "odd"}, "any", 1, []]
)
def test_row_59_what_has_no_meaning_is_null_and_the_caller_takes_auto(choice: Any) -> None:
    assert tool_choice_of(choice) is None
    assert chat(tools=[TOOL], tool_choice=choice)["tool_choice"] == "auto"


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief."}]])
def test_row_63_the_system_prompt_is_the_first_message(system: Any) -> None:
    assert chat(system=system)["messages"][0] == {"role": "system", "content": "Be brief."}


def test_row_63_calls_and_results_become_chat_messages() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "sky"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "blue"}]}
    turns = [
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
        {"role": "user", "content": [result, {"type": "text", "text": "And?"}]},
    ]
    messages = chat(messages=turns, tools=[TOOL])["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    call = messages[1]["tool_calls"][0]
    assert (call["id"], call["function"]["name"]) == ("toolu_1", "look")
    assert json.loads(call["function"]["arguments"]) == {"at": "sky"}
    assert (messages[2]["tool_call_id"], messages[2]["content"]) == ("toolu_1", "blue")


def test_row_63_tools_become_functions_in_their_order() -> None:
    tools: list[dict[str, Any]] = [{**TOOL, "name": name} for name in ("b", "a", "c")]
    functions = [tool["function"] for tool in chat(tools=tools)["tools"]]
    assert [function["name"] for function in functions] == ["b", "a", "c"]
    assert functions[0]["parameters"] == TOOL["input_schema"]


def events(*chunks: dict[str, Any]) -> list[dict[str, Any]]:
    passage = MessagesPassage(message_id="msg_1", model="m")
    out = passage.opening()
    for chunk in chunks:
        out += passage.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    out += passage.finish()
    return [json.loads(line[6:]) for line in out.split(b"\n") if line.startswith(b"data: ")]


def said(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


USAGE = {
    "choices": list[Any](),
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}},
}


@pytest.mark.rule("messages-cache-control")
@pytest.mark.parametrize(
    ("reason", "told"),
    [("tool_calls", "tool_use"), ("length", "max_tokens"), ("stop", "end_turn"), ("odd", "end_turn")],
)
def test_row_63_the_order_of_events_the_reason_and_the_usage(reason: str, told: str) -> None:
    found = [event for event in events(said({"content": "Hi"}), said({}, reason), USAGE) if event["type"] != "ping"]
    assert [event["type"] for event in found] == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop",
    ]  # fmt: skip
    assert found[-2]["delta"]["stop_reason"] == told
    assert found[-2]["usage"]["output_tokens"] == 4
    assert (found[-2]["usage"]["input_tokens"], found[-2]["usage"]["cache_read_input_tokens"]) == (7, 2)
