"""Tests evaluations without a model: intervals, checks of answers, hostile sets, figures, and what the tries hold."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from paddock.errors import FieldInvalid, PaddockError
from paddock.evaluation import intervals, report, tool_cases
from paddock.evaluation.asking import Asker
from paddock.evaluation.items import Item
from paddock.evaluation.judging import is_same, judged
from paddock.evaluation.positions import log_likelihoods
from paddock.evaluation.sets import items_of, pocket_items, rows_in
from paddock.evaluation.spec import digest_of, spec_of
from paddock.protocol.schema_checking import unusable
from paddock.protocol.strict_reading import Call, Heard
from recipes.pocket import held

PROMPT = {"prompt": "Say it."}
CITY = tool_cases.WEATHER


def test_the_intervals_are_those_of_the_papers() -> None:
    low, high = intervals.wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert intervals.wilson(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert intervals.wilson(10, 10)[1] == 1.0
    assert intervals.wilson(0, 0) == (0.0, 1.0)
    # The paper's own example of paired shares, by its method 10; and the same turned round.
    difference, (low, high) = intervals.paired(36, 2, 12, 0)
    assert (round(difference, 4), round(low, 4), round(high, 4)) == (0.2, 0.0569, 0.3404)
    turned, (low_turned, high_turned) = intervals.paired(36, 12, 2, 0)
    assert (-turned, -high_turned, -low_turned) == pytest.approx((difference, low, high))
    assert intervals.sign_test(0, 0) == 1.0
    assert intervals.sign_test(1, 9) == pytest.approx(0.021484375)


def test_a_ratio_of_equal_observations_has_no_width_and_one_alone_no_interval() -> None:
    assert intervals.ratio([2.0, 2.0, 2.0], [1.0, 1.0, 1.0]) == (2.0, (2.0, 2.0))
    assert intervals.ratio([3.0], [2.0]) == (1.5, None)
    mean, interval = intervals.ratio([1.0, 3.0], [1.0, 1.0])
    assert interval is not None
    # Two observations: Student's t of one degree of freedom, over the error of the mean, which is 1.
    assert (mean, interval[1]) == (2.0, pytest.approx(2 + 12.706))


def heard(text: str = "", *calls: tuple[str, Any], is_cut: bool = False) -> Heard:
    made = [
        Call(id=f"c{n}", name=name, arguments=given if isinstance(given, str) else json.dumps(given))
        for n, (name, given) in enumerate(calls)
    ]
    return Heard(text=text, calls=made, is_cut=is_cut)


def verdict_of(row: dict[str, Any], answer: Heard) -> bool:
    (item,) = items_of([{**PROMPT, **row}], answer_tokens=8, has_judge=True)
    return judged(item, [answer]).passed


@pytest.mark.parametrize(
    ("row", "right", "wrong"),
    [
        ({"exact": "Yes"}, " Yes\n", "yes"),
        ({"exact": ["a", "b"], "ignore_case": True}, "B", "c"),
        ({"contains": "17"}, "It is 17 degrees.", "It is cold."),
        ({"regex": "^[0-9]+$"}, "42", "forty 2"),
        ({"json": {"a": [1, None]}}, '```json\n{"a": [1.0, null]}\n```', '{"a": [true, null]}'),
        ({"json": None}, "null", "nothing"),
        ({"schema": {"type": "object", "required": ["a"]}}, '{"a": 1}', '{"b": 1}'),
        ({"silent": True}, "Hello.", '<tool_call>{"name": "x"}'),
    ],
)
def test_a_text_is_judged_by_its_check(row: dict[str, Any], right: str, wrong: str) -> None:
    assert verdict_of(row, heard(right))
    assert not verdict_of(row, heard(wrong))


def test_a_pattern_made_to_run_for_ever_does_not() -> None:
    assert not verdict_of({"regex": "^(a+)+$"}, heard("a" * 60_000 + "!"))


def test_calls_are_judged_by_shape_tools_and_arguments() -> None:
    row = {"calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}], "tools": [CITY]}
    (item,) = items_of([{**PROMPT, **row}], answer_tokens=8, has_judge=False)

    def marks(*calls: tuple[str, Any]) -> list[bool]:
        return list(judged(item, [heard("", *calls)]).marks.values())

    assert marks(("get_weather", {"city": "Oslo"})) == [True, True, True]
    assert marks(("get_weather", {"city": "Rome"})) == [True, True, False]
    assert marks(("get_time", {"city": "Oslo"})) == [True, False, False]
    assert marks(("get_weather", '{"city": "Os')) == [False, False, False]
    assert marks() == [False, False, False]


def test_numbers_are_no_truth_values() -> None:
    assert is_same({"a": [1, "x"]}, {"a": [1.0, "x"]})
    assert not is_same(True, 1)
    assert not is_same([1], [1, 1])
    assert not is_same({"a": None}, {})
    assert not is_same(math.nan, math.nan)


def case(name: str) -> Item:
    return next(one for one in tool_cases.items(64) if one.case == name)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("forced", [heard("", ("get_time", {"city": "x"}))], [heard("It rains.")]),
        ("forced", [heard("", ("get_time", {"city": "x"}))], [heard("", ("get_time", {"city": 1}))]),
        ("none", [heard("It rains.")], [heard("", ("get_weather", {"city": "Oslo"}))]),
        ("none", [heard("It rains.")], [heard('<tool_call>{"name": "get_weather"}')]),
        ("named", [heard("", ("get_time", {"city": "x"}))], [heard("", ("get_weather", {"city": "x"}))]),
        (
            "parallel",
            [heard("", ("get_weather", {"city": "Lima"}), ("get_weather", {"city": "Oslo"}))],
            [heard("", ("get_weather", {"city": "Oslo"}))],
        ),
        ("enum", [heard("", ("set_light", {"room": "kitchen", "state": "on"}))],
         [heard("", ("set_light", {"room": "kitchen", "state": "bright"}))]),
        ("unicode", [heard("", ("get_weather", {"city": "Zürich"}))], [heard("", ("get_weather", {"city": "Zurich"}))]),
        ("60 tools", [heard("", ("find_deserts", {"city": "Oslo"}))], [heard("", ("find_wells", {"city": "Oslo"}))]),
        ("streamed", [heard("a"), heard("a")], [heard("a"), heard("b")]),
        ("streamed", [heard("", ("f", '{"a":1}')), heard("", ("f", '{"a": 1}'))], [heard("", ("f", {})), heard("")]),
        ("truncated", [heard("", ("send_message", '{"to"'), is_cut=True)], [heard("", ("send_message", '{"to"'))]),
        ("no tool fits", [heard("Four.")], [heard("", ("delete_file", {"path": "x"}))]),
        ("result used", [heard("There are 17 degrees.")], [heard("I do not know.")]),
    ],
)  # fmt: skip
def test_each_case_of_tools_tells_a_conforming_answer_from_another(
    name: str, right: list[Heard], wrong: list[Heard]
) -> None:
    assert judged(case(name), right).passed, judged(case(name), right).why
    verdict = judged(case(name), wrong)
    assert not verdict.passed
    assert verdict.why


def test_an_answer_that_breaks_its_dialect_has_not_passed() -> None:
    answer = heard("Four.")
    answer.faults.append("the stream ends without [DONE]")
    assert "without [DONE]" in judged(case("no tool fits"), [answer]).why


def test_the_tries_of_tools_are_twelve_cases_of_five_or_more_with_names_and_schemas_of_their_own() -> None:
    items = tool_cases.items(64)
    cases = {one.case: [other for other in items if other.case == one.case] for one in items}
    assert len(cases) == 12
    assert all(len({one.name for one in own}) == len(own) >= 5 for own in cases.values())
    for item in items:
        for body in item.bodies:
            assert body["temperature"] == 0
            assert all(unusable(tool["function"]["parameters"]) is None for tool in body["tools"])
    assert len(case("60 tools").bodies[0]["tools"]) == 60


def test_the_held_out_prompts_that_are_shipped_are_those_of_the_recipe() -> None:
    """`python -m recipes.pocket.held` prints them; `gzip -9n` of that is the file."""
    shipped = pocket_items()
    rows = list(held.prompts())
    assert len(shipped) == len(rows) >= 500
    assert [one.bodies[0]["messages"] for one in shipped] == [row["messages"] for row in rows]
    assert [one.wanted for one in shipped] == [row["calls"] or row["text"] or "" for row in rows]


BAD: list[tuple[Any, str]] = [
    ("text", "each line is an object"),
    (None, "each line is an object"),
    ({"exact": "a"}, "either prompt or messages"),
    ({**PROMPT, "messages": [], "exact": "a"}, "either prompt or messages"),
    ({**PROMPT}, "exactly one of"),
    ({**PROMPT, "exact": "a", "regex": "b"}, "exact and regex"),
    ({**PROMPT, "exact": "a", "expected": "b"}, "expected"),
    ({**PROMPT, "exact": ""}, "must be a text"),
    ({**PROMPT, "exact": [1]}, "must be a text"),
    ({**PROMPT, "exact": "a", "ignore_case": 1}, "neither true nor false"),
    ({**PROMPT, "regex": "("}, "cannot be used"),
    ({**PROMPT, "regex": "(?=a)b"}, "cannot be used"),
    ({**PROMPT, "regex": 3}, "no text"),
    ({**PROMPT, "schema": {"type": "objekt"}}, "cannot be used"),
    ({**PROMPT, "schema": {"$ref": "http://127.0.0.1/x"}}, "cannot be used"),
    ({**PROMPT, "schema": []}, "no object"),
    ({**PROMPT, "judge": "  "}, "by what the answer is judged"),
    ({**PROMPT, "calls": [{"name": "a"}]}, "no list of"),
    ({**PROMPT, "calls": "a"}, "no list of"),
    ({**PROMPT, "silent": False}, "can be true"),
    ({**PROMPT, "choices": ["a"], "answer": 0}, "2 to 50"),
    ({**PROMPT, "choices": ["a", "b"], "answer": 2}, "from 0 to 1"),
    ({**PROMPT, "choices": ["a", "b"], "answer": True}, "from 0 to 1"),
    ({"text": "a", "prompt": "b"}, "measured as it is"),
    ({"text": 1}, "no text"),
    ({"prompt": 1, "exact": "a"}, "no text"),
    ({"messages": ["a"], "exact": "a"}, "objects with a role"),
    ({"messages": [{"content": "a"}], "exact": "a"}, "objects with a role"),
    ({**PROMPT, "exact": "a", "tools": {}}, "no list of objects"),
    ({**PROMPT, "exact": "a", "name": "\x1b[2J"}, "the name"),
    ({**PROMPT, "exact": "a", "case": "x" * 201}, "the case"),
]


@pytest.mark.parametrize(("row", "said"), BAD)
def test_a_set_that_no_try_can_be_made_of_is_refused_with_its_line(row: Any, said: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        items_of([{**PROMPT, "exact": "a"}, row], answer_tokens=8, has_judge=True)
    assert said in refused.value.message
    assert refused.value.message.startswith("Line 2 of the set ")


def test_a_set_is_refused_that_is_empty_too_long_no_json_or_has_a_name_twice() -> None:
    with pytest.raises(FieldInvalid, match="no line"):
        items_of([], answer_tokens=8, has_judge=False)
    with pytest.raises(FieldInvalid, match="at most 20000"):
        items_of([PROMPT] * 20_001, answer_tokens=8, has_judge=False)
    with pytest.raises(FieldInvalid, match="as an earlier one"):
        items_of([{**PROMPT, "exact": "a", "name": "n"}] * 2, answer_tokens=8, has_judge=False)
    with pytest.raises(FieldInvalid, match="none is named"):
        items_of([{**PROMPT, "judge": "It is kind."}], answer_tokens=8, has_judge=False)
    with pytest.raises(FieldInvalid, match="Line 3 of the set is no JSON"):
        rows_in('{"a": 1}\n\n{"a": \n')
    with pytest.raises(FieldInvalid, match="Line 1 of the set is no JSON"):
        rows_in("[" * 100_000)
    assert rows_in('{"a": "x y"}\r\n{"b": 1}') == [{"a": "x y"}, {"b": 1}]


@pytest.mark.parametrize(
    "given", [{"suite": "all"}, {"suite": "tools", "answer_tokens": 0}, {"suite": "tools", "answer_tokens": True},
              {"suite": "tools", "name": "a\nb"}, {"suite": "tools", "name": "x" * 101}],
)  # fmt: skip
def test_a_spec_that_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(FieldInvalid):
        spec_of({"model": "m", **given})


def test_a_set_is_told_from_another_by_its_rows_in_their_order() -> None:
    one, two = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert digest_of([one, {}]) == digest_of([two, {}])
    assert digest_of([one, {}]) != digest_of([{}, one])


def result(name: str, passed: bool, case: str = "set", **figures: float) -> dict[str, Any]:
    return {"case": case, "name": name, "passed": passed, "marks": {"exact": passed}, "figures": figures}


def test_a_report_counts_by_case_and_measures_texts_by_their_tokens() -> None:
    texts = [result("a", True, "t", nats=math.log(8) * 2, tokens=2.0, bytes=6.0) for _ in range(3)]
    told = report.report_of([result("1", True), result("2", False), result("3", True, "other"), *texts])
    assert [(one["case"], one["passed"], one["of"]) for one in told["cases"]] == [("set", 1, 2), ("other", 1, 1)]
    assert told["cases"][0]["marks"] == {"exact": 1}
    assert (told["total"]["passed"], told["total"]["of"]) == (2, 3)
    assert told["text"]["perplexity"] == told["text"]["low"] == told["text"]["high"] == pytest.approx(8)
    assert told["text"]["bits_per_byte"] == pytest.approx(1.0)
    assert report.report_of([])["total"] is None


def test_two_are_compared_on_the_tries_that_both_have() -> None:
    before = [result("1", True), result("2", False), result("3", False), result("only here", True)]
    after = [result("1", True), result("2", True), result("3", False)]
    told = report.compared(before, after)
    assert (told["tries"], told["left_out"]) == (3, 1)
    assert told["gained"] == [{"case": "set", "name": "2"}]
    assert told["lost"] == []
    assert (told["total"]["before"], told["total"]["after"], told["total"]["of"]) == (1, 2, 3)
    assert told["total"]["low"] < told["total"]["difference"] < told["total"]["high"]
    texts = [result(str(n), True, "t", nats=4.0 + n, tokens=2.0, bytes=8.0) for n in range(4)]
    better = [result(str(n), True, "t", nats=2.0 + n, tokens=2.0, bytes=8.0) for n in range(4)]
    text = report.compared(texts, better)["text"]
    assert text["difference"] == pytest.approx(-2 / math.log(2) / 8)
    assert text["difference_low"] == text["difference_high"] == pytest.approx(text["difference"])


@pytest.mark.anyio
@pytest.mark.parametrize("logprob", [None, "NaN"])
async def test_a_model_whose_weights_are_no_numbers_is_told_as_that(logprob: object) -> None:
    told: dict[str, object] = {"id": 7, "token": "a", "logprob": logprob}

    async def send(_path: str, _body: bytes) -> tuple[int, bytes]:
        return 200, json.dumps({"choices": [{"logprobs": {"content": [told]}}]}).encode()

    asker = Asker(send=send, model="nan")
    with pytest.raises(PaddockError, match="no numbers"):
        await log_likelihoods(asker, [1, 7], 1)
    told["logprob"] = -0.5
    assert await log_likelihoods(asker, [1, 7], 1) == [-0.5]
