"""Tests rows of preferences: what forms are read, and that what is none is refused with its place and the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paddock.data.preferences import judged_of, pair_of, task_of
from paddock.errors import FieldInvalid

USER = {"role": "user", "content": "Hello"}
GOOD, BAD = ({"role": "assistant", "content": text} for text in ("Hi", "No"))
CALL = {"role": "assistant", "tool_calls": [{"function": {"name": "add", "arguments": '{"a": 1}'}}]}
TOOLS = [{"type": "function", "function": {"name": "add"}}]
Json = dict[str, Any]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hello", "chosen": "Hi", "rejected": "No"},
        {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": [USER], "chosen": GOOD, "rejected": BAD},
        {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"prompt": "Hello", "chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"prompt": json.dumps([USER]), "chosen": json.dumps([GOOD]), "rejected": json.dumps([BAD])},
    ],
    ids=["text", "messages", "one message", "whole conversations", "prompt again", "JSON in a table"],
)
def test_a_pair_is_read_whatever_the_form(row: Json) -> None:
    pair = pair_of(row, "Row 1")
    assert (pair.prompt, pair.chosen, pair.rejected) == ((USER,), GOOD, BAD)


def test_an_answer_may_be_a_call_and_the_system_prompt_a_field() -> None:
    row = {"system": "Add.", "prompt": "1+1?", "chosen": [CALL], "rejected": "2, I think", "tools": json.dumps(TOOLS)}
    pair = pair_of(row, "Row 1")
    assert [one["role"] for one in pair.prompt] == ["system", "user"]
    assert pair.chosen["tool_calls"][0]["function"] == {"name": "add", "arguments": {"a": 1}}
    assert pair.tools == tuple(TOOLS)


def test_a_prompt_may_end_with_the_result_of_a_tool() -> None:
    prompt = [USER, CALL, {"role": "tool", "content": "2"}]
    assert len(pair_of({"prompt": prompt, "chosen": "Two", "rejected": "Three"}, "Row 1").prompt) == 3


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([1], "it is list, not a table of prompt, chosen and rejected"),
        ({"prompt": "x", "chosen": "y"}, "it has no rejected; its fields are prompt, chosen"),
        ({"messages": [USER, GOOD]}, "it has no chosen and no rejected"),
        ({"prompt": "x", "chosen": "y", "rejected": "y"}, "chosen and rejected are the same"),
        ({"chosen": "y", "rejected": "z"}, "its prompt does not end with a message of the user"),
        ({"prompt": [USER, GOOD], "chosen": "y", "rejected": "z"}, "its prompt does not end"),
        ({"prompt": "x", "chosen": [GOOD, USER, GOOD], "rejected": "z"}, "chosen must differ from the other by its"),
        ({"prompt": "x", "chosen": [USER], "rejected": "z"}, "Row 7 of a.jsonl, chosen cannot be learnt from"),
        ({"prompt": 3, "chosen": "y", "rejected": "z"}, "Row 7 of a.jsonl, prompt"),
    ],
)
def test_what_is_no_pair_is_refused_by_its_place(row: Any, words: str) -> None:
    with pytest.raises(FieldInvalid, match=r"^Row 7 of a\.jsonl") as refused:
        pair_of(row, "Row 7 of a.jsonl")
    assert words in refused.value.message
    assert refused.value.param == "data"


@pytest.mark.parametrize(
    ("label", "is_good"), [(True, True), (False, False), ("true", True), ("False", False), (1, True), ("0", False)]
)
def test_a_judged_answer_is_good_or_bad(label: object, is_good: bool) -> None:
    found = judged_of({"prompt": "Hello", "completion": "Hi", "label": label}, "Row 1")
    assert (found.prompt, found.answer, found.is_good) == ((USER,), GOOD, is_good)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "x", "completion": "y"}, "it has no label"),
        ({"prompt": "x", "completion": "y", "label": "perhaps"}, "its label is 'perhaps'; true is for a good answer"),
        ({"prompt": "x", "completion": [GOOD, USER], "label": 1}, "does not end with an answer"),
    ],
)
def test_what_is_no_judged_answer_is_refused(row: Json, words: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        judged_of(row, "Row 7")
    assert words in refused.value.message


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hello", "tool_calls": [CALL["tool_calls"][0]]},
        {"messages": [USER, CALL]},
        {"messages": [USER], "tool_calls": json.dumps(CALL["tool_calls"])},
    ],
)
def test_a_task_is_a_prompt_and_the_calls_of_a_right_answer(row: Json) -> None:
    task = task_of({**row, "more": 3}, "Row 1")
    assert task.prompt == (USER,)
    assert [one["function"] for one in task.expected] == [{"name": "add", "arguments": {"a": 1}}]
    assert task.row["more"] == 3


def test_a_task_may_expect_nothing() -> None:
    assert task_of({"prompt": "Hello"}, "Row 1").expected == ()
    assert task_of({"messages": [USER, GOOD]}, "Row 1").expected == ()


@pytest.mark.parametrize("row", [{}, {"prompt": [GOOD]}, {"messages": [GOOD]}, {"text": "x"}, 3])
def test_what_asks_nothing_is_refused(row: Any) -> None:
    with pytest.raises(FieldInvalid, match=r"^Row 7"):
        task_of(row, "Row 7")
