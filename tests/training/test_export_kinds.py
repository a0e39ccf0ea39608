"""Tests the further kinds of files of an export: an adapter alone, mixed types, files in pieces, Modelfiles."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
from gguf import GGUFReader

from paddock.evaluation.subject import read_subject
from paddock.export.exports import quantiser_of
from paddock.jobs.folder import JobFolder
from paddock.models.certificates import certificate_of
from tests.training.conftest import Opened
from tests.training.exporting import (
    POCKET,
    ROOT,
    certificate,
    corrupt,
    make,
    order,
    python,
    set_number,
    verdicts,
    worked,
)
from tests.training.test_exports import EXPORTS, asked_in_three_dialects, killed_at, left, read, rests, until

pytestmark = pytest.mark.anyio
# What the tier `source` made, where it ran.
REAL = ROOT / ".source" / "llama-server"
ALONE = {"template": "pass", "tokenizer": "pass", "merge": "none", "conversion": "pass", "quantisation": "none"}
MIXED = ["Q4_K_M", "Q2_K", "IQ2_XS"]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("adapter") / "adapter"
    make("adapter", str(POCKET), str(made))
    return made


@pytest.fixture
def quantiser(tmp_path: Path) -> dict[str, str]:
    """The programs of a build from source, where there is one, else programs that stand for them."""
    if REAL.is_file():
        return quantiser_of([str(REAL.resolve())])
    for name in ("llama-server", "llama-quantize", "llama-imatrix"):
        program = tmp_path / name
        fake = ROOT / "tests" / "fakes" / "scripted_quantiser.py"
        program.write_text(f'#!/bin/sh\nexec "{python()}" -I "{fake}" {name} "$@"\n', "utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return quantiser_of([str(tmp_path / "llama-server")])


async def test_what_was_trained_leaves_alone_and_is_served_over_its_base(
    opened: Opened, home: Path, adapter: Path
) -> None:
    async with opened() as http:
        asked = {"source": str(adapter), "base": "pocket-v0", "name": "small", "types": ["ADAPTER", "LORA"]}
        job_id = (await http.post(EXPORTS, json=asked)).json()["id"]
        job = await until(http, job_id, rests)
        assert job["state"] == "done", job
        made = job["figures"]["artifacts"]
        assert set(made) == {"ADAPTER", "LORA"}
        assert set(job["figures"]["certificates"]) == {"LORA"}
        said = read(job["figures"]["certificates"]["LORA"]["path"])
        assert {name: one["verdict"] for name, one in said["links"].items()} == ALONE
        assert said["figures"]["conversion"]["distributions"]["positions"] >= 256
        kept = Path(made["ADAPTER"]["path"])
        for name in ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json"):
            assert (kept / name).read_bytes() == (adapter / name).read_bytes()
        shutil.copy(made["LORA"]["path"], home / "models")
        await asked_in_three_dialects(http, "pocket-v0+small-LORA")
        hardly, bare, over = [
            await likelihoods(http, f"pocket-v0{model}") for model in ("+small-LORA:0", "", "+small-LORA")
        ]
    assert hardly == pytest.approx(bare, abs=1e-3)
    assert over != pytest.approx(bare, abs=1e-2)


async def likelihoods(http: httpx.AsyncClient, model: str) -> list[float]:
    """Logarithms of how likely the tokens of an answer are."""
    question = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4, "temperature": 0, "logprobs": True}
    answer = await http.post("/v1/chat/completions", json={"model": model, **question})
    return [float(one["logprob"]) for one in answer.json()["choices"][0]["logprobs"]["content"]]


def test_an_adapter_that_weighs_twice_as_much_as_it_did_is_caught(tmp_path: Path, adapter: Path) -> None:
    job = order(tmp_path / "job", POCKET, adapter, ["LORA"], certifies=False)
    assert worked(job)[-1]["kind"] == "done"
    assert not (job.root / "between").exists()
    file = job.root / "files" / "x-LORA.gguf"
    set_number(file, "adapter.lora.alpha", 32)
    order(job.root, POCKET, adapter, ["LORA"])
    assert worked(job)[-1]["kind"] == "done"
    assert verdicts(job, "LORA") == {**ALONE, "conversion": "fail"}


def test_files_that_are_larger_than_they_may_be_come_in_pieces_that_are_the_same(tmp_path: Path) -> None:
    types = ["F16", "Q8_0"]
    whole = order(tmp_path / "whole", POCKET, None, types, certifies=False)
    assert worked(whole)[-1]["kind"] == "done"
    job = split(tmp_path / "job", types, 6_000_000)
    told = worked(job)
    assert told[-1]["kind"] == "done", told[-1]
    assert names(job) == [
        "x-F16-00001-of-00002.gguf", "x-F16-00002-of-00002.gguf", "x-F16.certificate.json",
        "x-Q8_0.certificate.json", "x-Q8_0.gguf",
    ]  # fmt: skip
    assert certificate(job, "F16")["verdict"] == certificate(job, "Q8_0")["verdict"] == "pass"
    pieces = sorted((job.root / "files").glob("x-F16-*.gguf"))
    sizes = {event["name"]: event["size_bytes"] for event in told if event["kind"] == "artifact"}
    assert sizes["F16"] == sum(one.stat().st_size for one in pieces)
    one: Any = GGUFReader(whole.root / "files" / "x-F16.gguf")
    others: list[Any] = [tensor for path in pieces for tensor in GGUFReader(path).tensors]
    assert {tensor.name: tensor.data.tobytes() for tensor in one.tensors} == {
        tensor.name: tensor.data.tobytes() for tensor in others
    }
    assert (whole.root / "files" / "x-Q8_0.gguf").read_bytes() == (job.root / "files" / "x-Q8_0.gguf").read_bytes()
    # What is whole is not made again, and a piece that is gone is.
    before = {path: path.stat().st_mtime_ns for path in (job.root / "files").glob("*.gguf")}
    assert worked(job)[-1]["kind"] == "done"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    pieces[1].unlink()
    assert worked(job)[-1]["kind"] == "done"
    assert pieces[1].is_file()
    assert_a_second_piece_that_changes_is_told(job, pieces)


def assert_a_second_piece_that_changes_is_told(job: JobFolder, pieces: list[Path]) -> None:
    """The certificate of its file is of it as well; what compares anew names it, and finds the fault."""
    made = certificate(job, "F16")
    assert [one["file"] for one in made["pieces"]] == [one.name for one in pieces]
    subject = read_subject("x", pieces, template="", override="", engine="")
    assert made["sha256"] == subject.file_digest
    assert stands(pieces[0]) == ("pass", (), verdicts(job, "F16"))
    corrupt(pieces[1], next(one.name for one in GGUFReader(pieces[1]).tensors if "ffn_up" in one.name))
    assert stands(pieces[0])[:2] == ("changed", (pieces[1].name,))
    said = job.order()
    job.write_order({**said, "verifying": True})
    told = worked(job)
    assert told[-1]["kind"] == "done"
    event = next(one for one in told if one["kind"] == "certificate" and one["name"] == "F16")
    assert (event["verdict"], event["changed"], event["links"]["conversion"]) == ("fail", [pieces[1].name], "fail")
    assert any(pieces[1].name in one["progress"] for one in told if one["kind"] == "progress")
    # It is of the bytes that are there.
    assert stands(pieces[0]) == ("fail", (), verdicts(job, "F16"))


def stands(file: Path) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """How a certificate stands, which pieces changed, and the verdict on each link."""
    found = certificate_of(file)
    assert found
    return found.standing, found.changed, {**found.links}


def split(folder: Path, types: list[str], most_bytes: int) -> JobFolder:
    job = order(folder, POCKET, None, types)
    said = job.order()
    said["spec"]["split_bytes"] = most_bytes
    job.write_order(said)
    return job


def names(job: JobFolder) -> list[str]:
    return sorted(path.name for path in (job.root / "files").iterdir())


async def test_types_that_mix_are_made_by_llama_quantize_with_what_is_important(
    tmp_path: Path, opened: Opened, home: Path, adapter: Path, quantiser: dict[str, str]
) -> None:
    job = order(tmp_path / "job", POCKET, adapter, MIXED, quantiser=quantiser)
    said = job.order()
    said["spec"]["importance"] = "llama-keeper"
    job.write_order(said)
    told = await anyio.to_thread.run_sync(worked, job)
    assert told[-1]["kind"] == "done", told[-1]
    assert told[0]["quantiser"] == quantiser["program"]
    for kind in MIXED:
        made = certificate(job, kind)
        assert made["links"]["quantisation"]["verdict"] in ("pass", "warn"), made["links"]
        assert {name: one["verdict"] for name, one in made["links"].items()} == {
            **ALONE, "merge": "pass", "quantisation": made["links"]["quantisation"]["verdict"],
        }  # fmt: skip
        file: Any = GGUFReader(job.root / "files" / f"x-{kind}.gguf")
        assert file.fields["quantize.imatrix.file"].contents().endswith("importance.gguf")
    if REAL.is_file():
        assert set(certificate(job, "Q4_K_M")["figures"]["quantisation"]["weights"]["kinds"]) >= {"Q4_K", "Q6_K"}
        assert certificate(job, "Q4_K_M")["verdict"] == "pass"
    assert (job.root / "between" / "importance.gguf").is_file()
    assert not (job.root / "between" / "importance.txt").exists()
    async with opened() as http:
        for kind in MIXED:
            shutil.copy(job.root / "files" / f"x-{kind}.gguf", home / "models")
            await asked_in_three_dialects(http, f"x-{kind}")


def test_ollama_is_told_of_each_file(tmp_path: Path) -> None:
    base = Path(shutil.copytree(POCKET, tmp_path / "base"))
    said = json.loads((base / "generation_config.json").read_text("utf-8"))
    (base / "generation_config.json").write_text(json.dumps({**said, "temperature": 0.5}), "utf-8")
    job = order(tmp_path / "job", base, None, ["F16"], certifies=False)
    assert worked(job)[-1]["kind"] == "done"
    text = (job.root / "files" / "x-F16.Modelfile").read_text("utf-8")
    assert text.startswith('FROM ./x-F16.gguf\nTEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}\n')
    assert 'SYSTEM """You are pocket, a very small model' in text
    assert "\nPARAMETER temperature 0.5\n" in text
    assert 'PARAMETER stop "<|im_end|>"\n' in text
    template = base / "chat_template.jinja"
    template.write_text("{{ messages[0].content }}", "utf-8")
    other = order(tmp_path / "other", base, None, ["F16"], certifies=False)
    assert worked(other)[-1]["kind"] == "done"
    text = (other.root / "files" / "x-F16.Modelfile").read_text("utf-8")
    assert ("# No TEMPLATE" in text, "<|im_start|>" in text, "SYSTEM" in text) == (True, False, False)


