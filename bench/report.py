"""Owns how figures are shown: a table for the terminal and docs/benchmarks.md; measures nothing."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.figures import Figure

_LIBRARIES = ("xllamacpp", "uvicorn", "uvloop", "starlette", "aiohttp", "anyio")


def machine() -> str:
    """The machine in one line: processor, cores, memory, system, Python."""
    cores = psutil.cpu_count(logical=True)
    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {cores} cores, {memory_gib:.0f} GiB memory, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def libraries() -> str:
    """Versions of what the figures depend on."""
    return ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


class Others:
    """How much of the machine programs beside ours used since this was made."""

    def __init__(self) -> None:
        self._began_s, self._busy_s, self._own_s = time.monotonic(), _busy_s(), _own_s()

    def cores(self) -> float:
        """Cores used by others, on average. Ours are this process and its children that have ended."""
        others_s = (_busy_s() - self._busy_s) - (_own_s() - self._own_s)
        return max(0.0, others_s / (time.monotonic() - self._began_s))


def _busy_s() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def _own_s() -> float:
    return sum(os.times()[:4])


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value and abs(value) < 1:
        return f"{value:.3f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _goal(figure: Figure, unit: str) -> str:
    for sign, bound in (("<=", figure.goal), (">=", figure.least)):
        if bound is not None:
            return f"{sign} {number(bound)}{unit}: {figure.verdict}"
    return ""


def _cells(figure: Figure) -> list[str]:
    unit = f" {figure.unit}" if figure.unit else ""
    ratio = figure.ratio
    return [
        figure.name,
        f"{number(figure.median)}{unit}",
        f"{number(min(figure.runs))} to {number(max(figure.runs))}",
        _goal(figure, unit),
        "" if ratio is None else f"{number(ratio)} x",
        figure.against,
    ]


_HEADS = ["figure", "median", "runs", "goal", "ratio", "ratio to"]


def table(figures: Sequence[Figure]) -> str:
    """An aligned table for the terminal."""
    rows = [_HEADS, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _precedence() -> str:
    """Whether what was measured went before the other programs, as `chrt -r 10` lets it."""
    is_first = sys.platform == "linux" and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)
    return "; what was measured had real-time priority over them" if is_first else ""


def section(name: str, figures: Sequence[Figure], *, quick: bool, others_cores: float) -> str:
    """The section of one measurement: when and on what it was made, and its table."""
    rows = [_HEADS, ["---"] * len(_HEADS), *(_cells(figure) for figure in figures)]
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    short = ", with `--quick`, so few and short runs" if quick else ""
    return f"""## {name}

{datetime.now(UTC):%Y-%m-%d %H:%M} UTC{short}. {machine()}. {libraries()}.
Other programs used {others_cores:.2f} of the {os.cpu_count()} cores meanwhile{_precedence()}.

{lines}
"""


def sections_of(page: Path, names: Sequence[str]) -> dict[str, str]:
    """The sections of these measurements that a page holds, as they stand there."""
    found: dict[str, str] = {}
    for part in re.split(r"^(?=## )", page.read_text("utf-8"), flags=re.MULTILINE):
        title = part.partition("\n")[0].removeprefix("## ")
        if title in names:
            found[title] = part.rstrip() + "\n"
    return found


def page(sections: Sequence[str]) -> str:
    """The text of docs/benchmarks.md."""
    lines = "\n".join(sections)
    return f"""# Benchmarks

Written by `python3 dev.py bench`; do not edit. `bench --only NAME` renews a section and keeps the others.

The load generator, paddock and the engine are three processes on the same cores, so with few of them they take time
from one another. That is why every figure is taken beside the engine's own, in turn, in the same run, and why slow
outliers (p99) are the machine's as much as paddock's.

{lines}
## How to read it

- *median* is the middle of the runs, *runs* their least and most.
- *ratio* is the whole with paddock in it over the engine alone, in the same run; 1.00 x would be no cost at all.
- *Added* times are quantiles with paddock over the **median** of the engine asked directly in turn: hiccups of the
  machine count as paddock's.
- The *steady engine* is `bench/steady_engine.py`: it answers at once and streams on a clock, each frame with the time
  of its writing. The real engine is the bundled one with the bundled model.
- Paddock runs in a process of its own with uvloop, as `paddock serve` does, with compiled modules kept as an installer
  leaves them.
- Memory is resident memory, so the kernel's socket buffers are not in it.
- An idle slot after a client has left is read from the engine's log; to ask the engine would delay what is measured.
- The bundled model is so small that 16 streams of it are thousands of tokens a second, and an engine on every core
  works on all of them all the time: whatever else runs takes its time twice, as the engine's threads wait for one
  another. The row of a relay that does nothing else tells how little of that is to be had back (`bench/bare_relay.py`).
  On *one core* the engine leaves the other cores to paddock and the load generator.
- *fit*: memory held is what belongs to the engine's process, and the pages of files that it used once it was warm. The
  models are random weights of the named architecture; contexts are two slots of 4096 tokens in batches of 128, and of
  16384 in batches of 512.
- *swap*: room for one model, which the bundled one has at first; its engine is stopped within what is measured. The
  models are random weights in Q8_0 with a context of 1024 tokens, read once before, so that the disk is not measured.
- *recall*: room for one model, which the bundled one has before each of the two turns of a conversation. Files of slots
  are in the system's memory of files, as they are after a swap.
- *export*: a Mistral of 1.03e9 chance numbers in bf16, written as F16 without a certificate; one thread each. The
  time is the machine's as much as the program's where others work beside: that of processors says more there.
- The recorded requests of agents are those in `shared/client-requests`, their prose replaced by filler.
- LiteLLM's proxy runs in an environment of its own, with one worker, no key and no database, and reaches this machine
  alone.
"""
