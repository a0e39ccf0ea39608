"""Tests that whatever is spoilt in a GGUF header, it is read or refused: a million by chance, and a million led.

Those of the second kind are atheris's, which keeps what reaches new code; it has wheels for Linux on x86-64 alone. A
day has a slice of both.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.attack("malicious GGUF headers")
ROOT = Path(__file__).resolve().parents[2]
SLICE, ALL = 10_000, 1_000_000
PROCESSES = 2


def run(program: str, each: int, folder: Path) -> list[str]:
    """What a program prints that reads so many headers, of each of its processes."""
    words = [sys.executable, "-m", f"tests.unit.{program}"]
    environ = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    started = [
        subprocess.Popen(
            [*words, str(seed), str(each), str(folder)], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(PROCESSES)
    ]  # fmt: skip
    told = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * PROCESSES, told[0][1][-3000:] + told[1][1][-3000:]
    return [out for out, _ in told]


def test_a_spoilt_header_is_read_or_refused(full: bool, tmp_path: Path) -> None:
    each = (ALL if full else SLICE) // PROCESSES
    became = [json.loads(out) for out in run("gguf_mutants", each, tmp_path)]
    # Both ends are reached, or the faults would be too gross or too small to tell anything.
    assert all(one["read"] > each // 100 and one["refused"] > each // 2 for one in became), became
    assert sum(one["read"] + one["refused"] for one in became) == each * PROCESSES


if importlib.util.find_spec("atheris"):

    def test_a_header_that_is_led_to_new_code_is_read_or_refused(full: bool, tmp_path: Path) -> None:
        each = (ALL if full else SLICE // 2) // PROCESSES
        run("gguf_guided", each, tmp_path)
        became = [json.loads((tmp_path / f"guided-{seed}.json").read_text()) for seed in range(PROCESSES)]
        assert all(one["read"] and one["refused"] > each // 2 for one in became), became
        assert sum(one["read"] + one["refused"] for one in became) == each * PROCESSES
        # It was led: more is kept than it began with.
        assert len(list((tmp_path / "guided-0").iterdir())) > 20
