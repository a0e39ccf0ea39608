"""Tests checkpoints that are tried, before a worker that does what it is told: chatted with, compared, cleared away."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.api.checkpoints import Checkpoint, CheckpointList
from tests.fakes.adapter_files import TINY, adapter
from tests.fakes.gguf_files import gguf
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Json, Rig, body_of, scripted_studio
from tests.wire.test_adapters import scales
from tests.wire.test_training import DONE, TRAINING, WAITING, WORKER, asked, until

pytestmark = pytest.mark.anyio
MADE: list[Json] = [
    {"tell": "artifact", "name": "checkpoint", "path": "/a", "size_bytes": 7}, {"tell": "done", "took_s": 1.0},
]  # fmt: skip
ADAPTER = {"adapter_config.json": b'{"r": 8}', "adapter_model.safetensors": b"numbers", "optimizer.pt": b"more"}
WHOLE = {"config.json": b"{}", "model.safetensors": b"numbers"}


def lay(folder: Path, data: bytes, at: str = "target") -> Json:
    """An act that makes a file of these bytes."""
    file = folder / f"made-{len(list(folder.glob('made-*')))}.gguf"
    file.write_bytes(data)
    return {"lay": str(file), "at": at}


async def trained(rig: Rig, folder: Path, tries: list[Json], acts: list[Json] = WAITING, **more: Any) -> str:
    """A training whose checkpoints become files by these acts; its id."""
    wanted = asked(folder, acts, **more)
    (Path(wanted["spec"]["base"]) / "try.json").write_text(json.dumps(tries))
    answer = await rig.http.post(TRAINING, json={**wanted, "name": "My llamas!"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def checkpoint(home: Path, job_id: str, step: int, files: dict[str, bytes] = ADAPTER, *, cut: bool = False) -> Path:
    """A checkpoint as a worker leaves it."""
    made = home / "jobs" / job_id / "checkpoints" / f"checkpoint-{step}"
    made.mkdir(parents=True)
    for name, data in files.items():
        (made / name).write_bytes(data)
    sizes = {name: len(data) for name, data in files.items()}
    (made / "paddock.json").write_text(json.dumps({**sizes, "lost.bin": 3} if cut else sizes))
    return made


async def tried(rig: Rig, job_id: str, step: int | str, **more: Any) -> httpx.Response:
    return await rig.http.post(f"{TRAINING}/{job_id}/checkpoints/{step}/try", json=more)


async def listed(rig: Rig, job_id: str) -> list[Json]:
    answer = await rig.http.get(f"{TRAINING}/{job_id}/checkpoints")
    return [one.model_dump() for one in CheckpointList.model_validate(answer.json()).data]


def rests(one: Json) -> bool:
    return one["state"] in ("done", "failed")


async def at(rig: Rig, job_id: str, step: int, is_so: Callable[[Json], bool] = rests) -> Json:
    """What is told of a checkpoint that is tried, once it is at rest."""
    with anyio.fail_after(HANG_GUARD_S):
        while True:
            found = next(one["tried"] for one in await listed(rig, job_id) if one["step"] == step)
            if is_so(found):
                return dict(found)
            await anyio.sleep(0.05)


async def ended(rig: Rig, job_id: str) -> None:
    await rig.http.post(f"{TRAINING}/{job_id}/cancel")
    await until(rig, job_id, lambda job: job["state"] == "cancelled")


async def names(rig: Rig) -> set[str]:
    return {one["id"] for one in (await rig.http.get("/v1/models")).json()["data"]}


async def scale_of(rig: Rig, model: str) -> list[float]:
    return scales(await rig.forwarded(model=model))


async def test_a_checkpoint_of_a_running_training_is_chatted_with_beside_its_base(tmp_path: Path) -> None:
    own = tmp_path / "home" / "models" / "own.gguf"
    own.parent.mkdir(parents=True)
    own.write_bytes(adapter())
    async with scripted_studio(tmp_path, worker_program=WORKER) as rig:
        job_id = await trained(rig, tmp_path, [lay(tmp_path, adapter()), *MADE])
        await until(rig, job_id, lambda job: job["figures"].get("step") == 3)
        checkpoint(tmp_path / "home", job_id, 2)
        kept = checkpoint(tmp_path / "home", job_id, 4)
        checkpoint(tmp_path / "home", job_id, 6, cut=True)
        assert [(one["step"], one["tried"]) for one in await listed(rig, job_id)] == [(4, None), (2, None)]
        answer = await tried(rig, job_id, "last", model="pocket-v0")
        assert answer.status_code == 202, answer.text
        assert Checkpoint.model_validate(answer.json()).step == 4
        made = await at(rig, job_id, 4)
        name = f"My-llamas-{job_id[4:10]}-step-4"
        assert (made["state"], made["model"], made["base"]) == ("done", f"pocket-v0+{name}", "pocket-v0")
        assert (made["takes_scale"], made["size_bytes"], made["error"]) == (True, 7, None)
        assert made["model"] in await names(rig)
        wanted = {made["model"]: 1.0, f"{made['model']}:0.25": 0.25, f"{made['model']}:0": 0.0, "pocket-v0": 0.0}
        for asked_for, scale in wanted.items():
            assert await scale_of(rig, asked_for) == [scale, 0.0], asked_for
        # The training is as it was, and its worker may take the checkpoint away.
        assert (await until(rig, job_id, lambda job: True))["state"] == "running"
        assert sorted(one.name for one in kept.iterdir()) == sorted([*ADAPTER, "paddock.json"])
        shutil.rmtree(kept)
        assert [(one["step"], one["is_kept"]) for one in await listed(rig, job_id)] == [(4, False), (2, True)]
        assert (await rig.http.delete(f"{TRAINING}/{job_id}")).status_code == 409
        assert made["model"] in await names(rig)
        await ended(rig, job_id)
        assert (await rig.http.delete(f"{TRAINING}/{job_id}")).status_code == 200
        assert made["model"] not in await names(rig)
        assert "pocket-v0+own" in await names(rig)
        answer = await rig.http.post(CHAT, json={"model": made["model"], "messages": [USER]})
        assert answer.status_code == 404, answer.text
        assert not [one for one in (tmp_path / "home" / "jobs").iterdir() if one.name.startswith("job_")]


async def test_what_is_tried_twice_is_made_once_and_can_be_removed_alone(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await trained(rig, tmp_path, [lay(tmp_path, adapter()), *MADE], DONE)
        kept = checkpoint(tmp_path / "home", job_id, 4)
        first = (await tried(rig, job_id, 4, model="pocket-v0")).json()["tried"]["id"]
        assert (await tried(rig, job_id, 4)).json()["tried"]["id"] == first
        made = await at(rig, job_id, 4)
        assert (await tried(rig, job_id, 4)).json()["tried"]["id"] == first
        place = f"{TRAINING}/{job_id}/checkpoints/4/try"
        assert (await rig.http.delete(place)).json() == {"step": 4, "deleted": True}
        assert made["model"] not in await names(rig)
        assert kept.is_dir()
        assert (await rig.http.delete(place)).status_code == 422
        again = (await tried(rig, job_id, 4, model="pocket-v0")).json()["tried"]["id"]
        assert again != first
        assert (await at(rig, job_id, 4))["state"] == "done"


async def test_a_base_that_is_a_folder_is_made_once_for_all_its_trainings(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        acts = [lay(tmp_path, gguf(), "base_target"), lay(tmp_path, adapter(TINY, architecture="llama")), *MADE]
        first = await trained(rig, tmp_path, acts, DONE)
        base = (await until(rig, first, lambda job: job["state"] == "done"))["spec"]["base"]
        data = str(tmp_path / "rows.jsonl")
        again = {"spec": {"base": base, "data": data, "dry_run": "no"}, "name": "again"}
        second = (await rig.http.post(TRAINING, json=again)).json()["id"]
        await until(rig, second, lambda job: job["state"] == "done")
        for job_id in (first, second):
            checkpoint(tmp_path / "home", job_id, 3)
            assert (await tried(rig, job_id, 3)).status_code == 202
        made = [await at(rig, job_id, 3) for job_id in (first, second)]
        assert [one["state"] for one in made] == ["done", "done"], made
        assert made[0]["base"] == made[1]["base"]
        jobs = tmp_path / "home" / "jobs"
        files = [jobs / job_id / "tries" / f"{made[0]['base']}.gguf" for job_id in (first, second)]
        assert files[0].samefile(files[1])
        ordered = [json.loads((jobs / one["id"] / "order.json").read_text())["base_target"] for one in made]
        assert [bool(one) for one in ordered] == [True, False]
        assert {made[0]["base"], made[0]["model"], made[1]["model"]} <= await names(rig)
        assert (await rig.http.delete(f"{TRAINING}/{first}")).status_code == 200
        assert {made[1]["base"], made[1]["model"]} <= await names(rig)
        assert (await rig.http.delete(f"{TRAINING}/{second}")).status_code == 200
        assert made[1]["base"] not in await names(rig)


async def test_whole_weights_become_a_model_of_their_own(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await trained(rig, tmp_path, [lay(tmp_path, gguf()), *MADE], DONE, tuning="full")
        checkpoint(tmp_path / "home", job_id, 3, WHOLE)
        await tried(rig, job_id, 3, model="pocket-v0")
        made = await at(rig, job_id, 3)
        assert (made["state"], made["takes_scale"]) == ("done", False)
        assert made["model"] == f"My-llamas-{job_id[4:10]}-step-3"
        assert {made["model"], "pocket-v0"} <= await names(rig)


async def test_what_cannot_be_made_is_told_and_can_be_tried_again(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await trained(rig, tmp_path, [{"print": "Boom: 1"}, {"exit": 9}], DONE)
        checkpoint(tmp_path / "home", job_id, 3)
        await tried(rig, job_id, 3, model="pocket-v0")
        failed = await at(rig, job_id, 3)
        assert (failed["state"], failed["error"]["kind"]) == ("failed", "crashed")
        assert "Boom: 1" in failed["error"]["message"]
        assert not list((tmp_path / "home" / "jobs" / job_id / "tries").rglob("*.safetensors"))
        base = Path((await until(rig, job_id, lambda job: True))["spec"]["base"])
        (base / "try.json").write_text(json.dumps([lay(tmp_path, adapter(architecture="gemma3")), *MADE]))
        await tried(rig, job_id, 3, model="pocket-v0")
        failed = await at(rig, job_id, 3)
        assert "does not fit pocket-v0: it was made for the architecture gemma3" in failed["error"]["message"]
        (base / "try.json").write_text(json.dumps([lay(tmp_path, adapter()), *MADE]))
        await tried(rig, job_id, 3, model="pocket-v0")
        assert (await at(rig, job_id, 3))["state"] == "done"


async def test_a_training_that_is_removed_ends_what_is_at_its_checkpoints(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await trained(rig, tmp_path, [{"until_wished": True}], DONE)
        checkpoint(tmp_path / "home", job_id, 3)
        await tried(rig, job_id, 3, model="pocket-v0")
        await at(rig, job_id, 3, lambda one: one["state"] == "running")
        await until(rig, job_id, lambda job: job["state"] == "done")
        assert (await rig.http.delete(f"{TRAINING}/{job_id}")).status_code == 200
        assert not [one for one in (tmp_path / "home" / "jobs").iterdir() if one.name.startswith("job_")]


@pytest.mark.parametrize(
    ("step", "files", "spec", "more", "status", "words"),
    [
        ("9", ADAPTER, {}, {}, 422, "There is no checkpoint '9'. There are: 3."),
        ("one", ADAPTER, {}, {}, 422, "no checkpoint 'one'"),
        ("3", {"adapter_config.json": b"{}", "shard_0.bin": b"1"}, {}, {}, 422, "in parts, one of each process"),
        ("3", {"adapter_config.json": b"[]", "adapter_model.bin": b"1"}, {}, {}, 422, "cannot be read"),
        ("3", ADAPTER, {"method": "embedding", "tuning": "full"}, {}, 422, "makes vectors and cannot be chatted with"),
        ("3", ADAPTER, {}, {"model": "lost"}, 404, "lost"),
        ("3", ADAPTER, {}, {"modell": "lost"}, 422, "modell"),
    ],
)
async def test_what_cannot_be_tried_is_refused_before_anything_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, files: dict[str, bytes], spec: Json, more: Json,
    status: int, words: str,
) -> None:  # fmt: skip

    def is_there(*_: object) -> bool:
        return True

    monkeypatch.setattr("paddock.training.trainings.has_module", is_there)
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        if spec:
            rows = tmp_path / "alike.jsonl"
            rows.write_text('{"anchor": "a", "positive": "b"}\n')
            spec = {**spec, "data": str(rows)}
        job_id = await trained(rig, tmp_path, MADE, DONE, **spec)
        checkpoint(tmp_path / "home", job_id, 3, files)
        answer = await tried(rig, job_id, step, **more)
        assert answer.status_code == status, answer.text
        assert words in answer.json()["error"]["message"]
        assert [one["tried"] for one in await listed(rig, job_id)] == [None]
        assert not (tmp_path / "home" / "jobs" / job_id / "tries").exists()


async def test_a_training_that_is_not_there_has_no_checkpoints(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        for path in (f"{TRAINING}/job_0000000000000000/checkpoints", f"{TRAINING}/%2e%2e/checkpoints"):
            assert (await rig.http.get(path)).status_code == 404
        assert (await tried(rig, "job_0000000000000000", "last")).status_code == 404
        job_id = await trained(rig, tmp_path, MADE, DONE)
        answer = await tried(rig, job_id, "last")
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "step")
        assert "There is none yet" in answer.json()["error"]["message"]


async def typed(rig: Rig, folder: Path, *words: str) -> tuple[int, str, str]:
    """How a command ended, and what it printed."""
    environ = {**os.environ, "PADDOCK_HOME": str(folder / "home"), "PADDOCK_SCAN_OTHERS": "0"}
    command = [sys.executable, "-P", "-m", "paddock", "train", *words, "--url", rig.studio.url]
    with anyio.fail_after(HANG_GUARD_S):
        done = await anyio.run_process(command, env=environ, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_by_commands_a_checkpoint_is_listed_tried_asked_and_forgotten(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        job_id = await trained(rig, tmp_path, [lay(tmp_path, adapter()), *MADE], DONE)
        await until(rig, job_id, lambda job: job["state"] == "done")
        checkpoint(tmp_path / "home", job_id, 3)
        name = f"pocket-v0+My-llamas-{job_id[4:10]}-step-3"
        code, said, _ = await typed(rig, tmp_path, "try", "job_", "--model", "pocket-v0")
        assert (code, name in said) == (0, True), said
        assert f'paddock chat --model "{name}"' in said
        code, said, _ = await typed(rig, tmp_path, "try", "job_", "--step", "3", "--ask", "Hello", "--scale", "0.5")
        assert code == 0
        assert [line for line in said.splitlines() if line.startswith("pocket-v0")] == ["pocket-v0:", f"{name}:0.5:"]
        assert scales(body_of((await rig.engine.seen())[-1])) == [0.5]
        code, said, _ = await typed(rig, tmp_path, "checkpoints", job_id)
        assert (code, said.splitlines()[1].split()[-3:]) == (0, ["done", name, "pocket-v0"])
        code, said, _ = await typed(rig, tmp_path, "try", "job_", "--forget")
        assert (code, said) == (0, "What was made of step 3 is removed.\n")
        code, said, err = await typed(rig, tmp_path, "try", "job_", "--step", "4")
        assert (code, "There is no checkpoint '4'. There are: 3." in err) == (1, True), err
        assert name not in await names(rig)
