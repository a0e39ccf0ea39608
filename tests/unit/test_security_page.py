"""Tests that the page about security names for each kind of attack a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = {row.split("**")[1]: row for row in PAGE.splitlines() if row.startswith("| **")}
KINDS = (
    "pages of elsewhere", "path traversal", "having paddock connect elsewhere", "request smuggling", "floods",
    "brute force", "timing of key comparison", "bombs", "malicious GGUF headers", "malicious chat templates",
    "malicious notebooks and data sets", "prompt text that forges template markup", "log injection",
    "scripts in every field the page shows",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_attack_is_made_by_a_test(kind: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", ROWS[kind])
    assert any(re.search(r"^(async )?def test_", (ROOT / name).read_text("utf-8"), re.MULTILINE) for name in named)


@pytest.mark.parametrize(
    "heading", ["Who is thought of", "Who is trusted with what", "What is tried", "What is not covered"]
)
def test_the_page_says_whom_it_thinks_of_and_of_what_not(heading: str) -> None:
    assert re.search(rf"^## {heading}", PAGE, re.MULTILINE)


def test_whatever_it_names_as_a_test_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) > 40
    assert {name for name in named if not (ROOT / name).is_file()} == set()
