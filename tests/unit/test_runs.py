"""Tests that whatever breaks in a background exchange, or in keeping its outcome, ends that run alone."""

from __future__ import annotations

import logging

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from paddock.serving.runs import Run, Runs

pytestmark = pytest.mark.anyio


async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError("unforeseen")


async def nothing() -> None:
    pass


@pytest.mark.parametrize("where", ["exchange", "settle"])
async def test_what_nobody_foresaw_ends_one_run_and_is_logged(caplog: pytest.LogCaptureFixture, where: str) -> None:
    settled: list[str] = []

    async def passes(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async def settle(run: Run) -> None:
        settled.append(run.id)
        if where == "settle":
            raise KeyError("unforeseen")

    async with anyio.create_task_group() as tasks:
        runs = Runs(tasks)
        exchange = breaks if where == "exchange" else passes
        run = await runs.start("resp_1", exchange, keep=nothing, settle=settle)
        with anyio.fail_after(5):
            await run.over()
        await anyio.wait_all_tasks_blocked()
        assert runs.find("resp_1") is None
    assert settled == ["resp_1"]
    (record,) = caplog.records
    assert (record.levelno, "resp_1" in record.getMessage(), record.exc_info is not None) == (logging.ERROR, True, True)


async def test_a_run_that_cannot_be_kept_gives_its_room_back() -> None:
    async def keep() -> None:
        raise KeyError("no")

    async def settle(run: Run) -> None:
        pass

    async with anyio.create_task_group() as tasks:
        runs = Runs(tasks)
        for _ in range(70):
            with pytest.raises(KeyError):
                await runs.start("resp_1", breaks, keep=keep, settle=settle)
        assert runs.find("resp_1") is None
