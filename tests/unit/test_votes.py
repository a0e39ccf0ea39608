"""Tests what becomes of votes: whose side was chosen, shares with intervals; and prompts and sets as they are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paddock.errors import FieldInvalid
from paddock.evaluation.sets import PAIRS_MOST, looked_at, prompts_of
from paddock.evaluation.votes import pairs_of, report_of
from paddock.store.pairs import Choice, Pair

MODELS = {"first": "before", "second": "after"}


def pair(number: int, choice: Choice | None, *, is_turned: bool) -> Pair:
    told = {"text": "x", "refused": ""}
    return Pair(number=number, name=f"{number}", asked={}, is_turned=is_turned, first=told, second=told, choice=choice)


def test_a_side_counts_for_the_model_whose_answer_stood_there() -> None:
    chosen: list[tuple[Choice | None, bool]] = [
        ("left", False), ("right", True), ("left", True), ("right", False), ("left", False), ("tie", True),
        ("bad", False), (None, False),
    ]  # fmt: skip
    pairs = [pair(number, choice, is_turned=turned) for number, (choice, turned) in enumerate(chosen, start=1)]
    report = report_of(pairs, MODELS)
    assert [(one["model"], one["count"], one["of"]) for one in report["models"]] == [("before", 3, 7), ("after", 2, 7)]
    assert (report["tie"]["count"], report["bad"]["count"], report["is_whole"]) == (1, 1, False)
    assert (report["preferred"]["count"], report["preferred"]["of"], report["chance"]) == (3, 5, 1.0)
    assert (report["left"]["count"], report["left"]["of"]) == (3, 5)
    for share in (*report["models"], report["tie"], report["bad"], report["preferred"], report["left"]):
        assert 0 <= share["low"] <= share["share"] <= share["high"] <= 1


def test_of_no_vote_nothing_is_known() -> None:
    report = report_of([pair(1, None, is_turned=False)], MODELS)
    assert (report["preferred"]["low"], report["preferred"]["high"], report["chance"]) == (0.0, 1.0, 1.0)
    assert report["models"][0]["share"] == 0.0


def test_sides_are_drawn_for_each_pair() -> None:
    prompts: list[tuple[str, dict[str, Any]]] = [("x", {})] * 200
    pairs = pairs_of(prompts)
    # Of fair draws fewer than 40 of 200 fall on one side once in 10^18 runs.
    assert 40 <= sum(one.is_turned for one in pairs) <= 160
    assert [one.number for one in pairs] == list(range(1, 201))


def test_prompts_of_a_vote_are_those_of_a_set_whatever_it_checks() -> None:
    rows: list[Any] = [
        {"prompt": "a", "name": "one"},
        {"messages": [{"role": "user", "content": "b"}], "exact": "x"},
        {"prompt": "c", "choices": ["x", "y"], "answer": 0},
    ]
    found = prompts_of(rows, answer_tokens=7)
    assert [name for name, _ in found] == ["one", "line 2", "line 3"]
    assert [body["messages"][-1]["content"] for _, body in found] == ["a", "b", "c"]
    assert all((body["max_tokens"], body["temperature"]) == (7, 0) for _, body in found)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "holds no line"),
        ([{"prompt": "x"}] * (PAIRS_MOST + 1), "at most 1000"),
        ([{"prompt": "x"}, {"text": "x"}], "Line 2"),
        ([{"prompt": "x"}, {"prompt": ""}], "Line 2"),
        (["x"], "Line 1"),
        ([{"prompt": "x", "prompts": "y"}], "'prompts'"),
    ],
)
def test_what_no_model_answers_is_refused_with_its_line(rows: list[Any], words: str) -> None:
    with pytest.raises(FieldInvalid, match=words):
        prompts_of(rows, answer_tokens=7)


def test_a_set_is_looked_at_by_the_lines_of_its_file() -> None:
    whole = json.dumps({"prompt": "a", "exact": "b"})
    found = looked_at(f"\n{whole}\n\n  \n{{\n{whole}")
    assert (found.tries, dict(found.cases), found.has_judged) == (2, {"exact": 2}, False)
    assert found.faults == [
        (5, "Line 5 of the set is no JSON (Expecting property name enclosed in double quotes at character 2).")
    ]
