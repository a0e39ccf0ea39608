"""Owns what paddock costs while it relays: time of a request, delay and CPU of a chunk, a forced tool call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.figures import Figure, added, quantile
from bench.processes import STEADY, Served, cpu_s, paddock
from bench.wire import Kept, chunk_delays_ms, request_bytes

_CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is a paddock, in one sentence?"},
    ],
    "temperature": 0.5,
    "max_tokens": 1,
}
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_WARM_REQUESTS = 200
_STREAMS, _PER_S = 16, 200


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to measure."""

    runs: int
    requests: int
    stream_s: float

    @classmethod
    def of(cls, *, quick: bool) -> Effort:
        return cls(runs=2, requests=300, stream_s=1.5) if quick else cls(runs=5, requests=1000, stream_s=4.0)


def _alternating(served: Served, mine: dict[str, Any], its: dict[str, Any], count: int) -> tuple[list[float], ...]:
    """Times in ms of `count` requests to paddock and to its engine, one of each in turn."""
    to_paddock, to_engine = request_bytes(served.paddock, mine), request_bytes(served.engine, its)
    times: tuple[list[float], list[float]] = ([], [])
    with Kept(served.paddock) as through, Kept(served.engine) as straight:
        for _ in range(count):
            times[0].append(through.timed_ms(to_paddock))
            times[1].append(straight.timed_ms(to_engine))
    return times


def _plain(served: Served, effort: Effort, count: int, which: str, *, goals: bool) -> list[Figure]:
    _alternating(served, _CHAT, _CHAT, _WARM_REQUESTS)
    runs = [_alternating(served, _CHAT, _CHAT, count) for _ in range(effort.runs)]
    its_p50 = tuple(quantile(its, 0.5) for _, its in runs)
    its_p99 = tuple(quantile(its, 0.99) for _, its in runs)
    return [
        Figure(
            name=f"plain request, {which}: added time, p50",
            unit="ms",
            runs=tuple(added(mine, its, 0.5) for mine, its in runs),
            engine_runs=its_p50,
            against="the same request to the engine, p50",
            goal=0.8 if goals else None,
        ),
        Figure(
            name=f"plain request, {which}: added time, p99",
            unit="ms",
            runs=tuple(added(mine, its, 0.99) for mine, its in runs),
            engine_runs=its_p99,
            against="the same request to the engine, p99",
            goal=2.5 if goals else None,
        ),
    ]


def plain(quick: bool) -> list[Figure]:
    """Added time of a plain request on kept connections: an engine that answers at once, then the real one."""
    effort = Effort.of(quick=quick)
    with paddock(program=STEADY) as served:
        rows = _plain(served, effort, effort.requests, "engine that answers at once", goals=True)
    with paddock() as served:
        rows += _plain(served, effort, effort.requests // 4, "real engine, one token", goals=False)
    return rows


def chunks(quick: bool) -> list[Figure]:
    """Added delay and CPU of a chunk at 16 streams of 200 tokens a second each."""
    effort = Effort.of(quick=quick)
    count = int(effort.stream_s * _PER_S)
    p50: list[float] = []
    p99: list[float] = []
    its_p50: list[float] = []
    its_p99: list[float] = []
    cpu_us: list[float] = []
    its_cpu_us: list[float] = []
    with paddock(program=STEADY) as served:
        chunk_delays_ms(served.paddock, streams=_STREAMS, chunks=_PER_S // 2, per_s=_PER_S)
        assert served.engine_process
        for _ in range(effort.runs):
            before_s = cpu_s(served.engine_process)
            its = chunk_delays_ms(served.engine, streams=_STREAMS, chunks=count, per_s=_PER_S)
            its_cpu_us.append((cpu_s(served.engine_process) - before_s) / len(its) * 1e6)
            before_s = cpu_s(served.process)
            mine = chunk_delays_ms(served.paddock, streams=_STREAMS, chunks=count, per_s=_PER_S)
            cpu_us.append((cpu_s(served.process) - before_s) / len(mine) * 1e6)
            p50.append(added(mine, its, 0.5))
            p99.append(added(mine, its, 0.99))
            its_p50.append(quantile(its, 0.5))
            its_p99.append(quantile(its, 0.99))
    what = f"chunk at {_STREAMS} streams x {_PER_S}/s"
    delay = f"{what}: added delay"
    against = "the same stream from the engine"
    return [
        Figure(name=f"{delay}, p50", unit="ms", runs=(*p50,), engine_runs=(*its_p50,), against=f"{against}, p50"),
        Figure(
            name=f"{delay}, p99", unit="ms", runs=(*p99,), engine_runs=(*its_p99,), against=f"{against}, p99", goal=3.0
        ),
        Figure(
            name=f"{what}: CPU of paddock's process",
            unit="us",
            runs=(*cpu_us,),
            engine_runs=(*its_cpu_us,),
            against="CPU of the steady engine's process for a chunk",
            total=True,
            goal=100.0,
        ),
    ]


def forced(quick: bool) -> list[Figure]:
    """Time that `tool_choice: "required"` adds to `"auto"`, in paddock alone and for the first time on the real one."""
    effort = Effort.of(quick=quick)
    auto = {**_CHAT, "tools": [_TOOL], "tool_choice": "auto"}
    required = {**auto, "tool_choice": "required"}
    runs: list[float] = []
    its: list[float] = []
    with paddock(program=STEADY) as served:
        _alternating(served, required, auto, _WARM_REQUESTS)
        for _ in range(effort.runs):
            times: tuple[list[float], ...] = ([], [], [])
            with Kept(served.paddock) as through, Kept(served.engine) as straight:
                for _ in range(effort.requests // 2):
                    times[0].append(through.timed_ms(request_bytes(served.paddock, required)))
                    times[1].append(through.timed_ms(request_bytes(served.paddock, auto)))
                    times[2].append(straight.timed_ms(request_bytes(served.engine, auto)))
            runs.append(added(times[0], times[1], 0.5))
            its.append(quantile(times[2], 0.5))
    first: list[float] = []
    for _ in range(effort.runs):
        with paddock() as served, Kept(served.paddock) as through:
            ask = request_bytes(served.paddock, required)
            through.ask(request_bytes(served.paddock, auto))
            first.append(through.timed_ms(ask) - through.timed_ms(ask))
    return [
        Figure(
            name="forced tool call: added to auto, p50",
            unit="ms",
            runs=(*runs,),
            engine_runs=(*its,),
            against="an auto request to the engine, p50",
        ),
        Figure(name="forced tool call: its first time on a model, over the second", unit="ms", runs=(*first,)),
    ]
