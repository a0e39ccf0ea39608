"""Tests that a Responses request becomes the right chat body, or is refused with its field named."""

from __future__ import annotations

from typing import Any

import pytest

from paddock.errors import BadRequest, FieldInvalid
from paddock.protocol.responses import ResponsesForm, to_chat
from paddock.protocol.responses_tools import Origin
from paddock.rehearsal.shapes import shapes_of

Json = dict[str, Any]
LOOK: Json = {"type": "function", "name": "look", "description": "d", "parameters": {"type": "object"}, "strict": True}
IMAGE = "data:image/png;base64,AA=="
CALL: Json = {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "a", "output": "seen"}


def form(given: Any = "hi", **request: Any) -> ResponsesForm:
    return to_chat({"model": "m", "input": given, **request}, response_id="resp_0a")


def messages(*items: Json, **request: Any) -> list[Json]:
    return form(list(items), **request).body["messages"]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def said(role: str, *parts: Json) -> Json:
    return {"type": "message", "role": role, "content": list(parts)}


def text(words: str, kind: str = "input_text") -> Json:
    return {"type": kind, "text": words}


def call_in_chat(call_id: str = "a", name: str = "look", arguments: str = "{}") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.rule("responses-items")
def test_a_text_is_the_users_message_and_is_kept_as_an_item() -> None:
    got = form("hi")
    assert got.body == {"model": "m", "messages": [user("hi")]}
    assert got.items == [{"type": "message", "role": "user", "content": [text("hi")], "id": "item_0a_0",
                          "status": "completed"}]  # fmt: skip
    assert got.adapted == ()


def test_items_are_kept_with_a_type_an_id_a_status_and_their_content_as_parts() -> None:
    items = [{"role": "assistant", "content": "yes"}, {**OUTPUT, "id": "own"}, {"type": "reasoning", "content": None}]
    assert form(items).items == [
        {"type": "message", "role": "assistant", "id": "item_0a_0", "status": "completed",
         "content": [{"annotations": [], "type": "output_text", "text": "yes"}]},
        {**OUTPUT, "id": "own", "status": "completed"},
        {"type": "reasoning", "content": None, "summary": [], "id": "item_0a_2"},
    ]  # fmt: skip


def test_instructions_and_leading_developer_messages_are_one_system_message() -> None:
    leading = (said("developer", text("one"), text("two")), {"role": "system", "content": "three"}, user("hi"))
    assert messages(*leading, instructions="first") == [
        {"role": "system", "content": "first\n\none\n\ntwo\n\nthree"},
        user("hi"),
    ]


def test_instructions_within_the_conversation_become_part_of_the_users_turn() -> None:
    got = messages(user("hi"), {"role": "developer", "content": "be brief"}, said("assistant", text("ok")))
    assert got[0] == user("hi\n\n<system>\nbe brief\n</system>")
    picture = said("user", {"type": "input_image", "image_url": IMAGE})
    got = messages(picture, {"role": "developer", "content": "be brief"})
    assert got[0]["content"][1] == text("<system>\nbe brief\n</system>", "text")


@pytest.mark.rule("prefix-stable")
def test_a_longer_conversation_begins_as_the_shorter_one_did() -> None:
    turns: list[Json] = [
        {"role": "developer", "content": "rules"}, user("do"), {"type": "reasoning", "summary": [text("hm")]},
        CALL, {**CALL, "call_id": "b"}, OUTPUT, {**OUTPUT, "call_id": "b"}, said("assistant", text("done")),
        {"role": "developer", "content": "more rules"}, user("again"),
    ]  # fmt: skip
    assert messages(*turns)[: len(messages(*turns[:7]))] == messages(*turns[:7])
    assert messages(*turns)[: len(messages(*turns[:8]))] == messages(*turns[:8])


