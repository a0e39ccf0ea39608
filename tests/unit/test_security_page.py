"""Tests that the page about security and the tests agree: which attacks are made, and by which files."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = {row.split("**")[1]: row for row in PAGE.splitlines() if row.startswith("| **")}
# What must be tried, whatever the page says.
KINDS = (
    "pages of elsewhere", "path traversal", "having paddock connect elsewhere", "request smuggling", "floods",
    "brute force", "timing of key comparison", "bombs", "malicious GGUF headers", "malicious chat templates",
    "malicious notebooks and data sets", "prompt text that forges template markup", "log injection",
    "scripts in every field the page shows",
)  # fmt: skip
MARK = "pytest.mark.attack"


def marks(source: str) -> Iterator[ast.expr]:
    """The marks of attacks in a file of tests: those of the whole file, and those of single tests."""
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            found: list[ast.expr] = node.decorator_list
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            found = node.value.elts if isinstance(node.value, ast.List) else [node.value]
        else:
            continue
        yield from (one for one in found if ast.unparse(one).startswith(MARK))


def kinds(source: str) -> set[str]:
    """The kinds of attack that a file of tests makes, by its marks; "" for a mark that names none."""
    return {str(ast.literal_eval(one.args[0])) if isinstance(one, ast.Call) else "" for one in marks(source)}


def marked() -> dict[str, set[str]]:
    """Each kind of attack, and the files whose tests make it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for kind in kinds(path.read_text("utf-8")):
            found[kind].add(path.relative_to(ROOT).as_posix())
    return found


MARKED = marked()


@pytest.mark.parametrize(
    ("source", "made"),
    [
        (f"pytestmark = {MARK}('a')", {"a"}),
        (f"pytestmark = [pytest.mark.anyio, {MARK}('a')]", {"a"}),
        (f"@{MARK}('a')\nasync def test_x(): ...\n@{MARK}('b')\ndef test_y(): ...", {"a", "b"}),
        (f"@{MARK}\ndef test_x(): ...", {""}),
        (f"@{MARK}('a')\ndef no_test(): ...", set[str]()),
        (f"other = {MARK}('a')", set[str]()),
    ],
)
def test_the_look_sees_the_marks(source: str, made: set[str]) -> None:
    assert kinds(source) == made


@pytest.mark.parametrize("kind", sorted({*KINDS, *ROWS, *MARKED}))
def test_the_page_names_the_tests_that_make_an_attack_and_no_others(kind: str) -> None:
    assert set(re.findall(r"`(tests/[\w/]+/test_\w+\.py)`", ROWS.get(kind, ""))) == MARKED[kind] != set()


@pytest.mark.parametrize(
    "heading", ["Who is thought of", "Who is trusted with what", "What is tried", "What is not covered"]
)
def test_the_page_says_whom_it_thinks_of_and_of_what_not(heading: str) -> None:
    assert re.search(rf"^## {heading}", PAGE, re.MULTILINE)


def test_whatever_it_names_as_a_test_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) > 40
    assert {name for name in named if not (ROOT / name).is_file()} == set()
