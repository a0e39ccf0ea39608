"""Owns what one try is: what is asked, and by which check its answer is judged; refuses to ask or judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# The checks of own sets, by the field that asks for them.
Check = Literal["exact", "contains", "regex", "json", "schema", "judge", "calls", "silent", "choices", "text"]
CHECKS: tuple[Check, ...] = (
    "exact", "contains", "regex", "json", "schema", "judge", "calls", "silent", "choices", "text",
)  # fmt: skip
# Those for which nothing is generated: the engine is asked for probabilities, position by position.
MEASURED: frozenset[str] = frozenset(("choices", "text"))


@dataclass(frozen=True, kw_only=True)
class Item:
    """One try.

    Attributes:
        case: what it is told under; tries of one case are counted together.
        name: what tells it from others of its case, for people and for comparing two evaluations.
        check: how its answer is judged: one of CHECKS, or a check of tool calls.
        bodies: the chat requests, without a model; most tries have one.
        wanted: what the check wants.
    """

    case: str
    name: str
    check: str
    bodies: tuple[Mapping[str, Any], ...] = ()
    wanted: Any = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one try. `marks` are the steps on the way to passing; `figures` what was measured."""

    passed: bool
    why: str = ""
    said: str = ""
    marks: Mapping[str, bool] = field(default_factory=dict[str, bool])
    figures: Mapping[str, float] = field(default_factory=dict[str, float])
