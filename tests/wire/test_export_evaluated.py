"""Tests that what was exported is evaluated where that was asked for: once, as a model, and told at the export."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.evaluation.spec import SUITES as EVERY
from paddock.export.spec import SUITES
from paddock.models.catalog import BUNDLED
from tests.wire.rig import Rig, scripted_studio
from tests.wire.test_evaluations import EVALUATIONS
from tests.wire.test_evaluations import ended as evaluated
from tests.wire.test_export_files import LINKS, making
from tests.wire.test_exports import EXPORTS, MADE, WORKER, begun, model, until

pytestmark = pytest.mark.anyio
Json = dict[str, Any]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        yield rig


def making_pocket(folder: Path, **more: Any) -> list[Json]:
    """Acts of a worker that makes x-F16.gguf, which an engine can load."""
    return making(folder, data=BUNDLED["pocket-v0"].read_bytes(), **more)


async def done(rig: Rig, folder: Path, acts: list[Json], **more: Any) -> Json:
    job_id = await begun(rig, model(folder, acts), name="x", types=["F16"], evaluates=["tools"], **more)
    return await until(rig, job_id, lambda job: job["state"] == "done")


async def evaluations(rig: Rig) -> list[Json]:
    return (await rig.http.get(EVALUATIONS)).json()["data"]


async def names(rig: Rig) -> list[str]:
    return [one["id"] for one in (await rig.http.get("/api/models")).json()["models"]]


async def test_a_file_is_scored_once_it_is_made_and_the_score_stands_with_its_model(rig: Rig, tmp_path: Path) -> None:
    job = await done(rig, tmp_path, making_pocket(tmp_path))
    told = job["figures"]["evaluations"]["F16"]
    assert (told["model"], list(told["jobs"])) == ("x-F16", ["tools"])
    found = await evaluated(rig, told["jobs"]["tools"])
    assert (found["state"], found["spec"]["model"]) == ("done", "x-F16")
    one = (await rig.http.get("/v1/models/x-F16")).json()
    assert (one["evaluations"]["tools"]["id"], one["certificate"]) == (found["id"], "pass")
    words = [sys.executable, "-m", "paddock", "export", "show", job["id"], "--url", rig.studio.url]
    shown = (await anyio.run_process(words)).stdout.decode()
    total = found["figures"]["report"]["total"]
    assert f"F16: tools of x-F16: {total['passed']} of {total['of']}, " in shown
    # Comparing it anew has nothing evaluated anew.
    assert (await rig.http.post(f"{EXPORTS}/{job['id']}/verify")).status_code == 200
    await until(rig, job["id"], lambda job: job["state"] == "done" and job["figures"]["events"] > len(MADE) + 1)
    assert [one["id"] for one in await evaluations(rig)] == [found["id"]]
    # It is a model by itself, and stays where the export goes.
    assert (await rig.http.delete(f"{EXPORTS}/{job['id']}")).status_code == 200
    assert await names(rig) == ["pocket-v0", "x-F16"]


async def test_what_is_asked_for_while_no_paddock_serves_is_begun_by_the_next(tmp_path: Path) -> None:
    acts = making_pocket(tmp_path)
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        source = model(tmp_path, [acts[0], {"wait_s": 1.5}, *acts[1:]])
        job_id = await begun(rig, source, name="x", types=["F16"], evaluates=["tools"])
        await until(rig, job_id, lambda job: job["figures"].get("step") == 1)
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job = await until(rig, job_id, lambda job: job["state"] == "done")
        (own,) = await evaluations(rig)
        assert job["figures"]["evaluations"]["F16"]["jobs"] == {"tools": own["id"]}
        await rig.http.post(f"{EVALUATIONS}/{own['id']}/cancel")
        await evaluated(rig, own["id"])


async def test_what_its_certificate_fails_is_not_put_among_the_models(rig: Rig, tmp_path: Path) -> None:
    template = {"verdict": "fail", "says": "1 of 34 prompts are written otherwise."}
    failing: Json = {"verdict": "fail", "links": {**LINKS, "template": template}}
    job = await done(rig, tmp_path, making_pocket(tmp_path, **failing))
    assert "Its certificate failed" in job["figures"]["evaluations"]["F16"]["refused"]
    assert (await names(rig), await evaluations(rig)) == (["pocket-v0"], [])


async def test_what_cannot_be_a_model_is_told_at_the_export_which_is_done(rig: Rig, tmp_path: Path) -> None:
    job = await done(rig, tmp_path, making(tmp_path, data=b"GGUF"))
    assert "x-F16.gguf" in job["figures"]["evaluations"]["F16"]["refused"]
    assert (await names(rig), await evaluations(rig)) == (["pocket-v0"], [])


@pytest.mark.parametrize(
    ("asked", "param", "words"),
    [
        ({"evaluates": ["set"]}, "evaluates", "There are: tools, pocket"),
        ({"evaluates": ["tols"]}, "evaluates", "'tols'"),
        ({"evaluates": "tools"}, "evaluates", ""),
        ({"types": ["LORA"], "evaluates": ["tools"]}, "evaluates", "files of a whole model"),
        ({"name": "x", "types": ["F16", "Q8_0"], "evaluates": ["tools"]}, "name", "a model 'x-Q8_0' already"),
    ],
)
async def test_what_could_not_follow_is_refused_before(
    rig: Rig, tmp_path: Path, asked: Json, param: str, words: str
) -> None:
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True, exist_ok=True)
    (models / "x-Q8_0.gguf").write_bytes(BUNDLED["pocket-v0"].read_bytes())
    answer = await rig.http.post(EXPORTS, json={"source": model(tmp_path, []), **asked})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], words in error["message"]) == (422, param, True), error
    assert (await rig.http.get(EXPORTS)).json()["data"] == []


async def test_who_may_put_nothing_among_the_models_has_nothing_evaluated(rig: Rig, tmp_path: Path) -> None:
    key = (await rig.http.post("/api/keys", json={"name": "t", "may": ["ask", "train"]})).json()["key"]
    asked = {"source": model(tmp_path, making(tmp_path)), "name": "x", "types": ["F16"]}
    headers = {"authorization": f"Bearer {key}"}
    refused = await rig.http.post(EXPORTS, json={**asked, "evaluates": ["tools"]}, headers=headers)
    assert (refused.status_code, "download" in refused.text) == (403, True)
    assert (await rig.http.post(EXPORTS, json=asked, headers=headers)).status_code == 202


def test_every_suite_that_needs_no_set_can_follow() -> None:
    assert [*SUITES, "set", "vote"] == list(EVERY)