@pytest.mark.rule("responses-items")
def test_thoughts_text_and_calls_that_follow_one_another_are_one_turn() -> None:
    thoughts = {"type": "reasoning", "content": [text("I", "reasoning_text"), text("see", "reasoning_text")]}
    more = {"type": "reasoning", "summary": [text("also", "summary_text")], "encrypted_content": "xxxx"}
    items = [user("hi"), thoughts, said("assistant", text("Look", "output_text")), CALL, more,
             {**CALL, "call_id": "b", "arguments": '{"x": 1}'}, {**OUTPUT, "call_id": "b"}, OUTPUT]  # fmt: skip
    assert messages(*items)[1:] == [
        {"role": "assistant", "content": "Look", "reasoning_content": "I\n\nsee\n\nalso",
         "tool_calls": [call_in_chat(), call_in_chat("b", arguments='{"x": 1}')]},
        {"role": "tool", "tool_call_id": "b", "content": "seen"},
        {"role": "tool", "tool_call_id": "a", "content": "seen"},
    ]  # fmt: skip


def test_a_text_after_a_call_stays_before_the_calls_output() -> None:
    got = messages(user("hi"), CALL, said("assistant", text("wait")), OUTPUT)
    assert [one["role"] for one in got] == ["user", "assistant", "tool"]
    assert (got[1]["content"], got[1]["tool_calls"]) == ("wait", [call_in_chat()])


def test_images_of_outputs_come_after_the_last_output() -> None:
    picture: Json = {"type": "input_image", "image_url": IMAGE}
    items = [CALL, {**CALL, "call_id": "b"}, {**OUTPUT, "output": [picture]}, {**OUTPUT, "call_id": "b"}, user("so?")]
    got = messages(*items)
    assert [one["role"] for one in got] == ["assistant", "tool", "tool", "user", "user"]
    assert got[1]["content"] == "The output is shown in the next message."
    assert got[3]["content"] == [{"type": "image_url", "image_url": {"url": IMAGE}}]


def test_words_between_a_call_and_its_output_wait_until_after_it() -> None:
    got = messages(user("hi"), CALL, {"role": "developer", "content": "stop"}, OUTPUT, said("assistant", text("ok")))
    assert [one["role"] for one in got] == ["user", "assistant", "tool", "user", "assistant"]


def test_an_image_waits_only_until_the_calls_are_answered() -> None:
    picture: Json = {"type": "input_image", "image_url": IMAGE}
    got = messages(CALL, {**OUTPUT, "output": [picture]}, said("assistant", text("a cow")))
    assert [one["role"] for one in got] == ["assistant", "tool", "user", "assistant"]
    got = messages(CALL, OUTPUT, {"role": "developer", "content": "be brief"}, {**CALL, "call_id": "b"})
    assert [one["role"] for one in got] == ["assistant", "tool", "user", "assistant"]


def test_words_after_the_last_output_are_joined_to_no_waiting_turn() -> None:
    got = messages(user("hi"), CALL, OUTPUT, user("so?"), {"role": "developer", "content": "be brief"})
    assert got[-1] == user("so?\n\n<system>\nbe brief\n</system>")
    got = messages(CALL, OUTPUT, {"role": "developer", "content": "one"}, {"role": "developer", "content": "two"})
    assert got[2:] == [user("<system>\none\n</system>\n\n<system>\ntwo\n</system>")]


def test_what_the_assistant_says_after_words_that_wait_is_a_turn_of_its_own() -> None:
    got = messages(CALL, {"role": "developer", "content": "stop"}, said("assistant", text("ok")))
    assert [one["role"] for one in got] == ["assistant", "user", "assistant"]


def test_thoughts_that_led_to_nothing_are_left_out() -> None:
    thoughts = {"type": "reasoning", "content": [text("lost", "reasoning_text")]}
    got = messages(user("hi"), thoughts, user("again"), said("assistant", text("yes")))
    assert got[2] == {"role": "assistant", "content": "yes"}


@pytest.mark.parametrize(
    ("output", "wanted"), [("", ""), ([text("a"), text("b")], "a\n\nb"), ({"k": 1}, '{"k": 1}'), (None, "")]
)
def test_an_output_is_text_or_parts_or_an_object(output: Any, wanted: str) -> None:
    assert messages(CALL, {**OUTPUT, "output": output})[1]["content"] == wanted


