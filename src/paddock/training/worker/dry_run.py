"""Owns what a dry run does otherwise: two steps, on the longest rows; refuses to judge what comes of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from paddock.training.spec import TrainSpec

_STEPS = 2
# Longer rows than this may be left out for their length.
_CHARACTERS_OF_A_TOKEN = 3


def shortened(spec: TrainSpec) -> TrainSpec:
    """The same training with two steps, one look at held-out rows and one checkpoint."""
    return replace(
        spec, dry_run="only", steps=_STEPS, log_every_steps=1, eval_every_steps=_STEPS, save_every_steps=_STEPS
    )


def hardest(rows: Sequence[Any], read: int, spec: TrainSpec) -> list[Any]:
    """The longest rows that fit, so that what needs too much memory shows, and as many by chance."""
    by_length = sorted(rows, key=_characters, reverse=True)
    fitting = [row for row in by_length if _characters(row) <= spec.context_tokens * _CHARACTERS_OF_A_TOKEN]
    longest = fitting[:read]
    taken = {id(row) for row in longest}
    others = [row for row in rows if id(row) not in taken]
    return longest + random.Random(spec.seed).sample(others, min(read, len(others)))


def _characters(row: object) -> int:
    return len(str(row))
