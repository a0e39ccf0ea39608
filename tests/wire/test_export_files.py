"""Tests what becomes of files that an export made: reckoned before, fetched, proved, put among the models."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.api.exports import ExportCertificate, ExportEstimate, ExportFiles, ExportImported, ExportList
from paddock.models.catalog import BUNDLED
from paddock.models.certificates import marks_of
from tests.fakes.gguf_files import gguf
from tests.wire.rig import Rig, scripted_studio
from tests.wire.test_exports import EXPORTS, WORKER, begun, model, until

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
LINKS = {
    "template": {"verdict": "pass", "says": "34 prompts are the same to the byte."},
    "tokenizer": {"verdict": "pass", "says": "58 texts are the same tokens."},
    "merge": {"verdict": "none", "says": "Nothing was merged."},
    "conversion": {"verdict": "pass", "says": "The weights as GGUF."},
    "quantisation": {"verdict": "none", "says": "Nothing was quantised."},
}


def certificate(file: Path, **more: Any) -> Json:
    """The certificate of a file, as a worker writes it."""
    return {
        "file": file.name, "type": "F16", **marks_of(file), "made_s": time.time(), "method": "By hand.", "prompts": 34,
        "left_out": [], "greedy": {"same": 33, "of": 34}, "verdict": "pass", "links": LINKS,
        "figures": {"template": {"prompts": 34, "different": []}}, **more,
    }  # fmt: skip


def making(folder: Path, data: bytes | None = None, **more: Any) -> list[Json]:
    """Acts of a worker that makes x-F16.gguf with its certificate, whose time is what it is then."""
    file = folder / "x-F16.gguf"
    file.write_bytes(gguf() if data is None else data)
    said = certificate(file, **more)
    links = {name: one["verdict"] for name, one in said["links"].items()}
    return [
        {"tell": "step", "step": 1, "steps": 2, "doing": "convert F16"},
        {"write": "files/x-F16.gguf", "bytes_of": str(file)},
        {"tell": "artifact", "name": "F16", "path": "/a/x-F16.gguf", "size_bytes": 7},
        {"tell": "step", "step": 2, "steps": 2, "doing": "certify"},
        {"write": "files/x-F16.certificate.json", "text": json.dumps(said)},
        {"tell": "certificate", "name": "F16", "verdict": said["verdict"], "links": links,
         "path": "/a/x-F16.certificate.json", "faults": []},
        {"tell": "done", "took_s": 1.0},
    ]  # fmt: skip


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        yield rig


async def done(rig: Rig, folder: Path, acts: list[Json]) -> str:
    """An export that is done; its address."""
    job_id = await begun(rig, model(folder, acts), name="x", types=["F16"])
    await until(rig, job_id, lambda job: job["state"] == "done")
    return f"{EXPORTS}/{job_id}"


async def test_what_it_will_take_is_told_before_and_nothing_is_begun(rig: Rig, tmp_path: Path) -> None:
    answer = await rig.http.post(f"{EXPORTS}/estimate", json={"source": "pocket-v0"})
    told = ExportEstimate.model_validate(answer.json())
    assert told.sizes
    assert told.name == "pocket-v0"
    assert told.merged_bytes == 0
    # The bundled file is of this type, and holds a header too.
    assert 0.8 < told.sizes["Q8_0"] / BUNDLED["pocket-v0"].stat().st_size < 1.1
    assert told.sizes["F32"] == 2 * told.sizes["F16"]
    # The model in 32 bits, and the libraries that hold it.
    assert told.memory_bytes
    assert told.sizes["F32"] + 2**28 < told.memory_bytes < told.sizes["F32"] + 2**30
    unknown = await rig.http.post(f"{EXPORTS}/estimate", json={"source": model(tmp_path, [])})
    assert ExportEstimate.model_validate(unknown.json()).sizes is None
    refused = await rig.http.post(f"{EXPORTS}/estimate", json={"source": "/nowhere"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "source")
    listed = ExportList.model_validate((await rig.http.get(EXPORTS)).json())
    assert listed.data == []
    kinds = {one.name: one.is_made_here for one in listed.types}
    # The embedded engine's library makes these; the scripted one has no llama-quantize beside it.
    assert (kinds["F16"], kinds["Q8_0"], kinds["Q4_K_M"], kinds["IQ2_XS"], kinds["LORA"]) == (
        True, True, False, False, True,
    )  # fmt: skip
    assert listed.measures_importance is False
    assert listed.split_least_bytes == 10**6
    assert [one.name for one in listed.types if one.is_usual] == ["F16", "Q8_0"]
    assert [one.name for one in listed.types if one.of == "adapter"] == ["ADAPTER", "LORA"]
    importance = {one.name: one.importance for one in listed.types}
    assert (importance["F16"], importance["Q6_K"], importance["IQ2_XS"]) == ("unused", "used", "needed")
    # Each type that the form of the page offers has a size, but what is trained alone.
    assert set(told.sizes) == {one.name for one in listed.types if one.of == "model"}


async def test_a_file_is_fetched_and_its_certificate_is_told(rig: Rig, tmp_path: Path) -> None:
    at = await done(rig, tmp_path, making(tmp_path))
    answer = await rig.http.get(f"{at}/files/x-F16.gguf")
    assert answer.content == (tmp_path / "x-F16.gguf").read_bytes()
    assert 'attachment; filename="x-F16.gguf"' in answer.headers["content-disposition"]
    part = await rig.http.get(f"{at}/files/x-F16.gguf", headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"GGUF")
    told = ExportCertificate.model_validate((await rig.http.get(f"{at}/files/x-F16.gguf/certificate")).json())
    assert (told.verdict, told.links["template"].says) == ("pass", LINKS["template"]["says"])


async def test_what_lies_there_is_told_by_name_with_folders_and_without_links_and_halves(
    rig: Rig, tmp_path: Path
) -> None:
    acts = making(tmp_path)
    beside = [{"write": f"files/{name}", "text": "{}"} for name in ("x-F16.Modelfile", "x-adapter/a.json", ".half")]
    at = await done(rig, tmp_path, [*acts[:-1], *beside, acts[-1]])
    folder = tmp_path / "home" / "jobs" / at.rpartition("/")[2] / "files"
    (folder / "link.gguf").symlink_to(BUNDLED["pocket-v0"])
    told = ExportFiles.model_validate((await rig.http.get(f"{at}/files")).json())
    assert [one.name for one in told.data] == [
        "x-F16.Modelfile", "x-F16.certificate.json", "x-F16.gguf", "x-adapter/a.json",
    ]  # fmt: skip
    assert told.data[0].size_bytes == 2
    assert (await rig.http.get(f"{EXPORTS}/job_none/files")).status_code == 404


async def test_a_file_is_put_among_the_models_and_outlives_its_export(rig: Rig, tmp_path: Path) -> None:
    at = await done(rig, tmp_path, making(tmp_path))
    answer = await rig.http.post(f"{at}/files/x-F16.gguf/import", json={"name": "ours"})
    assert answer.status_code == 201, answer.text
    told = ExportImported.model_validate(answer.json())
    assert (told.id, told.kind, told.kept_as) == ("ours", "model", "hard link")
    again = await rig.http.post(f"{at}/files/x-F16.gguf/import", json={"name": "ours"})
    assert (again.status_code, "There is a model 'ours' already" in again.text) == (400, True)
    assert (await rig.http.delete(at)).status_code == 200
    assert (await rig.http.get("/api/models/ours/chat-template")).status_code == 200
    listed = {one["id"]: one for one in (await rig.http.get("/api/models")).json()["models"]}
    assert listed["ours"]["certificate"]["standing"] == "pass"
    assert listed["ours"]["certificate"]["links"]["merge"] == "none"
    assert listed["pocket-v0"]["certificate"] is None
    of_clients = {one["id"]: one for one in (await rig.http.get("/v1/models")).json()["data"]}
    assert (of_clients["ours"]["certificate"], of_clients["pocket-v0"]["certificate"]) == ("pass", None)
    one = (await rig.http.get("/v1/models/ours")).json()
    assert (one["certificate"], one["certificate_links"]["conversion"]) == ("pass", "pass")
    bundled = (await rig.http.get("/v1/models/pocket-v0")).json()
    assert (bundled["certificate"], bundled["certificate_links"]) == (None, None)
    # Somebody writes into the file.
    path = tmp_path / "home" / "models" / "ours.gguf"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert (await rig.http.get("/v1/models/ours")).json()["certificate"] == "changed"
    assert (await rig.http.delete("/api/models/ours")).json()["removed"] is True
    assert not (tmp_path / "home" / "models" / "ours.certificate.json").exists()


async def test_no_name_leads_out_of_the_folder_of_the_files(rig: Rig, tmp_path: Path) -> None:
    acts = making(tmp_path)
    at = await done(rig, tmp_path, [*acts[:-1], {"write": "files/.hidden.gguf", "text": "x"}, acts[-1]])
    folder = tmp_path / "home" / "jobs" / at.rpartition("/")[2] / "files"
    (folder / "link.gguf").symlink_to(BUNDLED["pocket-v0"])
    (folder / "link.certificate.json").symlink_to(tmp_path / "home" / "keys.secret")
    (folder / "folder.gguf").mkdir()
    names = ("..%2Forder.json", "%2E%2E", "link.gguf", "folder.gguf", ".hidden.gguf", "no.gguf", "x-F16.GGUF", "x-F16")
    for name in names:
        for method, route in (("GET", ""), ("GET", "/certificate"), ("POST", "/import")):
            answer = await rig.http.request(method, f"{at}/files/{name}{route}", json={} if method == "POST" else None)
            assert answer.status_code == 404, (name, route, answer.text)
    told = (await rig.http.get(f"{at}/files/no.gguf")).json()["error"]
    assert (told["code"], "x-F16.gguf" in told["message"]) == ("export_file_not_found", True)
    assert ".hidden" not in told["message"]
    (folder / "x-F16.certificate.json").unlink()
    assert (await rig.http.get(f"{at}/files/x-F16.gguf/certificate")).status_code == 404
    assert (await rig.http.get(f"{EXPORTS}/job_none/files/x-F16.gguf")).json()["error"]["code"] == "job_not_found"


async def test_what_is_no_model_is_refused_and_leaves_nothing(rig: Rig, tmp_path: Path) -> None:
    at = await done(rig, tmp_path, making(tmp_path, data=b"GGUF"))
    answer = await rig.http.post(f"{at}/files/x-F16.gguf/import", json={})
    assert answer.status_code == 400, answer.text
    assert [one["id"] for one in (await rig.http.get("/api/models")).json()["models"]] == ["pocket-v0"]
    models = tmp_path / "home" / "models"
    assert not models.exists() or not [one for one in models.iterdir() if not one.name.startswith(".")]
    other = await rig.http.post(f"{at}/files/x-F16.gguf/import", json={"name": "../x"})
    assert (other.status_code, other.json()["error"]["param"]) == (400, "name")


async def test_who_may_train_alone_puts_nothing_among_the_models(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        at = await done(rig, tmp_path, making(tmp_path))
        key = (await rig.http.post("/api/keys", json={"name": "t", "may": ["ask", "train"]})).json()["key"]
        headers = {"authorization": f"Bearer {key}"}
        assert (await rig.http.get(f"{at}/files/x-F16.gguf", headers=headers)).status_code == 200
        refused = await rig.http.post(f"{at}/files/x-F16.gguf/import", json={}, headers=headers)
        assert (refused.status_code, "download" in refused.text) == (403, True)


async def test_two_at_once_leave_one_model(rig: Rig, tmp_path: Path) -> None:
    at = await done(rig, tmp_path, making(tmp_path))
    statuses: list[int] = []

    async def bring() -> None:
        statuses.append((await rig.http.post(f"{at}/files/x-F16.gguf/import", json={})).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(bring)
    assert 201 in statuses
    ids = [one["id"] for one in (await rig.http.get("/api/models")).json()["models"]]
    assert ids == ["pocket-v0", "x-F16"]
