"""Owns what a figure is and how runs become one; measures nothing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table.

    Attributes:
        runs: the figure of each run, in `unit`.
        engine_runs: the engine's own figure in each run, in `unit`; empty where nothing of the engine's compares.
        against: what `engine_runs` are.
        total: whether `runs` already hold the whole; else they are what paddock adds to the engine's own.
        goal: the most it should be, in `unit`; None where no goal is set.
        least: the least it should be, in `unit`, where more is better.
    """

    name: str
    unit: str
    runs: tuple[float, ...]
    engine_runs: tuple[float, ...] = ()
    against: str = ""
    total: bool = False
    goal: float | None = None
    least: float | None = None

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return statistics.median(self.runs)

    @property
    def ratio(self) -> float | None:
        """How many times the engine's own figure the whole is, in the middle run; None without a counterpart."""
        pairs = [(mine, its) for mine, its in zip(self.runs, self.engine_runs, strict=False) if its > 0]
        if not pairs:
            return None
        return statistics.median((mine if self.total else its + mine) / its for mine, its in pairs)

    @property
    def verdict(self) -> str:
        """Whether the goal is met."""
        if self.least is not None:
            return "met" if self.median >= self.least else "missed"
        if self.goal is None:
            return ""
        return "met" if self.median <= self.goal else "missed"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def added(values: Sequence[float], base: Sequence[float], share: float) -> float:
    """A quantile of `values` over the median of `base`: what is noise in `values` counts as added."""
    return quantile(values, share) - statistics.median(base)
