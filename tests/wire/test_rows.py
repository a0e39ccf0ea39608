"""Tests that every row and rule of the wire has a test, each row one of every level that its table asks for."""

from __future__ import annotations

import pytest

from docs import coverage
from tests.wire_table import BEYOND, ROWS

LEVELS: dict[str, tuple[str, ...]] = {"U": ("unit",), "F": ("wire", "journeys"), "E": ("journeys",)}
# What only a measurement shows.
MEASURED = {"messages-count-time"}


def test_the_table_has_all_rows() -> None:
    assert sorted(ROWS) == list(range(1, 64))


@pytest.mark.parametrize("level", LEVELS)
def test_every_row_has_a_test_of_its_level(level: str) -> None:
    covered = {row for folder in LEVELS[level] for row in coverage.shown_rows(folder)}
    assert [row for row, (levels, _) in sorted(ROWS.items()) if level in levels and row not in covered] == []


def test_no_test_claims_a_row_that_does_not_exist() -> None:
    claimed = {row for folders in LEVELS.values() for folder in folders for row in coverage.shown_rows(folder)}
    assert claimed <= set(range(1, 64))


def test_every_rule_beyond_the_rows_has_a_test_and_no_test_claims_another() -> None:
    shown = set(coverage.shown_rules())
    assert set(BEYOND) - shown - MEASURED == set()
    assert shown - set(BEYOND) == set()
