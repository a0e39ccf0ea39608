"""Runs the examples of README.md and docs/ against a real paddock, so that what is printed there works when pasted.

An example is a block fenced as `sh run` or `python run`. It must end with status 0 and print no error object.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(sh|python) run\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEFAULT_ADDRESS = "127.0.0.1:8642"
TIMEOUT_S = 120


@dataclass(frozen=True, kw_only=True)
class Example:
    """One block of one page."""

    page: str
    line: int
    language: str
    text: str


def examples() -> list[Example]:
    found: list[Example] = []
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        text = page.read_text("utf-8")
        found += [
            Example(
                page=page.relative_to(ROOT).as_posix(),
                line=text[: match.start()].count("\n") + 1,
                language=match[1],
                text=match[2],
            )
            for match in BLOCK.finditer(text)
        ]
    return found


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A running paddock, and the environment in which its user types."""

    address: str
    folder: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    folder = tmp_path_factory.mktemp("examples")
    command = folder / "bin" / "paddock"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m paddock "$@"\n', "utf-8")
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PADDOCK_HOME": str(folder / "home"),
        "PATH": os.pathsep.join([str(command.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    words = [sys.executable, "-m", "paddock", "serve", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip().removeprefix("http://")
            yield Stage(address=address, folder=folder, environment=environment)
        finally:
            server.terminate()
            server.wait(timeout=TIMEOUT_S)


@pytest.mark.rule("also-engine-routes")
@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example.page}:{example.line}")
def test_an_example_works_as_it_is_printed(example: Example, stage: Stage) -> None:
    text = example.text.replace(DEFAULT_ADDRESS, stage.address)
    program = ["sh", "-e", "-c", text] if example.language == "sh" else [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(
        program,
        cwd=stage.folder,
        env=stage.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"error": {' not in done.stdout, done.stdout
    assert done.stdout.strip(), "the example prints nothing"


def test_the_readme_shows_a_first_completion_that_is_run_here() -> None:
    assert any(example.page == "README.md" and "/v1/chat/completions" in example.text for example in examples())
