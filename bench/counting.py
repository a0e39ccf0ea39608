"""Owns what agents wait for between turns: counts of tokens, and how much of a second turn is read from the cache."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import Any

from bench import recorded
from bench.figures import Figure
from bench.processes import STEADY, Served, Target, paddock
from bench.wire import Kept, Lost, open_stream, request_bytes, until

_CONTEXT_TOKENS = 65536
_COUNT = "/v1/messages/count_tokens"
_COUNT_GOAL = 1.15
_AGAIN_GOAL_MS = 10.0
_CACHED_GOAL = 0.95
_AT_ONCE = 16
_PER_S = 100
_STREAM_S = 3
_SAID = {"messages": [{"role": "user", "content": "hello"}]}
_MORE = {"role": "user", "content": "Thank you. Say it once more."}
Body = dict[str, Any]
_CLAUDE = "Claude Code"


def counting(quick: bool) -> list[Figure]:
    """Time to count Claude Code's largest recorded request beside the engine's own route, and one message later.

    Also what many such counts at once do to a stream.
    """
    if not recorded.are_here():
        return []
    runs = 3 if quick else 40
    body = recorded.largest("claude-code")
    fresh: list[float] = []
    again: list[float] = []
    its: list[float] = []
    tokens = 0
    with paddock(context_tokens=_CONTEXT_TOKENS, slots=1) as served:
        sides = (replace(served.paddock, path=_COUNT), replace(served.engine, path=_COUNT))
        with Kept(sides[0]) as through, Kept(sides[1]) as straight:
            for run in range(runs + 1):
                asked = recorded.for_counting(body, f"{time.monotonic_ns()}")
                longer = {**asked, "messages": [*asked["messages"], _MORE]}
                ways = [(straight, sides[1], its), (through, sides[0], fresh)]
                # Which side is first changes, as the second one finds a warmer machine.
                for kept, side, times in ways if run % 2 else ways[::-1]:
                    times.append(kept.timed_ms(request_bytes(side, asked)))
                again.append(through.timed_ms(request_bytes(sides[0], longer)))
            tokens = int(json.loads(through.ask(request_bytes(sides[0], body)))["input_tokens"])
    del fresh[0], again[0], its[0]  # The first round only warms up.
    what = f"count of Claude Code's request of {tokens} tokens"
    shares = tuple(mine / engine for mine, engine in zip(fresh, its, strict=True))
    against = f"the engine's own {_COUNT}"
    return [
        Figure(name=what, unit="ms", runs=(*fresh,), engine_runs=(*its,), against=against, total=True),
        Figure(name=f"{what}: times the engine's own", unit="x", runs=shares, goal=_COUNT_GOAL),
        Figure(
            name=f"{what}, one message later",
            unit="ms",
            runs=(*again,),
            engine_runs=(*its,),
            against=f"{against}, which counts all again",
            total=True,
            goal=_AGAIN_GOAL_MS,
        ),
        _beside(body, runs=2 if quick else 9),
    ]


def _beside(body: Body, *, runs: int) -> Figure:
    """The longest gap of a steady stream while many counts run at once, and of the same stream alone.

    The engine is the steady one, which counts at no cost: the delay is what paddock's own part of the counts causes.
    """
    alone: list[float] = []
    beside: list[float] = []
    with paddock(program=STEADY) as served:
        counter = replace(served.paddock, path=_COUNT)
        for run in range(runs + 1):
            alone.append(_longest_gap_ms(served.paddock, []))
            asks = [
                request_bytes(counter, recorded.for_counting(body, f"{time.monotonic_ns()} {run} {place}"))
                for place in range(_AT_ONCE)
            ]
            beside.append(_longest_gap_ms(served.paddock, [(counter, ask) for ask in asks]))
    return Figure(
        name=f"stream of {_PER_S} chunks a second, {_AT_ONCE} counts at once beside it: longest gap",
        unit="ms",
        runs=(*beside[1:],),  # The first round only warms up.
        engine_runs=(*alone[1:],),
        against="the same stream alone",
        total=True,
    )


def _longest_gap_ms(target: Target, counts: list[tuple[Target, bytes]]) -> float:
    """Milliseconds of the longest gap between two reads of a steady stream, while these counts are asked for."""
    bench = {"chunks": _PER_S * _STREAM_S, "per_s": _PER_S}
    times: list[float] = []
    with closing(open_stream(target, {**_SAID, "bench": bench})) as sock, ThreadPoolExecutor(_AT_ONCE) as threads:
        until(sock, b"sent_s")
        asked = [threads.submit(_count_once, counter, ask) for counter, ask in counts]
        data = b""
        while b"[DONE]" not in data:
            data = sock.recv(65536)
            if not data:
                raise Lost("the stream broke off")
            times.append(time.perf_counter())
        for one in asked:
            one.result()
    return max(after - before for before, after in pairwise(times)) * 1000


def _count_once(counter: Target, ask: bytes) -> None:
    with Kept(counter) as kept:
        kept.ask(ask)


def prefixes(quick: bool) -> list[Figure]:
    """The share of a second turn's prompt that is read from the cache, for three recorded agents.

    With Claude Code its billing text is another one in each turn. Its figure stands beside the engine's own Messages
    given the same two turns, which is left out when `quick`, as both of them read the whole prompt.
    """
    if not recorded.are_here():
        return []
    rows: list[Figure] = []
    with paddock(context_tokens=_CONTEXT_TOKENS, slots=1) as served:
        rows += _claude(served, quick=quick)
        codex = _two_turns(
            replace(served.paddock, path="/v1/responses"), recorded.largest("codex-cli"), recorded.responses_next
        )
        rows.append(_share("Codex", codex))
        opencode = _two_turns(served.paddock, recorded.largest("opencode"), recorded.chat_next)
        rows.append(_share("opencode", opencode))
    return rows


def _claude(served: Served, *, quick: bool) -> list[Figure]:
    body = recorded.largest("claude-code")
    lane = "/v1/messages"
    billed = _two_turns(replace(served.paddock, path=lane), body, recorded.messages_next, recorded.with_billing)
    as_recorded = _two_turns(replace(served.paddock, path=lane), body, recorded.messages_next)
    rows = [_share(f"{_CLAUDE}, its billing text changed", billed), _share(f"{_CLAUDE}, as recorded", as_recorded)]
    if not quick:
        own = _two_turns(replace(served.engine, path=lane), body, recorded.messages_next, recorded.with_billing)
        against = f"the engine's own {lane}, the same two turns"
        rows[0] = replace(rows[0], engine_runs=(own[0] / own[1],), against=against, total=True)
    return rows


def _share(client: str, told: tuple[int, int]) -> Figure:
    cached, prompt = told
    name = f"second turn of {client}, {prompt} tokens: share read from the cache"
    return Figure(name=name, unit="", runs=(cached / prompt,), least=_CACHED_GOAL)


def _two_turns(
    target: Target,
    body: Body,
    go_on: Callable[[Body, Body], Body],
    vary: Callable[[Body, int], Body] = lambda body, _: body,
) -> tuple[int, int]:
    """(cached, all) prompt tokens of the second turn of a conversation that begins with `body`."""
    turn = recorded.opened(body)
    told = (0, 0)
    for number in (1, 2):
        with Kept(target) as kept:
            began = time.monotonic()
            answer: Body = json.loads(kept.ask(request_bytes(target, vary(turn, number))))
        told = _cached(answer["usage"])
        took_s = time.monotonic() - began
        words = f"  {target.path}, turn {number}: {told[0]} of {told[1]} tokens cached, {took_s:.1f} s"
        print(words, file=sys.stderr, flush=True)
        turn = go_on(turn, answer)
    return told


def _cached(usage: Body) -> tuple[int, int]:
    """(cached, all) prompt tokens, in whichever dialect they are told."""
    if "cache_read_input_tokens" in usage:
        cached = int(usage["cache_read_input_tokens"])
        return cached, cached + int(usage["input_tokens"]) + int(usage.get("cache_creation_input_tokens") or 0)
    details: Body = usage.get("input_tokens_details") or usage.get("prompt_tokens_details") or {}
    return int(details.get("cached_tokens") or 0), int(usage.get("input_tokens") or usage["prompt_tokens"])
