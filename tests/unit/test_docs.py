"""The documentation cannot lie: what exists is written down, what is generated is fresh, what is linked is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from docs import generate
from paddock import errors
from paddock.cli import app
from paddock.config import NAMES

ROOT = Path(__file__).resolve().parents[2]
API = ROOT / "src" / "paddock" / "api"
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text() -> str:
    return "\n".join(page.read_text("utf-8") for page in pages())


def routes() -> Iterator[str]:
    """`METHOD /path` of every route that the files of the api room make."""
    for path in API.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Route":
                methods = next(
                    (ast.literal_eval(word.value) for word in node.keywords if word.arg == "methods"), ["GET"]
                )
                place = re.sub(r"\{(\w+):\w+\}", r"{\1}", ast.literal_eval(node.args[0]))
                yield from (f"{method} {place}" for method in methods)


def commands(group: Any, words: str = "paddock") -> Iterator[str]:
    """Every command as it is typed, such as `paddock models list`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{words} {name}")
        else:
            yield f"{words} {name}"


def undocumented(names: Iterable[str], prose: str) -> list[str]:
    """The names that do not stand in the prose as they are; a longer name does not count for a shorter one."""
    return [name for name in names if not re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/{{-])", prose)]


def broken_links(page: Path) -> list[str]:
    found = (match[1] for match in LINK.finditer(page.read_text("utf-8")) if "://" not in match[1])
    return [f"{page.name}: {target}" for target in found if not (page.parent / target).exists()]


def test_every_setting_is_documented() -> None:
    assert undocumented(NAMES, text()) == []


def test_every_error_is_documented() -> None:
    known = {cls.__name__ for cls in generate.subclasses(errors.PaddockError)}
    assert undocumented(sorted(known - {"PaddockError", "EngineError", "BuildError"}), text()) == []


def test_every_error_is_drawn_in_the_tree_of_its_module() -> None:
    classes = generate.subclasses(errors.PaddockError)
    assert undocumented([cls.__name__ for cls in classes], errors.__doc__ or "") == []


def test_every_route_is_documented() -> None:
    found = list(routes())
    assert len(found) >= 7
    assert undocumented(found, text()) == []


def test_every_command_is_documented() -> None:
    found = list(commands(typer.main.get_command(app)))
    assert "paddock serve" in found
    assert undocumented(found, text()) == []


@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_a_generated_page_says_what_the_code_says(name: str) -> None:
    page = generate.REFERENCE / name
    assert page.exists(), f"{name} is missing; run: python3 dev.py fmt"
    assert page.read_text("utf-8") == generate.PAGES[name](), f"{name} is stale; run: python3 dev.py fmt"


def test_the_table_of_coverage_says_what_the_tests_say() -> None:
    text = generate.API.read_text("utf-8")
    assert generate.with_coverage(text) == text, "docs/api.md is stale; run: python3 dev.py fmt"
    assert generate.with_coverage(text.replace("| all |", "| none |")) == text


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_name_that_stands_nowhere_is_found() -> None:
    prose = "`POST /v1/models/{id}` and `paddock models list`, and `port`."
    names = ["GET /v1/models", "POST /v1/models", "POST /v1/models/{id}", "paddock models", "ports", "port", "or"]
    assert undocumented(names, prose) == ["GET /v1/models", "POST /v1/models", "ports", "or"]


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("[self](there.md#top) [away](https://example.org/x) [gone](gone.md)", "utf-8")
    assert broken_links(tmp_path / "there.md") == ["there.md: gone.md"]
