"""Owns what a turn of the server's own tools costs beyond its engine's answer: the loop, its exchange, and the tool."""

from __future__ import annotations

from typing import Any

from bench.figures import Figure, quantile
from bench.processes import STEADY, Served, paddock
from bench.wire import Kept, request_bytes

_CALLS = 10
_GOAL_MS = 5.0
_WARM_MESSAGES = 10


def tools(quick: bool) -> list[Figure]:
    """Milliseconds that each turn of a message of eleven adds to what its engine takes."""
    runs, messages = (2, 10) if quick else (5, 40)
    with paddock(program=STEADY) as served:
        _measured(served, _WARM_MESSAGES)
        found = [_measured(served, messages) for _ in range(runs)]
    return [
        Figure(
            name=f"a turn of the server's tools, of {_CALLS + 1} in a message, `calculator` called in each: added time",
            unit="ms",
            runs=tuple((mine - its) / (_CALLS + 1) for mine, its in found),
            engine_runs=tuple(its / (_CALLS + 1) for _, its in found),
            against="the same turn by the engine alone",
            goal=_GOAL_MS,
        )
    ]


def _measured(served: Served, messages: int) -> tuple[float, float]:
    """(a message through paddock, its turns by the engine alone), the middle of the times in ms."""
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "Count."}], "bench": {"calls": _CALLS}}
    mine = request_bytes(served.paddock, {**asked, "enable_tools": True, "enabled_tools": ["calculator"]})
    turn = request_bytes(served.engine, {**asked, "stream": True})
    times: tuple[list[float], list[float]] = ([], [])
    with Kept(served.paddock) as through, Kept(served.engine) as straight:
        for _ in range(messages):
            times[0].append(through.timed_ms(mine))
            times[1].append(sum(straight.timed_ms(turn) for _ in range(_CALLS + 1)))
    return quantile(times[0], 0.5), quantile(times[1], 0.5)
