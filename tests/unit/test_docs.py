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
from paddock.api.page import PATHS
from paddock.cli import app
from paddock.config import NAMES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "paddock"
API = ROOT / "src" / "paddock" / "api"
# Pages that programs write, whatever their length.
GENERATED = ("docs/benchmarks.md", "docs/verification.md")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text() -> str:
    return "\n".join(page.read_text("utf-8") for page in pages())


def routes() -> Iterator[str]:
    """`METHOD /path` of every route that the files of the api room make."""
    yield from (f"GET {path}" for path in PATHS)
    for path in API.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Route" and ast.unparse(node.args[0]) != "path":
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


def test_every_test_that_a_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:tests|bench|tools)/[\w./-]+)`", text()))
    assert len(named) > 100
    assert [name for name in sorted(named) if not any((top / name).exists() for top in (ROOT, PACKAGE))] == []


def undocumented(names: Iterable[str], prose: str) -> list[str]:
    """The names that do not stand in the prose as they are; a longer name does not count for a shorter one."""
    return [name for name in names if not re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/{{-])", prose)]


def subjects() -> set[str]:
    """The words by which routes and commands are spoken of; those that also mean something else are left out."""
    places = [part for route in routes() for part in route.split(" ")[1].split("/") if part.isalpha()]
    typed = [command.split()[1] for command in commands(typer.main.get_command(app))]
    return {*places, *typed} - {"api", "models", "requests", "chat", "show", "input", "config", "load", "pull"}


def denied(prose: str, words: set[str]) -> list[str]:
    """The words that stand in a sentence which says that something is not there yet."""
    late = [sentence for sentence in re.split(r"[.|;]\s|\n\n", prose) if re.search(r"\byet\b", sentence, re.IGNORECASE)]
    return [word for sentence in late for word in re.findall(r"[a-z_]+", sentence.lower()) if word in words]


def numbered(prose: str, list_name: str) -> set[int]:
    """The numbers in the first cells of table rows: bare ones for "", those after words such as `tools` for "named"."""
    shape = r"\| (\d[\d, to]*) \|" if list_name == "" else r"\| [A-Za-z][A-Za-z ]* (\d[\d, to]*) \|"
    found: set[int] = set()
    for cell in re.findall(shape, prose):
        for part in cell.split(","):
            first, _, last = part.partition(" to ")
            found.update(range(int(first), int(last or first) + 1))
    return found


def absent_names(prose: str) -> list[str]:
    """The backticked `file.py: Name` or `file.py: Name.name` of which the file or the name is not there."""
    absent: list[str] = []
    for place, name in re.findall(r"`([\w/]+\.py): ([\w.]+)`", prose):
        path = ROOT / "src" / "paddock" / place
        body: list[ast.stmt] = ast.parse(path.read_bytes()).body if path.exists() else []
        for part in name.split("."):
            node = next((node for node in body if part in _names_of(node)), None)
            if node is None:
                absent.append(f"{place}: {name}")
                break
            body = node.body if isinstance(node, ast.ClassDef) else []
    return absent


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


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


def test_every_command_stands_in_the_first_table_of_its_page() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert undocumented(commands(typer.main.get_command(app)), page.partition("\n## ")[0]) == []


@pytest.mark.parametrize("page", ["README.md", "docs/known-faults.md"])
def test_nothing_that_exists_is_said_not_to_be_there_yet(page: str) -> None:
    assert denied((ROOT / page).read_text("utf-8"), subjects()) == []


def test_a_sentence_that_denies_what_exists_is_found() -> None:
    assert {"messages", "responses", "keys", "connect", "rerank", "doctor"} <= subjects()
    assert denied("Not yet: the Responses dialect, accounts\nand keys, a page.", subjects()) == ["responses", "keys"]
    assert denied("| 3 | images | Cannot. The Messages API does not exist yet |", subjects()) == ["messages"]
    assert denied("There are keys. A page is not there yet. Responses are.", subjects()) == []


def test_every_fault_of_comparable_systems_has_its_line() -> None:
    prose = (ROOT / "docs" / "known-faults.md").read_text("utf-8")
    assert set(range(1, 64)) - numbered(prose, "") == set()
    assert set(range(1, 34)) - numbered(prose, "named") == set()
    assert numbered("| 1 | a |\n| 3 to 5, 9 | b |\n| tools 7 | c |", "") == {1, 3, 4, 5, 9}
    assert numbered("| 1 | a |\n| Claude Code 3 to 5 | b |\n| tools 7 | c |", "named") == {3, 4, 5, 7}


def test_the_tests_that_known_faults_names_are_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "docs" / "known-faults.md").read_text("utf-8"))
    assert len(named) > 50
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_name_in_the_architecture_exists() -> None:
    prose = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert len(re.findall(r"\.py: \w", prose)) > 10
    assert absent_names(prose) == []
    assert absent_names("`api/routes.py: Api` `api/none.py: X`") == ["api/routes.py: Api", "api/none.py: X"]
    assert absent_names("`engine/pool.py: Pool.lease` `api/faults.py: TABLE`") == []
    assert absent_names("`engine/pool.py: Pool.nothing`") == ["engine/pool.py: Pool.nothing"]


def test_every_room_stands_among_the_floors_that_contributors_read() -> None:
    floors = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Floors")[2].partition("## ")[0]
    rooms = [path.parent.name for path in (ROOT / "src" / "paddock").glob("*/__init__.py")]
    assert "store" in rooms
    assert undocumented(rooms, floors) == []


def test_no_page_that_people_write_is_longer_than_400_lines() -> None:
    generated = {*(generate.REFERENCE / name for name in generate.PAGES), *map(ROOT.joinpath, GENERATED)}
    lengths = {page.name: len(page.read_text("utf-8").splitlines()) for page in pages() if page not in generated}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_a_generated_page_says_what_the_code_says(name: str) -> None:
    page = generate.REFERENCE / name
    assert page.exists(), f"{name} is missing; run: python3 dev.py fmt"
    assert page.read_text("utf-8") == generate.PAGES[name](), f"{name} is stale; run: python3 dev.py fmt"


def test_the_page_of_platforms_says_what_the_table_says() -> None:
    assert generate.SUPPORT.read_text("utf-8") == generate.support_page(), "run: python3 dev.py fmt"


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
