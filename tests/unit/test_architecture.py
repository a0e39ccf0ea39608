"""Holds the house together: the floors, the sizes, the words at the top of each file; each check is shown to fail."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "paddock"
MAX_LINES = 400
MAX_FUNCTION_LINES = 60
BROAD = {"Exception", "BaseException"}
# Where a broad `except` is right, and how many: the engine's owner, the outermost HTTP boundary, the job loops.
# `api/inside.py` stands where the HTTP server stands otherwise, which breaks the connection on any error.
MAY_CATCH_ALL = {
    "engine/process.py": 1,
    "api/guard.py": 1,
    "api/inside.py": 1,
    "serving/runs.py": 1,
    # A chat template is a stranger's program, and raises what it likes.
    "data/masks.py": 1,
    # Whatever ends one job ends neither the others nor the server.
    "jobs/queue.py": 1,
    # So is what the sandbox runs.
    "sandbox/inside.py": 1,
    # Whatever breaks in one document ends neither the others nor the server.
    "knowledge/indexer.py": 1,
    # What breaks in a tool is told to the model, and the chat goes on.
    "tools/toolbox.py": 1,
    "sandbox/interpreter.py": 1,
    # A server of tools is a stranger's program, and how it breaks the library that talks with it nobody knows.
    "toolservers/server.py": 2,
    # The libraries that train raise what they like, and how a job ended is told whatever that was.
    "training/worker/outcome.py": 1,
    "export/worker/outcome.py": 1,
    # A chat template again.
    "export/worker/speaking.py": 1,
    "export/worker/reading.py": 1,
    "export/worker/modelfile.py": 1,
}

# An import that breaks the contract, and the file it is planted in.
VIOLATIONS = {
    "floors": [
        ("errors.py", "import paddock.paths"),
        ("engine/client.py", "import paddock.serving.relay"),
        ("engine/client.py", "import paddock.models.catalog"),
        ("models/gguf.py", "import paddock.protocol.sse"),
        ("hardware.py", "import paddock.engine.pool"),
        ("serving/relay.py", "import paddock.api.faults"),
        ("install/builds.py", "import paddock.serving.shelf"),
        ("export/exports.py", "import paddock.training.spec"),
        ("evaluation/judging.py", "import paddock.serving.checking"),
        ("engine/installed.py", "import paddock.install.builds"),
        ("unplaced_room.py", "import json"),
    ],
    "light": [
        ("serving/relay.py", "import torch"),
        ("export/asking.py", "import numpy"),
        ("models/gguf.py", "from numpy import ndarray"),
    ],
    "workers-apart": [
        ("api/models.py", "import paddock.training.worker.learning"),
        ("training/spec.py", "def f():\n    from paddock.training.worker import outcome"),
        ("export/exports.py", "def f():\n    from paddock.export.worker import steps"),
    ],
    "pure": [("protocol/sse.py", "import asyncio"), ("protocol/normalize.py", "def f():\n    import time")],
    "traces-apart": [("serving/relay.py", "import opentelemetry.trace")],
    "engine-apart": [("engine/process.py", "import xllamacpp")],
}
PLANTS = [(contract, file, line) for contract, plants in VIOLATIONS.items() for file, line in plants]


def python_files(root: Path = ROOT) -> list[Path]:
    """Every Python file that is ours: src, tests, bench, docs, tools, dev.py."""
    folders = ("src", "tests", "bench", "docs", "tools", "recipes")
    return sorted([*(path for folder in folders for path in (root / folder).rglob("*.py")), *root.glob("dev.py")])


def long_files(files: Iterable[Path]) -> list[str]:
    counted = ((path, len(path.read_text("utf-8").splitlines())) for path in files)
    return [f"{path.name} has {lines} lines" for path, lines in counted if lines > MAX_LINES]


def long_functions(files: Iterable[Path]) -> list[str]:
    found: list[str] = []
    for path in files:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    found.append(f"{path.name}: {node.name} has {lines} lines")
    return found


def without_docstring(files: Iterable[Path]) -> list[str]:
    return [str(path.name) for path in files if not ast.get_docstring(ast.parse(path.read_bytes()))]


def catches_all(node: ast.AST) -> bool:
    """Whether this is `except:`, `except Exception:` in any spelling, or `suppress(Exception)`."""
    if isinstance(node, ast.ExceptHandler):
        caught = [node.type] if node.type else []
        broad = not caught
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"suppress", "contextlib.suppress"}:
        caught, broad = list(node.args), False
    else:
        return False
    names = {ast.unparse(part) for kind in caught for part in (kind.elts if isinstance(kind, ast.Tuple) else [kind])}
    return broad or bool({name.rpartition(".")[2] for name in names} & BROAD)


def broad_excepts(package: Path) -> dict[str, int]:
    """How many broad excepts each file of a package has; files without any are left out."""
    counts = {
        path.relative_to(package).as_posix(): sum(catches_all(node) for node in ast.walk(ast.parse(path.read_bytes())))
        for path in package.rglob("*.py")
    }
    return {path: count for path, count in counts.items() if count}


def contracts() -> list[str]:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [contract["id"] for contract in configuration["tool"]["importlinter"]["contracts"]]


def copy_of_the_package(folder: Path, name: str) -> Path:
    """The package and its contracts under another name, so that importing one does not find the other."""
    for path in PACKAGE.rglob("*.py"):
        target = folder / name / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(re.sub(r"\bpaddock\b", name, path.read_text("utf-8")), "utf-8")
    configuration = re.sub(r"\bpaddock\b", name, (ROOT / "pyproject.toml").read_text("utf-8"))
    (folder / "pyproject.toml").write_text(configuration, "utf-8")
    return folder / name


def holds(configuration: Path, only: Sequence[str] = ()) -> bool:
    configure()
    return lint_imports(str(configuration), tuple(only), cache_dir=None, is_debug_mode=True, no_logo=True)


def make_importable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    importlib.invalidate_caches()


def test_imports_point_down() -> None:
    assert holds(ROOT / "pyproject.toml")


def test_every_contract_has_a_violation_planted_below() -> None:
    assert sorted(contracts()) == sorted(VIOLATIONS)


@pytest.mark.parametrize(("contract", "file", "line"), PLANTS)
def test_a_planted_import_breaks_its_contract(
    contract: str,
    file: str,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = f"planted_{PLANTS.index((contract, file, line))}"
    package = copy_of_the_package(tmp_path, name)
    with (package / file).open("a", encoding="utf-8") as planted:
        planted.write(f"\n\n{re.sub('paddock', name, line)}\n")
    make_importable(tmp_path, monkeypatch)
    assert not holds(tmp_path / "pyproject.toml", [contract])
    assert "BROKEN" in capsys.readouterr().out


def test_an_unchanged_copy_keeps_every_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_of_the_package(tmp_path, "unplanted")
    make_importable(tmp_path, monkeypatch)
    assert holds(tmp_path / "pyproject.toml")


def test_no_file_is_longer_than_400_lines() -> None:
    assert long_files(python_files()) == []


def test_no_function_is_longer_than_60_lines() -> None:
    assert long_functions(python_files()) == []


def test_every_file_says_what_it_owns() -> None:
    assert without_docstring(python_files()) == []


def test_broad_excepts_stand_only_where_the_conventions_allow_them() -> None:
    found = broad_excepts(PACKAGE)
    assert {path: count for path, count in found.items() if count > MAY_CATCH_ALL.get(path, 0)} == {}


def test_a_file_of_401_lines_is_found(tmp_path: Path) -> None:
    for folder, lines in (("src", 400), ("bench", 401)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.py").write_text("x = 1\n" * lines, "utf-8")
    assert long_files(python_files(tmp_path)) == ["bench.py has 401 lines"]


def test_a_function_of_61_lines_is_found(tmp_path: Path) -> None:
    body = "    x = 1\n"
    text = f"class Room:\n  async def long(self):\n{body * 60}\n  def short(self):\n{body * 59}"
    (tmp_path / "dev.py").write_text(text, "utf-8")
    assert long_functions(python_files(tmp_path)) == ["dev.py: long has 61 lines"]


def test_a_file_without_a_docstring_is_found(tmp_path: Path) -> None:
    (tmp_path / "dev.py").write_text("import json\n'''Not first.'''\n", "utf-8")
    assert without_docstring(python_files(tmp_path)) == ["dev.py"]


@pytest.mark.parametrize(
    "clause",
    [
        "except:",
        "except Exception:",
        "except BaseException as error:",
        "except (ValueError, Exception):",
        "except builtins.Exception:",
    ],
)
def test_a_broad_except_is_found(clause: str, tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text(f"try:\n    pass\n{clause}\n    pass\n", "utf-8")
    assert broad_excepts(tmp_path) == {"room.py": 1}


def test_suppressing_everything_is_a_broad_except_and_naming_an_error_is_not(tmp_path: Path) -> None:
    (tmp_path / "broad.py").write_text("with contextlib.suppress(Exception):\n    pass\n", "utf-8")
    (tmp_path / "named.py").write_text("try:\n    pass\nexcept (OSError, ValueError):\n    pass\n", "utf-8")
    assert broad_excepts(tmp_path) == {"broad.py": 1}