@pytest.mark.rule("responses-items")
def test_an_output_that_answers_no_call_is_told_to_the_model_as_text() -> None:
    # As Codex sends it once the model made itself a goal.
    told: Json = {
        "type": "function_call_output", "id": "fco_1", "namespace": "agent", "name": "goal", "output": "ship",
    }  # fmt: skip
    got = form([user("hi"), CALL, OUTPUT, told])
    wanted = '{"namespace": "agent", "name": "goal", "output": "ship"}'
    assert [(m["role"], m["content"]) for m in got.body["messages"][-2:]] == [("tool", "seen"), ("user", wanted)]
    assert got.adapted == ("input: outputs that answer no call became text",)


def test_a_missing_call_id_is_filled_in_where_one_call_waits_and_refused_elsewhere() -> None:
    bare: Json = {"type": "function_call_output", "output": "ok"}
    got = form([user("hi"), CALL, bare])
    assert got.body["messages"][-1] == {"role": "tool", "tool_call_id": CALL["call_id"], "content": "ok"}
    assert got.adapted == ("input: a missing call_id was filled in",)
    for items in ([user("hi"), bare], [user("hi"), CALL, {**CALL, "call_id": "b"}, bare]):
        with pytest.raises(FieldInvalid) as caught:
            form(items)
        assert caught.value.param == f"input.{len(items) - 1}.call_id"


def test_a_custom_call_and_its_output_are_a_call_of_the_function_that_stands_for_it() -> None:
    call = {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": 'say "x"'}
    output = {"type": "custom_tool_call_output", "call_id": "a", "output": "ok"}
    got = messages(call, output, tools=[{"type": "custom", "name": "patch"}])
    assert got[0]["tool_calls"] == [call_in_chat(name="patch", arguments='{"input": "say \\"x\\""}')]
    assert got[1] == {"role": "tool", "tool_call_id": "a", "content": "ok"}


@pytest.mark.rule("responses-items")
def test_items_of_the_services_own_tools_become_text_and_are_named() -> None:
    got = form([user("hi"), {"type": "local_shell_call", "id": "x", "call_id": "a", "action": {"command": ["ls"]}},
                {"type": "local_shell_call_output", "id": "y", "output": "file"},
                {"type": "compaction", "encrypted_content": "x" * 99}])  # fmt: skip
    assert got.body["messages"] == [
        user("hi"),
        {"role": "assistant", "content": '{"type": "local_shell_call", "call_id": "a", "action": {"command": ["ls"]}}'},
        user('{"type": "local_shell_call_output", "output": "file"}'),
    ]
    assert got.adapted == (
        "input: items of type local_shell_call became text",
        "input: items of type local_shell_call_output became text",
        "input: items of type compaction left out",
    )


@pytest.mark.rule("responses-items")
def test_history_comes_first_and_can_be_referred_to() -> None:
    history = [{"type": "message", "id": "m1", "role": "user", "content": "before"}, {**CALL, "id": "fc1"}]
    given = [{"type": "item_reference", "id": "m1"}, {"id": "fc1"}, OUTPUT]
    got = to_chat({"input": given, "instructions": "new"}, response_id="resp_0a", history=history)
    assert [one["role"] for one in got.body["messages"]] == ["system", "user", "assistant", "tool"]
    assert [item["id"] for item in got.items] == ["item_0a_2"]
    with pytest.raises(BadRequest) as refused:
        form([{"type": "item_reference", "id": "gone"}])
    assert refused.value.param == "input.0.id"


@pytest.mark.rule("responses-tools")
def test_tools_of_all_kinds_are_functions_under_names_of_their_own() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}
    inner: list[Json] = [{"type": "function", "name": "feed", "description": "f"}, {"type": "function", "name": "look"}]
    tools: list[Json] = [
        LOOK, {"type": "namespace", "name": "farm", "tools": inner},
        {"type": "namespace", "name": "mcp__barn__", "tools": [{"type": "function", "name": "open"}]},
        {"type": "function", "name": "farm__feed"},
        {"type": "custom", "name": "patch", "description": "d", "format": grammar},
        {"type": "web_search", "external_web_access": True},
    ]  # fmt: skip
    got = form(tools=tools)
    names = [tool["function"]["name"] for tool in got.body["tools"]]
    assert names == ["look", "farm__feed", "farm__look", "mcp__barn__open", "farm__feed_2", "patch"]
    assert got.body["tools"][0]["function"] == {name: LOOK[name] for name in LOOK if name != "type"}
    patch = got.body["tools"][5]["function"]
    assert patch["parameters"]["properties"] == {"input": {"type": "string"}}
    assert patch["description"] == "d\n\nThe input must follow this lark grammar:\nstart: /x/"
    assert got.tools.origin("farm__feed") == Origin(kind="function", name="feed", namespace="farm")
    assert got.tools.origin("farm__feed_2") == Origin(kind="function", name="farm__feed")
    assert got.tools.origin("look") == Origin(kind="function", name="look")
    assert got.tools.origin("patch") == Origin(kind="custom", name="patch")
    assert got.tools.origin("feed") == Origin(kind="function", name="feed", namespace="farm")
    assert got.tools.origin("never") == Origin(kind="function", name="never")
    assert got.adapted == (
        "tools: the grammar of patch is told to the model, not enforced",
        "tools: web_search left out, paddock does not run it",
    )


