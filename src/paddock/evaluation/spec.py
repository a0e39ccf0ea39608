"""Owns what an evaluation can be told, and checking it; refuses to look at any model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from paddock.errors import FieldInvalid, shown

Suite = Literal["tools", "pocket", "set", "vote"]
SUITES: tuple[Suite, ...] = get_args(Suite)
ANSWER_TOKENS = 512
_ANSWER_TOKENS_MOST = 32768
_NAME_MOST_CHARACTERS = 100


@dataclass(frozen=True, kw_only=True)
class EvaluationSpec:
    """One evaluation.

    Attributes:
        suite: which tries: "tools", "pocket", "set" for one's own, or "vote" for answers that a person chooses between.
        model: the name of the model that is asked.
        name: what the evaluation is called.
        judge: the model that judges where a try wants a judge; "" for none.
        answer_tokens: the most tokens of an answer.
        against: the model whose answers stand beside the first's in a vote; "" where there is none.
        set_digest: what tells one's own set from others; "" without one.
    """

    suite: Suite
    model: str
    name: str
    judge: str = ""
    against: str = ""
    answer_tokens: int = ANSWER_TOKENS
    set_digest: str = ""


def spec_of(given: Mapping[str, Any]) -> EvaluationSpec:
    """An evaluation of names and values. Raises FieldInvalid."""
    suite = given.get("suite")
    if suite not in SUITES:
        raise FieldInvalid(f"suite is {shown(suite)}; it must be one of {', '.join(SUITES)}.", param="suite")
    tokens = given.get("answer_tokens", ANSWER_TOKENS)
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 1 <= tokens <= _ANSWER_TOKENS_MOST:
        raise FieldInvalid(
            f"answer_tokens is {shown(tokens)}; it must be a whole number from 1 to {_ANSWER_TOKENS_MOST}.",
            param="answer_tokens",
        )
    name = str(given.get("name") or suite).strip()
    if len(name) > _NAME_MOST_CHARACTERS or not name.isprintable():
        raise FieldInvalid(f"name is {shown(name)}; it must be 1 to {_NAME_MOST_CHARACTERS} letters.", param="name")
    against = str(given.get("against") or "")
    if (suite == "vote") != bool(against):
        raise FieldInvalid(
            "A vote is on two models, which `model` and `against` name; other suites have one.", param="against"
        )
    if against and against == given["model"]:
        raise FieldInvalid(f"A vote is on two models, and both are {shown(against)}. Name another.", param="against")
    return EvaluationSpec(
        suite=suite,
        model=str(given["model"]),
        name=name,
        judge=str(given.get("judge") or ""),
        against=against,
        answer_tokens=tokens,
        set_digest=str(given.get("set_digest") or ""),
    )


def as_table(spec: EvaluationSpec) -> dict[str, Any]:
    """As it is written down and told."""
    return asdict(spec)


def digest_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """What tells a set from others: the same rows in the same order have the same."""
    text = json.dumps(list(rows), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
