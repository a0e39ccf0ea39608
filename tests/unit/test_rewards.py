"""Tests what an answer is worth by each rule, and that rules which cannot be judged are refused beforehand."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import FieldInvalid
from paddock.training.rewards import Answer, calls_in, checked_rewards, rules_of
from paddock.training.spec import spec_of

Json = dict[str, Any]


def answer(text: str, *, tokens: int = 0, expected: list[Json] | None = None, row: Json | None = None) -> Answer:
    return Answer(text=text, tokens=tokens, question="How?", expected=expected or [], row=row or {})


def worth(rewards: str, *answers: Answer, **options: Any) -> list[float]:
    spec = spec_of({"data": "x.jsonl", "method": "grpo", "rewards": rewards, **options})
    (rule, _) = rules_of(spec)[rewards.partition("=")[0]]
    return rule(answers)


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def wanted(name: str, **arguments: Any) -> Json:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": [1, null]}', 1.0), ("3", 1.0), ("NaN", 0.0), ("{'a': 1}", 0.0), ("", 0.0), ('{"a": 1} and', 0.0),
     ("[" * 100_000, 0.0)],
)  # fmt: skip
def test_json_is_valid_or_not(text: str, value: float) -> None:
    assert worth("json", answer(text)) == [value]


def test_a_pattern_is_found_or_not() -> None:
    assert worth("regex", answer("It is 12."), answer("It is a dozen."), reward_pattern=r"\d+") == [1.0, 0.0]


def test_a_length_is_right_nearly_right_or_far_off() -> None:
    found = worth("length", *(answer("x", tokens=n) for n in (10, 5, 15, 20, 400)), reward_tokens=10)
    assert found == [1.0, 0.5, 0.5, 0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (call("add", a=1, b=2), 1.0),
        (call("add", b=2, a=1), 1.0),
        ("I add. " + call("add", a=1, b=2), 1.0),
        ('{"name": "add", "arguments": {"a": 1, "b": 2}}', 1.0),
        (call("add", a=1, b=3), 0.75),
        (call("add", a=1), 0.75),
        (call("add", a=1, b=2, c=3), 0.5 + 0.5 * 2 / 3),
        (call("add"), 0.5),
        (call("take", a=1, b=2), 0.2),
        (call("add", a=1, b=2) * 2, 0.5),
        ("Three.", 0.0),
        ("<tool_call>{</tool_call>", 0.0),
        ('<tool_call>{"name": "add"}</tool_call>', 0.0),
    ],
)
def test_a_call_is_worth_what_is_right_of_it(text: str, value: float) -> None:
    assert worth("tool_call", answer(text, expected=[wanted("add", a=1, b=2)])) == [pytest.approx(value)]


@pytest.mark.parametrize(
    ("text", "value"), [("Hello.", 1.0), (call("add", a=1), 0.0), ("<tool_call>{</tool_call>", 0.0)]
)
def test_where_no_call_is_right_none_is(text: str, value: float) -> None:
    assert worth("tool_call", answer(text)) == [value]


def test_calls_are_found_in_their_order() -> None:
    assert calls_in(call("a") + " and " + call("b", x=1)) == [
        {"name": "a", "arguments": {}}, {"name": "b", "arguments": {"x": 1}},
    ]  # fmt: skip
    assert calls_in("no call") is None


@pytest.mark.skipif(sys.platform != "linux", reason="code is confined on Linux alone")
class TestCode:
    """Rewards by a person's own code."""

    def spec(self, folder: Path, code: str, **more: Any) -> Json:
        (folder / "reward.py").write_text(code)
        return {"reward_code": str(folder / "reward.py"), "runs_code": True, **more}

    def test_it_sees_the_answer_and_the_row(self, tmp_path: Path) -> None:
        options = self.spec(tmp_path, "def reward(answer, row):\n    return row['n'] if answer == 'yes' else -0.5\n")
        assert worth("python", answer("yes", row={"n": 2}), answer("no"), **options) == [2.0, -0.5]

    def test_where_it_fails_an_answer_is_worth_nothing_and_why_is_printed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = self.spec(tmp_path, "def reward(answer, row):\n    return int(answer)\n")
        assert worth("python", answer("3"), answer("x"), **options) == [3.0, 0.0]
        assert "ValueError: invalid literal" in capsys.readouterr().out

    @pytest.mark.parametrize("code", ["return 1 / 0", "return 'good'", "open('/etc/passwd')"])
    def test_where_it_fails_at_all_answers_the_training_ends(self, tmp_path: Path, code: str) -> None:
        options = self.spec(tmp_path, f"def reward(answer, row):\n    {code}\n")
        with pytest.raises(FieldInvalid, match=r"^reward_code fails: ") as refused:
            worth("python", answer("a"), answer("b"), **options)
        assert refused.value.param == "reward_code"

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("def reward(:", "is no Python"),
            ("x = 1", "has no function reward"),
            ("#" * 70_000, "more than 65536 bytes"),
        ],
    )
    def test_what_is_no_reward_is_refused_before_it_runs(self, tmp_path: Path, code: str, words: str) -> None:
        options = self.spec(tmp_path, code)
        spec = spec_of({"data": "x.jsonl", "method": "grpo", "rewards": "python", **options})
        with pytest.raises(FieldInvalid, match=words):
            checked_rewards(spec)

    def test_a_file_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        spec = spec_of({
            "data": "x.jsonl", "method": "grpo", "rewards": "python", "runs_code": True,
            "reward_code": str(tmp_path / "none.py"),
        })  # fmt: skip
        with pytest.raises(FieldInvalid, match="cannot be read"):
            checked_rewards(spec)


@pytest.mark.parametrize(
    ("options", "param", "words"),
    [
        ({}, "rewards", "Say what grpo rewards"),
        ({"rewards": "beauty"}, "rewards", "rewards has 'beauty'; there are json"),
        ({"rewards": "json=much"}, "rewards", "not a number"),
        ({"rewards": "regex"}, "reward_pattern", "needs reward_pattern"),
        ({"rewards": "regex", "reward_pattern": "("}, "reward_pattern", "is no pattern"),
        ({"rewards": "length"}, "reward_tokens", "needs reward_tokens"),
        ({"rewards": "python"}, "reward_code", "needs reward_code"),
        ({"rewards": "python", "reward_code": "r.py"}, "runs_code", "say runs_code true"),
        ({"rewards": "judge"}, "judge_model", "needs judge_model"),
        ({"rewards": "json", "group_answers": 3}, "group_answers", "2 x 4 = 8 answers"),
        ({"rewards": "json", "too_long": "cut"}, "too_long", "Say drop"),
        ({"rewards": "json", "packs": True}, "packs", "packs is for sft and cpt"),
    ],
)
def test_rewards_that_cannot_be_given_are_refused_by_their_option(options: Json, param: str, words: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        spec_of({"data": "x.jsonl", "method": "grpo", **options})
    assert refused.value.param == param
    assert words in refused.value.message


def test_weights_are_those_that_are_said() -> None:
    spec = spec_of({"data": "x", "method": "grpo", "rewards": " json , length = 0.5", "reward_tokens": 3})
    assert {name: weight for name, (_, weight) in rules_of(spec).items()} == {"json": 1.0, "length": 0.5}
