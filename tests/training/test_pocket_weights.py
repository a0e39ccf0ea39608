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


TOGETHER_AND_ALONE = """
import dataclasses, torch
from recipes.pocket import batches, rows, spec, train
from recipes.pocket.model import build

recipe = dataclasses.replace(spec.read(), tokenizer_rows=300)
tokenizer = train.make_tokenizer(recipe)
model = build(tokenizer, recipe.shape, recipe.seed).eval()
sheet = next(made for made in rows.sheets(3, talk=0.2, tools=2, conversations=3) if made.tools)
whole = batches.sheet(tokenizer, sheet, 4000)
batch = batches.padded([whole])
with torch.no_grad():
    together = model(input_ids=batch.tokens, attention_mask=batch.seen, position_ids=batch.places).logits[0]
    for number, messages in enumerate(sheet.conversations, 1):
        tokens, counted = batches.encode(tokenizer, {"messages": sheet.system + messages, "tools": sheet.tools})
        own = [place for place, part in enumerate(whole.part) if part == number]
        alone = model(input_ids=torch.tensor([tokens])).logits[0, -len(own):]
        assert [whole.counted[place] for place in own] == counted[-len(own):] and any(counted)
        print(float((together[own] - alone).abs().max()))
"""


def run(*arguments: object) -> str:
    """What the training stack's Python says, on one thread."""
    (python,) = STACK.glob("env-*/bin/python")
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [python, *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=one_thread, check=True, timeout=TRAINING_TIMEOUT_S, stdout=subprocess.PIPE, text=True
    ).stdout


def weights(folder: Path, steps: int) -> str:
    """The checksum of what the recipe's first steps make."""
    run("-m", "recipes.pocket.train", folder, "--steps", steps)
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_first_steps_make_the_same_weights_twice(tmp_path: Path, full: bool) -> None:
    steps = ALL if full else SLICE
    assert weights(tmp_path / "one", steps) == weights(tmp_path / "two", steps)


@pytest.mark.parametrize("steps", [3])
def test_another_number_of_steps_makes_others(tmp_path: Path, steps: int) -> None:
    assert weights(tmp_path / "one", steps) != weights(tmp_path / "two", steps + 1)


def test_a_conversation_trained_beside_others_sees_what_it_would_see_alone() -> None:
    differences = [float(line) for line in run("-c", TOGETHER_AND_ALONE).split()]
    assert len(differences) == 3
    assert max(differences) < 1e-3
