"""Tests the repairs in front of the literal rules: each in both modes, what is not repairable, what is left."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.api.schemas import ChatRequest, check
from paddock.errors import FieldInvalid
from paddock.protocol.normalize import REPAIRS, normalize
from tests.unit.test_schemas import anything

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "Hello"}


def call(call_id: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": "add", "arguments": "{}"}}


def turn(*ids: str, **fields: Any) -> Json:
    return {"role": "assistant", "tool_calls": [call(call_id) for call_id in ids], **fields}


def output(call_id: Any = ..., content: Any = "5", **fields: Any) -> Json:
    named: Json = {} if call_id is ... else {"tool_call_id": call_id}
    return {"role": "tool", "content": content, **named, **fields}


def strictly(messages: list[Any]) -> None:
    check(ChatRequest, {"messages": messages}, lenient=False)


def leniently(messages: list[Any]) -> tuple[list[Any], list[str]]:
    repaired, names = normalize(messages)
    check(ChatRequest, {"messages": repaired}, lenient=True)
    return repaired, names


def arguments_of(call_id: str, arguments: str) -> Json:
    """A call with these arguments."""
    return {"id": call_id, "type": "function", "function": {"name": "add", "arguments": arguments}}


# What was meant, the repair's name, what is sent, what goes on.
REPAIRED: dict[str, tuple[str, list[Json], list[Json]]] = {
    "developer": (
        "developer-as-system",
        [{"role": "developer", "content": "Be kind"}, USER],
        [{"role": "system", "content": "Be kind"}, USER],
    ),
    "developer in the middle": (
        "developer-as-system",
        [USER, {"role": "developer", "content": [{"type": "text", "text": "x"}], "weight": 0}],
        [USER, {"role": "system", "content": [{"type": "text", "text": "x"}], "weight": 0}],
    ),
    "id missing": ("tool-call-id-filled", [USER, turn("a"), output()], [USER, turn("a"), output("a")]),
    "id null": ("tool-call-id-filled", [USER, turn("a"), output(None)], [USER, turn("a"), output("a")]),
    "id empty": ("tool-call-id-filled", [USER, turn("a"), output("")], [USER, turn("a"), output("a")]),
    "id of the one call left": (
        "tool-call-id-filled",
        [USER, turn("a", "b", "c"), output("c"), output("a"), output()],
        [USER, turn("a", "b", "c"), output("c"), output("a"), output("b")],
    ),
    "ids of two turns": (
        "tool-call-id-filled",
        [USER, turn("a"), output(), turn("b"), output()],
        [USER, turn("a"), output("a"), turn("b"), output("b")],
    ),
    "id after words of the user": (
        "tool-call-id-filled",
        [USER, turn("a"), USER, output()],
        [USER, turn("a"), USER, output("a")],
    ),
    "output empty": ("empty-tool-output", [USER, turn("a"), output("a", "")], [USER, turn("a"), output("a", "")]),
    "output null": ("empty-tool-output", [USER, turn("a"), output("a", None)], [USER, turn("a"), output("a", "")]),
    "output without parts": (
        "empty-tool-output",
        [USER, turn("a"), output("a", [])],
        [USER, turn("a"), output("a", "")],
    ),
    "output absent": (
        "empty-tool-output",
        [USER, turn("a"), {"role": "tool", "tool_call_id": "a"}],
        [USER, turn("a"), output("a", "")],
    ),
    "name of a user": ("name-allowed", [{**USER, "name": "Ada"}], [{**USER, "name": "Ada"}]),
    "name of a system": (
        "name-allowed",
        [{"role": "system", "content": "x", "name": "Ada"}],
        [{"role": "system", "content": "x", "name": "Ada"}],
    ),
    "name of an assistant": ("name-allowed", [USER, turn("a", name="Ada")], [USER, turn("a", name="Ada")]),
    "assistant empty": ("empty-assistant-dropped", [USER, {"role": "assistant", "content": ""}, USER], [USER, USER]),
    "assistant null": ("empty-assistant-dropped", [USER, {"role": "assistant", "content": None}], [USER]),
    "assistant bare": ("empty-assistant-dropped", [USER, {"role": "assistant"}], [USER]),
    "assistant without parts or calls": ("empty-assistant-dropped", [USER, turn(content=[])], [USER]),
    "assistant with null calls": ("empty-assistant-dropped", [USER, {"role": "assistant", "tool_calls": None}], [USER]),
    "empty words beside calls": (
        "empty-content-beside-calls",
        [USER, turn("a", content=""), output("a")],
        [USER, turn("a", content=""), output("a")],
    ),
    "arguments of a call that was cut": (
        "unreadable-arguments-wrapped",
        [USER, turn(tool_calls=[arguments_of("a", '{"x": 1')]), output("a")],
        [USER, turn(tool_calls=[arguments_of("a", '{"unreadable": "{\\"x\\": 1"}')]), output("a")],
    ),
    "arguments that are empty": (
        "unreadable-arguments-wrapped",
        [USER, turn(tool_calls=[arguments_of("a", "")]), output("a")],
        [USER, turn(tool_calls=[arguments_of("a", "{}")]), output("a")],
    ),
}

NOT_REPAIRABLE: dict[str, list[Json]] = {
    "id without a call": [USER, output()],
    "empty id without a call": [USER, output("")],
    "id of one of two calls": [USER, turn("a", "b"), output()],
    "empty id of one of two calls": [USER, turn("a", "b"), output("")],
    "id of an answered call": [USER, turn("a"), output("a"), output()],
    "calls of a user": [{**USER, "tool_calls": [call("a")]}],
    "calls of a system": [{"role": "system", "content": "x", "tool_calls": [call("a")]}],
    "calls of a developer": [{"role": "developer", "content": "x", "tool_calls": [call("a")]}],
    "calls of a tool": [USER, turn("a"), output("a", tool_calls=[call("b")])],
    "id of a user": [{**USER, "tool_call_id": "a"}],
    "id of a system": [{"role": "system", "content": "x", "tool_call_id": "a"}],
    "id of an assistant": [USER, turn("a", tool_call_id="a")],
    "role function": [USER, {"role": "function", "name": "add", "content": "5"}],
    "empty words of a user": [{"role": "user", "content": ""}],
    "null words of a user": [{"role": "user", "content": None}],
    "no parts of a user": [{"role": "user", "content": []}],
    "empty words of a system": [{"role": "system", "content": ""}, USER],
    "empty words of a developer": [{"role": "developer", "content": ""}, USER],
    "nothing left": [{"role": "assistant", "content": ""}],
    "calls that are no list": [USER, {"role": "assistant", "tool_calls": {"id": "a"}}],
}


@pytest.mark.rule("normalized")
@pytest.mark.parametrize("case", REPAIRED)
def test_a_repair_is_made_and_named_by_default(case: str) -> None:
    name, given_messages, wanted = REPAIRED[case]
    assert leniently(given_messages) == (wanted, [name])


@pytest.mark.rule("normalized-strict")
@pytest.mark.parametrize("case", REPAIRED)
def test_what_would_be_repaired_is_refused_in_strict_mode(case: str) -> None:
    with pytest.raises(FieldInvalid):
        strictly(REPAIRED[case][1])


@pytest.mark.rule("never-repaired")
@pytest.mark.parametrize("case", NOT_REPAIRABLE)
def test_what_cannot_be_repaired_is_refused_in_both_modes(case: str) -> None:
    with pytest.raises(FieldInvalid):
        strictly(NOT_REPAIRABLE[case])
    with pytest.raises(FieldInvalid):
        leniently(NOT_REPAIRABLE[case])


def test_every_repair_has_a_case_and_a_sentence() -> None:
    assert {name for name, _, _ in REPAIRED.values()} == set(REPAIRS)
    assert all(REPAIRS.values())


def test_several_repairs_are_named_once_each_in_the_order_of_the_documentation() -> None:
    messages = [
        {"role": "assistant", "content": ""},
        {**USER, "name": "Ada"},
        turn("a", content=""),
        output(content=None),
        {"role": "developer", "content": "x", "name": "Bob"},
        turn(tool_calls=[arguments_of("b", "{")]),
        output(),
    ]
    repaired, names = leniently(messages)
    assert names == list(REPAIRS)
    assert [message["role"] for message in repaired] == ["user", "assistant", "tool", "system", "assistant", "tool"]


def test_messages_that_need_no_repair_are_the_clients_own_objects() -> None:
    messages = [{"role": "system", "content": "x"}, USER, turn("a", content=None), output("a", name="add")]
    repaired, names = normalize(messages)
    assert names == []
    assert all(after is before for after, before in zip(repaired, messages, strict=True))


@pytest.mark.parametrize("second", [{"type": "function"}, {"id": None}, {"id": ""}, {"id": 5}])
def test_a_call_without_an_id_is_unanswered_too_so_nothing_is_guessed(second: Json) -> None:
    messages = [USER, {"role": "assistant", "tool_calls": [call("a"), second]}, output()]
    assert normalize(messages) == (messages, [])


def test_an_id_is_not_filled_with_the_empty_id_of_a_call() -> None:
    messages = [USER, turn(""), output()]
    with pytest.raises(FieldInvalid):
        leniently(messages)
    assert normalize(messages)[1] == []


def test_a_turn_of_words_with_an_empty_list_of_calls_answers_no_call() -> None:
    words: Json = {"role": "assistant", "content": "Wait."}
    turns: list[Json] = [words, {**words, "tool_calls": None}, {**words, "tool_calls": []}]
    for between in turns:
        repaired, names = normalize([USER, turn("a"), between, output()])
        assert (repaired[-1], names) == (output("a"), ["tool-call-id-filled"])


@st.composite
def drawn(draw: st.DrawFn) -> Json:
    """One message, as often wrong as right."""
    base: Json = draw(
        st.sampled_from(
            [USER, turn("a"), turn("a", "b", content=""), turn(content="x"), output("a"), output("b"), output()]
        )
    )
    changes: dict[str, list[Any]] = {
        "role": ["system", "developer", "user", "assistant", "tool", "function"],
        "content": ["x", "", None, [], [{"type": "text", "text": "x"}]],
        "tool_call_id": ["a", "", None],
        "name": ["Ada", "", None],
    }
    changed = draw(st.lists(st.sampled_from(list(changes)), max_size=2, unique=True))
    return {**base, **{name: draw(st.sampled_from(changes[name])) for name in changed}}


conversation = st.lists(drawn(), min_size=1, max_size=5)
quick = settings(max_examples=40, deadline=None)


def passes(messages: list[Any], *, lenient: bool) -> bool:
    try:
        check(ChatRequest, {"messages": messages}, lenient=lenient)
    except FieldInvalid:
        return False
    return True


@given(messages=conversation)
@quick
def test_a_conversation_is_repaired_once_and_only_where_strict_mode_refuses(messages: list[Json]) -> None:
    before = copy.deepcopy(messages)
    repaired, names = normalize(messages)
    assert messages == before
    if passes(messages, lenient=False):
        assert (repaired, names) == (messages, [])
    elif passes(repaired, lenient=True):
        assert names
    again, named_again = normalize(repaired)
    assert again == repaired
    assert set(named_again) <= set(names)


@given(messages=st.lists(anything | st.dictionaries(st.sampled_from([*output(""), "tool_calls", "name"]), anything)))
@quick
def test_the_clients_list_is_never_changed_whatever_is_in_it(messages: list[Any]) -> None:
    before = copy.deepcopy(messages)
    kept = list(messages)
    normalize(messages)
    assert repr(messages) == repr(before)
    assert all(after is original for after, original in zip(messages, kept, strict=True))
