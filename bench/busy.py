"""Owns how fast the real engine is beside other programs: as paddock starts it, against the way its library waits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from bench.figures import Figure
from bench.processes import Target, bare_engine, paddock
from bench.wire import Kept, request_bytes
from paddock.engine.pool import EMBEDDED
from paddock.models.catalog import BUNDLED

_WORDS = 600
_TOKENS = 200
_CONTEXT_TOKENS = 4096


@contextmanager
def _others(count: int) -> Generator[None]:
    """Programs that want a core each, all the time."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _rates(engine: Target, words: Iterator[str]) -> tuple[float, float]:
    """Tokens a second, read and written, of one request whose prompt no other had."""
    prompt = f"{next(words)} " * _WORDS
    body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": _TOKENS, "ignore_eos": True}
    with Kept(engine) as connection:
        timings = json.loads(connection.ask(request_bytes(engine, body)))["timings"]
    return timings["prompt_per_second"], timings["predicted_per_second"]


def busy(quick: bool) -> list[Figure]:
    """Tokens a second of the engine's threads that sleep soon, against those that spin as their library lets them."""
    cores = os.cpu_count() or 1
    words = iter(f"word{place}" for place in range(10_000))
    model = str(BUNDLED["pocket-v0"])
    flags = ["--model", model, "--alias", "pocket-v0", "--ctx-size", str(_CONTEXT_TOKENS), "--parallel", "1"]
    flags += ["--batch-size", "128", "--ubatch-size", "128"]
    rows: list[Figure] = []
    with paddock(context_tokens=_CONTEXT_TOKENS, slots=1) as served, bare_engine(EMBEDDED, *flags) as (_, spinning):
        for count, beside in ((0, "alone"), (cores, f"beside {cores} programs that want a core each")):
            with _others(count):
                pairs = [(_rates(served.engine, words), _rates(spinning, words)) for _ in range(2 if quick else 7)]
            for place, doing in ((0, "prompt read"), (1, "text written")):
                rows.append(
                    Figure(
                        name=f"real engine {beside}: {doing}",
                        unit="/s",
                        runs=tuple(mine[place] for mine, _ in pairs),
                        engine_runs=tuple(its[place] for _, its in pairs),
                        against="the same engine with its threads spinning as by default",
                        total=True,
                    )
                )
    return rows
