"""Owns how quick the page is: every row of its targets, on an installed wheel in a browser without a window.

The engine is the scripted one, on a clock; browser, paddock and engine share the machine, and the browser draws without
a graphics card.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

from bench.figures import Figure, quantile
from bench.page_charts import WORKER, charts
from bench.page_sizes import sizes
from bench.page_words import frames, long_text
from paddock.api.page import PATHS
from tests.page import rig
from tests.page.rig import Served

ROOT = Path(__file__).resolve().parents[1]
_PROBE = Path(__file__).with_name("page_probe.js").read_text("utf-8")
_LANE = "/v1/chat/completions"
_RATE = 200.0
_SIDE_RATE = 100.0
_MANY = 1000
_HANG_GUARD_MS = 180_000
_SETTLED_MS = 1500
_ROUTES = [path for path in PATHS if "{" not in path]


@dataclass(kw_only=True)
class Stage:
    """What all measurements share: a browser, and paddock before the scripted engine with two models."""

    browser: Browser
    studio: Served
    quick: bool

    def times(self, many: int) -> int:
        """How many runs a figure has."""
        return 1 if self.quick else many

    @contextmanager
    def tab(self, kept: BrowserContext | None = None) -> Generator[Page]:
        """A page with the probe in it; in a fresh profile unless `kept` is one."""
        profile = kept or profile_of(self.browser)
        page = profile.new_page()
        page.set_default_timeout(_HANG_GUARD_MS)
        try:
            yield page
        finally:
            page.close()
            if kept is None:
                profile.close()

    def says(self, text: Sequence[str], per_s: float) -> None:
        """What the engine says from now on."""
        answer = {"chunks": frames(text, per_s)}
        self.studio.script({"routes": {_LANE: [answer]}})


def profile_of(browser: Browser) -> BrowserContext:
    """A fresh profile, past its tour, whose pages are probed."""
    profile = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    done = '{"state":{"isTourDone":true},"version":0}'
    profile.add_init_script(f"localStorage['paddock.preferences'] ||= '{done}'; {_PROBE}")
    return profile


def page(quick: bool) -> list[Figure]:
    """Every target of the page."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = rig.installed(Path(folder, "wheel"))
        home = Path(folder, "home")
        second = _second_model(Path(folder, "models"))
        home.mkdir()
        engine = [sys.executable, str(ROOT / "tests" / "fakes" / "scripted_engine.py")]
        with (
            rig.served(wheel, home, engine, worker=WORKER, model_folders=str(second)) as studio,
            rig.browser() as browser,
        ):
            studio.ask("/api/models/pocket-v0/load", {})
            stage = Stage(browser=browser, studio=studio, quick=quick)
            rows = [*_opening(stage), *sizes(wheel), *_streaming(stage)]
            rows += [*_long_thread(stage), *_sending(stage), *_side_by_side(stage), *_faults(stage)]
            with stage.tab() as tab:
                return [*rows, *charts(tab, studio, Path(folder, "base"), stage.times(3))]


def _second_model(folder: Path) -> Path:
    """A folder with the bundled model once more, with other bytes."""
    from paddock.models.catalog import BUNDLED

    folder.mkdir()
    changed = bytearray(BUNDLED["pocket-v0"].read_bytes())
    changed[-1] ^= 1
    (folder / "second.gguf").write_bytes(changed)
    return folder


def _opening(stage: Stage) -> list[Figure]:
    cold_ms: list[float] = []
    warm_ms: list[float] = []
    first_ms: list[float] = []
    for _ in range(stage.times(7)):
        profile = profile_of(stage.browser)
        for kept in (cold_ms, warm_ms):
            with stage.tab(profile) as page:
                # A new window of the browser has things of its own to load first.
                page.wait_for_timeout(_SETTLED_MS)
                page.goto(stage.studio.url)
                kept.append(page.evaluate(_USABLE))
                if kept is cold_ms:
                    first_ms.append(page.evaluate(_FIRST_PAINT))
        profile.close()
    return [
        _figure("page opens, cold: composer usable", "ms", cold_ms, goal=1000),
        _figure("page opens, warm: composer usable", "ms", warm_ms, goal=500),
        _figure("page opens, cold: first contentful paint", "ms", first_ms, goal=800),
    ]


def _thread(stage: Stage, count: int) -> str:
    """A chat of so many messages, Markdown among them; its id."""
    chat = stage.studio.ask("/api/chats", {"title": f"{count} messages"})["id"]
    parent = None
    pieces = long_text(400)
    for place in range(count):
        text = "".join(pieces) if place % 2 else f"Question {place}: how is it done?"
        body = {"parent_id": parent, "role": "assistant" if place % 2 else "user", "content": text}
        parent = stage.studio.ask(f"/api/chats/{chat}/messages", body)["id"]
    return chat


