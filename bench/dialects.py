"""Owns what translated streams cost: Messages and Responses of paddock beside the engine's own, in turn."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from bench.figures import Figure, added, quantile
from bench.processes import STEADY, Served, Target, child, cpu_s, paddock, said
from bench.streams import CHAT, MESSAGES, RESPONSES, Lane, first_ms, together_s
from bench.wire import request_bytes

_LANES = (MESSAGES, RESPONSES)
# One slot for each stream, the same for both, as it is the same engine; a context that holds what is asked for.
_STREAMS = 16
_CONTEXT_TOKENS = 2048
_FIRST_TOKENS = 4
_PER_S = 200
_FIRST_GOAL_MS = 1.0
_SHARE_GOAL = 0.97


def dialects(quick: bool) -> list[Figure]:
    """Added time to first event, throughput of 16 streams, and paddock's CPU of a chunk, for each dialect."""
    runs, requests, tokens = (2, 100, 200) if quick else (9, 100, 200)
    rows: list[Figure] = []
    with paddock(context_tokens=_CONTEXT_TOKENS, slots=_STREAMS) as served:
        for lane in _LANES:
            rows += _first(served, lane, runs=runs, requests=requests)
        for lane in (*_LANES, CHAT):
            rows += _throughput(served, lane, "every core", runs=runs, tokens=tokens)
        rows.append(_floor(served, runs=runs, tokens=tokens))
    with paddock(context_tokens=_CONTEXT_TOKENS, slots=_STREAMS, threads=1) as served:
        for lane in (*_LANES, CHAT):
            rows += _throughput(served, lane, "one core", runs=runs, tokens=tokens)
    with paddock(program=STEADY) as served:
        rows += [_cpu(served, lane, runs=runs, chunks=_PER_S * (1 if quick else 2)) for lane in (*_LANES, CHAT)]
    return rows


def _first(served: Served, lane: Lane, *, runs: int, requests: int) -> list[Figure]:
    """Time to the first event and to the first text, of one stream at a time, one of each side in turn."""
    sides = (lane.at(served.paddock), lane.at(served.engine))
    asks = [request_bytes(side, lane.body(_FIRST_TOKENS)) for side in sides]
    figures: list[list[tuple[float, float]]] = [[], []]
    for run in range(runs + 1):
        times: tuple[list[tuple[float, float]], ...] = ([], [])
        for _ in range(requests):
            for side, ask, kept in zip(sides, asks, times, strict=True):
                kept.append(first_ms(side, ask, lane))
        for place in range(2) if run else ():  # The first round only warms up.
            mine, its = ([pair[place] for pair in kept] for kept in times)
            figures[place].append((added(mine, its, 0.5), quantile(its, 0.5)))
    return [
        Figure(
            name=f"stream of {lane.name}, real engine: added time to first {what}, p50",
            unit="ms",
            runs=tuple(mine for mine, _ in figures[place]),
            engine_runs=tuple(its for _, its in figures[place]),
            against=f"the engine's own {lane.path}, p50",
            # With the engine's own route the first event comes with the first text; paddock's comes before it.
            goal=_FIRST_GOAL_MS if what == "event" else None,
        )
        for place, what in enumerate(("event", "text"))
    ]


def _throughput(served: Served, lane: Lane, cores: str, *, runs: int, tokens: int) -> list[Figure]:
    """Tokens a second of 16 streams at once, the sides in turn and the first of them changing."""
    body = lane.body(tokens)
    sides = {"mine": served.paddock, "its": served.engine}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for run in range(runs + 1):
        for name in sides if run % 2 else reversed(sides):
            took_s = together_s(sides[name], lane, body, streams=_STREAMS, tokens=tokens)
            if run:
                rates[name].append(_STREAMS * tokens / took_s)
    shares = tuple(mine / its for mine, its in zip(rates["mine"], rates["its"], strict=True))
    what = f"{_STREAMS} streams of {lane.name} at once, real engine on {cores}"
    return [
        Figure(
            name=f"{what}: tokens a second",
            unit="/s",
            runs=(*rates["mine"],),
            engine_runs=(*rates["its"],),
            against=f"the engine's own {lane.path}",
            total=True,
        ),
        Figure(name=f"{what}: share of the engine's own rate", unit="x", runs=shares, least=_SHARE_GOAL),
    ]


def _floor(served: Served, *, runs: int, tokens: int) -> Figure:
    """The share that is left by a relay that passes 16 streams on unread, with paddock's HTTP libraries."""
    body = CHAT.body(tokens)
    shares: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        words = [sys.executable, "-m", "bench.bare_relay", "aiohttp", str(served.engine.port), served.engine.api_key]
        with child(words, home) as process:
            relay = Target(port=int(said(process, home)["port"]))
            for run in range(runs + 1):
                took_s = {
                    side.port: together_s(side, CHAT, body, streams=_STREAMS, tokens=tokens)
                    for side in ((relay, served.engine) if run % 2 else (served.engine, relay))
                }
                if run:
                    shares.append(took_s[served.engine.port] / took_s[relay.port])
    name = f"{_STREAMS} streams through a relay that does nothing else, real engine on every core: share of its rate"
    return Figure(name=name, unit="x", runs=(*shares,))


def _cpu(served: Served, lane: Lane, *, runs: int, chunks: int) -> Figure:
    """CPU of paddock's process for each chunk of the steady engine's, at 16 streams."""
    body: dict[str, Any] = {**lane.body(1), "bench": {"chunks": chunks, "per_s": _PER_S, "timed": False}}
    each_us: list[float] = []
    for run in range(runs + 1):
        before_s = cpu_s(served.process)
        together_s(served.paddock, lane, body, streams=_STREAMS, tokens=None)
        if run:
            each_us.append((cpu_s(served.process) - before_s) / (_STREAMS * chunks) * 1e6)
    return Figure(
        name=f"chunk of {lane.name} at {_STREAMS} streams x {_PER_S}/s: CPU of paddock's process",
        unit="us",
        runs=(*each_us,),
        goal=100.0,
    )
