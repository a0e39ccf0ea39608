"""Tests exports of what was trained on bases in 4 bits: unpacked as bitsandbytes does, merged, served, faults found.

The figures that docs/export.md shows are those that this prints with `-s`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFReader

from paddock.export.tries import WORK as TRY
from paddock.jobs.folder import JobFolder
from tests.training.conftest import Opened
from tests.training.exporting import POCKET, ROOT, certificate, make, order, verdicts, worked
from tests.training.test_exports import EXPORTS, killed_at, left, read, until
from tests.training.test_exports import rests as export_rests
from tests.training.test_runs import begun, rests
from tests.training.test_runs import until as training_until

pytestmark = pytest.mark.anyio
GOOD = {"template": "pass", "tokenizer": "pass", "merge": "pass", "conversion": "pass", "quantisation": "none"}
SPOILT = "model.layers.2.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pocket, as bitsandbytes keeps it in 4 bits."""
    made = tmp_path_factory.mktemp("base") / "pocket-nf4"
    make("write", str(POCKET), str(made), by="unpacking.py")
    shutil.copy(POCKET / "generation_config.json", made)
    said = json.loads((made / "config.json").read_text("utf-8"))
    assert said["quantization_config"]["load_in_4bit"] is True
    return made


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("adapter") / "adapter"
    make("adapter", str(POCKET), str(made))
    return made


