"""Writes the list of what was tried against the walls of workspaces, of the tests that try it; judges none."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.wire.escapes import GROUPS

ROOT = Path(__file__).resolve().parents[1]
OTHERS = {
    "tests/wire/test_sandbox_bombs.py": "Taking all there is",
    "tests/wire/test_sandbox_files.py": "Deceiving whoever looks",
}
INTRODUCTION = (
    "Each of these is tried for real by the tests, within the walls: by a cell of Python and by a command of the "
    "shell. *Teeth* says whether it is also made without walls, where it succeeds, so that it is known to be one. "
    "[The sandbox](../sandbox.md) tells what follows, and what is not covered.\n"
)


def sentences(path: Path) -> list[str]:
    """The tests of a file, in words."""
    tree = ast.parse(path.read_bytes())
    named = [one.name for one in tree.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [name.removeprefix("test_").replace("_", " ") for name in named if name.startswith("test_")]


def page() -> str:
    """The list, without its head."""
    parts = [INTRODUCTION]
    for title, attempts in GROUPS.items():
        lines = [f"| `{one.name}` | {'yes' if one.has_teeth else ''} |" for one in attempts]
        parts.append(f"## {title}\n\n| attempt | teeth |\n| --- | --- |\n" + "\n".join(lines) + "\n")
    for name, title in OTHERS.items():
        told = "\n".join(f"- {one}" for one in sentences(ROOT / name))
        parts.append(f"## {title}\n\n`{name}`:\n\n{told}\n")
    return "\n".join(parts)
