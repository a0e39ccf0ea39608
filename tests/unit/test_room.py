"""Tests what a budget of memory says of a model's size, and that nothing of a budget is held back for the system."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddock.config import load
from paddock.serving.room import Room

BUDGET = 1000


def room(folder: Path, **settings: int) -> Room:
    return Room(load(settings, {"PADDOCK_HOME": str(folder)}))


@pytest.mark.parametrize(
    ("size_bytes", "verdict"), [(850, "fits"), (851, "tight"), (1000, "tight"), (1001, "does not fit")]
)
def test_a_size_fits_tightly_or_not_at_all(tmp_path: Path, size_bytes: int, verdict: str) -> None:
    assert room(tmp_path, memory_budget_bytes=BUDGET).verdict(size_bytes) == verdict


def test_the_whole_budget_is_a_models(tmp_path: Path) -> None:
    assert room(tmp_path, memory_budget_bytes=BUDGET).memory.available_bytes == BUDGET


def test_without_a_budget_a_share_of_what_is_free_is_one(tmp_path: Path) -> None:
    one = room(tmp_path)
    assert 0 < one.limits.memory_budget_bytes == one.memory.available_bytes
    assert one.limits is one.limits
