"""Tests that pocket's recipe makes the same weights twice, with the Python of the training stack."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.training.conftest import STACK

ROOT = Path(__file__).resolve().parents[2]
SLICE, ALL = 12, 200
# A guard against hanging, not a measure of speed.
TRAINING_TIMEOUT_S = 3600


def weights(folder: Path, steps: int) -> str:
    """The checksum of what the recipe's first steps make."""
    (python,) = STACK.glob("env-*/bin/python")
    command = [python, "-m", "recipes.pocket.train", folder, "--steps", str(steps)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    subprocess.run(command, cwd=ROOT, env=one_thread, check=True, timeout=TRAINING_TIMEOUT_S)
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_first_steps_make_the_same_weights_twice(tmp_path: Path, full: bool) -> None:
    steps = ALL if full else SLICE
    assert weights(tmp_path / "one", steps) == weights(tmp_path / "two", steps)


@pytest.mark.parametrize("steps", [3])
def test_another_number_of_steps_makes_others(tmp_path: Path, steps: int) -> None:
    assert weights(tmp_path / "one", steps) != weights(tmp_path / "two", steps + 1)
