"""Owns what is counted of engines: how often they were started, why they ended, how long loads and waits took.

Judges none of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from paddock.counts import TimesBy
from paddock.engine.exits import ExitKind

# Why an engine is ended that did nothing wrong.
Reason = Literal["idle", "evicted", "unloaded", "shutdown"]
Ended: TypeAlias = Reason | ExitKind


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The counts of one paddock's engines, by the ids of their models.

    `loads` are the times from a start to readiness, `waits` those of requests until a model was given to them.
    """

    starts: Counter[str] = field(default_factory=Counter[str])
    ends: Counter[tuple[str, Ended]] = field(default_factory=Counter[tuple[str, Ended]])
    loads: TimesBy = field(default_factory=TimesBy)
    waits: TimesBy = field(default_factory=TimesBy)
