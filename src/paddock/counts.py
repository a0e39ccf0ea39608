"""Owns how times that things took are kept until somebody reads them; refuses to know what things they are."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

# The upper ends of the classes, in seconds: from an answer out of memory to one that a large model thinks over.
ENDS_S: tuple[float, ...] = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Times:
    """How often something took how long. `classes` has one number more than there are ends: what took longer."""

    __slots__ = ("classes", "sum_s")

    def __init__(self) -> None:
        self.classes = [0] * (len(ENDS_S) + 1)
        self.sum_s = 0.0

    def add(self, took_s: float) -> None:
        """It took so long once more."""
        self.classes[bisect_left(ENDS_S, took_s)] += 1
        self.sum_s += took_s


class TimesBy(defaultdict[tuple[str, ...], Times]):
    """Times by what they are told apart by, such as a model. Whoever adds keeps these few."""

    def __init__(self) -> None:
        super().__init__(Times)
