"""Tests what of a client's body reaches the engine: the received dict with the documented amendments (rows 25-30)."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paddock.api.body import parse_object
from paddock.errors import BadRequest
from paddock.serving.prepare import EXTENSIONS, Prepared, limited, prepare, refuse_unsupported

Json = dict[str, Any]

CHAT = "/v1/chat/completions"
USER: Json = {"role": "user", "content": "Hello"}
TOOL: Json = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
NAMED: Json = {"type": "function", "function": {"name": "add"}}
# What paddock adds to a stream.
ASKED_FOR = {"return_progress", "stream_options"}


def prepared(**fields: Any) -> Prepared:
    return prepare(CHAT, {"messages": [USER], **fields})


def sent(**fields: Any) -> Json:
    return prepared(**fields).body


def test_row_25_tool_choice_is_auto_unless_given() -> None:
    assert sent(tools=[TOOL])["tool_choice"] == "auto"
    assert sent(tools=[TOOL], tool_choice=None)["tool_choice"] == "auto"
    for choice in ("auto", "none", "required", NAMED):
        assert sent(tools=[TOOL], tool_choice=choice)["tool_choice"] == choice
    assert "tool_choice" not in sent()
    assert "tool_choice" not in sent(tools=[])


def test_an_answer_without_a_bound_gets_the_settings_and_that_is_told() -> None:
    bounded = limited(prepared(), 512)
    assert (bounded.body["max_tokens"], bounded.adapted) == (512, ("max_tokens 512: the setting answer_tokens_most",))
    assert limited(prepared(), 0) == prepared()
    for name in ("max_tokens", "max_completion_tokens", "n_predict"):
        assert limited(prepared(**{name: 5000}), 512).body == prepared(**{name: 5000}).body
    assert limited(prepare("/infill", {"input_prefix": "a"}), 512).body["n_predict"] == 512
    embedding = prepare("/v1/embeddings", {"input": "a"})
    assert limited(embedding, 512) is embedding


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice"])
def test_row_26_limits_and_penalties_are_sent_if_set(name: str) -> None:
    unset: Json = {name: None}
    assert name not in sent(**unset)
    assert not {"max_tokens", "stop", "min_p", "presence_penalty", "temperature", "top_p", "top_k"} & set(sent())
    assert "stop" not in sent(stop="")
    assert "stop" not in sent(stop=[])
    limits: Json = {"max_tokens": 9, "stop": ["END"], "min_p": 0.0, "presence_penalty": -1.5, "temperature": 0}
    assert {field: sent(**limits)[field] for field in limits} == limits
    assert sent(max_tokens=0)["max_tokens"] == 0
    assert sent(stop="END")["stop"] == "END"


def test_row_27_repetition_penalty_is_renamed() -> None:
    body = sent(repetition_penalty=1.1)
    assert body["repeat_penalty"] == 1.1
    assert "repetition_penalty" not in body
    assert sent(repeat_penalty=1.2)["repeat_penalty"] == 1.2


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_row_28_a_stream_asks_for_its_usage_and_nothing_else_does(path: str) -> None:
    def asked(**fields: Any) -> Prepared:
        return prepare(path, {"messages": [USER], **fields})

    assert asked(stream=True).body["stream_options"] == {"include_usage": True}
    for given_options in ({"include_usage": False}, {"include_usage": True, "include_obfuscation": False}, {}):
        body = asked(stream=True, stream_options=given_options).body
        assert body["stream_options"] == {**given_options, "include_usage": True}
    for plain in ({}, {"stream": False}, {"stream": None}, {"stream_options": None}):
        assert not ASKED_FOR & set(asked(**plain).body)
    assert (asked(stream=True).streamed, asked().streamed, asked(stream=None).streamed) == (True, False, False)


def test_a_stream_asks_for_progress_so_that_the_engine_notices_who_left() -> None:
    assert sent(stream=True)["return_progress"] is True
    assert sent(stream=True, return_progress=False)["return_progress"] is True


@pytest.mark.parametrize("streamed", [True, False])
def test_what_the_client_itself_asked_for_is_remembered(streamed: bool) -> None:
    for options, wants in (
        (None, False),
        ({}, False),
        ({"include_usage": False}, False),
        ({"include_usage": True}, True),
    ):
        assert prepared(stream=streamed, stream_options=options).wants_usage is wants
    for progress, wants in ((None, False), (False, False), (True, True)):
        assert prepared(stream=streamed, return_progress=progress).wants_progress is wants


@pytest.mark.parametrize("streamed", [True, False])
def test_row_29_extension_fields_are_never_sent_on(streamed: bool) -> None:
    extensions: Json = {
        "enable_tools": False, "enabled_tools": ["x"], "session_id": "s", "image_base64": "aGk=", "heal": True,
        "max_tool_calls_per_message": 3, "tool_call_timeout": 2.5, "tool_permissions": {"*": "ask"},
        "tool_approval_timeout": 9,
    }  # fmt: skip
    assert set(extensions) == set(EXTENSIONS)
    for tools in (None, [TOOL]):
        assert not set(extensions) & set(sent(**extensions, tools=tools, stream=streamed))


def test_row_30_messages_are_sent_as_they_came() -> None:
    messages = [USER, {"role": "assistant", "tool_calls": [{"id": "a"}]}, {"role": "tool", "tool_call_id": "a"}]
    body = sent(messages=messages, stop=None, max_tokens=None, tools=None, tool_choice=None, stream=None)
    assert body == {"messages": messages}
    assert all(after is before for after, before in zip(body["messages"], messages, strict=True))


@pytest.mark.parametrize("thinking", [True, False])
def test_enable_thinking_moves_to_where_the_engine_reads_it(thinking: bool) -> None:
    body = sent(enable_thinking=thinking)
    assert "enable_thinking" not in body
    assert body["chat_template_kwargs"] == {"enable_thinking": thinking}
    given_kwargs: Json = {"enable_thinking": not thinking, "other": 1}
    assert sent(enable_thinking=thinking, chat_template_kwargs=given_kwargs)["chat_template_kwargs"] == given_kwargs


def test_enable_thinking_of_null_is_left_out() -> None:
    assert sent(enable_thinking=None) == {"messages": [USER]}


def test_an_image_is_noticed_in_either_form() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    assert prepared(image_base64="aGk=").legacy_image == "aGk="
    for fields in ({"image_base64": "aGk="}, {"messages": [{"role": "user", "content": [part]}]}):
        assert prepared(**fields).has_images
    for fields in ({}, {"image_base64": None}, {"image_base64": ""}):
        assert (prepared(**fields).has_images, prepared(**fields).legacy_image) == (False, None)


ELSE: Json = {
    "seed": 7, "response_format": {"type": "json_object"}, "logprobs": True, "top_logprobs": 3, "n": 2, "user": "u",
    "logit_bias": {"5": -100}, "frequency_penalty": -0.5, "parallel_tool_calls": False, "reasoning_effort": "low",
    "metadata": {"a": "b"}, "service_tier": "auto", "prediction": {"type": "content"}, "modalities": ["text"],
    "grammar": "root ::= x", "json_schema": {}, "cache_prompt": False, "id_slot": 1, "samplers": ["top_k"],
    "mirostat": 2, "dry_multiplier": 0.8, "xtc_probability": 0.5, "top_k": -1, "tomorrow": {"deep": [None]},
}  # fmt: skip


@pytest.mark.rule("fields-forwarded")
@pytest.mark.parametrize("streamed", [True, False])
def test_every_other_field_is_sent_untouched(streamed: bool) -> None:
    body = sent(stream=streamed, **ELSE)
    assert {name: body[name] for name in ELSE} == ELSE
    assert set(body) - set(ELSE) - {"messages", "stream"} == (ASKED_FOR if streamed else set())


def test_preparing_changes_nothing_of_what_it_was_given() -> None:
    body: Json = {
        **ELSE, "messages": [USER], "stream": True, "stream_options": {"include_usage": False}, "stop": [], "tools": [],
        "repetition_penalty": 1.1, "enable_thinking": True, "chat_template_kwargs": {"a": 1}, "session_id": "s",
    }  # fmt: skip
    before = copy.deepcopy(body)
    prepare(CHAT, body)
    assert body == before


# Half of a pair: JSON may escape it, UTF-8 cannot hold it.
HALF = "\ud83e"
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8") | st.just(HALF), max_size=6)


@example(value={HALF: [HALF]})
@given(value=st.dictionaries(texts, scalars | texts | st.lists(texts | scalars, max_size=3), max_size=4))
@settings(max_examples=50, deadline=None)
def test_the_bytes_that_are_sent_are_json_in_utf_8_with_the_same_content(value: Json) -> None:
    data = prepared(value=value).encoded()
    data.decode("utf-8")
    assert json.loads(data) == {"messages": [USER], "value": value}


def test_text_is_sent_as_it_is_rather_than_escaped() -> None:
    assert '"Zürich \u2028 \U0001f999"'.encode() in prepared(user="Zürich \u2028 \U0001f999").encoded()


def test_numbers_keep_their_digits() -> None:
    body = parse_object(b'{"messages":[],"seed":12345678901234567890123,"a":0.1,"b":-0.0,"c":1e-7}')
    assert prepare(CHAT, body).encoded() == b'{"messages":[],"seed":12345678901234567890123,"a":0.1,"b":-0.0,"c":1e-07}'


UNSUPPORTED: list[tuple[str, Any]] = [
    ("functions", [{"name": "add"}]),
    ("functions", []),
    ("function_call", "auto"),
    ("audio", {"voice": "x"}),
    ("web_search_options", {}),
    ("modalities", ["text", "audio"]),
    ("modalities", []),
    ("modalities", "text"),
    ("tool_choice", "required"),
    ("tool_choice", NAMED),
]


@pytest.mark.rule("fields-refused")
@pytest.mark.parametrize(("name", "value"), UNSUPPORTED)
def test_what_would_be_dropped_in_silence_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        refuse_unsupported({"messages": [USER], name: value})
    assert caught.value.param == name
    assert name in caught.value.message


@pytest.mark.parametrize("fields", [{"tools": []}, {"tools": None}])
def test_a_forced_choice_among_no_tools_is_refused(fields: Json) -> None:
    with pytest.raises(BadRequest):
        refuse_unsupported({"tool_choice": "required", **fields})


def test_what_is_harmless_is_not_refused() -> None:
    nothing: Json = dict.fromkeys(name for name, _ in UNSUPPORTED)
    refuse_unsupported({"messages": [USER], **nothing})
    refuse_unsupported({"modalities": ["text"], "enable_tools": False, "tool_choice": "none"})
    refuse_unsupported({"tool_choice": "auto"})
    refuse_unsupported({"tool_choice": "required", "tools": [TOOL]})
    refuse_unsupported({"messages": [USER], **ELSE})