@dataclass(frozen=True, kw_only=True)
class Stream:
    """How one answer was shown. `busy_ms` is the main thread's, a token."""

    frames_ms: list[float]
    tasks_ms: list[float]
    shown: float
    busy_ms: float
    growth_mib: float
    shift: float


def _stream(stage: Stage, chat: str | None, seconds: float) -> Stream:
    """One long answer of Markdown at the full rate, in an empty chat or at the end of one."""
    text = long_text(int(seconds * _RATE))
    stage.says(text, _RATE)
    with stage.tab() as page:
        page.goto(stage.studio.url + (f"/chat/{chat}" if chat else "/"))
        if chat:
            page.locator("[data-message]").last.wait_for()
        page.locator("[data-composer]").fill("Tell me all of it.")
        page.wait_for_timeout(1500)
        spy = page.context.new_cdp_session(page)
        spy.send("Performance.enable")
        before = _heap_mib(spy)
        began_s = _busy_s(spy)
        page.evaluate("() => { probe.tasks.length = 0; probe.frames = []; }")
        page.locator("[data-composer]").press("Enter")
        page.evaluate("probe.until(() => probe.text().length > 3)")
        first_s = time.monotonic()
        page.wait_for_timeout(seconds * 1000 - 2000)
        now_s, length = time.monotonic(), page.evaluate("probe.text().length")
        page.evaluate("probe.until(() => probe.answer().dataset.status === 'complete')")
        took_s, whole = time.monotonic() - first_s, page.evaluate("probe.text().length")
        told = page.evaluate("({ frames: probe.frames, tasks: probe.tasks.map(([, ms]) => ms), shift: probe.shift })")
        return Stream(
            frames_ms=told["frames"],
            tasks_ms=told["tasks"],
            # Against an even flow over the answer's own time, which the engine's clock gives.
            shown=100 * (length / whole) / ((now_s - first_s) / took_s),
            busy_ms=1000 * (_busy_s(spy) - began_s) / len(text),
            growth_mib=_heap_mib(spy) - before,
            shift=told["shift"],
        )


_USABLE = "probe.until(() => probe.usable_ms)"
# Told a moment after it was.
_FIRST_PAINT = "probe.until(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime)"


def _heap_mib(spy: CDPSession) -> float:
    """Memory of the page's script after its garbage is collected."""
    spy.send("HeapProfiler.collectGarbage")
    return _metric(spy, "JSHeapUsedSize") / 2**20


def _busy_s(spy: CDPSession) -> float:
    return _metric(spy, "TaskDuration")


def _metric(spy: CDPSession, name: str) -> float:
    return next(one["value"] for one in spy.send("Performance.getMetrics")["metrics"] if one["name"] == name)


def _streaming(stage: Stage) -> list[Figure]:
    long = [_stream(stage, None, 10.0 if stage.quick else 60.0) for _ in range(stage.times(3))]
    chat = _thread(stage, _MANY)
    pairs = [(_stream(stage, None, 15.0), _stream(stage, chat, 15.0)) for _ in range(stage.times(3))]
    apart = [100 * abs(many.busy_ms / none.busy_ms - 1) for none, many in pairs]
    what = f"{_RATE:.0f} tokens/s of Markdown for {10 if stage.quick else 60} s"
    return [
        _figure(f"{what}: frames, p95", "ms", [quantile(one.frames_ms, 0.95) for one in long], goal=17),
        _figure(f"{what}: frames, p99", "ms", [quantile(one.frames_ms, 0.99) for one in long], goal=34),
        _figure(f"{what}: longest task", "ms", [max(one.tasks_ms, default=0.0) for one in long], goal=100),
        _figure(f"{what}: shown of what was sent", "%", [one.shown for one in long], least=98),
        _figure(f"{what}: growth of the page's memory", "MiB", [one.growth_mib for one in long], goal=50),
        _figure(f"{what}: layout shift (CLS)", "", [one.shift for one in long], goal=0.1),
        _figure(f"cost of a token with {_MANY} messages before it, apart from with none", "%", apart, goal=20),
    ]


