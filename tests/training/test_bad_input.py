"""Tests rows and bases that only whoever trains can judge: told by their reason, or what became of them is told."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from paddock.models.bases import trainable
from tests.training.conftest import Opened
from tests.training.tasks import written
from tests.training.test_runs import TRAINING, begun, rests, until

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
SHORT: Json = {"steps": 2, "makes_gguf": False, "save_every_steps": 1, "eval_every_steps": 1}
# A sign that no row of the example has, and a letter of pocket's vocabulary that stands for one of its bytes.
SIGN, PART = "\u2603", "\u013a"


def row(question: str, answer: str = "Yes.") -> Json:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def unlearnt_sign(folder: Path) -> str:
    """Pocket with a sign that it cannot read: the numbers of one token are none. Its answers' layer is apart."""
    shutil.copytree(trainable("pocket-v0"), folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    token = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"][PART]
    data = (folder / "model.safetensors").read_bytes()
    (head_bytes,) = struct.unpack("<Q", data[:8])
    head, numbers = json.loads(data[8 : 8 + head_bytes]), bytearray(data[8 + head_bytes :])
    tokens = head["model.embed_tokens.weight"]
    begin, end = tokens["data_offsets"]
    head["lm_head.weight"] = {**tokens, "data_offsets": [len(numbers), len(numbers) + end - begin]}
    numbers += numbers[begin:end]
    row_bytes = (end - begin) // tokens["shape"][0]
    numbers[begin + token * row_bytes : begin + (token + 1) * row_bytes] = b"\xff" * row_bytes
    said = json.dumps(head).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(said)) + said + numbers)
    return str(folder)


async def test_one_row_is_enough_and_longer_ones_are_counted(opened: Opened, tmp_path: Path) -> None:
    rows = [row("Hello?"), row("And this? " * 40), row("This too? " * 40)]
    data = written(tmp_path / "rows.jsonl", rows)
    async with opened() as http:
        job = await until(http, await begun(http, **{**SHORT, "data": data, "context_tokens": 96}), rests)
        assert job["state"] == "done", job["error"]
        figures = job["figures"]
        assert (figures["rows"], figures["held_out"], figures["too_long"]) == (1, 0, 2)
        told = (await http.get(f"{TRAINING}/{job['id']}/events")).text
    (known,) = [json.loads(line[6:]) for line in told.splitlines() if '"kind": "data"' in line]
    assert known["too_long_are"] == "drop"


async def test_a_row_far_down_that_is_none_is_named_before_any_step(opened: Opened, tmp_path: Path) -> None:
    rows: list[Any] = [row(f"Is it {number}?") for number in range(1499)]
    data = written(tmp_path / "rows.jsonl", [*rows, {"messages": "none"}])
    async with opened() as http:
        job = await until(http, await begun(http, **{**SHORT, "data": data}), rests)
    assert (job["state"], job["error"]["kind"]) == ("failed", "data"), job["error"]
    assert "Row 1500 of rows.jsonl" in job["error"]["message"]
    assert "step" not in job["figures"]


async def test_a_base_of_which_only_the_config_is_here_is_named_before_any_step(opened: Opened, tmp_path: Path) -> None:
    base = tmp_path / "half"
    shutil.copytree(trainable("pocket-v0"), base)
    (base / "model.safetensors").unlink()
    async with opened() as http:
        job = await until(http, await begun(http, **SHORT, base=str(base)), rests)
    assert (job["state"], job["error"]["kind"]) == ("failed", "spec"), job["error"]
    assert "half cannot be trained" in job["error"]["message"]
    assert "model.safetensors" in job["error"]["message"]


async def test_held_out_rows_whose_loss_is_no_number_end_it_and_no_mean_hides_them(
    opened: Opened, home: Path, tmp_path: Path
) -> None:
    held = written(tmp_path / "held.jsonl", [row("Hello?")] * 7 + [row(f"What is {SIGN}?")])
    base = unlearnt_sign(tmp_path / "base")
    async with opened() as http:
        spec = {**SHORT, "base": base, "eval_data": held, "steps": 4, "save_every_steps": 1, "eval_every_steps": 3}
        job = await until(http, await begun(http, **spec), rests)
    assert (job["state"], job["error"]["kind"]) == ("failed", "diverged"), job["error"]
    assert "The loss of held-out rows is no number any more at step 3" in job["error"]["message"]
    assert "eval_loss" not in job["figures"]
    # The checkpoint before is whole; none was written of what could not be looked at.
    assert job["figures"]["checkpoint"] == 2
    assert (home / "jobs" / job["id"] / "checkpoints" / "checkpoint-2" / "paddock.json").is_file()
    assert not (home / "jobs" / job["id"] / "checkpoints" / "checkpoint-3").exists()
