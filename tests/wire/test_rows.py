"""Tests that every row 1-63 of the wire table has a test of each level that the table asks for.

A test says in its name which rows it is for: `test_row_7_…`, `test_rows_33_and_34_…`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
# U: on models and translators. F: the scripted engine over real sockets. E: the real engine and a real model.
LEVELS: dict[str, tuple[str, ...]] = {"U": ("unit",), "F": ("wire", "journeys"), "E": ("journeys",)}
ROWS: dict[int, str] = dict.fromkeys(range(18, 62), "F") | {
    **dict.fromkeys((1, 2, 3, 6, 8, 9, 12, 13, 14, 15, 16, 17, 37, 46, 47, 48), "U"),
    **dict.fromkeys((4, 5, 7, 10, 11, 25, 27, 28), "UF"),
    **dict.fromkeys((52, 53, 54, 62), "E"),
    **dict.fromkeys((55, 56, 57, 58, 59, 63), "U"),
}
NAMED = re.compile(r"^test_rows?_(\d+(?:_and_\d+)*)_")


def rows_in(folder: str) -> dict[int, list[str]]:
    """Row numbers and the tests of one folder that are for them."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted((TESTS / folder).glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            is_test = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            if is_test and (match := NAMED.match(node.name)):
                for number in match[1].split("_and_"):
                    found[int(number)].append(f"{path.name}::{node.name}")
    return found


def test_the_table_has_all_rows() -> None:
    assert sorted(ROWS) == list(range(1, 64))


@pytest.mark.parametrize("level", LEVELS)
def test_every_row_has_a_test_of_its_level(level: str) -> None:
    covered = {row for folder in LEVELS[level] for row in rows_in(folder)}
    assert [row for row, levels in sorted(ROWS.items()) if level in levels and row not in covered] == []


def test_no_test_claims_a_row_that_does_not_exist() -> None:
    claimed = {row for folders in LEVELS.values() for folder in folders for row in rows_in(folder)}
    assert claimed <= set(range(1, 64))
