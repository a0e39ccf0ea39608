"""Tests which checkpoints are whole, where what is tried lies, and that an engine's scale is what was trained with."""

from __future__ import annotations

import json
from pathlib import Path

from paddock.models.catalog import Catalog
from paddock.models.converting import as_engines_scale, beside_whole_numbers
from paddock.models.tried import tried_folder, tried_in
from paddock.paths import Home
from paddock.training.checkpoints import sizes, whole
from paddock.training.worker.checkpoints import newest, seal
from tests.fakes.adapter_files import adapter
from tests.fakes.gguf_files import gguf


def checkpoint(folder: Path, name: str, *, sealed: bool = True) -> Path:
    made = folder / name
    (made / "deep").mkdir(parents=True)
    (made / "adapter_model.safetensors").write_bytes(b"numbers")
    (made / "deep" / "state.bin").write_bytes(b"more")
    if sealed:
        assert seal(made) == 11
    return made


def test_the_last_whole_checkpoint_comes_first_and_none_is_touched(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-x"):
        checkpoint(tmp_path, name)
    checkpoint(tmp_path, "checkpoint-11", sealed=False)
    cut = checkpoint(tmp_path, "checkpoint-12")
    (cut / "adapter_model.safetensors").write_bytes(b"num")
    (checkpoint(tmp_path, "checkpoint-13") / "paddock.json").write_text("[1]")
    assert list(whole(tmp_path)) == [10, 9]
    assert sum(sizes(whole(tmp_path)[10]).values()) == 11
    # One that only looks removes none, since its worker may be writing it; the worker itself does.
    assert len(list(tmp_path.iterdir())) == 6
    assert newest(tmp_path) == tmp_path / "checkpoint-10"
    assert not cut.exists()
    assert whole(tmp_path / "lost") == {}


def test_what_is_tried_is_found_in_its_training_s_folder_alone(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    jobs = [home.jobs / name for name in ("job_1", "job_2", "other")]
    for job in jobs:
        tried_folder(job).mkdir(parents=True)
        (tried_folder(job) / "base.gguf").write_bytes(gguf())
        (tried_folder(job) / ".draft.gguf").write_bytes(gguf())
    (tried_folder(jobs[0]) / "mine-step-3.gguf").write_bytes(adapter())
    (jobs[1] / "adapter.gguf").write_bytes(adapter())
    assert [(one.id, one.origin) for one in tried_in(home.jobs)] == [
        ("base", "tried"), ("mine-step-3", "tried"), ("base", "tried"),
    ]  # fmt: skip
    catalog = Catalog(home)
    assert [one.id for one in catalog.adapters()] == ["mine-step-3"]
    assert [one.id for one in catalog.models()] == ["pocket-v0", "base"]
    catalog.remove("mine-step-3")
    assert catalog.adapters() == []
    assert list(tried_in(tmp_path / "lost")) == []


def test_an_addition_scaled_by_the_root_of_its_rank_is_told_so_to_the_engine_in_a_copy(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "adapter_model.safetensors").write_bytes(b"numbers")
    (kept / "optimizer.pt").write_bytes(b"much")
    settings = kept / "adapter_config.json"
    settings.write_text(json.dumps({"r": 16, "lora_alpha": 32, "use_rslora": False}))
    assert as_engines_scale(kept, tmp_path) == kept
    settings.write_text(json.dumps({"r": 16, "lora_alpha": 32, "use_rslora": True}))
    into = tmp_path / "into"
    into.mkdir()
    copy = as_engines_scale(kept, into)
    assert sorted(one.name for one in copy.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    said = json.loads((copy / "adapter_config.json").read_text())
    assert (said["use_rslora"], said["lora_alpha"]) == (False, 128)
    assert json.loads(settings.read_text())["use_rslora"] is True


def test_an_adapter_is_written_beside_a_config_that_says_nothing_of_fewer_bits(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    words = ("--base", str(base), "--outtype", "f16")
    (base / "config.json").write_text(json.dumps({"hidden_size": 64}))
    assert beside_whole_numbers(words, tmp_path) == words
    assert beside_whole_numbers(("--outtype", "f16"), tmp_path) == ("--outtype", "f16")
    (base / "config.json").write_text(json.dumps({"hidden_size": 64, "quantization_config": {"quant_method": "gptq"}}))
    into = tmp_path / "into"
    into.mkdir()
    made = beside_whole_numbers(words, into)
    assert (made[0], made[2:]) == ("--base", ("--outtype", "f16"))
    assert Path(made[1]).name == "base"
    assert json.loads((Path(made[1]) / "config.json").read_text()) == {"hidden_size": 64}
    assert "quantization_config" in json.loads((base / "config.json").read_text())
