"""Owns the stage of the tests of a killed server: its home, its hub, its process and what that leaves; no judge."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil

from tests.fakes.hub import Hub, environment
from tests.fakes.scripted_llama_server import lay_out
from tests.journeys.killed.ledger import Refused

Engine = Literal["scripted", "embedded"]
WAIT_S = 60.0
# What a killed server leaves running ends by then; a transfer takes longer.
ORPHANED_S, TRANSFER_S = 10.0, 14.0
# What the scripted engine says in each answer.
COUNTED = tuple(range(24))
_MARK = "KILLED_SERVER"
_WORDS = ("--port=0", "--require-login", "--threads=1", "--slots=2", "--context-tokens=8192", "--record")


@dataclass(kw_only=True)
class Stage:
    """What outlives each server: the folder with its data home, the hub's cache and temporary files."""

    folder: Path
    hub: Hub
    database_url: str = ""
    starts: int = 0
    cookie: str = ""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def scratch(self) -> Path:
        """Where the system lets programs put what is temporary."""
        return self.folder / "tmp"

    @property
    def environ(self) -> dict[str, str]:
        more = {"HF_ENDPOINT": self.hub.endpoint, "HF_HUB_DOWNLOAD_TIMEOUT": "5", "TMPDIR": str(self.scratch)}
        more |= {"PADDOCK_DATABASE_URL": self.database_url, "PADDOCK_SCAN_OTHERS": "0", _MARK: self.mark}
        return environment(self.folder, **more)

    @property
    def mark(self) -> str:
        """What the present server and all that it starts are known by."""
        return f"{self.folder} {self.starts}"

    def ready(self) -> None:
        """Make the folders and the scripted build."""
        self.scratch.mkdir(parents=True)
        lay_out(self.folder / "scripted", {"counts_to": len(COUNTED), "pieces_per_s": 20})

    @contextmanager
    def server(self, engine: Engine) -> Generator[Server]:
        """Start `paddock serve`, and wait for nothing; it does not outlive the block."""
        self.starts += 1
        build = self.folder / "scripted" / "build" / "bin" / "llama-server"
        log = self.folder / f"log-{self.starts}.txt"
        chosen = build if engine == "scripted" else engine
        words = [sys.executable, "-m", "paddock", "serve", *_WORDS, f"--engine={chosen}"]
        with (
            log.open("wb") as stderr,
            subprocess.Popen(words, env=self.environ, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
        ):
            server = Server(stage=self, process=process, engine=engine, log=log, mark=self.mark)
            try:
                yield server
            finally:
                server.kill()

    def command(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """A command of paddock on this home, as a person types it."""
        command = [sys.executable, "-m", "paddock", *words]
        environ = {**self.environ, _MARK: "none"}
        return subprocess.run(
            command, env=environ, input=typed, capture_output=True, text=True, timeout=WAIT_S, check=False
        )


@dataclass(kw_only=True)
class Server:
    """One `paddock serve`."""

    stage: Stage
    process: subprocess.Popen[str]
    engine: Engine
    log: Path
    mark: str
    url: str = ""
    is_killed: threading.Event = field(default_factory=threading.Event)

    def await_ready(self) -> None:
        """Wait until it serves; without a word it is an AssertionError with its log."""
        assert self.process.stdout is not None
        watchdog = threading.Timer(WAIT_S, self.process.kill)
        watchdog.start()
        self.url = self.process.stdout.readline().strip()
        watchdog.cancel()
        assert self.url.startswith("http"), self.said()

    def said(self) -> str:
        """What it printed to stderr."""
        return self.log.read_text("utf-8")

    @property
    def first_link(self) -> str:
        """The word of the link by which the first admin comes in."""
        found = re.search(r"/welcome#(\S+)", self.said())
        return found[1] if found else ""

    @contextmanager
    def client(self, cookie: str | None = None) -> Generator[httpx.Client]:
        """A browser that is signed in, as the admin unless told otherwise."""
        cookie = self.stage.cookie if cookie is None else cookie
        headers = {"origin": self.url, **({"cookie": f"paddock-session={cookie}"} if cookie else {})}
        with httpx.Client(base_url=self.url, trust_env=False, timeout=WAIT_S, headers=headers) as http:
            yield http

    def kill(self) -> None:
        """SIGKILL to it alone, and wait until it is gone."""
        self.is_killed.set()
        self.process.kill()
        self.process.wait(WAIT_S)

    def left(self) -> list[str]:
        """Its processes that still run."""
        found: list[str] = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MARK) == self.mark:
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
            except psutil.Error:
                continue
        return found

    def last_process_s(self) -> float:
        """Wait until all that it started has ended; seconds from now, or AssertionError."""
        began_s = time.monotonic()
        while left := self.left():
            assert time.monotonic() - began_s < ORPHANED_S, left
            time.sleep(0.02)
        return time.monotonic() - began_s


def sent(http: httpx.Client, method: str, path: str, json: Any = None, **more: Any) -> Any:
    """The JSON of an answer. Raises Refused for a status of 400 and above."""
    answer = http.request(method, path, json=json, **more)
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        raise Refused(answer.status_code, f"{method} {path}: {answer.text}")
    return answer.json()


def cookie_of(answer: httpx.Response) -> str:
    """The session that an answer begins."""
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.headers["set-cookie"].split("=", 1)[1].split(";")[0]
