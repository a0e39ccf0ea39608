"""Tests exports as clients see them, before a worker that does what it is told: queue, events, restarts, refusals."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import anyio
import psutil
import pytest

from paddock.api.exports import Export, ExportEstimate, ExportList
from paddock.export.exports import quantiser_of
from paddock.paths import Home
from paddock.process import SECRETS
from paddock.store.db import Database
from paddock.store.jobs import JobStore
from tests.wire.rig import HANG_GUARD_S, Rig, scripted_studio
from tests.wire.test_training import DONE as TRAINED
from tests.wire.test_training import begun as training_begun

pytestmark = pytest.mark.anyio
EXPORTS = "/api/exports"
WORKER = [sys.executable, "-P", "-s", str(Path(__file__).parents[1] / "fakes" / "scripted_worker.py")]
MADE = [
    {"tell": "step", "step": 1, "steps": 2, "doing": "convert F16"},
    {"tell": "artifact", "name": "F16", "path": "/a/x-F16.gguf", "size_bytes": 7},
    {"tell": "step", "step": 2, "steps": 2, "doing": "certify"},
    {
        "tell": "certificate", "name": "F16", "verdict": "warn", "links": {"template": "pass", "merge": "warn"},
        "path": "/a/x-F16.certificate.json", "faults": ["merge: a little"], "changed": ["x-F16-00002-of-00003.gguf"],
    },
]  # fmt: skip
DONE = [*MADE, {"tell": "done", "took_s": 1.0}]
WAITING = [*MADE[:1], {"until_wished": True}]
Json = dict[str, Any]


def model(folder: Path, acts: list[Json]) -> str:
    """A folder of a model whose export does these acts."""
    made = folder / f"model-{len(list(folder.glob('model-*')))}"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "script.json").write_text(json.dumps(acts))
    return str(made)


async def begun(rig: Rig, source: str, **more: Any) -> str:
    answer = await rig.http.post(EXPORTS, json={"source": source, **more})
    assert answer.status_code == 202, answer.text
    return str(Export.model_validate(answer.json()).id)


async def until(rig: Rig, job_id: str, is_so: Callable[[Json], bool]) -> Json:
    with anyio.fail_after(HANG_GUARD_S):
        while not is_so(found := (await rig.http.get(f"{EXPORTS}/{job_id}")).json()):
            await anyio.sleep(0.05)
    return Export.model_validate(found).model_dump()


async def told(rig: Rig, job_id: str, after: int = 0) -> list[Json]:
    """Every event until the export is at rest."""
    with anyio.fail_after(HANG_GUARD_S):
        answer = await rig.http.get(f"{EXPORTS}/{job_id}/events?after={after}")
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(one) for one in data[:-1]]


async def test_an_export_runs_tells_and_is_removed(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, model(tmp_path, DONE), name="x", types=["f16"])
        events = await told(rig, job_id)
        assert [event["kind"] for event in events] == [act["tell"] for act in DONE]
        assert await told(rig, job_id, after=4) == events[4:]
        found = await until(rig, job_id, lambda job: job["state"] == "done")
        assert found["spec"]["types"] == ["F16"]
        assert found["figures"]["artifacts"] == {"F16": {"path": "/a/x-F16.gguf", "size_bytes": 7}}
        assert found["figures"]["certificates"]["F16"]["verdict"] == "warn"
        assert found["figures"]["certificates"]["F16"]["changed"] == ["x-F16-00002-of-00003.gguf"]
        assert (found["figures"]["step"], found["figures"]["steps"]) == (2, 2)
        order = json.loads((tmp_path / "home" / "jobs" / job_id / "order.json").read_text())
        assert order["source"]["adapter"] is None
        assert order["verifying"] is False
        listed = ExportList.model_validate((await rig.http.get(EXPORTS)).json())
        assert ([one.id for one in listed.data], listed.has_stack) == ([job_id], True)
        assert (await rig.http.delete(f"{EXPORTS}/{job_id}")).json() == {"id": job_id, "deleted": True}
        assert (await rig.http.get(f"{EXPORTS}/{job_id}")).status_code == 404
        assert not (tmp_path / "home" / "jobs" / job_id).exists()
        assert await begun(rig, "pocket-v0")


async def test_two_exports_go_one_after_the_other_beside_a_training(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        first = await begun(rig, model(tmp_path, WAITING))
        await until(rig, first, lambda job: job["figures"].get("step") == 1)
        second = await begun(rig, model(tmp_path, DONE))
        training = await training_begun(rig, tmp_path, TRAINED)
        with anyio.fail_after(HANG_GUARD_S):
            while (await rig.http.get(f"/api/training/{training}")).json()["state"] != "done":
                await anyio.sleep(0.05)
        assert (await until(rig, second, lambda job: True))["state"] == "queued"
        assert (await rig.http.post(f"{EXPORTS}/{first}/cancel")).json()["state"] == "stopping"
        assert (await until(rig, first, lambda job: job["state"] == "cancelled"))["error"] is None
        await until(rig, second, lambda job: job["state"] == "done")
        # One kind of job is none of the other.
        assert (await rig.http.get(f"{EXPORTS}/{training}")).status_code == 404
        assert (await rig.http.delete(f"/api/training/{second}")).status_code == 404


async def test_one_that_was_killed_says_so_and_is_gone_on_with(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, model(tmp_path, [MADE[0], {"die": True}, *MADE[1:], {"tell": "done", "took_s": 1.0}]))
        found = await until(rig, job_id, lambda job: job["state"] == "failed")
        assert found["error"]
        assert found["error"]["kind"] == "killed"
        assert "the last step that is whole" in found["error"]["message"]
        assert (await rig.http.post(f"{EXPORTS}/{job_id}/resume")).status_code == 200
        await until(rig, job_id, lambda job: job["state"] == "done")
        again = await rig.http.post(f"{EXPORTS}/{job_id}/resume")
        assert (again.status_code, again.json()["error"]["current"]) == (409, {"state": "done"})


async def test_a_worker_outlives_its_server_and_the_next_one_watches_it_on(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, model(tmp_path, [MADE[0], {"wait_s": 1.5}, *DONE[1:]]))
        await until(rig, job_id, lambda job: job["figures"].get("step") == 1)
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        await until(rig, job_id, lambda job: job["state"] == "done")
        assert [event["number"] for event in await told(rig, job_id)] == list(range(1, len(DONE) + 1))


async def test_no_worker_is_lent_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS[1:]:
        monkeypatch.setenv(name, "hush")
    monkeypatch.setenv("PADDOCK_BESIDE", "lent")
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, model(tmp_path, WAITING))
        await until(rig, job_id, lambda job: job["figures"].get("step") == 1)
        lock = json.loads((tmp_path / "home" / "jobs" / job_id / "worker.lock").read_text())
        lent = psutil.Process(lock["pid"]).environ()
        await rig.http.post(f"{EXPORTS}/{job_id}/cancel")
        await until(rig, job_id, lambda job: job["state"] == "cancelled")
    assert lent["PADDOCK_BESIDE"] == "lent"
    assert not {*SECRETS} & {*lent}


async def test_one_that_is_done_can_be_verified_and_no_other(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, model(tmp_path, DONE))
        await until(rig, job_id, lambda job: job["state"] == "done")
        assert (await rig.http.post(f"{EXPORTS}/{job_id}/verify")).status_code == 200
        await until(rig, job_id, lambda job: job["state"] == "done")
        order = json.loads((tmp_path / "home" / "jobs" / job_id / "order.json").read_text())
        assert order["verifying"] is True
        waiting = await begun(rig, model(tmp_path, WAITING))
        assert (await rig.http.post(f"{EXPORTS}/{waiting}/verify")).status_code == 409
        await rig.http.post(f"{EXPORTS}/{waiting}/cancel")
        await until(rig, waiting, lambda job: job["state"] == "cancelled")


async def test_an_adapter_is_exported_with_the_base_that_it_names(tmp_path: Path) -> None:
    base = model(tmp_path, DONE)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, str(adapter))
        assert (await until(rig, job_id, lambda job: job["state"] == "done"))["name"] == "adapter"
        order = json.loads((tmp_path / "home" / "jobs" / job_id / "order.json").read_text())
        assert order["source"] == {"base": base, "adapter": str(adapter)}
        (adapter / "adapter_config.json").write_text("{}")
        answer = await rig.http.post(EXPORTS, json={"source": str(adapter)})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "base")


@pytest.mark.parametrize(
    ("asked", "param", "words"),
    [
        ({"source": "job_nowhere"}, "source", "`paddock train list`"),
        ({"source": ""}, "source", "the id of a training"),
        ({"source": "/nowhere"}, "source", "no folder with config.json"),
        ({"name": "../x"}, "name", "letters, digits"),
        ({"name": "a" * 81}, "name", "letters, digits"),
        ({"types": ["Q9"]}, "types", "There are: F32, F16"),
        ({"types": []}, "types", "such as F16"),
        ({"types": ["Q4_K_M"]}, "types", "llama-quantize"),
        ({"types": ["IQ2_XS"]}, "importance", "IQ2_XS is not made without"),
        ({"importance": "llama-keeper"}, "importance", "says nothing to F16, Q8_0"),
        ({"types": ["Q6_K"], "importance": "llama-keeper"}, "importance", "llama-imatrix"),
        ({"types": ["LORA"]}, "types", "is a whole model"),
        ({"types": ["ADAPTER"]}, "types", "is a whole model"),
        ({"split_bytes": 999_999}, "split_bytes", "at least 1000000"),
        ({"split_bytes": -1}, "split_bytes", "at least 1000000"),
        ({"typs": ["F16"]}, "typs", ""),
    ],
)
async def test_what_cannot_be_exported_is_refused_by_its_field(
    tmp_path: Path, asked: Json, param: str, words: str
) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        answer = await rig.http.post(EXPORTS, json={"source": model(tmp_path, DONE), **asked})
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (422, param), error
        assert words in error["message"]
        assert (await rig.http.get(EXPORTS)).json()["data"] == []


async def test_a_base_in_few_bits_is_refused_with_what_to_name_instead(tmp_path: Path) -> None:
    folder = model(tmp_path, DONE)
    said = {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    (Path(folder) / "config.json").write_text(json.dumps(said))
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        error = (await rig.http.post(EXPORTS, json={"source": folder})).json()["error"]
        assert error["param"] == "base"
        assert "kept in fewer bits already (GPTQ)" in error["message"]
        assert "in 16 bits as base" in error["message"]


async def test_it_is_told_which_weights_an_adapter_is_made_part_of(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        for held, into in ((True, "as_on_disk"), (False, "as_it_is")):
            training = await written_down(tmp_path, base="pocket-v0", base_is_in_4_bits=held)
            kept = tmp_path / "home" / "jobs" / training / "adapter"
            kept.mkdir(parents=True)
            (kept / "adapter_config.json").write_text("{}")
            foreseen = await rig.http.post(f"{EXPORTS}/estimate", json={"source": training})
            assert ExportEstimate.model_validate(foreseen.json()).into == into
            job_id = await begun(rig, training)
            assert (await rig.http.get(f"{EXPORTS}/{job_id}")).json()["figures"]["into"] == into
            words = [sys.executable, "-m", "paddock", "export", "show", job_id, "--url", rig.studio.url]
            done = await anyio.run_process(words)
            assert ("held in 4 bits only while this was trained" in done.stdout.decode()) == held


async def written_down(folder: Path, **spec: Any) -> str:
    """A training that is done, as if it had been begun where there is all that it needs."""
    database = Database("", Home(root=folder / "home"))
    try:
        store = JobStore(database)
        job = await store.create("training", "trained", spec, priority=0, figures={})
        await store.change(job.id, state="done")
        return job.id
    finally:
        await database.close()


async def test_a_training_that_made_nothing_is_refused(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        training = await training_begun(rig, tmp_path, TRAINED)
        answer = await rig.http.post(EXPORTS, json={"source": training})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "source")
        assert "made nothing yet" in answer.json()["error"]["message"]


async def test_a_training_that_learnt_from_images_is_refused_with_where_it_lies(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        training = await training_begun(rig, tmp_path, TRAINED)
        made = tmp_path / "home" / "jobs" / training / "model"
        made.mkdir()
        (made / "config.json").write_text("{}")
        (made / "preprocessor_config.json").write_text("{}")
        answer = await rig.http.post(EXPORTS, json={"source": training})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "source")
        assert "learnt from images" in answer.json()["error"]["message"]
        assert str(made) in answer.json()["error"]["message"]


async def test_without_a_training_stack_it_is_said_what_to_do(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        answer = await rig.http.post(EXPORTS, json={"source": "pocket-v0"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_training_stack")


async def test_only_those_who_may_train_export(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, require_key=True, worker_program=WORKER) as rig:
        assert (await rig.http.get(EXPORTS)).status_code == 401


def test_what_quantises_lies_beside_the_engine_or_in_its_library(tmp_path: Path) -> None:
    server, beside = tmp_path / "llama-server", tmp_path / "llama-quantize"
    server.touch()
    words = [sys.executable, "-m", "paddock.engine.installed", str(server)]
    assert "library" in quantiser_of(words)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("llama-server", "llama-quantize", "llama-imatrix"):
        (other / name).touch()
    there = {"program": str(other / "llama-quantize"), "importance": str(other / "llama-imatrix")}
    assert quantiser_of(words, [other / "llama-server"]) == there
    # The engine in use comes first.
    beside.touch()
    assert quantiser_of(words, [other / "llama-server"]) == {"program": str(beside)}


async def test_an_export_leaves_as_one_archive_of_its_own_files(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, model(tmp_path, DONE), name="x")
        await until(rig, job_id, lambda job: job["state"] == "done")
        none = await rig.http.get(f"{EXPORTS}/{job_id}/zip")
        assert (none.status_code, none.json()["error"]["message"]) == (409, "This export made no file.")
        files = tmp_path / "home" / "jobs" / job_id / "files"
        (files / "x-adapter").mkdir(parents=True)
        large = bytes(range(256)) * 12_000
        (files / "x-F16.gguf").write_bytes(large)
        (files / "x-adapter" / "adapter_config.json").write_text("{}")
        (files / ".x-Q8_0.draft.gguf").write_text("half")
        (files / ".x.draft").mkdir()
        (files / ".x.draft" / "half").write_text("half")
        (tmp_path / "secret").write_text("secret")
        (files / "linked").symlink_to(tmp_path / "secret")
        (files / "folder").symlink_to(tmp_path)
        answer = await rig.http.get(f"{EXPORTS}/{job_id}/zip")
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"] == 'attachment; filename="x.zip"'
        with ZipFile(BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["x-F16.gguf", "x-adapter/adapter_config.json"]
            assert archive.read("x-F16.gguf") == large


def held() -> list[str]:
    """The files that this process, which serves, holds open."""
    return [str(one.resolve()) for one in Path("/proc/self/fd").iterdir()]


async def test_an_archive_is_given_at_rest_and_to_one_who_leaves_no_more_than_he_takes(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, model(tmp_path, WAITING))
        await until(rig, job_id, lambda job: job["figures"].get("step") == 1)
        assert (await rig.http.get(f"{EXPORTS}/{job_id}/zip")).status_code == 409
        await rig.http.post(f"{EXPORTS}/{job_id}/cancel")
        await until(rig, job_id, lambda job: job["state"] == "cancelled")
        files = tmp_path / "home" / "jobs" / job_id / "files"
        files.mkdir()
        with (files / "x-F16.gguf").open("wb") as file:
            file.truncate(2**33)
        async with rig.http.stream("GET", f"{EXPORTS}/{job_id}/zip") as answer:
            assert (await anext(answer.aiter_bytes())).startswith(b"PK")
        # Nothing holds the file any more, and the next one is answered.
        with anyio.fail_after(HANG_GUARD_S):
            while str(files / "x-F16.gguf") in held():
                await anyio.sleep(0.05)
        assert (await rig.http.get(f"{EXPORTS}/{job_id}")).status_code == 200
        assert (await rig.http.get(f"{EXPORTS}/job_nowhere/zip")).status_code == 404
