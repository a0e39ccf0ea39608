"""Tests the rules of a request's fields (rows 1-18 of the wire table) on the models themselves."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.api import faults
from paddock.api.schemas import ChatRequest, CompletionRequest, EmbeddingRequest, check
from paddock.errors import FieldInvalid

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "Hello"}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
TURN: Json = {"role": "assistant", "tool_calls": [CALL]}
OUTPUT: Json = {"role": "tool", "tool_call_id": "call_1", "content": "5"}
TOOL: Json = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
NAMED: Json = {"type": "function", "function": {"name": "add"}}

# Whether what `protocol/normalize.py` repairs is allowed.
BOTH = (False, True)
ODD: list[Any] = [
    None, True, 0, -1, 10**30, 0.5, float("inf"), "", "x", "\x00", "é\U0001f999", "\ud800", [], [None], ["x"], [[]],
    [{}], [CALL], {}, {"x": None}, {"type": "text"}, {"id": ["x"]}, "user", "assistant", "tool", "developer",
]  # fmt: skip
anything = st.sampled_from(ODD)


def chat(*messages: Json, lenient: bool = False, **fields: Any) -> ChatRequest:
    return check(ChatRequest, {"messages": list(messages) or [USER], **fields}, lenient=lenient)


def refused(*messages: Json, lenient: bool = False, **fields: Any) -> FieldInvalid:
    with pytest.raises(FieldInvalid) as caught:
        chat(*messages, lenient=lenient, **fields)
    return caught.value


def without(message: Json, *names: str) -> Json:
    return {name: value for name, value in message.items() if name not in names}


@pytest.mark.parametrize("tools", [[], [TOOL], [TOOL, {}], None])
def test_row_1_tools_are_an_optional_list_of_objects(tools: list[Json] | None) -> None:
    assert chat().tools is None
    assert chat(tools=tools).tools == tools


@pytest.mark.parametrize("tools", ["add", TOOL, ["add"], [TOOL, 5], [None], True])
def test_tools_of_another_shape_are_refused(tools: Any) -> None:
    assert str(refused(tools=tools).param).startswith("tools")


@pytest.mark.parametrize("choice", [None, "auto", "required", "none", NAMED, {"type": "allowed_tools", "tools": []}])
def test_row_2_tool_choice_takes_three_words_or_an_object(choice: Any) -> None:
    assert chat().tool_choice is None
    assert chat(tool_choice=choice).tool_choice == choice


@pytest.mark.parametrize("choice", ["", "AUTO", "any", "add", 1, True, ["auto"]])
def test_another_tool_choice_is_refused(choice: Any) -> None:
    assert refused(tool_choice=choice).param == "tool_choice"


@pytest.mark.parametrize("stop", [None, "", "END", [], ["END"], ["END", "\n"]])
def test_row_3_stop_is_text_or_a_list_of_texts(stop: Any) -> None:
    assert chat().stop is None
    assert chat(stop=stop).stop == stop


@pytest.mark.parametrize("stop", [5, [5], [None], {"at": "END"}, [["END"]]])
def test_another_stop_is_refused(stop: Any) -> None:
    assert str(refused(stop=stop).param).startswith("stop")


def test_row_4_unknown_fields_survive_the_check() -> None:
    known: Json = {"frequency_penalty": -0.5, "seed": 7, "response_format": {"type": "json_object"}}
    parsed = chat(**known, tomorrow={"deep": [1]}, messages=[{**USER, "weight": 0}])
    assert {name: getattr(parsed, name) for name in known} == known
    assert parsed.model_extra == {"tomorrow": {"deep": [1]}}
    assert parsed.messages[0].model_extra == {"weight": 0}


def test_row_5_stream_is_false_unless_asked_for() -> None:
    assert chat().stream is False
    assert not chat(stream=None).stream
    assert chat(stream=True).stream is True


@pytest.mark.parametrize(("enable", "enabled", "session"), [(None, None, None), (False, [], ""), (True, ["x"], "s")])
def test_row_6_extension_fields_are_read(enable: bool | None, enabled: list[str] | None, session: str | None) -> None:
    parsed = chat(enable_tools=enable, enabled_tools=enabled, session_id=session)
    assert (parsed.enable_tools, parsed.enabled_tools, parsed.session_id) == (enable, enabled, session)


@pytest.mark.parametrize("message", [{"role": "system", "content": "x"}, USER, TURN, OUTPUT], ids=lambda m: m["role"])
def test_row_7_four_roles_are_accepted(message: Json) -> None:
    for lenient in BOTH:
        assert chat(message, lenient=lenient).messages[0].role == message["role"]


@pytest.mark.parametrize("role", ["function", "developer", "User", "", None, 5, ["user"], {}])
def test_another_role_is_refused(role: Any) -> None:
    for lenient in BOTH:
        assert refused({"role": role, "content": "x"}, lenient=lenient).param == "messages.0.role"
        assert refused({"content": "x"}, lenient=lenient).param == "messages.0.role"


@pytest.mark.parametrize("fields", [{}, {"content": None}])
def test_row_8_content_may_be_null_or_absent_beside_calls(fields: Json) -> None:
    for lenient in BOTH:
        assert chat(USER, {**TURN, **fields}, OUTPUT, lenient=lenient).messages[1].content is None


@pytest.mark.parametrize("content", ["Let me see.", [{"type": "text", "text": "Let me see."}]])
def test_row_9_content_and_calls_may_stand_together(content: Any) -> None:
    turn = chat(USER, {**TURN, "content": content}, OUTPUT).messages[1]
    assert (turn.content, turn.tool_calls) == (content, [CALL])


@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": ""}, {"content": []}])
@pytest.mark.parametrize("calls", [{}, {"tool_calls": None}, {"tool_calls": []}])
def test_row_10_an_assistant_turn_with_neither_is_refused_and_both_fields_are_named(content: Json, calls: Json) -> None:
    for lenient in BOTH:
        error = refused(USER, {"role": "assistant", **content, **calls}, lenient=lenient)
        assert "'content'" in error.message
        assert "'tool_calls'" in error.message
        assert str(error.param).startswith("messages.1")


@pytest.mark.parametrize("fields", [{}, {"tool_call_id": None}, {"tool_call_id": ""}])
def test_row_11_a_tool_message_needs_a_call_id_that_is_not_empty(fields: Json) -> None:
    for lenient in BOTH:
        error = refused(USER, TURN, {**without(OUTPUT, "tool_call_id"), **fields}, lenient=lenient)
        assert "'tool_call_id'" in error.message
        assert str(error.param).startswith("messages.2")


@pytest.mark.parametrize("fields", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_row_12_a_tool_message_needs_content(fields: Json) -> None:
    message = {**without(OUTPUT, "content"), **fields}
    assert "'content'" in refused(USER, TURN, message).message
    chat(USER, TURN, message, lenient=True)


@pytest.mark.parametrize("role", ["user", "system"])
@pytest.mark.parametrize("fields", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_row_13_user_and_system_need_content(role: str, fields: Json) -> None:
    for lenient in BOTH:
        assert "'content'" in refused({"role": role, **fields}, lenient=lenient).message


@pytest.mark.parametrize("message", [USER, {"role": "system", "content": "x"}, OUTPUT], ids=lambda m: m["role"])
@pytest.mark.parametrize("calls", [[CALL], []])
def test_row_14_calls_belong_on_assistant_messages_only(message: Json, calls: list[Json]) -> None:
    for lenient in BOTH:
        assert "'tool_calls'" in refused({**message, "tool_calls": calls}, lenient=lenient).message
        chat({**message, "tool_calls": None}, lenient=lenient)


@pytest.mark.parametrize("message", [USER, {"role": "system", "content": "x"}, TURN], ids=lambda m: m["role"])
@pytest.mark.parametrize("call_id", ["call_1", ""])
def test_row_15_a_call_id_belongs_on_tool_messages_only(message: Json, call_id: str) -> None:
    for lenient in BOTH:
        assert "'tool_call_id'" in refused({**message, "tool_call_id": call_id}, lenient=lenient).message
        chat({**message, "tool_call_id": None}, lenient=lenient)


@pytest.mark.parametrize("message", [USER, {"role": "system", "content": "x"}, TURN], ids=lambda m: m["role"])
def test_row_16_a_name_belongs_on_tool_messages_only(message: Json) -> None:
    assert "'name'" in refused({**message, "name": "Ada"}).message
    assert chat({**message, "name": "Ada"}, lenient=True).messages[0].name == "Ada"
    assert chat(USER, TURN, {**OUTPUT, "name": "add"}).messages[2].name == "add"
    assert chat(USER, TURN, OUTPUT).messages[2].name is None


def test_row_17_a_tool_loop_keeps_its_order_ids_and_nulls() -> None:
    messages = chat(USER, {**TURN, "content": None}, OUTPUT).messages
    assert [message.role for message in messages] == ["user", "assistant", "tool"]
    assert messages[1].content is None
    assert messages[1].tool_calls == [CALL]
    assert messages[2].tool_call_id == CALL["id"]


@pytest.mark.parametrize("messages", [[], None, "Hello", USER, ["Hello"], [None], [5]])
def test_row_18_a_broken_rule_is_a_422_that_names_the_field(messages: Any) -> None:
    error = refused(messages=messages)
    assert faults.status_of(error) == 422
    assert (error.param or "messages").startswith("messages")
    assert "messages" in error.message


def test_a_request_without_messages_is_refused() -> None:
    with pytest.raises(FieldInvalid) as caught:
        check(ChatRequest, {"model": "pocket-v0"})
    assert caught.value.param == "messages"


WRONG_TYPES: list[tuple[str, list[Any]]] = [
    ("model", [5, True, ["x"]]),
    ("stream", ["true", 1, 0, "yes"]),
    ("temperature", ["0.7", True, [1], {}]),
    ("top_p", ["1", False]),
    ("min_p", ["0"]),
    ("top_k", ["40", 1.5, True]),
    ("max_tokens", ["9", 1.5, True, [9]]),
    ("max_completion_tokens", ["9"]),
    ("presence_penalty", ["0"]),
    ("frequency_penalty", [True]),
    ("repetition_penalty", ["1"]),
    ("n", ["2", 1.5]),
    ("seed", ["7", 1.5]),
    ("stream_options", ["x", [], True]),
]


@pytest.mark.parametrize(("field", "values"), WRONG_TYPES)
def test_a_value_of_a_wrong_type_is_refused_never_converted(field: str, values: list[Any]) -> None:
    for value in values:
        assert refused(**{field: value}).param == field
        with pytest.raises(FieldInvalid) as caught:
            check(CompletionRequest, {"prompt": "x", field: value})
        assert caught.value.param == field
    empty: Json = {field: None}
    chat(**empty)


@pytest.mark.parametrize("value", [0, -2, 1.5, -0.25, 1e30])
def test_numbers_keep_their_sign_and_size(value: float) -> None:
    assert chat(temperature=value, presence_penalty=value).presence_penalty == value
    assert chat(top_k=-1, seed=2**64).seed == 2**64


def test_content_is_text_or_a_list_of_parts() -> None:
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:"}}, {"type": "tomorrow"}]
    assert chat({"role": "user", "content": parts}).messages[0].content == parts
    for content in (5, True, {"type": "text"}, ["x"], [None]):
        assert str(refused({"role": "user", "content": content}).param).startswith("messages.0.content")


def test_the_value_that_is_shown_is_cut() -> None:
    error = refused(model=["x" * 5000])
    assert len(error.message) < 200
    assert "got ['xxx" in error.message


def test_the_first_broken_rule_is_told_with_its_place() -> None:
    error = refused(USER, {"role": "user", "content": ""}, {"role": "robot"})
    assert error.param == "messages.1"
    assert error.message.startswith("messages.1: ")


@pytest.mark.parametrize("prompt", ["Hello", "", ["a", "b"], [1, 2], [[1], [2]], 0])
def test_the_form_of_a_completions_prompt_is_left_to_the_engine(prompt: Any) -> None:
    assert check(CompletionRequest, {"prompt": prompt}).prompt == prompt


@pytest.mark.parametrize("body", [{}, {"prompt": None}, {"prompt": []}])
def test_a_completion_needs_a_prompt(body: Json) -> None:
    with pytest.raises(FieldInvalid, match="prompt"):
        check(CompletionRequest, body)


@pytest.mark.parametrize("body", [{}, {"input": None}, {"input": ""}, {"input": []}])
def test_an_embedding_needs_an_input(body: Json) -> None:
    with pytest.raises(FieldInvalid, match="input"):
        check(EmbeddingRequest, body)


def test_an_embedding_takes_texts_tokens_and_two_encodings() -> None:
    for given_input in ("x", ["x", "y"], [1, 2], [[1], [2]]):
        assert check(EmbeddingRequest, {"input": given_input, "encoding_format": "base64"}).input == given_input
    for field, value in (("encoding_format", "hex"), ("dimensions", "8"), ("model", 5)):
        with pytest.raises(FieldInvalid) as caught:
            check(EmbeddingRequest, {"input": "x", field: value})
        assert caught.value.param == field


@given(messages=st.lists(st.dictionaries(st.sampled_from(["role", *USER, *TURN, *OUTPUT, "name"]), anything)))
@settings(max_examples=60, deadline=None)
def test_whatever_is_sent_is_accepted_or_refused_by_name_and_never_changed(messages: list[Json]) -> None:
    body: Json = {"messages": messages}
    before = copy.deepcopy(body)
    told: list[str] = []
    for lenient in (False, True):
        try:
            check(ChatRequest, body, lenient=lenient)
        except FieldInvalid as error:
            told.append(error.message)
    assert all(message.encode() for message in told)
    assert repr(body) == repr(before)
