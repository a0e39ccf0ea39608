"""Tests trainings as clients see them, before a worker that does what it is told: queue, events, wishes, restarts."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import struct
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.api.training import Training, TrainingEstimate, TrainingList, TrainingOptions, TrainingSpecification
from tests.fakes.scripted_shapes import Script
from tests.wire.rig import HANG_GUARD_S, Rig, scripted_studio

pytestmark = pytest.mark.anyio
TRAINING = "/api/training"
WORKER = [sys.executable, "-P", "-s", str(Path(__file__).parents[1] / "fakes" / "scripted_worker.py")]
STEPS = [{"tell": "begins", "steps": 3, "step": 0}, *({"tell": "step", "step": n, "loss": 3.0 - n} for n in (1, 2, 3))]
DONE = [*STEPS, {"tell": "artifact", "name": "adapter", "path": "/a", "size_bytes": 1}, {"tell": "done", "took_s": 1.0}]
DRY = [{"tell": "dry_run", "of": "step", "step": 2, "loss": 9.0}, {"tell": "dry_run", "of": "done", "took_s": 1.0}]
WAITING = [*STEPS, {"until_wished": True}]
ROW = {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]}
Json = dict[str, Any]


def asked(folder: Path, acts: list[Json], *, dry: list[Json] | None = None, **more: Any) -> Json:
    """What is posted for a training whose worker does these acts."""
    base = folder / f"base-{len(list(folder.glob('base-*')))}"
    base.mkdir()
    (base / "config.json").write_text("{}")
    (base / "script.json").write_text(json.dumps(acts))
    (base / "dry.json").write_text(json.dumps(DRY if dry is None else dry))
    data = folder / "rows.jsonl"
    data.write_text(json.dumps(ROW) + "\n")
    return {"spec": {"base": str(base), "data": str(data), "dry_run": "no", **more}}


async def begun(rig: Rig, folder: Path, acts: list[Json], **more: Any) -> str:
    answer = await rig.http.post(TRAINING, json=asked(folder, acts, **more))
    assert answer.status_code == 202, answer.text
    return str(Training.model_validate(answer.json()).id)


async def until(rig: Rig, job_id: str, is_so: Callable[[Json], bool]) -> Json:
    with anyio.fail_after(HANG_GUARD_S):
        while not is_so(found := (await rig.http.get(f"{TRAINING}/{job_id}")).json()):
            await anyio.sleep(0.05)
    return Training.model_validate(found).model_dump()


async def told(rig: Rig, job_id: str, after: int = 0) -> list[Json]:
    """Every event until the training is at rest."""
    with anyio.fail_after(HANG_GUARD_S):
        answer = await rig.http.get(f"{TRAINING}/{job_id}/events?after={after}")
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(one) for one in data[:-1]]


async def test_a_training_runs_tells_and_ends(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, DONE)
        events = await told(rig, job_id)
        assert [event["number"] for event in events] == list(range(1, len(DONE) + 1))
        assert [event["loss"] for event in events if event["kind"] == "step"] == [2.0, 1.0, 0.0]
        assert await told(rig, job_id, after=5) == events[5:]
        found = await until(rig, job_id, lambda job: job["state"] == "done")
        assert (found["figures"]["loss"], found["figures"]["step"]) == (0.0, 3)
        assert found["figures"]["artifacts"] == {"adapter": "/a"}
        listed = TrainingList.model_validate((await rig.http.get(TRAINING)).json())
        assert ([one.id for one in listed.data], listed.has_stack) == ([job_id], True)
        assert (await rig.http.delete(f"{TRAINING}/{job_id}")).json() == {"id": job_id, "deleted": True}
        assert (await rig.http.get(f"{TRAINING}/{job_id}")).status_code == 404
        assert not (tmp_path / "home" / "jobs" / job_id).exists()


async def test_a_row_of_a_stranger_s_database_leads_to_no_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, DONE)
        await until(rig, job_id, lambda job: job["state"] == "done")
        with closing(sqlite3.connect(home / "paddock.db")) as there:
            there.execute("UPDATE jobs SET id = '..'")
            there.commit()
        assert (await rig.http.get(TRAINING)).json()["data"] == []
        assert (await rig.http.delete(f"{TRAINING}/%2e%2e")).status_code == 404
        assert (await rig.http.post(f"{TRAINING}/%2e%2e/resume")).status_code == 404
        assert (home / "paddock.db").exists()


async def test_everything_that_was_told_is_told_again_however_much_it_is(tmp_path: Path) -> None:
    steps = [{"tell": "step", "step": number, "loss": 1.0} for number in range(1, 2501)]
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, [*steps, {"tell": "done", "took_s": 1.0}])
        await until(rig, job_id, lambda job: job["state"] == "done")
        assert [event["number"] for event in await told(rig, job_id)] == list(range(1, 2502))


async def test_one_runs_at_a_time_and_the_first_by_priority_goes_next(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        first = await begun(rig, tmp_path, WAITING)
        await until(rig, first, lambda job: job["figures"].get("step") == 3)
        second = await begun(rig, tmp_path, WAITING)
        third = (await rig.http.post(TRAINING, json={**asked(tmp_path, WAITING), "priority": 5})).json()["id"]
        assert (await until(rig, second, lambda job: True))["state"] == "queued"
        assert (await rig.http.post(f"{TRAINING}/{first}/stop")).json()["state"] == "stopping"
        assert (await until(rig, first, lambda job: job["state"] == "stopped"))["error"] is None
        await until(rig, third, lambda job: job["state"] == "running")
        assert (await until(rig, second, lambda job: True))["state"] == "queued"
        assert (await rig.http.post(f"{TRAINING}/{second}/cancel")).json()["state"] == "cancelled"
        await rig.http.post(f"{TRAINING}/{third}/cancel")
        await until(rig, third, lambda job: job["state"] == "cancelled")
        again = await rig.http.post(f"{TRAINING}/{third}/stop")
        assert (again.status_code, again.json()["error"]["current"]) == (409, {"state": "cancelled"})


@pytest.mark.parametrize(
    ("end", "kind", "words"),
    [
        ([{"die": True}], "killed", "memory was short"),
        ([{"print": "Boom: 1"}, {"exit": 9}], "crashed", "Boom: 1"),
        ([{"tell": "failed", "error": {"kind": "disk", "message": "The disk is full."}}], "disk", "The disk is full."),
    ],
    ids=["killed", "crashed", "told"],
)
async def test_how_a_worker_ended_is_told_and_it_can_be_gone_on_with(
    tmp_path: Path, end: list[Json], kind: str, words: str
) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(
            rig, tmp_path, [*STEPS, *end, {"tell": "done", "took_s": 1.0}] if kind == "killed" else [*STEPS, *end]
        )
        found = await until(rig, job_id, lambda job: job["state"] == "failed")
        assert found["error"]
        assert found["error"]["kind"] == kind
        assert words in found["error"]["message"]
        assert (await rig.http.post(f"{TRAINING}/{job_id}/resume")).status_code == 200
        ended = "done" if kind == "killed" else "failed"
        assert (await until(rig, job_id, lambda job: job["state"] == ended))["figures"]["step"] == 3
        steps = [event["step"] for event in await told(rig, job_id) if event["kind"] == "step"]
        assert steps == [1, 2, 3]


async def test_a_worker_outlives_its_server_and_the_next_one_watches_it_on(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, [*STEPS, {"wait_s": 1.5}, *DONE[-2:]])
        await until(rig, job_id, lambda job: job["figures"].get("step") == 3)
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        found = await until(rig, job_id, lambda job: job["state"] == "done")
        assert found["figures"]["artifacts"] == {"adapter": "/a"}
        assert [event["number"] for event in await told(rig, job_id)] == list(range(1, len(DONE) + 1))


async def test_what_ended_while_nobody_looked_is_told_by_the_next_server(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, WAITING)
        await until(rig, job_id, lambda job: job["figures"].get("step") == 3)
        folder = tmp_path / "home" / "jobs" / job_id
    pids = [json.loads((folder / f"{name}.lock").read_bytes())["pid"] for name in ("worker",)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        found = await until(rig, job_id, lambda job: job["state"] == "failed")
        assert found["error"]
        assert found["error"]["kind"] == "killed"
        assert [event["kind"] for event in await told(rig, job_id)] == ["begins", "step", "step", "step"]


@pytest.mark.parametrize(
    ("spec", "param", "words"),
    [
        ({"learning_rte": 1}, "learning_rte", "Did you mean learning_rate?"),
        ({"lora_rank": 0}, "lora_rank", "between 1 and 1024"),
        ({"lora_rank": "many"}, "lora_rank", "not a whole number"),
        ({"method": "magic"}, "method", "sft"),
        ({"data": ""}, "data", "Name a file"),
        ({"data": "/nowhere/rows.jsonl"}, "data", "There is no file"),
        ({"data": "/dev/zero"}, "data", "a device"),
        ({"base": "/nowhere"}, "base", "config.json"),
        ({"base": "x.gguf"}, "base", "for answering"),
        ({"method": "dpo"}, "data", "Row 1 of rows.jsonl cannot be learnt from: it has no chosen and no rejected"),
        ({"method": "kto"}, "data", "it has no completion and no label; its fields are messages"),
        ({"method": "kto", "batch_rows": 1}, "batch_rows", "Say at least 2"),
        ({"base_is_in_4_bits": True, "tuning": "full"}, "base_is_in_4_bits", "tuning 'full' exclude one another"),
        ({"base_is_in_4_bits": True, "lora_is_decomposed": True}, "base_is_in_4_bits", "lora_is_decomposed exclude"),
        ({"method": "grpo"}, "rewards", "Say what grpo rewards"),
        ({"method": "grpo", "rewards": "python", "reward_code": "/nowhere.py"}, "runs_code", "say runs_code true"),
        (
            {"method": "grpo", "rewards": "python", "reward_code": "/nowhere.py", "runs_code": True},
            "reward_code",
            "cannot be read",
        ),
        ({"method": "orpo", "packs": True}, "packs", "packs is for sft and cpt, and method is orpo. Leave it out"),
        ({"preference_loss": "ipo"}, "preference_loss", "is for dpo, and method is sft"),
        ({"method": "embedding"}, "tuning", "Say tuning full"),
        ({"method": "embedding", "tuning": "full", "batch_rows": 1}, "batch_rows", "Say at least 2"),
        ({"method": "embedding", "tuning": "full"}, "data", "it has no anchor and no positive"),
        ({"method": "embedding", "tuning": "full", "sample_prompts": "Hello"}, "sample_prompts", "is embedding"),
        ({"pooling": "first"}, "pooling", "is for embedding, and method is sft"),
    ],
)
async def test_what_cannot_be_trained_is_refused_by_its_option(
    tmp_path: Path, spec: Json, param: str, words: str
) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        answer = await rig.http.post(TRAINING, json={"spec": {**asked(tmp_path, DONE)["spec"], **spec}})
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (422, param), error
        assert words in error["message"]
        assert (await rig.http.get(TRAINING)).json()["data"] == []


async def test_rows_that_are_none_are_refused_with_their_place(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        body = asked(tmp_path, DONE)
        for text, words in {
            "": "has no rows",
            "{": "Line 1 of rows.jsonl is no JSON",
            json.dumps(ROW) + "\n[1]\n": "Row 2 of rows.jsonl",
            json.dumps({"messages": [{"role": "user", "content": "x"}]}): "no message of the assistant",
            json.dumps({"question": "x"}): "it has the fields question",
        }.items():
            (tmp_path / "rows.jsonl").write_text(text)
            answer = await rig.http.post(TRAINING, json=body)
            assert (answer.status_code, answer.json()["error"]["param"]) == (422, "data")
            assert words in answer.json()["error"]["message"]


async def test_a_yaml_file_says_the_same_and_is_said_back(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        spec = {**asked(tmp_path, DONE)["spec"], "learning_rate": 0.001, "packs": True}
        text = "\n".join(f"{name}: {json.dumps(value)}" for name, value in spec.items())
        job = (await rig.http.post(TRAINING, json={"yaml": text})).json()
        assert {name: job["spec"][name] for name in spec} == spec
        again = await rig.http.post(TRAINING, json={"yaml": job["yaml"]})
        assert again.json()["spec"] == job["spec"]
        assert (await rig.http.post(TRAINING, json={"yaml": "- 1"})).status_code == 422
        options = TrainingOptions.model_validate((await rig.http.get(f"{TRAINING}/options")).json())
        assert {option["name"] for option in options.data} == set(job["spec"])
        assert all(option["group"] for option in options.data)
        checked = TrainingSpecification.model_validate(
            (await rig.http.post(f"{TRAINING}/options", json={"yaml": text})).json()
        )
        assert (checked.spec, checked.yaml) == (job["spec"], job["yaml"])
        wrong = await rig.http.post(f"{TRAINING}/options", json={"spec": {**spec, "lora_rank": 0}})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "lora_rank")
        for job_id in (job["id"], again.json()["id"]):
            await until(rig, job_id, lambda found: found["state"] == "done")


async def test_without_a_training_stack_it_is_said_what_to_do(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        answer = await rig.http.post(TRAINING, json=asked(tmp_path, DONE))
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_training_stack")
        assert "paddock setup python-stack" in answer.json()["error"]["message"]
        assert TrainingList.model_validate((await rig.http.get(TRAINING)).json()).has_stack is False


async def test_a_tracker_without_its_library_is_refused_with_the_command_that_installs_it(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        body = asked(tmp_path, DONE, trackers=["trackio"])
        answer = await rig.http.post(TRAINING, json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (422, "trackers")
        folder = tmp_path / "home" / "trackers" / "trackio"
        assert f"{sys.executable} -m pip install --target {folder} trackio==" in error["message"]
        assert (await rig.http.get(TRAINING)).json()["data"] == []
        (folder / "trackio").mkdir(parents=True)
        (folder / "trackio" / "__init__.py").write_text("")
        job = (await rig.http.post(TRAINING, json=body)).json()
        assert job["spec"]["trackers"] == "trackio"
        await until(rig, job["id"], lambda found: found["state"] == "done")
        order = json.loads((tmp_path / "home" / "jobs" / job["id"] / "order.json").read_text("utf-8"))
        assert (order["name"], order["tracker_libraries"]) == ("rows", str(folder.parent))


async def test_only_those_who_may_train_do(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, require_key=True, worker_program=WORKER) as rig:
        answer: httpx.Response = await rig.http.get(TRAINING)
        assert answer.status_code == 401


async def test_a_dry_run_comes_first_and_is_no_part_of_the_training(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, DONE, dry_run="first")
        events = await told(rig, job_id)
        assert [event["kind"] for event in events] == ["dry_run", "dry_run", "tried", *(act["tell"] for act in DONE)]
        found = await until(rig, job_id, lambda job: job["state"] == "done")
        assert found["figures"]["answer"] == events[2]["answer"] != ""
        assert [event["loss"] for event in events if event["kind"] == "step"] == [2.0, 1.0, 0.0]
        only = await begun(rig, tmp_path, DONE, dry_run="only")
        assert [event["kind"] for event in await told(rig, only)] == ["dry_run", "dry_run", "tried"]
        assert (await until(rig, only, lambda job: job["state"] == "done"))["figures"].get("step") is None


async def test_what_the_engine_cannot_load_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    script: Script = {"starts": [{"then": "fail", "message": "unknown tensor"}]}
    async with scripted_studio(tmp_path, script=script, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, DONE, dry_run="first")
        found = await until(rig, job_id, lambda job: job["state"] == "failed")
        assert found["error"]["kind"] == "export"
        assert "unknown tensor" in found["error"]["message"]
        assert [event["kind"] for event in await told(rig, job_id)] == ["dry_run", "dry_run"]


async def test_a_dry_run_can_be_given_up_while_the_engine_loads(tmp_path: Path) -> None:
    script: Script = {"starts": [{"then": "silent"}]}
    async with scripted_studio(tmp_path, script=script, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, DONE, dry_run="first")
        await until(rig, job_id, lambda job: job["figures"].get("events") == len(DRY))
        await rig.http.post(f"{TRAINING}/{job_id}/cancel")
        assert (await until(rig, job_id, lambda job: job["state"] not in ("running", "stopping")))[
            "state"
        ] == "cancelled"


async def test_a_server_that_starts_goes_on_from_a_dry_run(tmp_path: Path) -> None:
    acts = [*DRY[:1], {"wait_s": 2.0}, *DRY[1:]]
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, DONE, dry=acts, dry_run="first")
        await until(rig, job_id, lambda job: job["figures"].get("events") == 1)
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        events = await told(rig, job_id)
        assert [event["kind"] for event in events] == ["dry_run", "dry_run", "tried", *(act["tell"] for act in DONE)]


async def test_what_a_training_needs_is_told_before_it_begins(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text((json.dumps(ROW) + "\n") * 40)
    spec: Json = {"base": "pocket-v0", "data": str(data), "batch_rows": 2, "accumulate": 2, "epochs": 3.0}
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        path = f"{TRAINING}/estimate"
        answer = await rig.http.post(path, json={"spec": spec})
        assert answer.status_code == 200, answer.text
        found = TrainingEstimate.model_validate(answer.json())
        assert found.memory is not None
        assert sum(value for name, value in found.memory.items() if name != "all") == found.memory["all"]
        # 40 rows less two held out, four to a step, three times over.
        assert (found.rows, found.steps, found.seconds) == (38, 30, None)
        full = (await rig.http.post(path, json={"spec": {**spec, "tuning": "full"}})).json()
        assert full["memory"]["optimizer"] > found.memory["optimizer"]
        compared = {**spec, "tuning": "full", "method": "dpo"}
        pair = {"prompt": "Hello", "chosen": "Hi", "rejected": "No"}
        data.write_text(json.dumps(pair) + "\n")
        with_reference = (await rig.http.post(path, json={"spec": compared})).json()
        assert with_reference["memory"]["weights"] == 2 * full["memory"]["weights"]
        wrong = await rig.http.post(path, json={"spec": {**spec, "data": "/nowhere.jsonl"}})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "data")
        assert (await rig.http.get(TRAINING)).json()["data"] == []


def claim(base: str, layers: int) -> None:
    """Weights of so many layers, of which there is the header alone: no more is read."""
    shapes = {f"layer.{number}.q_proj.weight": [1000, 1000] for number in range(layers)}
    header = json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}).encode()
    Path(base, "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)


@pytest.mark.parametrize(
    ("layers", "tuning", "param"),
    [(200_000, "full", "base"), (200, "lora", "keep_checkpoints")],
    ids=["memory", "disk"],
)
async def test_what_cannot_fit_is_refused_before_it_begins(
    tmp_path: Path, layers: int, tuning: str, param: str
) -> None:
    asked_for = asked(tmp_path, DONE, tuning=tuning, keep_checkpoints=1000, lora_rank=1024)
    claim(asked_for["spec"]["base"], layers)
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        answer = await rig.http.post(TRAINING, json=asked_for)
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, param), answer.text
        assert (await rig.http.get(TRAINING)).json()["data"] == []


async def test_one_of_another_version_is_listed_with_what_it_was_told(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await begun(rig, tmp_path, DONE)
        found = await until(rig, job_id, lambda job: job["state"] == "done")
    with closing(sqlite3.connect(tmp_path / "home" / "paddock.db")) as database, database:
        spec = json.dumps({**found["spec"], "of_tomorrow": 3, "method": "unheard of"})
        assert database.execute("update jobs set spec = ? where id = ?", (spec, job_id)).rowcount == 1
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        (listed,) = (await rig.http.get(TRAINING)).json()["data"]
        assert "of_tomorrow: 3" in listed["yaml"]
        assert (await rig.http.get(f"{TRAINING}/{job_id}")).json()["spec"]["method"] == "unheard of"
