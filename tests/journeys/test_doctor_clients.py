"""Tests `paddock doctor clients` as it is typed: on the real engine with the bundled model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PADDOCK = [sys.executable, "-m", "paddock"]
WAIT_S = 300.0
SMALL = ["aider", "anthropic-python", "continue-cli", "instructor", "langchain-openai", "llm", "pydantic-ai"]


def run(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    # Nothing answers on port 9, so that one is started.
    env = {**os.environ, "PADDOCK_HOME": str(home), "PADDOCK_PORT": "9", **settings}
    words = ("doctor", "clients", *words)
    return subprocess.run([*PADDOCK, *words], env=env, capture_output=True, text=True, timeout=WAIT_S, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.mark.rule("prefix-stable")
def test_the_bundled_model_answers_clients_as_they_expect(home: Path) -> None:
    ran = run(home, *SMALL, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    assert told["ok"] is True
    assert [entry["client"] for entry in told["clients"]] == SMALL
    found = {(entry["client"], rule["rule"]): rule["status"] for entry in told["clients"] for rule in entry["rules"]}
    assert found["instructor", "choice"] == found["pydantic-ai", "choice"] == "pass"
    assert found["instructor", "structure"] == "pass"
    assert found["continue-cli", "prefix"] == found["llm", "prefix"] == "pass"


def test_a_prompt_that_does_not_fit_fails_with_both_numbers_and_what_to_do(home: Path) -> None:
    ran = run(home, "llm", "continue-cli", PADDOCK_CONTEXT_TOKENS="2048")
    assert (ran.returncode, ran.stderr) == (1, "")
    lines = ran.stdout.splitlines()
    assert lines[0] == "continue-cli: request 2 of 2"
    assert lines[1].startswith("fail  answers   request 1, /v1/chat/completions: status 400: ")
    assert "2048" in lines[1]
    assert "--ctx" in lines[1]
    assert "llm: request 2 of 2" in lines
    assert lines[-1] == "1 of 2 clients fail with pocket-v0: continue-cli."


def test_an_unknown_client_is_an_error_that_names_the_known(home: Path) -> None:
    ran = run(home, "emacs")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "'emacs'" in ran.stderr
    assert "claude-code" in ran.stderr