@pytest.mark.rule("responses-tools")
def test_a_call_of_a_namespace_has_the_same_name_in_the_history() -> None:
    tools = [{"type": "namespace", "name": "farm", "tools": [{"type": "function", "name": "feed"}]}]
    got = messages({**CALL, "name": "feed", "namespace": "farm"}, OUTPUT, tools=tools)
    assert got[0]["tool_calls"][0]["function"]["name"] == "farm__feed"
    assert messages({**CALL, "name": "feed", "namespace": "gone"}, OUTPUT)[0]["tool_calls"][0]["function"]["name"] == (
        "gone__feed"
    )


def test_tools_that_an_item_adds_are_tools() -> None:
    got = form([{"type": "additional_tools", "role": "developer", "tools": [LOOK]}, user("hi")])
    assert [tool["function"]["name"] for tool in got.body["tools"]] == ["look"]
    assert (got.body["messages"], got.adapted) == ([user("hi")], ())


NAMED = {"type": "function", "function": {"name": "look"}}


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "look"}, NAMED),
        ({"type": "function", "function": {"name": "look"}}, NAMED),
        ({"type": "function", "name": "feed"}, {"type": "function", "function": {"name": "farm__feed"}}),
        ({"type": "custom", "name": "patch"}, {"type": "function", "function": {"name": "patch"}}),
        ({"type": "web_search"}, "auto"),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"},
                                                                      {"type": "mcp", "server_label": "x"}]},
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}},
        ),
    ],
)  # fmt: skip
def test_a_tool_choice_is_put_in_chat_form(choice: Any, wanted: Any) -> None:
    namespace = {"type": "namespace", "name": "farm", "tools": [{"type": "function", "name": "feed"}]}
    tools = [LOOK, {"type": "custom", "name": "patch"}, namespace]
    assert form(tools=tools, tool_choice=choice).body["tool_choice"] == wanted


def test_a_choice_with_no_tool_left_to_choose_is_left_out_and_named() -> None:
    got = form(tools=[{"type": "web_search"}], tool_choice="required")
    assert "tool_choice" not in got.body
    assert got.adapted[-1] == "tool_choice: left out, no tool is left to choose"


@pytest.mark.rule("responses-format")
@pytest.mark.parametrize(
    ("wanted", "response_format"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "name": "A", "schema": {"type": "object"}, "strict": True},
            {"type": "json_schema", "json_schema": {"name": "A", "schema": {"type": "object"}, "strict": True}},
        ),
    ],
)
def test_a_text_format_is_a_response_format(wanted: Json, response_format: Json | None) -> None:
    assert form(text={"format": wanted}).body.get("response_format") == response_format


