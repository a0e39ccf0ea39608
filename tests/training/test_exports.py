"""Tests exports for real: files that say what was trained and are served, whatever ended the export on its way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from gguf import GGMLQuantizationType, quants

from paddock.export.exports import quantiser_of
from paddock.jobs.folder import JobFolder
from tests.training.conftest import Opened
from tests.training.exporting import ENGINE, HANG_GUARD_S, POCKET, make, order, words, worked

pytestmark = pytest.mark.anyio
EXPORTS = "/api/exports"
Json = dict[str, Any]
TYPES = ["F16", "Q8_0", "Q6_K"]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("adapter") / "adapter"
    make("adapter", str(POCKET), str(made))
    return made


async def until(http: httpx.AsyncClient, job_id: str, is_so: Callable[[Json], bool]) -> Json:
    with anyio.fail_after(HANG_GUARD_S):
        while not is_so(found := (await http.get(f"{EXPORTS}/{job_id}")).json()):
            await anyio.sleep(0.1)
    return dict(found)


def read(path: str) -> Json:
    found: Json = json.loads(Path(path).read_text("utf-8"))
    return found


def rests(job: Json) -> bool:
    return job["state"] not in ("queued", "running", "stopping")


async def asked_in_three_dialects(http: httpx.AsyncClient, model: str) -> list[httpx.Response]:
    question = [{"role": "user", "content": "hello"}]
    said = [
        await http.post(path, json={"model": model, **body})
        for path, body in {
            "/v1/chat/completions": {"messages": question, "max_tokens": 8, "temperature": 0},
            "/v1/messages": {"messages": question, "max_tokens": 8},
            "/v1/responses": {"input": "hello", "max_output_tokens": 16},
        }.items()
    ]
    assert [one.status_code for one in said] == [200] * 3, [one.text for one in said]
    return said


async def test_an_adapter_becomes_files_that_pass_and_answer_in_three_dialects(
    opened: Opened, home: Path, adapter: Path
) -> None:
    async with opened() as http:
        asked = {"source": str(adapter), "base": "pocket-v0", "name": "small", "types": TYPES}
        job_id = (await http.post(EXPORTS, json=asked)).json()["id"]
        job = await until(http, job_id, rests)
        assert job["state"] == "done", job
        figures = job["figures"]
        assert {kind: made["verdict"] for kind, made in figures["certificates"].items()} == dict.fromkeys(TYPES, "pass")
        assert set(figures["artifacts"]) == {"merged", *TYPES}
        assert "ggml_quantize_chunk" in figures["quantiser"]
        sizes = [figures["artifacts"][kind]["size_bytes"] for kind in TYPES]
        assert sizes == sorted(sizes, reverse=True)
        certificate = read(figures["certificates"]["Q8_0"]["path"])
        assert certificate["prompts"] >= 32
        assert certificate["figures"]["quantisation"]["distributions"]["positions"] >= 256
        assert certificate["figures"]["merge"]["weights"]["share"] == pytest.approx(1, abs=0.01)
        for kind in TYPES:
            shutil.copy(figures["artifacts"][kind]["path"], home / "models")
            await asked_in_three_dialects(http, f"small-{kind}")
    assert (home / "jobs" / job_id / "merged" / "chat_template.jinja").is_file()


def test_killed_at_every_step_it_goes_on_behind_the_last_that_is_whole(tmp_path: Path, adapter: Path) -> None:
    whole = order(tmp_path / "whole", POCKET, adapter, TYPES, certifies=False)
    assert worked(whole)[-1]["kind"] == "done"
    job = order(tmp_path / "killed", POCKET, adapter, TYPES, certifies=False)
    steps = ["merge", "convert F16", "quantise Q8_0", "quantise Q6_K", "describe"]
    killed_at(job, steps)
    told = worked(job)
    assert told[-1]["kind"] == "done", told[-1]
    assert left(job) == left(whole)
    assert [path for path in job.root.rglob(".*") if path.name != ".certifying.draft"] == []
    # What is whole is not made again.
    before = {path: path.stat().st_mtime_ns for path in (job.root / "files").iterdir()}
    assert worked(job)[-1]["kind"] == "done"
    assert {path: path.stat().st_mtime_ns for path in (job.root / "files").iterdir()} == before


def killed_at(job: JobFolder, steps: list[str]) -> None:
    """Kill its worker once at each step, begun anew each time."""
    for step in steps:
        with subprocess.Popen(words(job), cwd=job.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
            while not any(event.get("doing") == step for event in job.events()[0]) and worker.poll() is None:
                time.sleep(0.02)
            os.kill(worker.pid, signal.SIGKILL)


def left(job: JobFolder) -> dict[str, bytes]:
    """The files that it made."""
    return {
        str(path.relative_to(job.root)): path.read_bytes()
        for folder in ("merged", "files")
        for path in sorted((job.root / folder).rglob("*"))
        if path.is_file()
    }


async def test_two_at_once_take_turns_and_neither_file_takes_the_others_name(opened: Opened, home: Path) -> None:
    async with opened() as http:
        asked = {"source": "pocket-v0", "name": "twin", "certifies": False}
        first, second = [
            (await http.post(EXPORTS, json={**asked, "types": [kind]})).json()["id"] for kind in ("F16", "BF16")
        ]
        await until(http, first, lambda job: job["figures"].get("step") == 1)
        assert (await until(http, second, lambda job: True))["state"] == "queued"
        jobs = [await until(http, one, rests) for one in (first, second)]
        assert [job["state"] for job in jobs] == ["done", "done"]
        assert jobs[1]["started_s"] >= jobs[0]["ended_s"]
    for job, kind in zip(jobs, ("F16", "BF16"), strict=True):
        files = home / "jobs" / job["id"] / "files"
        assert sorted(path.name for path in files.iterdir()) == [f"twin-{kind}.Modelfile", f"twin-{kind}.gguf"]
    paths = [Path(job["figures"]["artifacts"][kind]["path"]) for job, kind in zip(jobs, ("F16", "BF16"), strict=True)]
    assert_no_name_is_taken_twice(home, paths)


def assert_no_name_is_taken_twice(home: Path, paths: list[Path]) -> None:
    environ = {**os.environ, "PADDOCK_HOME": str(home), "PADDOCK_SCAN_OTHERS": "0"}
    done = [
        subprocess.run(
            [sys.executable, "-m", "paddock", "models", "import", str(path), "--name", "twin"],
            env=environ, capture_output=True, text=True, timeout=HANG_GUARD_S, check=False,
        )
        for path in paths
    ]  # fmt: skip
    assert done[0].returncode == 0, done[0].stderr
    assert done[1].returncode != 0
    assert "twin" in done[1].stderr
    assert (home / "models" / "twin.gguf").read_bytes() == paths[0].read_bytes()


def test_cancelled_it_stops_and_what_is_whole_stays(tmp_path: Path) -> None:
    job = order(tmp_path / "job", POCKET, None, ["F16", "Q8_0"])
    with subprocess.Popen(words(job), cwd=job.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        while not any("the engine answers" in event.get("progress", "") for event in job.events()[0]):
            assert worker.poll() is None
            time.sleep(0.02)
        job.ask("cancel")
        assert worker.wait(HANG_GUARD_S) == 0
    assert job.events()[0][-1]["kind"] == "cancelled"
    assert sorted(path.name for path in (job.root / "files").iterdir()) == [
        "x-F16.Modelfile", "x-F16.gguf", "x-Q8_0.Modelfile", "x-Q8_0.gguf",
    ]  # fmt: skip


def test_what_an_export_is_made_of_may_not_change_under_it(tmp_path: Path) -> None:
    base = Path(shutil.copytree(POCKET, tmp_path / "base"))
    job = order(tmp_path / "job", base, None, ["F16"], certifies=False)
    assert worked(job)[-1]["kind"] == "done"
    with (base / "chat_template.jinja").open("a", encoding="utf-8") as file:
        file.write(" ")
    error = worked(job)[-1]["error"]
    assert "chat_template.jinja has changed" in error["message"]


def test_a_weight_that_f16_cannot_hold_is_refused_by_its_name(tmp_path: Path) -> None:
    base = Path(shutil.copytree(POCKET, tmp_path / "base"))
    weights = bytearray((base / "model.safetensors").read_bytes())
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    name = "model.layers.2.mlp.up_proj.weight"
    at = 8 + int.from_bytes(weights[:8], "little") + header[name]["data_offsets"][0]
    weights[at : at + 2] = (0x4800).to_bytes(2, "little")  # 131072 as bf16
    (base / "model.safetensors").write_bytes(weights)
    told = worked(order(tmp_path / "job", base, None, ["F16"], certifies=False))
    assert f"{name} holds 131072" in told[-1]["error"]["message"]


def test_the_embedded_engine_still_quantises(tmp_path: Path) -> None:
    job = order(tmp_path / "job", POCKET, None, ["F32", "Q8_0"], certifies=False)
    assert set(quantiser_of(ENGINE)) == {"library"}
    assert worked(job)[-1]["kind"] == "done"
    from gguf import GGUFReader

    plain, small = (GGUFReader(job.root / "files" / f"x-{kind}.gguf") for kind in ("F32", "Q8_0"))
    theirs = {one.name: one for one in small.tensors}
    quantised = 0
    for one in plain.tensors:
        if theirs[one.name].tensor_type == GGMLQuantizationType.Q8_0:
            quantised += 1
            # The same as the format's own writer in Python.
            assert (quants.quantize(one.data, GGMLQuantizationType.Q8_0) == theirs[one.name].data).all(), one.name
        else:
            assert (one.data == theirs[one.name].data).all(), one.name
    assert quantised >= 35
