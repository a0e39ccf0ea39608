"""Tests `paddock connect` as it is typed: what it prints and writes, and that nothing else is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from paddock.cli.connect_clients import CLIENTS

# Nothing answers there: the model is the settings' own.
NOWHERE = "http://127.0.0.1:9"
WRITTEN = {client.name: client.file.path for client in CLIENTS if client.file}


def run(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    env = {**os.environ, "HOME": str(home), "PADDOCK_HOME": str(home / "paddock"), **environment}
    command = [sys.executable, "-m", "paddock", "connect", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def read(path: Path) -> Any:
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)


def files_in(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*") if path.is_file() and "paddock" not in path.parts)


@pytest.mark.parametrize("name", [client.name for client in CLIENTS])
def test_what_a_client_needs_is_printed_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ran = run(home, name, "--url", NOWHERE, PADDOCK_API_KEY="pdk-mine")
    assert ran.returncode == 0, ran.stderr
    assert "No paddock answers" in ran.stderr
    assert "pdk-mine" in ran.stdout or "PADDOCK_API_KEY" in ran.stdout or name in ("cursor", "llm")
    told = json.loads(run(home, name, "--url", NOWHERE, "--json").stdout)
    assert told["client"] == name
    assert told["environment"] or told["file"]
    assert files_in(home) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_is_written_once_and_what_was_there_is_kept_beside_it(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = run(home, name, "--url", NOWHERE, "--write")
    path = home / WRITTEN[name]
    assert first.returncode == 0, first.stderr
    assert files_in(home) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text("utf-8")
    assert read(path)
    assert "says so already" in run(home, name, "--url", NOWHERE, "--write").stdout
    again = run(home, name, "--url", NOWHERE, "--write", "--model", "another")
    backup = next(file for file in files_in(home) if file != path)
    assert str(backup) in again.stdout
    assert backup.read_text("utf-8") == before
    assert "another" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("claude-code", '{"theme": "dark", "env": {"THEIRS": "1"}}'),
        ("codex", '[projects."/x"]\ntrust_level = "trusted"\n'),
        ("opencode", '{"theme": "dark", "provider": {"theirs": {"name": "x"}}}'),
        ("continue", "name: mine\nversion: 1.0.0\nschema: v1\nmodels:\n- {name: theirs, provider: openai, model: x}\n"),
        ("aider", "dark-mode: true\n"),
        ("llm", "- {model_id: theirs, model_name: x}\n"),
    ],
)
def test_what_a_person_had_configured_stays(name: str, theirs: str, tmp_path: Path) -> None:
    path = tmp_path / "home" / WRITTEN[name]
    path.parent.mkdir(parents=True)
    path.write_text(theirs, "utf-8")
    had = read(path)
    assert run(tmp_path / "home", name, "--url", NOWHERE, "--write").returncode == 0
    assert holds(read(path), had)


def holds(now: Any, had: Any) -> bool:
    """Whether everything that was there is still there."""
    if isinstance(had, dict):
        return all(name in now and holds(now[name], value) for name, value in had.items())  # pyright: ignore
    if isinstance(had, list):
        return all(any(holds(one, value) for one in now) for value in had)  # pyright: ignore
    return now == had


@pytest.mark.parametrize(("name", "broken"), [("claude-code", "{"), ("codex", "= 1"), ("aider", "a: [")])
def test_a_file_that_cannot_be_read_is_left_as_it_is(name: str, broken: str, tmp_path: Path) -> None:
    path = tmp_path / "home" / WRITTEN[name]
    path.parent.mkdir(parents=True)
    path.write_text(broken, "utf-8")
    ran = run(tmp_path / "home", name, "--url", NOWHERE, "--write")
    assert (ran.returncode, path.read_text("utf-8")) == (1, broken)
    assert "left as it is" in ran.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["emacs"], "There is no client 'emacs'"),
        (["cursor", "--write"], "has no file to write"),
        (["cursor", "--run"], "is no program to start"),
        (["codex", "--", "exec"], "say --run before --"),
        (["codex", "--url", "ftp://x"], "is not an address"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    ran = run(tmp_path / "home", *words)
    assert ran.returncode == 1
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_program_that_is_not_installed_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    ran = run(tmp_path / "home", "claude-code", "--url", NOWHERE, "--run", PATH="/nonexistent")
    assert ran.returncode == 1
    assert "npm install -g @anthropic-ai/claude-code" in ran.stderr


def test_a_context_that_is_too_small_for_the_client_is_told(tmp_path: Path) -> None:
    ran = run(tmp_path / "home", "claude-code", "--url", NOWHERE)
    assert "begins with about 39300 tokens" in ran.stderr
    assert "paddock serve --ctx" in ran.stderr
