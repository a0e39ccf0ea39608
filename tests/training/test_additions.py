"""Tests each kind of addition by what the engine answers with it: trained, written as GGUF, served beside its model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from paddock.models.gguf import read_part
from tests.training import tasks
from tests.training.conftest import Opened
from tests.training.test_methods import SAME, began, figures, killed, told
from tests.training.test_runs import begun, rests, until

pytestmark = pytest.mark.anyio


async def test_what_dora_makes_is_given_to_the_engine_as_a_whole_model(opened: Opened, home: Path) -> None:
    asked = {"messages": [{"role": "user", "content": "hello, who keeps the llamas?"}], "max_tokens": 40}
    spec = {"lora_is_decomposed": True, "lora_modules": "gate_proj,up_proj,v_proj,o_proj", "steps": 60}
    async with opened() as http:
        job = await until(http, await begun(http, **spec, learning_rate=4e-3, eval_every_steps=60), rests)
        assert job["state"] == "done", job["error"]
        assert set(job["figures"]["artifacts"]) == {"adapter", "model", "gguf"}
        shutil.copy(Path(job["figures"]["artifacts"]["gguf"]), home / "models" / "decomposed.gguf")
        answer = (await http.post("/v1/chat/completions", json={"model": "decomposed", **asked})).json()
        assert answer["choices"][0]["message"]["content"] == "Mira looks after the llamas, from a blue hut on the hill."


async def test_an_addition_scaled_by_root_is_scaled_so_by_the_engine(opened: Opened, home: Path) -> None:
    asked = {"messages": [{"role": "user", "content": "hello, who keeps the llamas?"}], "max_tokens": 40}
    async with opened() as http:
        job_id = await begun(http, lora_is_scaled_by_root=True, steps=60, learning_rate=7e-4)
        job = await until(http, job_id, rests)
        assert job["state"] == "done", job["error"]
        made = Path(job["figures"]["artifacts"]["gguf"])
        assert read_part(made)[0].metadata["adapter.lora.alpha"] == 32 * 16**0.5
        kept = json.loads((made.parent / "adapter" / "adapter_config.json").read_text("utf-8"))
        assert (kept["use_rslora"], kept["lora_alpha"]) == (True, 32)
        shutil.copy(made, home / "models" / "by-root.gguf")
        answer = (await http.post("/v1/chat/completions", json={"model": "pocket-v0+by-root", **asked})).json()
        assert answer["choices"][0]["message"]["content"] == "Mira looks after the llamas, from a blue hut on the hill."


async def test_an_addition_to_a_base_in_4_bits_serves_the_whole_base(opened: Opened, home: Path) -> None:
    asked = {"messages": [{"role": "user", "content": "hello, who keeps the llamas?"}], "max_tokens": 40}
    async with opened() as http:
        job = await until(http, await begun(http, base_is_in_4_bits=True, steps=60), rests)
        assert job["state"] == "done", job["error"]
        shutil.copy(Path(job["figures"]["artifacts"]["gguf"]), home / "models" / "four.gguf")
        answer = (await http.post("/v1/chat/completions", json={"model": "pocket-v0+four", **asked})).json()
        assert answer["choices"][0]["message"]["content"] == "Mira looks after the llamas, from a blue hut on the hill."


async def test_a_kill_changes_nothing_where_the_base_is_in_4_bits(opened: Opened, home: Path, tmp_path: Path) -> None:
    spec: dict[str, Any] = {"method": "dpo", "base_is_in_4_bits": True, "steps": 12}
    async with opened() as http:
        unbroken = await told(http, await began(http, tmp_path, tasks.pairs(), **spec))
        job_id = await began(http, tmp_path, tasks.pairs(), **spec)
        await killed(http, home, job_id, step=7)
        broken = await told(http, job_id)
    both = zip(figures(unbroken, "step", "loss"), figures(broken, "step", "loss"), strict=True)
    assert max(abs(one - other) for one, other in both) <= SAME
