"""Tests `paddock connect CLIENT --run`: the program finds the paddock and does its task with what it was given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from tests.clients.programs import AIDER, CLOSING, NODE, PROGRAMS, RUN_TIMEOUT_S, TASK, WORDS, Program
from tests.wire.rig import scripted_studio

pytestmark = pytest.mark.anyio
# What follows the `--`: the words of the program's own that ask for one task.
WORDS_OF = {
    "claude-code": ["-p", TASK, "--output-format", "json", "--allowedTools", "Bash"],
    "codex": ["exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", TASK],
    "opencode": ["run", TASK],
    "continue": ["-p", "--auto", TASK],
}


def connected(name: str, url: str, folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    home = folder.parent / "person"
    home.mkdir()
    folder.mkdir()
    environment = {
        "PATH": f"{NODE}:{AIDER.parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "PADDOCK_HOME": str(home / "paddock"),
        "CI": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    command = [sys.executable, "-m", "paddock", "connect", name, "--url", url, "--run", "--", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=RUN_TIMEOUT_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_a_program_that_connect_starts_does_its_task(program: Program, tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, context_tokens=65536) as rig:
        await rig.engine.set({"plot": program.plot()})
        words = WORDS_OF[program.name]
        done = await anyio.to_thread.run_sync(connected, program.name, rig.studio.url, tmp_path / "work", words)
    said = f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    assert (tmp_path / "work" / "hello.txt").read_text("utf-8").strip() == WORDS, said
    assert CLOSING in done.stdout, said


async def test_aider_that_connect_starts_writes_its_file(tmp_path: Path) -> None:
    quiet = ["--no-check-update", "--no-analytics", "--no-show-model-warnings", "--no-git", "--no-pretty"]
    words = ["--edit-format", "whole", "--yes-always", "--no-auto-lint", *quiet, "--message", TASK, "hello.txt"]
    async with scripted_studio(tmp_path) as rig:
        await rig.engine.set({"plot": [{"text": f"hello.txt\n```\n{WORDS}\n```\n"}]})
        done = await anyio.to_thread.run_sync(connected, "aider", rig.studio.url, tmp_path / "work", words)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert (tmp_path / "work" / "hello.txt").read_text("utf-8").strip() == WORDS
