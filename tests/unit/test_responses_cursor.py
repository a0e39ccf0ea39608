"""Tests that a chat body with parts of a Responses request in it is put in chat form, and any other left alone."""

from __future__ import annotations

from typing import Any

import pytest

from paddock.errors import BadRequest
from paddock.protocol.responses_cursor import adapt_cursor

Json = dict[str, Any]
LOOK: Json = {"type": "function", "name": "look", "description": "d", "parameters": {"type": "object"}, "strict": True}
IMAGE = "data:image/png;base64,AA=="
NAMED = {"type": "function", "function": {"name": "look"}}
CALL: Json = {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "a", "output": "seen"}


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def text(words: str, kind: str = "input_text") -> Json:
    return {"type": kind, "text": words}


def test_a_chat_body_in_chat_form_is_left_alone() -> None:
    body: Json = {"messages": [user("hi")], "tools": [NAMED], "tool_choice": NAMED}
    assert adapt_cursor(body) == (body, ())
    assert adapt_cursor(body)[0] is body


# Constructed from what is published about Cursor; nothing of it was recorded.
CURSOR: Json = {
    "model": "m", "user": "u", "stream": True, "tool_choice": {"type": "custom", "name": "patch"},
    "tools": [{"type": "custom", "custom": {"name": "patch", "description": "d"}}, LOOK],
}  # fmt: skip


@pytest.mark.rule("cursor")
def test_a_chat_body_with_an_input_is_read_as_messages() -> None:
    given = [{"role": "system", "content": "rules"}, {"role": "user", "content": [text("hi")]}, CALL, OUTPUT]
    body, adapted = adapt_cursor({**CURSOR, "input": given})
    assert [one["role"] for one in body["messages"]] == ["system", "user", "assistant", "tool"]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["patch", "look"]
    assert body["tool_choice"]["function"] == {"name": "patch"}
    assert body["stream"] is True
    assert "stream_options" not in body
    assert "input" not in body
    assert adapted[0] == "input: read as messages"
    with pytest.raises(BadRequest):
        adapt_cursor({**CURSOR, "input": given, "previous_response_id": "resp_x"})


@pytest.mark.rule("cursor")
def test_flat_tools_and_parts_of_another_lane_are_put_in_chat_form() -> None:
    parts = [text("look"), {"type": "input_image", "image_url": IMAGE}, {"type": "text", "text": "x"}]
    given = [{"role": "user", "content": parts}, user("so?")]
    body, adapted = adapt_cursor({**CURSOR, "messages": given, "stream_options": {"include_usage": True}})
    assert body["messages"][0]["content"] == [
        text("look", "text"), {"type": "image_url", "image_url": {"url": IMAGE}}, text("x", "text"),
    ]  # fmt: skip
    assert body["messages"][1] is given[1]
    assert body["tools"][1] == {"type": "function", "function": {name: LOOK[name] for name in LOOK if name != "type"}}
    assert body["tool_choice"]["function"] == {"name": "patch"}
    assert body["stream_options"] == {"include_usage": True}
    assert adapted == (
        "messages: content parts renamed as in chat completions",
        "tools: put in the form of chat completions",
        "tools: patch is a function with one text, input",
    )
