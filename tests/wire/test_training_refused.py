"""Tests what is refused before a training is queued, since its base, its libraries or its rows would not do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.wire.rig import scripted_studio
from tests.wire.test_training import DONE, ROW, TRAINING, WORKER, Json, asked, claim, until

pytestmark = pytest.mark.anyio
ALIKE = {"anchor": "Hello", "positive": "Hi"}


async def refusal(folder: Path, body: Json) -> Json:
    """How a training is refused, of which nothing is left."""
    async with scripted_studio(folder, warm=False, worker_program=WORKER) as rig:
        answer = await rig.http.post(TRAINING, json=body)
        assert answer.status_code == 422, answer.text
        assert (await rig.http.get(TRAINING)).json()["data"] == []
        return dict(answer.json()["error"])


@pytest.mark.parametrize(
    ("spec", "row", "param", "words"),
    [
        (
            {"base_is_in_4_bits": True},
            ROW,
            "base_is_in_4_bits",
            "needs bitsandbytes, which this training stack lacks. `paddock setup python-stack` installs it",
        ),
        (
            {"method": "embedding", "tuning": "full"},
            ALIKE,
            "method",
            "needs sentence-transformers, which this training stack lacks. `paddock setup python-stack` brings it",
        ),
    ],
    ids=["4 bits", "embedding"],
)
async def test_what_needs_a_library_that_the_stack_lacks_is_refused_before_it_begins(
    tmp_path: Path, spec: Json, row: Json, param: str, words: str
) -> None:
    # The scripted worker's Python is paddock's own, which has neither.
    body = asked(tmp_path, DONE, **spec)
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    error = await refusal(tmp_path, body)
    assert error["param"] == param
    assert words in error["message"]


@pytest.mark.parametrize(
    ("modules", "words"),
    [("q_proj,nose", "has no 'nose'. It has: lm_head, q_proj."), (" , ", "lora_modules is empty. Say all-linear")],
)
async def test_a_module_that_the_base_lacks_is_refused_before_it_begins(
    tmp_path: Path, modules: str, words: str
) -> None:
    body = asked(tmp_path, DONE, lora_modules=modules)
    claim(body["spec"]["base"], 2)
    error = await refusal(tmp_path, body)
    assert error["param"] == "lora_modules"
    assert words in error["message"]


async def test_modules_that_the_base_has_are_trained(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        for modules in ("q_proj", "q_proj, lm_head", "all-linear"):
            body = asked(tmp_path, DONE, lora_modules=modules)
            claim(body["spec"]["base"], 2)
            answer = await rig.http.post(TRAINING, json=body)
            assert answer.status_code == 202, answer.text
            await until(rig, answer.json()["id"], lambda job: job["state"] == "done")


@pytest.mark.parametrize("base", ["meta-llama/Llama-3.2-1B", "owner/name"])
async def test_a_base_that_a_hub_has_and_may_be_gated_is_refused_with_what_to_do(tmp_path: Path, base: str) -> None:
    error = await refusal(tmp_path, {"spec": {**asked(tmp_path, DONE)["spec"], "base": base}})
    assert error["param"] == "base"
    assert base in error["message"]
    assert "Accept its terms there if it is gated, download all of it, and name its folder" in error["message"]


@pytest.mark.parametrize(
    ("spec", "param"),
    [
        ({"learning_rate": "NaN"}, "learning_rate"),
        ({"learning_rate": "inf"}, "learning_rate"),
        ({"learning_rate": 1e300}, "learning_rate"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"epochs": -1}, "epochs"),
        ({"eval_share": 1}, "eval_share"),
        ({"context_tokens": 7}, "context_tokens"),
        ({"context_tokens": 10**30}, "context_tokens"),
        ({"batch_rows": 0.5}, "batch_rows"),
        ({"steps": -1}, "steps"),
        ({"seed": 2**31}, "seed"),
        ({"warmup_share": 2}, "warmup_share"),
        ({"lora_dropout": 1}, "lora_dropout"),
        ({"packs": "perhaps"}, "packs"),
        ({"keep_checkpoints": 0}, "keep_checkpoints"),
    ],
    ids=str,
)
async def test_an_impossible_value_is_refused_with_its_range(tmp_path: Path, spec: Json, param: str) -> None:
    error = await refusal(tmp_path, asked(tmp_path, DONE, **spec))
    assert error["param"] == param
    assert param in error["message"]
