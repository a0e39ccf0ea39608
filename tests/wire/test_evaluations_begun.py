"""Tests that an evaluation is carried out whenever it is queued: while its paddock begins, or another one ends."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest

from paddock.evaluation.evaluations import Evaluations
from paddock.evaluation.subject import Subject
from paddock.ownership import Ownership
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.jobs import JobStore

pytestmark = pytest.mark.anyio
HANG_GUARD_S = 60.0
ROW = {"prompt": "Hello", "contains": "hi"}


async def subject(model: str) -> Subject:
    return Subject(model=model, file_digest="f", file_state="s", template_digest="t", engine="e")


async def send(path: str, body: bytes) -> tuple[int, bytes]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return 200, json.dumps({"id": "a", "model": "m", "choices": [choice]}).encode()


async def begun(evaluations: Evaluations) -> str:
    return (await evaluations.start({"suite": "set", "model": "m"}, [ROW])).id


async def done(evaluations: Evaluations, job_id: str) -> None:
    with anyio.fail_after(HANG_GUARD_S):
        while (await evaluations.find(job_id)).state != "done":
            await anyio.sleep(0.02)


class Watched(type(Path())):
    """A folder; `looked` is called when its content was looked at, and before that is told."""

    looked: Any = None

    def glob(self, *args: Any, **more: Any) -> Generator[Any]:
        found: Iterator[Any] = iter(list(super().glob(*args, **more)))
        if self.looked:
            self.looked()
        yield from found


class WatchedHome(Home):
    """A data home whose folder of jobs is watched."""

    @property
    def jobs(self) -> Path:
        return Watched(self.root / "jobs")


async def test_one_that_is_queued_while_its_paddock_looks_for_jobs_is_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = WatchedHome(root=tmp_path)
    home.ensure()
    database = Database("", home)
    evaluations = Evaluations.of(home, database, subject)
    evaluations.send = send
    found: list[str] = []

    def looked(_: object) -> None:
        if not found:
            found.append(anyio.from_thread.run(begun, evaluations))

    monkeypatch.setattr(Watched, "looked", looked)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(evaluations.carry_on)
            with anyio.fail_after(HANG_GUARD_S):
                while not found:
                    await anyio.sleep(0.02)
            await done(evaluations, found[0])
            evaluations.close()
    finally:
        await database.close()


async def test_a_result_that_was_kept_a_moment_before_the_end_is_counted_and_not_tried_again(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    home.ensure()
    database = Database("", home)
    evaluations = Evaluations.of(home, database, subject)
    asked: list[bytes] = []

    async def noted(path: str, body: bytes) -> tuple[int, bytes]:
        asked.append(body)
        return await send(path, body)

    evaluations.send = noted
    try:
        rows = [{**ROW, "name": "one"}, {**ROW, "name": "two"}]
        job = await evaluations.start({"suite": "set", "model": "m"}, rows)
        kept: dict[str, Any] = {
            "number": 1,
            "kind": "result",
            "case": "contains",
            "name": "one",
            "passed": True,
            "marks": {},
        }
        await JobStore(database).keep(job.id, [{**kept, "figures": {}, "said": "hi"}])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(evaluations.carry_on)
            await done(evaluations, job.id)
            evaluations.close()
        found = await evaluations.find(job.id)
        assert (found.figures["tried"], found.figures["passed"], len(asked)) == (2, 2, 1)
        assert [one["name"] for one in await evaluations.results(job.id)] == ["one", "two"]
        assert found.figures["report"]["total"]["of"] == 2
    finally:
        await database.close()


async def test_one_that_waits_for_another_paddock_is_carried_out_when_that_ends(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    home.ensure()
    database = Database("", home)
    evaluations = Evaluations.of(home, database, subject)
    evaluations.send = send
    other = Ownership(home.jobs / ".evaluations.lock")
    assert other.take()
    try:
        job_id = await begun(evaluations)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(evaluations.carry_on)
            await anyio.sleep(0.2)
            assert (await evaluations.find(job_id)).state == "queued"
            other.release()
            await done(evaluations, job_id)
            evaluations.close()
    finally:
        other.release()
        await database.close()
