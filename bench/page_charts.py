"""Owns how quick the page's charts are: a training of 100,000 steps is opened, drawn anew, and grows.

Its worker is the scripted one; its events go the whole way, through database, stream and page.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import Page

from bench.figures import Figure, quantile
from tests.page.rig import Served

WORKER = [sys.executable, "-P", "-s", str(Path(__file__).parents[1] / "tests" / "fakes" / "scripted_worker.py")]
_STEPS = 100_000
_PER_S = 100
_LIVE_S = 300
_WINDOW_S = 5
_HANG_GUARD_S = 180


def charts(page: Page, studio: Served, folder: Path, times: int) -> list[Figure]:
    """The rows of charts: `times` windows of frames, and four draws for each."""
    job = studio.ask("/api/training", _training(folder))["id"]
    _until_told(studio, job)
    begun_s = time.monotonic()
    page.goto(f"{studio.url}/training/{job}")
    page.evaluate(f"probe.until(() => Number({_SHOWN}) >= {_STEPS})")
    opened_ms = 1000 * (time.monotonic() - begun_s)
    page.wait_for_timeout(1000)
    slow_ms: list[float] = []
    before = int(page.evaluate(_SHOWN))
    for _ in range(times):
        page.evaluate("() => { probe.frames = []; }")
        page.wait_for_timeout(1000 * _WINDOW_S)
        slow_ms.append(quantile(page.evaluate("probe.frames"), 0.95))
    grew = int(page.evaluate(_SHOWN)) - before
    studio.ask(f"/api/training/{job}/cancel", {})
    page.get_by_role("main").get_by_text("cancelled", exact=True).wait_for()
    draws_ms = [float(page.evaluate(_DRAWN, 600 + place)) for place in range(4 * times)]
    what = f"chart of {_STEPS:,} steps"
    growing = f"{what}, and {_PER_S} more a second"
    return [
        Figure(name=f"{what}: opened and drawn", unit="ms", runs=(opened_ms,), total=True),
        Figure(name=f"{what}: drawn anew", unit="ms", runs=tuple(draws_ms), total=True, goal=100),
        Figure(name=f"{growing}: frames, p95", unit="ms", runs=tuple(slow_ms), total=True, goal=17),
        # The worker's pace is in it, which waits a little longer than it is told to.
        Figure(name=f"{growing}: drawn of them", unit="steps/s", runs=(grew / (times * _WINDOW_S),), total=True),
    ]


# The steps that are drawn: the picture's name tells them.
_SHOWN = (
    "(document.querySelector('figure [role=img]')?.ariaLabel.match(/over ([0-9,]+) steps/)?.[1] ?? '0')"
    ".replaceAll(',', '')"
)
# A new width has all of it drawn anew; what was drawn is on the screen when that is told.
_DRAWN = """async (width) => {
    await probe.painted();
    const began = performance.now();
    document.querySelector('figure > div').style.width = `${width}px`;
    await probe.painted();
    return performance.now() - began;
}"""


def _step(number: int) -> dict[str, Any]:
    loss = 3 * math.exp(-number / 30_000) + (number * 7919 % 1000) / 1000
    return {
        "tell": "step", "step": number, "loss": round(loss, 6), "learning_rate": 1e-4, "gradient": 1.5,
        "tokens_per_s": 800.0, "memory_bytes": 2**30,
    }  # fmt: skip


def _training(folder: Path) -> dict[str, Any]:
    """A training that tells of all those steps at once, with held-out rows among them, and goes on at its pace."""
    last = _STEPS + _PER_S * _LIVE_S
    acts: list[dict[str, Any]] = [{"tell": "begins", "steps": last, "step": 0}]
    for number in range(1, _STEPS + 1):
        acts.append(_step(number))
        if number % 1000 == 0:
            acts.append({"tell": "eval", "step": number, "loss": round(3 * math.exp(-number / 30_000) + 0.5, 6)})
    acts.extend({**_step(number), "wait_s": 1 / _PER_S} for number in range(_STEPS + 1, last + 1))
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "script.json").write_text(json.dumps([*acts, {"until_wished": True}]))
    rows = folder / "rows.jsonl"
    rows.write_text(json.dumps({"messages": [
        {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"},
    ]}) + "\n")  # fmt: skip
    return {"spec": {"base": str(folder), "data": str(rows), "dry_run": "no"}, "name": "long"}


def _until_told(studio: Served, job: str) -> None:
    deadline = time.monotonic() + _HANG_GUARD_S
    while True:
        with urlopen(f"{studio.url}/api/training/{job}", timeout=60) as answer:
            told = json.loads(answer.read())
        if told["figures"].get("step", 0) >= _STEPS:
            return
        if told["error"] or time.monotonic() > deadline:
            raise RuntimeError(
                f"The training is {told['state']} at step {told['figures'].get('step', 0)}: {told['error']}"
            )
        time.sleep(0.2)
