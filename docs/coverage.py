"""Finds which tests show which rule of the wire, and writes the table of it; runs no test.

A test shows a row by its name and a rule by its mark, as `tests/wire_table.py` says.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
_FOLDERS = ("unit", "wire", "journeys", "clients", "fuzz")
_ROW = re.compile(r"^test_rows?_(\d+(?:_and_\d+)*)_")
_LEVELS = {"U": "unit", "F": "scripted engine", "E": "real engine"}


def tests_in(folder: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every test of a folder, with its name as `folder/file.py::test`."""
    for path in sorted((TESTS / folder).glob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                yield f"{folder}/{path.name}::{node.name}", node


def shown_rows(folder: str) -> dict[int, list[str]]:
    """Row numbers and the tests of one folder that are named for them."""
    found: dict[int, list[str]] = defaultdict(list)
    for name, node in tests_in(folder):
        if match := _ROW.match(node.name):
            for number in match[1].split("_and_"):
                found[int(number)].append(name)
    return found


def shown_rules() -> dict[str, list[str]]:
    """Rules and the tests that are marked with them."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in _FOLDERS:
        for name, node in tests_in(folder):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
                    for key in mark.args:
                        found[str(ast.literal_eval(key))].append(name)
    return found


def _every_row() -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for folder in _FOLDERS:
        for number, names in shown_rows(folder).items():
            found[number] += names
    return found


def page(rows: Mapping[int, tuple[str, str]], rules: Mapping[str, tuple[str, str]]) -> str:
    """The body of docs/reference/wire.md."""
    by_row, by_rule = _every_row(), shown_rules()
    lines = ["## The rows", "", "| # | what it asks | shown at | tests |", "|---|---|---|---|"]
    for number, (levels, asks) in rows.items():
        shown = ", ".join(_LEVELS[level] for level in levels)
        lines.append(f"| {number} | {asks} | {shown} | {_listed(by_row[number])} |")
    section = ""
    for key, (of, asks) in rules.items():
        if of != section:
            lines += ["", f"## {of}", "", "| what it asks | tests |", "|---|---|"]
            section = of
        lines.append(f"| {asks} | {_listed(by_rule[key]) or '[measured](../benchmarks.md)'} |")
    return "\n".join(lines) + "\n"


def summary(rows: Mapping[int, tuple[str, str]], rules: Mapping[str, tuple[str, str]]) -> str:
    """The table in docs/api.md: how many rules each part has, and how many tests show them."""
    by_row, by_rule = _every_row(), shown_rules()
    sections: dict[str, list[str]] = {"Rows 1 to 63": [name for number in rows for name in by_row[number]]}
    counts = {"Rows 1 to 63": len(rows)}
    for key, (section, _) in rules.items():
        sections.setdefault(section, []).extend(by_rule[key])
        counts[section] = counts.get(section, 0) + 1
    lines = ["| part | rules | tests |", "|---|---|---|"]
    lines += [f"| {name} | {counts[name]} | {len(set(names))} |" for name, names in sections.items()]
    every = {name for names in sections.values() for name in names}
    lines.append(f"| all | {sum(counts.values())} | {len(every)} |")
    return "\n".join(lines) + "\n"


def _listed(names: list[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)
