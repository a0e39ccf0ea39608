"""What gets installed: pinned, hashed, from nowhere in particular, and named in NOTICE."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "transformers", "tensorflow", "triton", "scipy", "pandas"}


def lines(name: str) -> list[str]:
    """The logical lines of a requirements file: one per package, its hashes with it."""
    return (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").replace("\\\n", " ").splitlines()


def pins(name: str) -> set[str]:
    """`package==version; marker` of every line."""
    return {line.split("--hash")[0].strip() for line in lines(name)}


def names(name: str) -> set[str]:
    return {pin.split("==")[0] for pin in pins(name)}


def test_every_requirement_is_one_version_with_hashes() -> None:
    shape = re.compile(r"[a-z0-9-]+==[\w.]+( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+")
    sets = [path.stem for path in (ROOT / "requirements").glob("*.txt")]
    assert {"run", "test", "clients", "bench"} <= set(sets)
    assert [line[:60] for name in sets for line in lines(name) if not shape.fullmatch(line.strip())] == []


def test_the_test_set_holds_the_run_set_at_the_same_versions() -> None:
    assert {pin.partition(" ;")[0] for pin in pins("run")} <= {pin.partition(" ;")[0] for pin in pins("test")}


def test_neither_set_holds_a_heavy_library() -> None:
    assert names("test") & HEAVY == set()


def test_the_run_set_holds_nothing_that_only_tests_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {re.split(r"[\[<>=;]", word)[0] for word in project["dependency-groups"]["test"]}
    assert wanted <= names("test")
    assert names("run") & wanted == set()


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {re.split(r"[\[<>=;]", word)[0].replace("_", "-") for word in project["project"]["dependencies"]}
    assert wanted - names("run") == set()


def test_the_notice_names_every_package_that_paddock_runs_on() -> None:
    notice = set((ROOT / "NOTICE").read_text("utf-8").split())
    assert names("run") - notice == set()
    assert {name for name in names("trace") - notice if not name.startswith("opentelemetry-")} == set()
    assert "opentelemetry-*" in notice


def test_what_traces_need_is_installed_over_the_run_set_without_changing_it() -> None:
    assert pins("run") <= pins("trace")
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]["trace"]
    assert {re.split(r"[<>=]", word)[0] for word in extra} <= names("trace") - names("run")
