"""Owns how soon code of a model runs in a workspace: the first cell, one more, a command, and a cancelled call."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from bench.figures import Figure
from paddock.sandbox import probing, pythons
from paddock.sandbox.workspace import Session

_COLD_GOAL_MS, _WARM_GOAL_MS, _CANCELLED_GOAL_MS = 300.0, 20.0, 500.0
_WAIT_S = 60.0


def sandbox(quick: bool) -> list[Figure]:
    """Milliseconds of calls in a workspace, a look at its files included; nothing where there are no walls."""
    if reason := probing.available():
        print(reason)
        return []
    runs = 3 if quick else 15
    found = anyio.run(_measured, runs)
    names = {
        "cold": ("first cell of a workspace: walls, interpreter, `1 + 1`", _COLD_GOAL_MS),
        "warm": ("one more cell, `1 + 1`", _WARM_GOAL_MS),
        "command": ("command of the shell, `true`", _COLD_GOAL_MS),
        "cancelled": ("call cancelled, with a cell and its children at work: all of it ended", _CANCELLED_GOAL_MS),
    }
    return [Figure(name=name, unit="ms", runs=(*found[key],), goal=goal) for key, (name, goal) in names.items()]


async def _measured(runs: int) -> dict[str, list[float]]:
    python = await anyio.to_thread.run_sync(pythons.best)
    found: dict[str, list[float]] = {"cold": [], "warm": [], "command": [], "cancelled": []}
    for run in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            session = Session(Path(folder) / "workspaces" / "one", python)
            taken = {
                "cold": await _ms(lambda session=session: session.python("1 + 1", timeout_s=_WAIT_S)),
                "warm": await _ms(lambda session=session: session.python("1 + 1", timeout_s=_WAIT_S)),
                "command": await _ms(lambda session=session: session.terminal("true", timeout_s=_WAIT_S)),
                "cancelled": await _cancelled_ms(session),
            }
            await session.close(is_removed=True)
        if run:  # The first round only warms up.
            for key, value in taken.items():
                found[key].append(value)
    return found


async def _ms(work: Callable[[], Awaitable[object]]) -> float:
    began_s = time.perf_counter()
    await work()
    return (time.perf_counter() - began_s) * 1000


async def _cancelled_ms(session: Session) -> float:
    code = "import subprocess, time\nfor _ in range(5): subprocess.Popen(['sleep', '60'])\ntime.sleep(60)"
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: session.python(code, timeout_s=_WAIT_S))
            await anyio.sleep(0.3)
            began_s = time.perf_counter()
            scope.cancel()
    return (time.perf_counter() - began_s) * 1000
