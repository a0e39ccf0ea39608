"""Tests exports of very small models of chance weights, of many architectures: right ones pass, wrong ones do not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from paddock.jobs.folder import JobFolder
from tests.training.exporting import HANG_GUARD_S, certificate, corrupt, order, python, verdicts, worked

WRITER = str(Path(__file__).with_name("write_models.py"))
RIGHT = {"template": "pass", "tokenizer": "pass", "merge": "none", "conversion": "pass", "quantisation": "none"}
# By architecture, a tensor that is spoilt.
TENSORS = {
    "llama": "blk.1.ffn_down.weight",
    "mistral": "blk.1.attn_v.weight",
    "qwen2": "blk.2.attn_v.bias",
    "qwen3": "blk.1.attn_k_norm.weight",
    "qwen3-moe": "blk.1.ffn_down_exps.weight",
    "gemma2": "blk.1.post_ffw_norm.weight",
    "gemma3": "blk.5.attn_output.weight",
    "phi3": "blk.1.attn_qkv.weight",
    "lfm2": "blk.0.shortconv.conv.weight",
    "mamba": "blk.1.ssm_out.weight",
}


def written(folder: Path, name: str) -> Path:
    """A model of that name."""
    done = subprocess.run(
        [python(), WRITER, str(folder), name], capture_output=True, text=True, timeout=HANG_GUARD_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / name


@pytest.mark.parametrize("name", TENSORS)
def test_files_of_an_architecture_pass_and_one_spoilt_tensor_is_caught(tmp_path: Path, name: str) -> None:
    job = order(tmp_path / "job", written(tmp_path, name), None, ["F16", "Q8_0"])
    told = worked(job)
    assert told[-1]["kind"] == "done", told[-1]
    assert verdicts(job, "F16") == RIGHT, certificate(job, "F16")["links"]
    assert verdicts(job, "Q8_0") == {**RIGHT, "quantisation": "pass"}, certificate(job, "Q8_0")["links"]

    corrupt(job.root / "files" / "x-F16.gguf", TENSORS[name])
    assert compared_anew(job) == {**RIGHT, "conversion": "fail"}, certificate(job, "F16")["links"]


def compared_anew(job: JobFolder) -> dict[str, str]:
    """The verdicts on its plain file as it is now."""
    said = job.order()
    said["spec"]["types"] = ["F16"]
    job.write_order({**said, "verifying": True})
    assert worked(job)[-1]["kind"] == "done"
    return verdicts(job, "F16")


def test_what_a_file_cannot_say_of_a_model_is_caught(tmp_path: Path) -> None:
    # The converter writes the file without a word, and the engine loads it.
    job = order(tmp_path / "job", written(tmp_path, "gemma3-scaled"), None, ["F16"])
    assert worked(job)[-1]["kind"] == "done"
    assert verdicts(job, "F16") == {**RIGHT, "conversion": "fail"}