def _long_thread(stage: Stage) -> list[Figure]:
    chat = _thread(stage, _MANY)
    opens_ms: list[float] = []
    nodes: list[float] = []
    keys_ms: list[float] = []
    slowest_ms: list[float] = []
    for _ in range(stage.times(5)):
        profile = profile_of(stage.browser)
        with stage.tab(profile) as page:
            page.goto(stage.studio.url)
            page.evaluate(_USABLE)
        with stage.tab(profile) as page:
            page.wait_for_timeout(_SETTLED_MS)
            page.goto(f"{stage.studio.url}/chat/{chat}", wait_until="commit")
            opens_ms.append(page.evaluate(
                "probe.seen(() => document.querySelectorAll('[data-message] .rich').length > 1)"
                ".then((at) => at - performance.timeOrigin)"))  # fmt: skip
            page.wait_for_timeout(1000)
            nodes.append(page.evaluate("document.querySelectorAll('*').length"))
            page.locator("[data-composer]").press_sequentially("How is it done then, in a few words?", delay=40)
            page.wait_for_timeout(300)
            keys_ms.append(quantile(page.evaluate("probe.keys"), 0.95))
            page.locator("[data-sidebar-toggle], header button, nav button").first.click()
            page.wait_for_timeout(300)
            slowest_ms.append(page.evaluate("probe.slowest_ms"))
        profile.close()
    what = f"{_MANY} messages"
    return [
        _figure(f"{what}: open, with Markdown shown", "ms", opens_ms, goal=1000),
        _figure(f"{what}: nodes of the document", "", nodes, goal=5000),
        _figure(f"{what}: key to paint, p95", "ms", keys_ms, goal=50),
        _figure(f"{what}: slowest interaction (INP)", "ms", slowest_ms, goal=200),
    ]


def _sending(stage: Stage) -> list[Figure]:
    user_ms: list[float] = []
    token_ms: list[float] = []
    stage.says(["Hello", " there."], 0.0)
    for _ in range(stage.times(7)):
        with stage.tab() as page:
            page.goto(stage.studio.url)
            page.locator("[data-composer]").fill("Hello?")
            page.wait_for_timeout(1000)
            page.evaluate("""() => {
                const said = (role) => document.querySelector(`[data-role=${role}] [data-content]`)?.textContent;
                probe.user = probe.seen(() => said("user"));
                probe.token = probe.seen(() => said("assistant")?.includes("Hello"));
            }""")
            page.locator("[data-composer]").press("Enter")
            user_ms.append(page.evaluate("probe.user.then((at) => at - probe.entered)"))
            seen_s = page.evaluate("probe.token") / 1000
            token_ms.append(1000 * (seen_s - _answered_s(stage)))
    return [
        _figure("Enter: own message on the screen", "ms", user_ms, goal=50),
        _figure("first token: from the engine to the screen", "ms", token_ms, goal=100),
    ]


def _answered_s(stage: Stage) -> float:
    """When the engine began its last answer, in seconds since 1970."""
    with urlopen(f"http://127.0.0.1:{stage.studio.engine_port()}/__record", timeout=30) as told:
        seen = [one for one in json.loads(told.read())["requests"] if one["path"] == _LANE]
    return seen[-1]["answered_s"] + time.time() - time.monotonic()


def _side_by_side(stage: Stage) -> list[Figure]:
    seconds = 5.0 if stage.quick else 20.0
    stage.studio.ask("/api/models/second/load", {})
    stage.says(long_text(int(seconds * _SIDE_RATE)), _SIDE_RATE)
    slow_ms: list[float] = []
    for _ in range(stage.times(3)):
        with stage.tab() as page:
            page.goto(stage.studio.url)
            picker = page.locator("[data-model-picker]")
            picker.click()
            page.get_by_role("menuitemradio", name="pocket-v0").click()
            picker.click()
            page.get_by_role("menuitemcheckbox", name="second").click()
            page.keyboard.press("Escape")
            page.locator("[data-composer]").fill("Tell me all of it.")
            page.locator("[data-composer]").press("Enter")
            page.evaluate(
                "probe.until(() => [...document.querySelectorAll('[data-comparison] [data-content]')]"
                ".filter((one) => one.textContent).length > 1)"
            )
            page.evaluate("() => { probe.frames = []; }")
            page.wait_for_timeout(seconds * 1000 - 3000)
            slow_ms.append(quantile(page.evaluate("probe.frames"), 0.95))
    return [_figure(f"two answers side by side at {_SIDE_RATE:.0f} tokens/s each: frames, p95", "ms", slow_ms, goal=20)]


def _faults(stage: Stage) -> list[Figure]:
    """What axe, the console and the network say of every place, in both themes."""
    barriers = 0
    faults: list[str] = []
    for theme in ("light", "dark"):
        with rig.tab(stage.browser, stage.studio.url, color_scheme=theme) as tab:
            for path in _ROUTES:
                tab.open(path)
                tab.page.locator("h1, [data-composer]").first.wait_for()
                barriers += len(tab.axe())
            faults += tab.faults
            tab.faults.clear()
    away = [fault for fault in faults if "left the host" in fault]
    return [
        _figure("violations that axe finds, all places, both themes", "", [barriers], goal=0),
        _figure("errors on the console", "", [len(faults) - len(away)], goal=0),
        _figure("requests that leave the host", "", [len(away)], goal=0),
    ]


def _figure(
    name: str, unit: str, runs: Sequence[float], *, goal: float | None = None, least: float | None = None
) -> Figure:
    return Figure(name=name, unit=unit, runs=tuple(runs), total=True, goal=goal, least=least)
