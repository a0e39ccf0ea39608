"""Tests trainings with images for real, on very small models that see: unseen images are told, a kill changes nothing.

The figures that docs/training-methods.md shows are those that this prints with `-s`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.training import tasks
from tests.training.conftest import STACK, Opened
from tests.training.test_methods import SAME, began, figures, killed, shown, told
from tests.training.test_runs import HANG_GUARD_S

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "src"
SPEC: Json = {
    "method": "sft", "steps": 60, "batch_rows": 16, "eval_share": 0.2, "eval_every_steps": 15, "save_every_steps": 15,
    "context_tokens": 128, "dry_run": "no",
}  # fmt: skip
FULL: Json = {"tuning": "full", "learning_rate": 3e-3}
LORA: Json = {"tuning": "lora", "learning_rate": 5e-3}
OTHERS = ("rot", "verde", "azul", "gelb")


def python(program: str, *words: str) -> str:
    """What a program of these tests prints, run with the Python of the stack."""
    words = (str(next(STACK.glob("env-*/bin/python"))), "-I", str(HERE / program), *words)
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=HANG_GUARD_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def seer(folder: Path, form: str) -> str:
    python("write_seer.py", form, str(folder / form))
    return str(folder / form)


@pytest.mark.parametrize("form", ["llava", "gemma3"])
async def test_unseen_images_are_told_and_a_kill_changes_nothing(
    opened: Opened, home: Path, tmp_path: Path, form: str
) -> None:
    base = seer(tmp_path, form)
    async with opened() as http:
        made = await taught(http, home, tmp_path, base, tasks.squares(tmp_path), name=f"{form}, full", **FULL)
        assert told_share(tmp_path, made / "model", tasks.squares(tmp_path)) > 0.9
        # An addition needs a model that knows something: it learns other names of what that tells apart already.
        base = str(made / "model")
        rows = tasks.squares(tmp_path, OTHERS)
        made = await taught(http, home, tmp_path, base, rows, name=f"{form}, lora", **LORA)
    assert told_share(tmp_path, made / "model", rows, base=base, adapter=str(made / "adapter")) > 0.9


async def taught(
    http: httpx.AsyncClient, home: Path, folder: Path, base: str, rows: list[Json], *, name: str, **more: Any
) -> Path:
    """Where a training's files lie: held-out rows are known better, and one that is killed has the same figures."""
    spec = {**SPEC, **more, "base": base}
    job_id = await began(http, folder, rows, **spec)
    unbroken = await told(http, job_id)
    losses = figures(unbroken, "eval", "loss")
    shown(name, "loss of held-out rows", losses, unbroken)
    assert losses[-1] < losses[0] < figures(unbroken, "step", "loss")[0]
    data = next(event for event in unbroken if event["kind"] == "data")
    assert (data["rows"], data["held_out"], data["images"]) == (192, 48, 192)
    broken_id = await began(http, folder, rows, **spec)
    await killed(http, home, broken_id, step=20)
    broken = await told(http, broken_id)
    for figure in ("loss", "tokens"):
        both = zip(figures(unbroken, "step", figure), figures(broken, "step", figure), strict=True)
        assert max(abs(one - other) for one, other in both) <= SAME, figure
    return home / "jobs" / job_id


def told_share(folder: Path, model: Path, rows: list[Json], *, base: str = "-", adapter: str = "-") -> float:
    """The share of held-out images whose colour a model tells; base and adapter must say the same as it."""
    held = [row for row in rows[4::5] if "images" in row]
    files = [str(folder / row["images"][0]) for row in held]
    found = json.loads(python("read_seen.py", str(model), base, adapter, *files))
    right = [row["messages"][1]["content"] for row in held]
    share = sum(one == other for one, other in zip(found["said"], right, strict=True)) / len(held)
    print(f"{share:.2f} of {len(held)} held-out colours are told")
    assert found["apart"] < SAME
    return share


@pytest.mark.parametrize("form", ["llava", "gemma3"])
def test_no_token_of_an_image_is_learnt_or_cut_into(tmp_path: Path, form: str) -> None:
    (tmp_path / "images").mkdir()
    tasks.squares(tmp_path)
    (tmp_path / "images" / "0.png").rename(tmp_path / "a.png")
    found: Json = json.loads(python("look_seen.py", str(SOURCES), seer(tmp_path, form), str(tmp_path)))
    assert found["learnt"]["answers"] == "red<end>still red<end>"
    assert found["learnt"]["last"] == "still red<end>"
    everything = "<user>Which colour?<end>\n<assistant>red<end>\n<user>And now? <end>\n<assistant>still red<end>\n"
    assert found["learnt"]["everything"] == everything
    assert found["images"] == dict.fromkeys(("answers", "last", "everything"), 2)
    assert found["image_tokens_learnt"] == 0
    left_out = [cut for cut in found["cuts"] if cut is None]
    kept = [cut for cut in found["cuts"] if cut is not None]
    assert len(left_out) == found["whole_tokens"] - 8
    assert kept == list(range(found["whole_tokens"], found["tokens"] + 1))
    assert found["shapes"]["pixel_values"] == [2, 3, 16, 16]
    assert found["shapes"]["input_ids"] == found["shapes"]["labels"] == [2, found["tokens"]]
    assert 0 < found["loss"] < 20
    assert 0 < found["loss_of_words"] < 20
    assert "pixel_values" not in found["of_words"]
    assert "it has 0 images, and the template writes 1 places for images" in found["spoken"]


WITHOUT_PILLOW = """
import sys
sys.modules["PIL"] = None
from pathlib import Path
from paddock.errors import FieldInvalid
from paddock.training.worker.seeing import Seeing
try:
    Seeing().reader(Path(sys.argv[1]))
except FieldInvalid as refused:
    print(refused.param, refused.message)
"""


def test_a_stack_that_lacks_pillow_says_so(tmp_path: Path) -> None:
    command = [str(next(STACK.glob("env-*/bin/python"))), "-c", WITHOUT_PILLOW, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=HANG_GUARD_S, cwd=tmp_path
    )
    assert done.stdout.startswith("data Rows hold images, and this training stack lacks Pillow."), done.stderr
    assert "`paddock setup python-stack`" in done.stdout
