"""Tests embedding models by short trainings for real: unseen pairs are found, a kill changes none, the engine embeds.

The figures that docs/training-methods.md shows are those that this prints with `-s`.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.training import tasks
from tests.training.conftest import STACK, Opened
from tests.training.test_methods import SAME, began, figures, killed, shown, told
from tests.training.test_runs import HANG_GUARD_S, rests, until

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
WRITER = Path(__file__).with_name("write_encoder.py")
SPEC: Json = {
    "method": "embedding", "tuning": "full", "steps": 60, "batch_rows": 32, "learning_rate": 2e-3, "eval_share": 0.2,
    "eval_every_steps": 15, "save_every_steps": 15, "context_tokens": 32, "dry_run": "no",
}  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> str:
    """A very small encoder of chance weights."""
    folder = tmp_path / "encoder"
    python = str(next(STACK.glob("env-*/bin/python")))
    subprocess.run([python, "-I", str(WRITER), str(folder)], check=True, capture_output=True, timeout=HANG_GUARD_S)
    return str(folder)


@pytest.mark.parametrize("has_negatives", [False, True], ids=["pairs", "with negatives"])
async def test_what_belongs_together_is_found_and_a_kill_changes_nothing(
    opened: Opened, home: Path, tmp_path: Path, base: str, has_negatives: bool
) -> None:
    rows = tasks.likenesses(has_negatives=has_negatives)
    async with opened() as http:
        unbroken = await told(http, await began(http, tmp_path, rows, base=base, **SPEC))
        shares = figures(unbroken, "eval", "nearest_share")
        shown(f"embedding, has_negatives {has_negatives}", "nearest_share of held-out rows", shares, unbroken)
        losses = figures(unbroken, "eval", "loss")
        shown(f"embedding, has_negatives {has_negatives}", "loss of held-out rows", losses, unbroken)
        assert shares[0] < 0.2 < 0.8 < shares[-1]
        assert losses[-1] < losses[0] / 2
        job_id = await began(http, tmp_path, rows, base=base, **SPEC)
        await killed(http, home, job_id, step=25)
        broken = await told(http, job_id)
    for name in ("loss", "tokens"):
        both = zip(figures(unbroken, "step", name), figures(broken, "step", name), strict=True)
        assert max(abs(one - other) for one, other in both) <= SAME, name


async def test_the_engine_embeds_with_what_was_made_as_it_was_trained(
    opened: Opened, home: Path, tmp_path: Path, base: str
) -> None:
    spec = {**SPEC, "makes_gguf": True, "dry_run": "first"}
    async with opened() as http:
        job_id = await began(http, tmp_path, tasks.likenesses(), base=base, **spec)
        events = await told(http, job_id)
        tried = next(event for event in events if event["kind"] == "tried")
        assert tried["answer"] == "a vector of 64 numbers"
        made = {event["name"]: Path(event["path"]) for event in events if event["kind"] == "artifact"}
        assert (made["model"] / "modules.json").is_file()
        shutil.copy(made["gguf"], home / "models" / "encoder.gguf")
        held = tasks.likenesses()[4::5]
        asked, found = [await vectors(http, [row[name] for row in held]) for name in ("anchor", "positive")]
    nearest = [max(range(len(found)), key=lambda place: product(one, found[place])) for one in asked]
    share = sum(place == number for number, place in enumerate(nearest)) / len(held)
    assert share == pytest.approx(figures(events, "eval", "nearest_share")[-1], abs=1 / len(held))


async def vectors(http: httpx.AsyncClient, texts: list[str]) -> list[list[float]]:
    answer = await http.post("/v1/embeddings", json={"model": "encoder", "input": texts})
    assert answer.status_code == 200, answer.text
    return [one["embedding"] for one in answer.json()["data"]]


def product(one: list[float], other: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


async def test_rows_of_which_some_have_a_negative_are_refused(opened: Opened, tmp_path: Path, base: str) -> None:
    rows = [*tasks.likenesses(has_negatives=True)[:50], *tasks.likenesses()[50:]]
    async with opened() as http:
        job = await until(http, await began(http, tmp_path, rows, base=base, **SPEC), rests)
        assert (job["state"], job["error"]["kind"]) == ("failed", "data")
        assert "rows have a negative" in job["error"]["message"]
