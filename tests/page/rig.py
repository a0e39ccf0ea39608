"""Owns the stage of the page's tests: an installed wheel, a paddock of it, a browser; judges cleanness alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from playwright.sync_api import Request as Fetched

ROOT = Path(__file__).resolve().parents[2]
SCREENS = ROOT / "build" / "screens"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
# A guard against hanging, not a measure of speed.
_PATIENCE_MS = 20_000
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}


def chromium() -> str:
    """The browser's program. One that is missing fails the tests: a suite that is left out must not read as a pass."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("PADDOCK_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    assert found, "There is no Chromium. Install it (Debian: apt install chromium) or set PADDOCK_CHROMIUM to its path."
    return found


def installed(folder: Path) -> Path:
    """A folder with paddock as its wheel holds it, made of the present tree."""
    words = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "-w",
        str(folder),
        ".",
    ]
    subprocess.run(words, cwd=ROOT, check=True)
    (wheel,) = folder.glob("paddock-*.whl")
    place = folder / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place)
    return place


@dataclass(frozen=True, kw_only=True)
class Served:
    """A paddock that was started of the wheel. `process` may be killed and another be started on the same home."""

    url: str
    home: Path
    process: subprocess.Popen[str]
    link: str | None = None

    def engine_port(self) -> int:
        """The port of the one engine that is loaded."""
        (port,) = self.engine_ports()
        return port

    def engine_ports(self) -> list[int]:
        """The ports of the engines that are loaded."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("engine\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["ports"]

    def script(self, script: Any, *, port: int | None = None) -> None:
        """Give the scripted engines a new script, or that of a port alone; its turns begin again."""
        for one in self.engine_ports() if port is None else [port]:
            self._post(f"http://127.0.0.1:{one}/__script", script)

    def ask(self, path: str, body: Any) -> Any:
        """POST JSON to paddock, as another client would."""
        return self._post(self.url + path, body)

    @staticmethod
    def _post(url: str, body: Any) -> Any:
        request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextmanager
def served(
    wheel: Path,
    home: Path,
    engine: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    worker: Sequence[str] | None = None,
    **settings: Any,
) -> Generator[Served]:
    """Paddock of the wheel on a port of its own; `engine` are words that start an engine in place of the real one.

    `worker` are those of a training's worker in place of the training stack's.

    `environ` joins this program's own, such as the address of a hub.
    """
    start = {
        "settings": {"port": 0, "scan_others": False, **settings},
        "engine": list(engine) if engine else None,
        "worker": list(worker) if worker else None,
    }
    environment = {**os.environ, "PYTHONPATH": str(wheel), "PADDOCK_HOME": str(home), **(environ or {})}
    words = [sys.executable, str(Path(__file__).with_name("serve.py")), json.dumps(start)]
    with subprocess.Popen(
        words, env=environment, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        said = process.stdout.readline()
        assert said, "paddock did not start; its own words stand above."
        try:
            told = json.loads(said)
            yield Served(url=told["url"], home=home, process=process, link=told["link"])
        finally:
            process.stdin.close()
            process.wait(30)


@contextmanager
def browser() -> Generator[Browser]:
    """Chromium without a window."""
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield opened
        finally:
            opened.close()


@dataclass(kw_only=True)
class Tab:
    """One page in a profile of its own, and what is wrong with it so far."""

    page: Page
    url: str
    context: BrowserContext
    faults: list[str] = field(default_factory=list[str])
    # What a test expects the console to say, such as a refusal that it provokes.
    expected: list[str] = field(default_factory=list[str])

    def open(self, path: str = "/") -> None:
        """Go to a place of the page, and wait until the page is there: what is pressed before that is nobody's."""
        self.page.goto(self.url + path)
        self.page.locator("main").first.wait_for()

    def watch(self, page: Page) -> None:
        """Note console errors, exceptions and requests that leave the host, of one more page too."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("request", self._asked)

    def shoot(self, name: str) -> None:
        """Write a screenshot to build/screens, to be looked at."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"{name}.png")

    def theme(self, theme: str) -> None:
        """Wear a theme from the next load on."""
        self.prefer(theme=theme)

    def prefer(self, **preferences: str) -> None:
        """Have preferences from the next load on."""
        self.page.evaluate(
            """preferences => {
                const kept = JSON.parse(localStorage.getItem('paddock.preferences') || '{"state":{},"version":0}');
                Object.assign(kept.state, preferences);
                localStorage.setItem('paddock.preferences', JSON.stringify(kept));
            }""",
            preferences,
        )

    def axe(self) -> list[str]:
        """What axe finds against WCAG 2.1 A and AA, a line each."""
        self.page.evaluate(_AXE.read_text("utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate(
            "async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})).violations"
        )
        return [f"{one['id']}: {one['help']}: {node['target']}" for one in found for node in one["nodes"]]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(re.search(words, message.text) for words in self.expected):
            self.faults.append(f"console: {message.text} {message.location['url']}")

    def _asked(self, request: Fetched) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"a request left the host: {request.url}")


@contextmanager
def tab(opened: Browser, url: str, *, is_new: bool = False, **context: Any) -> Generator[Tab]:
    """A page in a fresh profile, in English, past its tour unless `is_new`; fails if anything was wrong with it."""
    settings: dict[str, Any] = {"viewport": DESK, "locale": "en-GB", **context}
    profile = opened.new_context(**settings)
    profile.set_default_timeout(_PATIENCE_MS)
    if not is_new:
        kept = json.dumps({"state": {"isTourDone": True}, "version": 0})
        profile.add_init_script(
            f"localStorage.getItem('paddock.preferences') || localStorage.setItem('paddock.preferences', {kept!r})"
        )
    page = profile.new_page()
    made = Tab(page=page, url=url, context=profile)
    made.watch(page)
    try:
        yield made
    finally:
        profile.close()
    assert not made.faults, "\n".join(made.faults)
