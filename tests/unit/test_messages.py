"""Tests what becomes of each part of a Messages request beyond the rows: whatever real clients send is honoured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paddock.errors import BadRequest
from paddock.protocol.chat import ChatForm
from paddock.protocol.messages import to_chat
from paddock.rehearsal.shapes import shapes_of

Json = dict[str, Any]
IMAGE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
USE: Json = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}


def form(*turns: Json, **request: Any) -> ChatForm:
    return to_chat({"max_tokens": 9, "messages": list(turns) or [user("hi")], **request})


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def text(words: str, **fields: Any) -> Json:
    return {"type": "text", "text": words, **fields}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def result(content: Any, **fields: Any) -> Json:
    return user([{"type": "tool_result", "tool_use_id": "t1", "content": content, **fields}])


@pytest.mark.rule("messages-system")
def test_a_system_text_and_system_blocks_are_the_first_message() -> None:
    wanted = {"role": "system", "content": "one\n\ntwo"}
    assert form(system="one\n\ntwo").body["messages"][0] == wanted
    assert form(system=[text("one"), text("two", cache_control={"type": "ephemeral"})]).body["messages"][0] == wanted


@pytest.mark.rule("messages-later-system")
def test_a_system_turn_within_the_conversation_is_told_where_every_template_takes_it() -> None:
    body = form(user("hi"), {"role": "system", "content": "Be loud."}, system="Be brief.").body
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "Be loud." in body["messages"][1]["content"]


@pytest.mark.rule("messages-billing")
def test_the_billing_text_is_left_out_so_that_the_prompt_begins_the_same() -> None:
    blocks = [[text(f"x-anthropic-billing-header: cch={turn}"), text("Be kind.")] for turn in ("a", "b")]
    first, second = (form(system=system).body["messages"] for system in blocks)
    assert first == second
    assert "billing" not in json.dumps(first)


@pytest.mark.rule("messages-thinking-history")
def test_thoughts_of_before_are_reasoning_and_redacted_ones_are_left_out() -> None:
    thought: Json = {"type": "thinking", "thinking": "hm", "signature": "s"}
    turn = form(user("hi"), assistant(thought, {"type": "redacted_thinking", "data": "x"}, text("yes"))).body[
        "messages"
    ]
    assert turn[1] == {"role": "assistant", "content": "yes", "reasoning_content": "hm"}


@pytest.mark.rule("messages-thinking")
@pytest.mark.parametrize(
    ("thinking", "wanted"), [({"type": "disabled"}, False), ({"type": "enabled", "budget_tokens": 1024}, True)]
)
def test_thinking_is_turned_on_and_off_and_left_to_the_model(thinking: Json, wanted: bool) -> None:
    assert form(thinking=thinking).body["chat_template_kwargs"]["enable_thinking"] is wanted
    assert "chat_template_kwargs" not in form(thinking={"type": "adaptive"}).body


@pytest.mark.rule("messages-results")
def test_a_tools_result_is_text_an_image_or_a_failure() -> None:
    called = [user("hi"), assistant(USE)]
    assert form(*called, result("ok")).body["messages"][-1]["content"] == "ok"
    assert form(*called, result(None)).body["messages"][-1]["content"] == ""
    assert form(*called, result("no", is_error=True)).body["messages"][-1]["content"] == "Error: no"
    shown = form(*called, result([text("see"), IMAGE])).body["messages"]
    assert [message["role"] for message in shown[-2:]] == ["tool", "user"]
    assert shown[-1]["content"][0]["image_url"]["url"] == "data:image/png;base64,AA=="


@pytest.mark.rule("messages-server-tools")
def test_tools_that_a_service_would_run_are_left_out_and_named_and_their_blocks_become_text() -> None:
    tools: list[Json] = [{"type": "web_search_20250305", "name": "web_search"}, {"name": "look", "input_schema": {}}]
    made = form(tools=tools)
    assert [tool["function"]["name"] for tool in made.body["tools"]] == ["look"]
    assert any("web_search" in note for note in made.adapted)
    told = form(user("hi"), assistant({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}))
    assert "web_search" in told.body["messages"][1]["content"]


@pytest.mark.rule("messages-cache-control", "messages-unknown-fields")
def test_marks_and_fields_that_say_nothing_to_an_engine_change_nothing() -> None:
    marked = form(
        user([text("hi", cache_control={"type": "ephemeral"})]),
        metadata={"user_id": "u"}, context_management={"edits": []}, cache_control={"type": "ephemeral"},
        output_config={"effort": "high"},
    )  # fmt: skip
    assert marked.body == form(user("hi")).body


@pytest.mark.rule("messages-stop")
def test_stop_sequences_are_stops() -> None:
    assert form(stop_sequences=["a", "b"]).body["stop"] == ["a", "b"]
    assert "stop" not in form(stop_sequences=[]).body


@pytest.mark.rule("prefix-stable")
def test_a_recorded_second_turn_begins_as_the_first_one_did() -> None:
    for client in ("claude-code",):
        shapes = shapes_of([client])[0]
        first, second = (to_chat(shape.body or {}).body for shape in shapes[1:])
        assert json.dumps(first["tools"]) == json.dumps(second["tools"])
        assert second["messages"][: len(first["messages"])] == first["messages"]


@pytest.mark.rule("images-messages")
def test_images_come_as_base64_or_by_address_several_in_one_turn() -> None:
    by_url: Json = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    content = form(user([text("see"), IMAGE, by_url])).body["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "image_url"]
    with pytest.raises(BadRequest) as caught:
        form(user([{"type": "image", "source": {"type": "file", "file_id": "f"}}]))
    assert caught.value.param == "messages.0.content.0.source"


def test_a_call_of_the_server_without_its_result_has_one_that_says_so_and_a_result_without_its_call_is_text() -> None:
    use: Json = {"type": "mcp_tool_use", "id": "m1", "name": "look", "input": {}, "server_name": "paddock"}
    other: Json = {"type": "mcp_tool_result", "tool_use_id": "m2", "is_error": False, "content": [text("x")]}
    asked, answered = form(user("hi"), assistant(use), user("go on")).body["messages"][1:3]
    assert asked["tool_calls"][0]["id"] == "m1"
    assert answered == {"role": "tool", "tool_call_id": "m1", "content": "(no result)"}
    assert "mcp_tool_result" in form(user("hi"), assistant(other)).body["messages"][1]["content"]
    elsewhere = form(user("hi"), assistant({**use, "server_name": "theirs"})).body["messages"][1]
    assert "mcp_tool_use" in elsewhere["content"]