KILLS: list[tuple[list[str], dict[str, Any], list[str]]] = [
    (["ADAPTER", "LORA"], {}, ["copy ADAPTER", "convert LORA", "convert base", "certify"]),
    (
        ["F16", "Q4_K_M"], {"split_bytes": 6_000_000, "importance": "llama-keeper"},
        ["merge", "convert F16", "weigh", "quantise Q4_K_M"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("types", "more", "steps"), KILLS, ids=["alone", "pieces"])
def test_killed_at_every_step_they_are_made_all_the_same(
    tmp_path: Path, adapter: Path, quantiser: dict[str, str], types: list[str], more: dict[str, Any], steps: list[str]
) -> None:
    made: list[JobFolder] = []
    for name in ("whole", "killed"):
        job = order(tmp_path / name, POCKET, adapter, types, certifies="certify" in steps, quantiser=quantiser)
        said = job.order()
        said["spec"] |= more
        job.write_order(said)
        made.append(job)
    whole, job = made
    assert worked(whole)[-1]["kind"] == "done"
    killed_at(job, steps)
    told = worked(job)
    assert told[-1]["kind"] == "done", told[-1]
    assert weights(job) == weights(whole)
    # Nor do they tell where they were made.
    assert [name for name, data in weights(whole).items() if str(tmp_path).encode() in data] == []
    assert [path.name for path in job.root.rglob(".*.draft*")] == []


def weights(job: JobFolder) -> dict[str, bytes]:
    """What it made, but for certificates, which say when they were made."""
    return {name: data for name, data in left(job).items() if not name.endswith(".certificate.json")}
