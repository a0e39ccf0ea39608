"""Owns the labelled set: passages of a firm's handbook, queries, and which passage answers each; judges no search.

Half of the queries ask by rare words, such as numbers and names, half by meaning, in other words than the passage's.
They were written before any model or search was tried on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MODEL = HERE / "words.gguf"
_DEEP = 10


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is looked for, by which means it can be found, and the names of the passages that answer."""

    kind: str
    text: str
    answers: frozenset[str]


def passages() -> dict[str, str]:
    """The passages by their names."""
    return dict(line.split("|", 1) for line in (HERE / "passages.txt").read_text("utf-8").splitlines())


def queries() -> list[Query]:
    """All queries."""
    parts = [line.split("|") for line in (HERE / "queries.txt").read_text("utf-8").splitlines()]
    return [Query(kind=kind, text=text, answers=frozenset(answers.split(","))) for kind, text, answers in parts]


def ndcg(found: Sequence[str], answers: frozenset[str]) -> float:
    """How good a finding is: normalised discounted cumulative gain of the first ten, each answer worth 1."""
    gain = sum(1 / math.log2(place + 2) for place, name in enumerate(found[:_DEEP]) if name in answers)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(_DEEP, len(answers))))
