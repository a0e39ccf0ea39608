"""Owns what lies there before an attack: files that bodies name, and a training, an export and an evaluation of before.

The queues are held up by one of each that waits: what an attack has begun is never carried out. Judges nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio

from paddock.install.builds import Build, Builds
from paddock.paths import Home
from tests.fakes.gguf_files import gguf
from tests.fakes.scripted_shapes import Script
from tests.wire import parameters
from tests.wire.rig import HANG_GUARD_S, Rig

WORKER = [sys.executable, "-P", "-s", str(Path(__file__).parents[1] / "fakes" / "scripted_worker.py")]
# The model sees, so that images are looked at; what is fetched and installed is elsewhere, and does not answer.
SEES: Script = cast("Script", {"props": {"modalities": {"vision": True, "audio": False}}})
FLAGS: dict[str, Any] = {"engine_mirror": "http://127.0.0.1:9", "fetch_timeout_s": 0.3}
SEEDS: dict[str, Any] = {"id": parameters.MODEL, "pattern": "x", "name": "x", "message": "x", "repo": "org/repo"}
_DONE = [{"tell": "step", "step": 1, "steps": 1, "loss": 1.0}, {"tell": "done", "took_s": 1.0}]
_WAITING = [*_DONE[:1], {"until_wished": True}]
# Learnt from by any method that the bodies name.
_ROW = {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]}
_PROGRAMS = ("llama-server", "llama-quantize", "llama-imatrix")


def files(folder: Path, home: Home) -> dict[str, str]:
    """Files and folders for bodies to name, by what stands for them; beside them an engine that measures."""
    folder.mkdir(parents=True)
    adapter, rows, code, model = folder / "adapter", folder / "rows.jsonl", folder / "code.py", folder / "model.gguf"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    rows.write_text(json.dumps(_ROW) + "\n")
    code.write_text("def reward(answer, row):\n    return 1.0\n")
    model.write_bytes(gguf())
    builds = Builds(home)
    with builds.staging() as staged:
        for name in _PROGRAMS:
            (staged / name).touch(0o755)
        builds.place(Build(name="laid", origin="release", binary=staged / _PROGRAMS[0], tag="b1"), staged)
    return {
        parameters.FILE: str(model), parameters.BASE: base(folder, _WAITING), parameters.ADAPTER: str(adapter),
        parameters.ROWS: str(rows), parameters.CODE: str(code),
    }  # fmt: skip


def base(folder: Path, acts: list[dict[str, Any]]) -> str:
    """A base, of which whatever is made does these acts; its tries wait."""
    made = folder / f"base-{len(list(folder.glob('base-*')))}"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "script.json").write_text(json.dumps(acts))
    (made / "try.json").write_text(json.dumps(_WAITING))
    return str(made)


@asynccontextmanager
async def jobs(rig: Rig, home: Path, folder: Path, laid: dict[str, str]) -> AsyncGenerator[dict[str, str]]:
    """What stands for files and for what is done, while the queues are held up; at the end nothing is at work.

    Paddock serves with `WORKER`.
    """

    async def begun(path: str, body: dict[str, Any]) -> str:
        answer = await rig.post(body, path)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def until(path: str, *states: str) -> None:
        with anyio.fail_after(HANG_GUARD_S):
            while (await rig.http.get(path)).json()["state"] not in states:
                await anyio.sleep(0.05)

    spec = {"data": laid[parameters.ROWS], "dry_run": "no"}
    training = await begun("/api/training", {"spec": {**spec, "base": base(folder, _DONE)}})
    gives = [
        {"write": "files/x-F16.gguf", "bytes_of": laid[parameters.FILE]},
        {"write": "files/x-F16.certificate.json", "text": "{}"},
    ]
    export = await begun("/api/exports", {"source": base(folder, [*gives, *_DONE]), "name": "x"})
    row = {"prompt": "Hello", "contains": "x"}
    evaluation = await begun("/api/evaluations", {"suite": "set", "model": parameters.MODEL, "set": [row]})
    await until(f"/api/training/{training}", "done")
    await until(f"/api/exports/{export}", "done")
    answer = await rig.post({"path": laid[parameters.FILE], "name": "other"}, "/api/models/import")
    assert answer.status_code == 201, answer.text
    vote = {"suite": "vote", "model": parameters.MODEL, "against": "other", "set": [{"prompt": "Hello"}]}
    voted = await begun("/api/evaluations", vote)
    answer = await rig.post({"name": "x", "lines": json.dumps(row)}, "/api/evaluation-sets")
    assert answer.status_code == 201, answer.text
    await until(f"/api/evaluations/{evaluation}", "done")
    await until(f"/api/evaluations/{voted}", "done")
    step = home / "jobs" / training / "checkpoints" / "checkpoint-1"
    step.mkdir(parents=True)
    held = {"adapter_config.json": b'{"r": 8}', "adapter_model.safetensors": b"numbers"}
    for name, data in held.items():
        (step / name).write_bytes(data)
    (step / "paddock.json").write_text(json.dumps({name: len(data) for name, data in held.items()}))
    waiting = [
        f"/api/training/{await begun('/api/training', {'spec': {**spec, 'base': laid[parameters.BASE]}})}",
        f"/api/exports/{await begun('/api/exports', {'source': laid[parameters.BASE], 'name': 'x'})}",
    ]
    for path in waiting:
        await until(path, "running")
    try:
        yield {
            **laid, parameters.TRAINING: training, parameters.EXPORT: export, parameters.EVALUATION: evaluation,
            parameters.VOTE: voted, parameters.SET: answer.json()["id"], parameters.OTHER: "other",
        }  # fmt: skip
    finally:
        await ended(rig)


async def evaluated(rig: Rig) -> None:
    """Every evaluation that was begun is at rest."""
    with anyio.fail_after(10 * HANG_GUARD_S):
        while any(one["state"] in ("queued", "running") for one in await _listed(rig, "/api/evaluations")):
            await anyio.sleep(0.1)


async def ended(rig: Rig) -> None:
    """Nothing is at work: what waits is taken out of the queues first."""
    for path in ("/api/training", "/api/exports"):
        found = await _listed(rig, path)
        for one in sorted(found, key=lambda job: job["state"] != "queued"):
            if one["state"] in ("queued", "running"):
                await rig.http.post(f"{path}/{one['id']}/cancel")
            if path == "/api/training":
                await rig.http.delete(f"{path}/{one['id']}/checkpoints/last/try")
        with anyio.fail_after(HANG_GUARD_S):
            while any(one["state"] in ("queued", "running", "stopping") for one in await _listed(rig, path)):
                await anyio.sleep(0.05)


async def _listed(rig: Rig, path: str) -> list[dict[str, Any]]:
    return list((await rig.http.get(path)).json()["data"])
