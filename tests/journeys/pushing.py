"""Owns the stage of the tests of pushes: a data home with an export that is done, as if it had been made there.

It judges nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from paddock.models.certificates import beside, marks_of
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.jobs import JobStore
from tests.fakes.hub import Hub as FakeHub
from tests.fakes.hub import environment
from tests.journeys.downloading import WAIT_S, Paddock

REPO = "me/small-GGUF"
Json = dict[str, Any]
# What came: a card of rows and a training; by default F16 passes, Q8_0 is warned of, and LORA has no certificate.
VERDICTS: dict[str, str | None] = {"F16": "pass", "Q8_0": "warn", "LORA": None}


def surroundings(hub: FakeHub, folder: Path, **more: str) -> dict[str, str]:
    """The environment of a paddock with a home of its own and this hub."""
    return environment(folder, HF_ENDPOINT=hub.endpoint, PADDOCK_KEEPALIVE_S="0.2", **more)


def file_of(kind: str, size_bytes: int = 200_000) -> bytes:
    """Bytes that are the same each time, and others for each type."""
    return (kind.encode() * size_bytes)[:size_bytes]


def exported(
    folder: Path, *, name: str = "small", state: str = "done", verdicts: dict[str, str | None] = VERDICTS,
    training: Json | None = None, size_bytes: int = 200_000,
) -> str:  # fmt: skip
    """Write an export down, with its files and their certificates; its id."""
    home = Home(root=folder / "home")
    home.ensure()

    async def written() -> str:
        database = Database("", home)
        try:
            store = JobStore(database)
            source = "/somewhere/else/my-model"
            if training:
                told = await store.create("training", training["name"], training["spec"], priority=0, figures={})
                changed = {**training, "state": "done", "started_s": time.time() + 5}
                await store.change(told.id, **{one: changed[one] for one in ("figures", "state", "started_s")})
                source = told.id
            spec = {"source": source, "base": "", "name": name, "types": list(verdicts), "certifies": True,
                    "importance": "", "split_bytes": 0}  # fmt: skip
            job = await store.create("export", name, spec, priority=0, figures={})
            await store.change(job.id, state=state)
            return job.id
        finally:
            await database.close()

    job_id = anyio.run(written)
    files = home.jobs / job_id / "files"
    files.mkdir(parents=True)
    for kind, verdict in verdicts.items():
        if kind == "ADAPTER":
            _adapter(files / f"{name}-adapter")
            continue
        file = files / f"{name}-{kind}.gguf"
        file.write_bytes(file_of(kind, size_bytes))
        if verdict:
            beside(file).write_text(json.dumps(certificate(file, kind, verdict)), "utf-8")
    (files / f"{name}-F16.Modelfile").write_text(f"FROM ./{name}-F16.gguf\n")
    return job_id


def _adapter(folder: Path) -> None:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/home/somebody/base", "r": 8}))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "README.md").write_text("base_model: /home/somebody/base")


def certificate(file: Path, kind: str, verdict: str) -> Json:
    links = {"template": {"verdict": verdict, "says": "34 prompts are the same to the byte."}}
    return {"file": file.name, **marks_of(file), "type": kind, "made_s": 1.8e9, "prompts": 34, "verdict": verdict,
            "links": links, "figures": {}}  # fmt: skip


def push(paddock: Paddock, export: str, **more: Any) -> Json:
    """Begin a push."""
    answer = paddock.http.post(f"/api/exports/{export}/push", json={"repo": REPO, **more})
    assert answer.status_code == 202, answer.text
    return answer.json()


def until(paddock: Paddock, job: Json, is_so: Callable[[Json], object]) -> Json:
    deadline = time.monotonic() + WAIT_S
    while not is_so(seen := paddock.http.get(f"/api/pushes/{job['id']}").json()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    return seen


def ended(paddock: Paddock, job: Json) -> Json:
    return until(paddock, job, lambda seen: seen["state"] in ("done", "failed", "cancelled"))
