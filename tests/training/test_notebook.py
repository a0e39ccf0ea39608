"""Runs the notebook with its training, on the real stack and engine."""

from __future__ import annotations

from pathlib import Path

from tests.journeys.test_notebook import built, executed
from tests.training.conftest import STACK


def test_the_notebook_trains_the_example(tmp_path: Path) -> None:
    folder = tmp_path / "notebook"
    data = folder / "paddock-notebook" / "data"
    data.mkdir(parents=True)
    # What the cell would install is there: it is found whole, and kept.
    (data / "stack").symlink_to(STACK)
    *_, trained, stopped = executed(folder, built(tmp_path))
    before, now = (line for line in trained.splitlines() if line.startswith(("before:", "now:")))
    assert "Mira" not in before
    assert now == "now: Mira looks after the llamas, from a blue hut on the hill."
    assert stopped.strip() == "stopped"
