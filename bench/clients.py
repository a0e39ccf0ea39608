"""Owns the comparison of HTTP clients for talking to the engine: each relays, and does nothing else, in one run."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from contextlib import ExitStack
from typing import Any

import psutil

from bench.figures import Figure, added, quantile
from bench.processes import STEADY, Target, bare_engine, child, cpu_s, said
from bench.wire import Kept, chunk_delays_ms, request_bytes

_CLIENTS = ("aiohttp", "httpx2", "httpx")
_CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "What is a paddock, in one sentence?"}]}
_STREAMS, _PER_S = 16, 200


def compare(quick: bool) -> list[Figure]:
    """Added time of a plain request, and added delay and CPU of a chunk, for each client that is installed."""
    runs, requests, stream_s = (2, 300, 1.0) if quick else (5, 1000, 3.0)
    present = [name for name in _CLIENTS if importlib.util.find_spec(name)]
    plain: dict[str, list[tuple[float, float, float]]] = {name: [] for name in present}
    chunk: dict[str, list[tuple[float, float, float]]] = {name: [] for name in present}
    with bare_engine(STEADY, "--model", "none") as (_, engine), ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        relays: dict[str, tuple[Target, psutil.Process]] = {}
        for name in present:
            words = [sys.executable, "-m", "bench.bare_relay", name, str(engine.port), engine.api_key]
            process = stack.enter_context(child(words, home))
            relays[name] = Target(port=int(said(process, home)["port"])), psutil.Process(process.pid)
        for run in range(runs + 1):
            times = _in_turn(engine, {name: target for name, (target, _) in relays.items()}, requests)
            count = int(stream_s * _PER_S)
            its = chunk_delays_ms(engine, streams=_STREAMS, chunks=count, per_s=_PER_S)
            for name, (target, process) in relays.items():
                before_s = cpu_s(process)
                mine = chunk_delays_ms(target, streams=_STREAMS, chunks=count, per_s=_PER_S)
                cpu_us = (cpu_s(process) - before_s) / len(mine) * 1e6
                if run == 0:
                    continue  # The first round only warms up.
                straight = times["engine"]
                plain[name].append(
                    (added(times[name], straight, 0.5), added(times[name], straight, 0.99), quantile(straight, 0.5))
                )
                chunk[name].append((added(mine, its, 0.5), added(mine, its, 0.99), cpu_us))
    return _rows(plain, chunk)


def _rows(
    plain: dict[str, list[tuple[float, float, float]]], chunk: dict[str, list[tuple[float, float, float]]]
) -> list[Figure]:
    rows: list[Figure] = []
    for name, triples in plain.items():
        p50, p99, its = (tuple(column) for column in zip(*triples, strict=True))
        against = "the same request to the engine, p50"
        rows.append(Figure(name=f"{name}: plain request, p50", unit="ms", runs=p50, engine_runs=its, against=against))
        rows.append(Figure(name=f"{name}: plain request, p99", unit="ms", runs=p99))
        p50, p99, cpu = (tuple(column) for column in zip(*chunk[name], strict=True))
        rows.append(Figure(name=f"{name}: chunk at {_STREAMS} x {_PER_S}/s, p50", unit="ms", runs=p50))
        rows.append(Figure(name=f"{name}: chunk at {_STREAMS} x {_PER_S}/s, p99", unit="ms", runs=p99))
        rows.append(Figure(name=f"{name}: CPU of a chunk", unit="us", runs=cpu))
    return rows


def _in_turn(engine: Target, relays: dict[str, Target], count: int) -> dict[str, list[float]]:
    """Times in ms of requests to the engine and through each relay, one of each in turn."""
    targets = {"engine": engine, **relays}
    times: dict[str, list[float]] = {name: [] for name in targets}
    with ExitStack() as stack:
        kept = {name: stack.enter_context(Kept(target)) for name, target in targets.items()}
        requests = {name: request_bytes(target, _CHAT) for name, target in targets.items()}
        for _ in range(count):
            for name, connection in kept.items():
                times[name].append(connection.timed_ms(requests[name]))
    return times
