"""Owns how a run of the tests is told: its last line, and the record of a full one; runs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one step of the tests went. `counts` are pytest's, where pytest was what ran."""

    step: str
    code: int
    took_s: float
    counts: dict[str, int]


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line, in the shape of pytest's own, over all steps."""
    words = {"failures": "failed", "passed": "passed", "skipped": "skipped", "errors": "errors"}
    totals = {word: sum(o.counts.get(name, 0) for o in outcomes) for name, word in words.items()}
    named = ", ".join(f"{count} {word}" for word, count in totals.items() if count or word == "passed")
    broken = ", ".join(o.step for o in outcomes if o.code)
    return f"===== {named} in {sum(o.took_s for o in outcomes):.2f}s{f' ({broken} FAILED)' if broken else ''} ====="


def verification(outcomes: Sequence[Outcome], root: Path) -> str:
    """The record of a full run: date, commit, machine, counts."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = " with uncommitted changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    rows = [
        f"| {o.step} | {'ok' if o.code == 0 else 'failed'} | {o.counts.get('passed', '')} | "
        f"{o.counts['failures'] + o.counts['errors'] if o.counts else ''} | {o.took_s:.0f} |"
        for o in outcomes
    ]
    head = (
        "# Verification\n\nWritten by `python3 dev.py test --tier all`; do not edit.\n\n"
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {git('rev-parse', '--short=12', 'HEAD')}{changed}, "
        f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs.\n\n"
        "| step | outcome | passed | failed | seconds |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"
