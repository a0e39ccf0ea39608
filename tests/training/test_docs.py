"""Runs the commands of docs/training.md as they are printed, with the real training stack and engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh training\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A guard against hanging, not a measure of speed.
TIMEOUT_S = 900


@pytest.fixture
def environment(home: Path, tmp_path: Path) -> Generator[dict[str, str]]:
    """That of a person beside whom paddock serves."""
    program = tmp_path / "bin" / "paddock"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m paddock "$@"\n')
    program.chmod(0o755)
    kept = {
        **os.environ, "PADDOCK_HOME": str(home), "PADDOCK_SCAN_OTHERS": "0",
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    with subprocess.Popen([program, "serve", "--port", "0"], env=kept, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            kept["PADDOCK_PORT"] = server.stdout.readline().rsplit(":", 1)[1].strip()
            yield kept
        finally:
            server.terminate()


def test_five_commands_teach_a_fact(environment: dict[str, str], tmp_path: Path) -> None:
    (block,) = BLOCK.findall((ROOT / "docs" / "training.md").read_text("utf-8"))
    assert len(block.splitlines()) == 5
    words = ["sh", "-eu", "-c", block]
    done = subprocess.run(
        words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("Mira looks after the llamas, from a blue hut on the hill.")
