"""Tests that certificates catch what goes wrong on the way of an export, and name the link where it went wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paddock.jobs.folder import JobFolder
from tests.training.exporting import (
    POCKET,
    certificate,
    corrupt,
    make,
    order,
    set_number,
    set_text,
    verdicts,
    worked,
)

FILE = "files/x-F16.gguf"
SMALL = "files/x-Q8_0.gguf"
NONE = {"template": "pass", "tokenizer": "pass", "merge": "none", "conversion": "pass", "quantisation": "none"}


@pytest.fixture(scope="module")
def with_bos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pocket with a tokenizer that begins every text with a token of its own, as its template does."""
    made = Path(shutil.copytree(POCKET, tmp_path_factory.mktemp("bos") / "base"))
    tokenizer = json.loads((made / "tokenizer.json").read_text("utf-8"))
    first = "<|endoftext|>"
    single: list[Any] = [{"SpecialToken": {"id": first, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing", "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {first: {"id": first, "ids": [0], "tokens": [first]}},
    }  # fmt: skip
    (made / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    settings = json.loads((made / "tokenizer_config.json").read_text("utf-8"))
    settings |= {"bos_token": first, "add_bos_token": True, "tokenizer_class": "PreTrainedTokenizerFast"}
    (made / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    config = json.loads((made / "config.json").read_text("utf-8"))
    (made / "config.json").write_text(json.dumps({**config, "bos_token_id": 0}), "utf-8")
    template = made / "chat_template.jinja"
    template.write_text("{{- bos_token }}" + template.read_text("utf-8"), "utf-8")
    return made


@pytest.fixture(scope="module")
def exported(with_bos: Path, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """An export without a fault, whose certificates say so."""
    job = order(tmp_path_factory.mktemp("export") / "job", with_bos, None, ["F16", "Q8_0"])
    assert worked(job)[-1]["kind"] == "done"
    assert verdicts(job, "F16") == NONE
    assert verdicts(job, "Q8_0") == {**NONE, "quantisation": "pass"}
    return job


def planted(exported: JobFolder, folder: Path, plant: Callable[[JobFolder], object], kind: str) -> JobFolder:
    """A copy of the export with a fault in a file, compared anew."""
    job = JobFolder(root=Path(shutil.copytree(exported.root, folder / "job")))
    said = job.order()
    # The other files are as they were.
    said["spec"]["types"] = ["F16"] if kind == "F16" else ["F16", kind]
    job.write_order({**said, "verifying": True})
    plant(job)
    assert worked(job)[-1]["kind"] == "done"
    return job


PLANTS: list[tuple[Callable[[JobFolder], object], str, str, str]] = [
    (
        lambda job: set_number(job.root / FILE, "tokenizer.ggml.eos_token_id", 0),
        "F16", "tokenizer", "an answer ends with token 0, and the source with [2]",
    ),
    (
        lambda job: set_number(job.root / FILE, "tokenizer.ggml.add_bos_token", 0),
        "F16", "tokenizer", "texts are cut otherwise: 'text 1' at token 0",
    ),
    (
        lambda job: set_text(job.root / FILE, "tokenizer.chat_template", "<|im_start|>user", "<|im_start|>User"),
        "F16", "template", "prompts are written otherwise: 'tool and its result' from byte",
    ),
    (
        lambda job: set_number(job.root / FILE, "qwen2.rope.freq_base", 10_000),
        "F16", "conversion", "The weights as GGUF: kl",
    ),
    (
        lambda job: corrupt(job.root / FILE, "blk.3.ffn_down.weight"),
        "F16", "conversion", "The weights as GGUF: kl",
    ),
    (
        lambda job: corrupt(job.root / SMALL, "blk.3.attn_v.weight"),
        "Q8_0", "quantisation", "blk.3.attn_v.weight differs by",
    ),
    (
        lambda job: set_number(job.root / SMALL, "qwen2.rope.freq_base", 10_000),
        "Q8_0", "quantisation", "qwen2.rope.freq_base",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plant", "kind", "link", "words"),
    PLANTS,
    ids=["eos", "bos", "template", "rope", "tensor", "quantised-tensor", "quantised-rope"],
)
def test_a_planted_fault_is_caught_at_its_link(
    exported: JobFolder, tmp_path: Path, plant: Callable[[JobFolder], object], kind: str, link: str, words: str
) -> None:
    job = planted(exported, tmp_path, plant, kind)
    right = {**NONE, "quantisation": "pass"} if kind == "Q8_0" else NONE
    assert verdicts(job, kind) == {**right, link: "fail"}
    made = certificate(job, kind)
    assert made["verdict"] == "fail"
    assert words in made["links"][link]["says"]
    if kind == "Q8_0":
        # The file that it was made of has no fault.
        assert verdicts(job, "F16") == NONE


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("adapter") / "adapter"
    make("adapter", str(POCKET), str(made))
    return made


@pytest.mark.parametrize("times", [0, 2], ids=["not-merged", "merged-twice"])
def test_an_adapter_that_is_not_in_the_file_once_is_caught(adapter: Path, tmp_path: Path, times: int) -> None:
    job = order(tmp_path / "job", POCKET, adapter, ["F16"], certifies=False)
    assert worked(job)[-1]["kind"] == "done"
    # The file is made of what was merged wrong, so that only the merge is.
    make("share", str(POCKET), str(adapter), str(times), str(job.root / "merged"))
    (job.root / FILE).unlink()
    order(job.root, POCKET, adapter, ["F16"])
    assert worked(job)[-1]["kind"] == "done"
    assert verdicts(job, "F16") == {**NONE, "merge": "fail"}
    assert f"stands in the file {times:.2f} times" in certificate(job, "F16")["links"]["merge"]["says"]


def test_a_tensor_that_was_damaged_after_merging_is_named(adapter: Path, tmp_path: Path) -> None:
    job = order(tmp_path / "job", POCKET, adapter, ["F16"], certifies=False)
    assert worked(job)[-1]["kind"] == "done"
    weights = job.root / "merged" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    end = 8 + int.from_bytes(data[:8], "little")
    name = "model.layers.1.self_attn.o_proj.weight"
    first, last = json.loads(data[8:end])[name]["data_offsets"]
    data[end + first : end + last] = bytes(last - first)
    weights.write_bytes(data)
    (job.root / FILE).unlink()
    order(job.root, POCKET, adapter, ["F16"])
    assert worked(job)[-1]["kind"] == "done"
    assert verdicts(job, "F16") == {**NONE, "merge": "fail"}
    assert name in certificate(job, "F16")["links"]["merge"]["says"]