def test_what_an_engine_knows_passes_and_what_says_nothing_to_it_does_not() -> None:
    got = form(
        temperature=0.1, top_p=0.9, parallel_tool_calls=False, seed=3, min_p=0.1, stop=["x"], max_output_tokens=7,
        stream=True, top_logprobs=2, reasoning={"effort": "minimal"}, metadata={"k": "v"}, user="u", store=False,
        prompt_cache_key="k", safety_identifier="s", client_metadata={}, background=False, temperature_unknown=None,
    )  # fmt: skip
    assert got.body == {
        "model": "m", "temperature": 0.1, "top_p": 0.9, "parallel_tool_calls": False, "seed": 3, "min_p": 0.1,
        "stop": ["x"], "messages": [user("hi")], "max_tokens": 7, "stream": True,
        "stream_options": {"include_usage": True}, "reasoning_effort": "minimal",
        "chat_template_kwargs": {"enable_thinking": False}, "logprobs": True, "top_logprobs": 2,
    }  # fmt: skip
    assert got.adapted == ()
    assert form(include=["message.output_text.logprobs"]).body["logprobs"] is True


@pytest.mark.rule("responses-format")
def test_what_is_accepted_without_effect_is_named() -> None:
    got = form(
        truncation="auto", service_tier="flex", max_tool_calls=3, include=["reasoning.encrypted_content"],
        text={"verbosity": "low"}, reasoning={"summary": "auto"},
    )  # fmt: skip
    assert [note.partition(":")[0] for note in got.adapted] == [
        "text.verbosity", "reasoning.summary", "include", "truncation", "max_tool_calls", "service_tier",
    ]  # fmt: skip


FILE: Json = {"type": "input_file", "file_id": "f"}


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["x"]}, "input.0"),
        ({"input": [{"content": "x"}]}, "input.0"),
        ({"input": [{"role": "function", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": 5}]}, "input.0.content"),
        ({"input": [{"role": "assistant", "content": ["x"]}]}, "input.0.content.0"),
        ({"input": [said("user", text("x"), {"type": "input_text"})]}, "input.0.content.1.text"),
        ({"input": [said("user", FILE)]}, "input.0.content.0"),
        ({"input": [said("user", {"type": "input_image", "file_id": "f"})]}, "input.0.content.0.file_id"),
        ({"input": [said("user", {"type": "input_image"})]}, "input.0.content.0.image_url"),
        ({"input": [said("developer", {"type": "input_image", "image_url": IMAGE})]}, "input.0.content"),
        ({"input": [{**CALL, "call_id": ""}]}, "input.0"),
        ({"input": [{**OUTPUT, "call_id": None}]}, "input.0.call_id"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"conversation": "c"}, "conversation"),
        ({"instructions": ["x"]}, "instructions"),
        ({"tools": {}}, "tools"),
        ({"tools": ["x"]}, "tools.0"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": [LOOK, LOOK]}, "tools.1"),
        ({"tools": [LOOK], "tool_choice": 5}, "tool_choice"),
        ({"tools": [LOOK], "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"truncation": "middle"}, "truncation"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"include": "x"}, "include"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(request_: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        to_chat({"input": "hi", **request_}, response_id="resp_0a")
    assert refused.value.param == param
    assert isinstance(refused.value, FieldInvalid) or "input" in param or param in {
        "prompt", "conversation", "tool_choice", "tool_choice.name", "text.format",
    }  # fmt: skip


def test_every_recorded_request_becomes_a_chat_body() -> None:
    every = [shape.body or {} for shapes in shapes_of([]) for shape in shapes if shape.path == "/v1/responses"]
    assert len(every) == 4
    for body in every:
        got = to_chat(body, response_id="resp_0a")
        assert {one["role"] for one in got.body["messages"]} <= {"system", "user", "assistant", "tool"}
        assert got.items[-1]["id"]
    codex = to_chat(every[1], response_id="resp_0a")
    assert [one["role"] for one in codex.body["messages"]] == ["system", "user", "user", "assistant", "tool"]
    assert codex.tools.origin("multi_agent_v1__spawn_agent").namespace == "multi_agent_v1"
