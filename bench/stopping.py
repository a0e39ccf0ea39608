"""Owns how soon an engine is left and the real one is idle after a client has left, as the engines themselves tell it.

The engine is not asked (`/slots`): asking it more often than once a second keeps it from noticing a closed connection.
"""

from __future__ import annotations

import json
import queue
import socket
import subprocess
import threading
import time
from dataclasses import replace
from typing import Any

from bench.figures import Figure
from bench.processes import STEADY, Target, paddock
from bench.wire import Kept, connect, request_bytes

_PROMPT_TOKENS = 45_000
# The bundled model's tokenizer reads six digits and a blank one by one.
_TOKENS_A_NUMBER = 7
_MOST_S = 60.0
_CLOSED_GOAL_MS = 100.0


class _Told:
    """The engine's lines about ended tasks, read in a thread of their own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self._lines.put(json.loads(line))

    def forget(self) -> None:
        while not self._lines.empty():
            self._lines.get_nowait()

    def idle_s(self, since: float) -> float:
        """Seconds from `since` until the engine says that its task ended."""
        while True:
            told = self._lines.get(timeout=_MOST_S)
            if told["at_s"] > since and ("stop processing" in told["line"] or "release" in told["line"]):
                return told["at_s"] - since


def _leave(target: Target, body: dict[str, Any], after_s: float) -> float:
    """Send a request, close its connection after a time; the time of closing."""
    sock = connect(target)
    sock.sendall(request_bytes(target, body))
    # Whatever arrives until then is read, as a client does.
    sock.settimeout(0.2)
    end = time.monotonic() + after_s
    while time.monotonic() < end:
        try:
            if not sock.recv(65536):
                break
        except TimeoutError:
            continue
    sock.shutdown(socket.SHUT_RDWR)
    sock.close()
    return time.monotonic()


def stop(quick: bool) -> list[Figure]:
    """Time from a client's leaving to a closed connection to the engine, and to an idle slot.

    The slot's is taken within a 45,000-token prompt and while generating.
    """
    runs = 1 if quick else 3
    rows = [_closing(runs=2 if quick else 9, leaves=5 if quick else 20)]
    with paddock(tell=True, context_tokens=49152, slots=1) as served:
        told = _Told(served.told)
        for streamed in (True, False):
            for prompt, after_s in (("Count.", 1.0), (_long_prompt(), 1.0), *((_long_prompt(), 12.0),) * (not quick)):
                body = {"stream": streamed, "max_tokens": 12000, "ignore_eos": True}
                mine = _idle_ms(told, served.paddock, body, prompt, after_s, runs=runs)
                its = _idle_ms(told, served.engine, _as_sent(body), prompt, after_s, runs=runs)
                doing = (
                    f"after {after_s:.0f} s of a {_PROMPT_TOKENS}-token prompt"
                    if after_s > 1 or len(prompt) > 100
                    else "while it is written to"
                )
                rows.append(
                    Figure(
                        name=f"client leaves {doing}, {'streamed' if streamed else 'plain'}: slot idle",
                        unit="ms",
                        runs=mine,
                        engine_runs=its,
                        against="leaving the engine itself, with what paddock sends",
                        total=True,
                    )
                )
    return rows


def _closing(*, runs: int, leaves: int) -> Figure:
    """Time from a client's leaving a running stream to the end of paddock's connection to the engine, the slowest."""
    body = {"stream": True, "messages": [{"role": "user", "content": "hello"}], "bench": {"chunks": 10**6, "per_s": 50}}
    slowest_ms: list[float] = []
    with paddock(program=STEADY) as served:
        teller = replace(served.engine, path="/left")
        seen = 0
        for run in range(runs + 1):
            times_ms: list[float] = []
            for _ in range(leaves):
                left_s = _leave(served.paddock, body, 0.1)
                times_ms.append((_closed_s(teller, seen) - left_s) * 1000)
                seen += 1
            if run:  # The first round only warms up.
                slowest_ms.append(max(times_ms))
    return Figure(
        name=f"client leaves a running stream: connection to the engine closed, slowest of {leaves}",
        unit="ms",
        runs=(*slowest_ms,),
        goal=_CLOSED_GOAL_MS,
    )


def _closed_s(teller: Target, seen: int) -> float:
    """When the steady engine's connection number `seen` was closed under its stream. Raises TimeoutError if never."""
    end_s = time.monotonic() + _MOST_S
    while time.monotonic() < end_s:
        with Kept(teller) as kept:
            closed_s = json.loads(kept.ask(request_bytes(teller, {})))["left_s"]
        if len(closed_s) > seen:
            return float(closed_s[seen])
        time.sleep(0.005)
    raise TimeoutError(f"the engine's connection was not closed within {_MOST_S:.0f} s")


def _as_sent(body: dict[str, Any]) -> dict[str, Any]:
    """The body as paddock sends it on: a stream asks for progress, which lets the engine notice a closed connection."""
    return {**body, "return_progress": True} if body["stream"] else body


def _idle_ms(
    told: _Told, target: Target, body: dict[str, Any], prompt: str, after_s: float, *, runs: int
) -> tuple[float, ...]:
    """Milliseconds from leaving to an idle slot, run by run."""
    times: list[float] = []
    for run in range(runs):
        told.forget()
        # The engine looks once a second whether the client of a plain request is there; the runs spread over that.
        phase_s = (run + 0.5) / runs
        # A beginning of its own, so that no run finds its prompt in the engine's cache.
        content = f"{time.monotonic_ns()} {prompt}"
        left = _leave(target, {**body, "messages": [{"role": "user", "content": content}]}, after_s + phase_s)
        times.append(told.idle_s(left) * 1000)
    return (*times,)


def _long_prompt() -> str:
    """A text of about 45,000 tokens."""
    return " ".join(f"{n * 104729 % 10**6:06d}" for n in range(_PROMPT_TOKENS // _TOKENS_A_NUMBER))
