"""Owns what an answer is worth, by rules that a machine can check; refuses to know how answers come about.

A rule gives a number for each answer: 0 to 1, but for those of a person's own code.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from paddock.errors import FieldInvalid, shown
from paddock.paths import typed
from paddock.sandbox.calls import Outcome, Sandbox, refusal
from paddock.training.exclusions import weights_of
from paddock.training.judging import Judge
from paddock.training.spec import TrainSpec

# Where templates of the widest family write a call; others are known by being one table.
_CALLS = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_FUNCTION = "reward"
_CODE_MOST_BYTES = 2**16
# Shares of the reward of a call: that it is one, that it is the right tool; the rest goes by its arguments.
_IS_CALL, _IS_TOOL = 0.2, 0.3


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer that the model gave: its text with every mark of the template, its length, what was asked."""

    text: str
    tokens: int
    question: str
    expected: Sequence[Mapping[str, Any]]
    row: Mapping[str, Any]


Rule = Callable[[Sequence[Answer]], list[float]]


def rules_of(spec: TrainSpec, judged_at: str = "") -> dict[str, tuple[Rule, float]]:
    """What is rewarded, by its name, with its weight.

    Args:
        spec: what is rewarded.
        judged_at: where this paddock can be asked without a key; "" where it cannot.

    Raises:
        FieldInvalid: code cannot be run here, or no model can be asked.
    """
    made: dict[str, tuple[Rule, float]] = {}
    for name, weight in weights_of(spec).items():
        made[name] = _rule(name, spec, judged_at), weight
    return made


def checked_rewards(spec: TrainSpec, judged_at: str = "") -> None:
    """Look whether what is rewarded can be judged here. Raises as `rules_of`."""
    if spec.method != "grpo":
        return
    names = weights_of(spec)
    if "python" in names:
        checked_code(spec)
    if "judge" in names:
        _judge(spec, judged_at)


def checked_code(spec: TrainSpec) -> str:
    """The code of `reward_code`, read and not run. Raises FieldInvalid where it cannot be, or is none."""
    path = typed(spec.reward_code, "reward_code")
    try:
        if path.stat().st_size > _CODE_MOST_BYTES:
            raise FieldInvalid(f"{path.name} has more than {_CODE_MOST_BYTES} bytes.", param="reward_code")
        code = path.read_text("utf-8")
        found = ast.parse(code)
    except (OSError, UnicodeDecodeError) as error:
        raise FieldInvalid(f"reward_code cannot be read: {error}.", param="reward_code") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FieldInvalid(f"{path.name} is no Python: {error}.", param="reward_code") from error
    if not any(isinstance(one, ast.FunctionDef) and one.name == _FUNCTION for one in found.body):
        raise FieldInvalid(f"{path.name} has no function reward(answer, row).", param="reward_code")
    if reason := refusal():
        raise FieldInvalid(f"{path.name} cannot be run. {reason}", param="reward_code")
    return code


def calls_in(text: str) -> list[dict[str, Any]] | None:
    """The calls of an answer, each with `name` and `arguments`; None where it makes none, or one that is broken."""
    marked = _CALLS.findall(text)
    found: list[dict[str, Any]] = []
    for part in marked or [text]:
        try:
            said: object = json.loads(part)
        except (ValueError, RecursionError):
            return None
        call = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
        if not isinstance(call.get("name"), str) or not isinstance(call.get("arguments"), dict):
            return None
        found.append({"name": call["name"], "arguments": call["arguments"]})
    return found


def _rule(name: str, spec: TrainSpec, judged_at: str) -> Rule:
    if name == "python":
        return _by_code(checked_code(spec))
    if name == "judge":
        return _by_judge(_judge(spec, judged_at))
    one: Callable[[Answer], float] = {
        "json": _is_json,
        "tool_call": _call,
        "regex": _by_pattern(spec.reward_pattern),
        "length": _by_length(spec.reward_tokens),
    }[name]
    return lambda answers: [one(answer) for answer in answers]


def _by_pattern(pattern: str) -> Callable[[Answer], float]:
    found = re.compile(pattern)
    return lambda answer: float(found.search(answer.text) is not None)


def _by_length(tokens: int) -> Callable[[Answer], float]:
    return lambda answer: max(0.0, 1 - abs(answer.tokens - tokens) / max(1, tokens))


def _is_json(answer: Answer) -> float:
    try:
        json.loads(answer.text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return 0.0
    return 1.0


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _call(answer: Answer) -> float:
    """How right the calls of an answer are; where none is expected, that there is none."""
    said = calls_in(answer.text)
    wanted = [cast("Mapping[str, Any]", one["function"]) for one in answer.expected]
    if not wanted:
        return float(said is None and "<tool_call>" not in answer.text)
    if said is None:
        return 0.0
    worth = sum(_alike(one, other) for one, other in zip(said, wanted, strict=False))
    return worth / max(len(said), len(wanted))


def _alike(said: Mapping[str, Any], wanted: Mapping[str, Any]) -> float:
    if said["name"] != wanted["name"]:
        return _IS_CALL
    names = {*said["arguments"], *wanted["arguments"]}
    missing = object()
    right = sum(said["arguments"].get(name, missing) == wanted["arguments"].get(name, missing) for name in names)
    return _IS_CALL + _IS_TOOL + (1 - _IS_CALL - _IS_TOOL) * (right / len(names) if names else 1.0)


def _by_code(code: str) -> Rule:
    sandbox = Sandbox(code, _FUNCTION)

    def rule(answers: Sequence[Answer]) -> list[float]:
        outcomes = sandbox.call([[answer.text, dict(answer.row)] for answer in answers])
        failed = [one.error or f"It gave {shown(one.value)}, no number." for one in outcomes if not _is_worth(one)]
        # Code that fails at some answers finds them worth nothing; code that fails at all of them is wrong itself.
        if len(failed) == len(answers):
            raise FieldInvalid(f"reward_code fails: {failed[0]}", param="reward_code")
        for words in failed:
            sys.stdout.write(f"reward_code: {words}\n")
        return [float(one.value) if _is_worth(one) else 0.0 for one in outcomes]

    return rule


def _judge(spec: TrainSpec, judged_at: str) -> Judge:
    if not judged_at:
        raise FieldInvalid(
            "rewards has judge, which asks this paddock by plain HTTP and without a key; here it needs one. Take "
            "another reward, or have `paddock serve` run on loopback, without a key or TLS.",
            param="rewards",
        )
    return Judge(judged_at, spec.judge_model, spec.judge_question)


def _by_judge(judge: Judge) -> Rule:
    def rule(answers: Sequence[Answer]) -> list[float]:
        rated = judge.rate([(answer.question, answer.text) for answer in answers])
        failed = [one for one in rated if isinstance(one, str)]
        if len(failed) == len(answers):
            raise FieldInvalid(
                f"The judge gives no number: {shown(failed[0])}. Ask it otherwise, or ask another model.",
                param="judge_question",
            )
        for words in failed:
            sys.stdout.write(f"judge: no number in {shown(words)}\n")
        return [0.0 if isinstance(one, str) else one for one in rated]

    return rule


def _is_worth(outcome: Outcome) -> bool:
    return not outcome.error and isinstance(outcome.value, int | float)
