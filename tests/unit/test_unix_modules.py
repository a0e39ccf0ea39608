"""Nothing that Windows imports asks for modules of Python's that are only elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src" / "paddock"
ELSEWHERE = {"resource", "fcntl", "pwd", "grp", "termios", "syslog", "pty", "tty"}
# Runs where the kernel confines code, which is Linux alone.
LINUX = {SOURCES / "sandbox" / name for name in ("inside.py", "interpreter.py")}


def imported_at_once(text: str) -> set[str]:
    """What a module imports before any of its functions is called."""
    found: set[str] = set()
    for one in ast.parse(text).body:
        if isinstance(one, ast.Import):
            found |= {name.name.partition(".")[0] for name in one.names}
        elif isinstance(one, ast.ImportFrom) and one.module and not one.level:
            found.add(one.module.partition(".")[0])
    return found


def test_modules_of_unix_are_imported_where_they_are_needed() -> None:
    sources = [path for path in SOURCES.rglob("*.py") if path not in LINUX]
    assert len(sources) > 100
    assert {
        str(path): found for path in sources if (found := imported_at_once(path.read_text("utf-8")) & ELSEWHERE)
    } == {}


def test_one_that_is_imported_at_once_is_seen() -> None:
    text = "import sys\nimport resource\nfrom fcntl import flock\ndef f():\n    import pwd\n"
    assert imported_at_once(text) & ELSEWHERE == {"resource", "fcntl"}