@pytest.fixture(scope="module")
def exported(base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """An export without a fault."""
    job = order(tmp_path_factory.mktemp("export") / "job", base, adapter, ["F16"], certifies=False)
    assert worked(job)[-1]["kind"] == "done"
    return job


def test_4_bits_stand_for_what_bitsandbytes_makes_of_them_bit_for_bit(tmp_path: Path) -> None:
    told = make("compare", str(POCKET), str(tmp_path), str(ROOT / "src"), by="unpacking.py")
    found = json.loads(told.splitlines()[-1])
    assert set(found) == {"nf4", "shards", "plain scales", "as bf16", "fp4"}
    for way, one in found.items():
        assert one["unpacked"] == 35, way
        assert (one["differing"], one["beside"], one["config"]) == ([], [], False), way
        assert (one["figures"]["wrong"], one["figures"]["lacking"]) == (0, []), way
        assert one["figures"]["tensors"] == one["tensors"] == 62
    assert found["shards"]["files"] > 1
    kinds = {way: one["dtype"] for way, one in found.items()}
    assert kinds == {
        **dict.fromkeys(("nf4", "shards", "fp4"), "torch.bfloat16"),
        "plain scales": "torch.float16",
        "as bf16": "torch.float32",
    }


async def test_what_was_trained_on_4_bits_is_merged_into_what_they_stand_for_and_answers(
    opened: Opened, home: Path, base: Path
) -> None:
    asked = {"messages": [{"role": "user", "content": "hello, who keeps the llamas?"}], "max_tokens": 40}
    types = ["F16", "Q8_0", "LORA"]
    async with opened() as http:
        training = await begun(http, base=str(base), base_is_in_4_bits=True, steps=60, dry_run="no")
        trained = await training_until(http, training, rests)
        assert trained["state"] == "done", trained["error"]
        foreseen = (await http.post(f"{EXPORTS}/estimate", json={"source": training})).json()
        assert foreseen["into"] == "dequantised"
        begun_at = await http.post(EXPORTS, json={"source": training, "name": "four", "types": types})
        job = await until(http, begun_at.json()["id"], export_rests)
        assert job["state"] == "done", job
        assert job["figures"]["into"] == "dequantised"
        certificates = {kind: read(one["path"]) for kind, one in job["figures"]["certificates"].items()}
        assert {kind: one["verdict"] for kind, one in certificates.items()} == dict.fromkeys(types, "pass")
        merge = certificates["F16"]["figures"]["merge"]
        print(f"\nmerge: {certificates['F16']['links']['merge']['says']}")
        assert merge["weights"]["share"] == pytest.approx(1, abs=0.01)
        assert (merge["dequantised"]["tensors"], merge["dequantised"]["wrong"]) == (62, 0)
        assert "62 tensors are what the base's 4 bits stand for" in certificates["LORA"]["links"]["merge"]["says"]
        merged = home / "jobs" / job["id"] / "merged"
        said = json.loads((merged / "config.json").read_text("utf-8"))
        assert ("quantization_config" in said, said["dtype"]) == (False, "bfloat16")
        for kind in ("F16", "Q8_0"):
            shutil.copy(job["figures"]["artifacts"][kind]["path"], home / "models")
            answer = (await http.post("/v1/chat/completions", json={"model": f"four-{kind}", **asked})).json()
            said = answer["choices"][0]["message"]["content"]
            assert said == "Mira looks after the llamas, from a blue hut on the hill."


@pytest.mark.parametrize("how", ["scales", "nested"])
def test_4_bits_read_without_all_that_belongs_to_them_are_caught(
    exported: JobFolder, base: Path, tmp_path: Path, how: str
) -> None:
    job = JobFolder(root=Path(shutil.copytree(exported.root, tmp_path / "job")))
    make("spoil", str(base), str(job.root / "between" / "base"), how, by="unpacking.py")
    # All that was made of it is made anew.
    shutil.rmtree(job.root / "merged")
    shutil.rmtree(job.root / "files")
    said = job.order()
    said["spec"]["certifies"] = True
    job.write_order(said)
    assert worked(job)[-1]["kind"] == "done"
    made = certificate(job, "F16")
    assert verdicts(job, "F16") == {**GOOD, "merge": "fail"}
    assert made["links"]["merge"]["says"] == f"1 tensors are not what the base's 4 bits stand for: {SPOILT}."
    apart = made["figures"]["merge"]["distributions"]
    print(f"\n{how} left out of one matrix: kl {apart['kl_mean']:.3g}, scores {apart['scores_mean']:.3g}")
    # By what it answers, it would have failed as well.
    assert apart["scores_mean"] > 0.04


def test_a_model_in_4_bits_is_written_as_what_it_stands_for(base: Path, tmp_path: Path) -> None:
    job = order(tmp_path / "job", base, None, ["F16"])
    assert worked(job)[-1]["kind"] == "done"
    assert verdicts(job, "F16") == GOOD
    assert not (job.root / "merged").exists()


def test_killed_while_it_unpacks_it_makes_the_same(
    exported: JobFolder, base: Path, adapter: Path, tmp_path: Path
) -> None:
    job = order(tmp_path / "job", base, adapter, ["F16"], certifies=False)
    killed_at(job, ["dequantise", "merge"])
    assert worked(job)[-1]["kind"] == "done"
    assert left(job) == left(exported)
    made, whole = (one.root / "between" / "base" / "model.safetensors" for one in (job, exported))
    assert made.read_bytes() == whole.read_bytes()
    assert [path.name for path in job.root.rglob(".*.draft*")] == []


def test_a_checkpoint_that_was_trained_on_4_bits_is_made_ready_to_be_tried(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    made: dict[str, dict[str, bytes]] = {}
    for form in ("adapter", "merged"):
        root = tmp_path / form
        root.mkdir()
        job = JobFolder(root=root)
        checkpoint = shutil.copytree(adapter, root / "checkpoint")
        files = {name: root / f"{name}.gguf" for name in ("base", "target")}
        base_target = str(files["base"]) if form == "adapter" else ""
        job.write_order(
            {"form": form, "base": str(base), "checkpoint": str(checkpoint), "target": str(files["target"]),
             "base_target": base_target}
        )  # fmt: skip
        told = worked(job, TRY)
        assert told[-1]["kind"] == "done", told[-1]
        made |= {f"{form} {name}": tensors(file) for name, file in files.items() if file.is_file()}
        assert [path.name for path in root.rglob(".*draft*")] == []
    assert set(made) == {"adapter base", "adapter target", "merged target"}
    whole, merged = made["adapter base"], made["merged target"]
    assert set(whole) == set(merged)
    changed = {name for name in whole if whole[name] != merged[name]}
    assert changed == {f"{name.removesuffix('.lora_a')}" for name in made["adapter target"] if name.endswith(".lora_a")}


def tensors(file: Path) -> dict[str, bytes]:
    read_all: Any = GGUFReader(file).tensors
    return {str(one.name): one.data.tobytes() for one in read_all}
