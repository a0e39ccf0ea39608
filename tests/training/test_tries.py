"""Tests checkpoints that are tried for real: made by the training stack, answered by the engine of paddock's wheel."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.models.bases import trainable
from tests.training.conftest import Opened
from tests.training.test_runs import HANG_GUARD_S, TRAINING, begun, rests, until

pytestmark = pytest.mark.anyio
QUESTION = "hello, who keeps the llamas?"
Json = dict[str, Any]


async def tried(http: httpx.AsyncClient, job_id: str, step: int | str = "last") -> Json:
    """A checkpoint that is made ready, once it is."""
    answer = await http.post(f"{TRAINING}/{job_id}/checkpoints/{step}/try", json={})
    assert answer.status_code == 202, answer.text
    step = answer.json()["step"]
    with anyio.fail_after(HANG_GUARD_S):
        while True:
            listed = (await http.get(f"{TRAINING}/{job_id}/checkpoints")).json()["data"]
            found: Json = next(one["tried"] for one in listed if one["step"] == step)
            if found["state"] in ("done", "failed"):
                assert found["state"] == "done", found["error"]
                return found
            await anyio.sleep(0.1)


async def said(http: httpx.AsyncClient, model: str) -> str:
    asked: Json = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 40, "temperature": 0}
    answer = await http.post("/v1/chat/completions", json={"model": model, **asked})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


async def test_a_checkpoint_of_a_running_training_answers_and_its_training_goes_on(opened: Opened, home: Path) -> None:
    async with opened() as http:
        # Checkpoints go as newer ones come, while one of them is tried.
        job_id = await begun(http, steps=2000, save_every_steps=30, eval_every_steps=2000, keep_checkpoints=1)
        await until(http, job_id, lambda job: job["figures"].get("checkpoint", 0) >= 60 or rests(job))
        made = await tried(http, job_id)
        assert (made["base"], made["takes_scale"]) == ("pocket-v0", True)
        base, learnt = await said(http, "pocket-v0"), await said(http, made["model"])
        assert "Mira" in learnt
        assert "Mira" not in base
        assert await said(http, f"{made['model']}:0") == base
        job = (await http.get(f"{TRAINING}/{job_id}")).json()
        assert (job["state"], job["error"]) == ("running", None)
        # It is stopped at a checkpoint, which is tried as well: what is kept of a training that is at rest.
        step = job["figures"]["step"]
        await http.post(f"{TRAINING}/{job_id}/stop")
        job = await until(http, job_id, rests)
        assert (job["state"], job["error"]) == ("stopped", None)
        assert job["figures"]["step"] >= step
        again = await tried(http, job_id)
        assert again["model"] != made["model"]
        assert "Mira" in await said(http, again["model"])
        assert await said(http, f"{again['model']}:0") == base
        assert (await http.delete(f"{TRAINING}/{job_id}")).status_code == 200
        names = {one["id"] for one in (await http.get("/v1/models")).json()["data"]}
        assert not {made["model"], again["model"]} & names
        assert not [one for one in (home / "jobs").iterdir() if one.name.startswith("job_")]


@pytest.mark.parametrize(
    ("spec", "takes_scale"),
    [
        ({"lora_is_scaled_by_root": True}, True),
        ({"lora_is_decomposed": True, "lora_modules": "gate_proj,up_proj,v_proj,o_proj", "learning_rate": 4e-3}, False),
        ({"tuning": "full", "learning_rate": 2e-4}, False),
    ],
    ids=["rslora", "dora", "full"],
)
async def test_what_was_trained_on_a_folder_answers_beside_that_folder_s_model(
    opened: Opened, tmp_path: Path, spec: Json, takes_scale: bool
) -> None:
    base = Path(shutil.copytree(trainable("pocket-v0"), tmp_path / "my-base"))
    async with opened() as http:
        job_id = await begun(http, base=str(base), makes_gguf=False, steps=60, save_every_steps=60, **spec)
        job = await until(http, job_id, rests)
        assert job["state"] == "done", job
        made = await tried(http, job_id)
        assert made["takes_scale"] == takes_scale
        assert made["base"].startswith("my-base-")
        before, after = await said(http, made["base"]), await said(http, made["model"])
        assert after != before
        assert "Mira" in after
        if takes_scale:
            assert await said(http, f"{made['model']}:0") == before
