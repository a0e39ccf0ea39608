"""Tests stopping paddock by the system's signals: what may finish, what is told to the rest, and that it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.wire.rig import CHAT, HANG_GUARD_S, USER, engine_program
from tests.wire.test_store_faults import held

pytestmark = pytest.mark.attack("damage")
# The server of the command line, before a scripted engine.
SERVER = """
import json, sys
from paddock import app
from paddock.config import load
app._engine_program = lambda settings: sys.argv[2:]
app.serve(load(json.loads(sys.argv[1])), lambda studio, other: print(studio.url, flush=True))
"""
# Far beyond what any of this takes, and far less than the grace that is cut short.
LONG_S = 600.0
ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [USER], "stream": True},
    "/v1/completions": {"prompt": "Hello", "stream": True},
    "/v1/responses": {"input": "Hello", "stream": True},
    "/v1/messages": {"messages": [USER], "max_tokens": 9999, "stream": True},
}
WHOLE = {
    CHAT: b"data: [DONE]",
    "/v1/completions": b"data: [DONE]",
    "/v1/responses": b"event: response.completed",
    "/v1/messages": b"event: message_stop",
}
TOLD = {
    CHAT: b'data: {"error"',
    "/v1/completions": b'data: {"error"',
    "/v1/responses": b"event: response.failed",
    "/v1/messages": b"event: error",
}


@dataclass(kw_only=True)
class Paddock:
    process: subprocess.Popen[str]
    url: str
    complaints: Path

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        return self.process.wait(HANG_GUARD_S)


@dataclass(kw_only=True)
class Asked:
    """A request in a thread of its own, what came of it and when."""

    thread: threading.Thread = field(default_factory=threading.Thread)
    begun: threading.Event = field(default_factory=threading.Event)
    got: bytearray = field(default_factory=bytearray)
    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)


@contextmanager
def serving(folder: Path, answer: dict[str, Any], *, is_stubborn: bool = False, **flags: Any) -> Generator[Paddock]:
    """A paddock whose engine gives that answer to everything."""
    routes = {path: [answer] for path in (CHAT, "/v1/completions")} if answer else {}
    script: Any = {"routes": routes, "start": {"stubborn": is_stubborn}}
    settings = {"port": 0, "scan_others": False, **flags}
    words = [sys.executable, "-c", SERVER, json.dumps(settings), *engine_program(folder, script)]
    complaints = folder / "complaints.txt"
    environment = {**os.environ, "PADDOCK_HOME": str(folder / "home")}
    with (
        complaints.open("wb") as stderr,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=stderr, env=environment, text=True) as process,
    ):
        try:
            assert process.stdout
            yield Paddock(process=process, url=process.stdout.readline().strip(), complaints=complaints)
        finally:
            process.kill()


def asked(paddock: Paddock, path: str, body: Any) -> Asked:
    one = Asked()

    def ask() -> None:
        with httpx.stream("POST", f"{paddock.url}{path}", json=body, timeout=HANG_GUARD_S, trust_env=False) as answer:
            one.status, one.headers = answer.status_code, answer.headers
            for chunk in answer.iter_raw():
                one.got.extend(chunk)
                if b"data:" in one.got:
                    one.begun.set()
        one.begun.set()

    one.thread = threading.Thread(target=ask)
    one.thread.start()
    return one


@pytest.mark.parametrize("path", ASKED)
def test_what_ends_within_the_grace_is_whole(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, {"generate": {"chunks": 60, "per_s": 20}}, shutdown_grace_s=LONG_S) as paddock:
        one = asked(paddock, path, ASKED[path])
        assert one.begun.wait(HANG_GUARD_S)
        paddock.stop()
        one.thread.join(HANG_GUARD_S)
        assert WHOLE[path] in one.got
        assert TOLD[path] not in one.got
        assert paddock.ended() == 0


@pytest.mark.parametrize("path", ASKED)
def test_what_does_not_is_told_in_its_dialect(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, {"generate": {"chunks": 10**6, "per_s": 20}}, shutdown_grace_s=0.5) as paddock:
        one = asked(paddock, path, ASKED[path])
        assert one.begun.wait(HANG_GUARD_S)
        paddock.stop()
        one.thread.join(HANG_GUARD_S)
        assert TOLD[path] in one.got
        assert WHOLE[path] not in one.got
        assert paddock.ended() == 0
        assert "Traceback" not in paddock.complaints.read_text()


def test_a_second_signal_cuts_the_grace_short(tmp_path: Path) -> None:
    with serving(tmp_path, {"generate": {"chunks": 10**6, "per_s": 20}}, shutdown_grace_s=LONG_S) as paddock:
        one = asked(paddock, CHAT, ASKED[CHAT])
        assert one.begun.wait(HANG_GUARD_S)
        paddock.stop()
        end_s = time.monotonic() + HANG_GUARD_S
        while "a second signal ends them at once" not in paddock.complaints.read_text():
            assert time.monotonic() < end_s
            time.sleep(0.02)
        assert paddock.process.poll() is None
        paddock.stop()
        assert paddock.ended() == 0
        one.thread.join(HANG_GUARD_S)
        assert TOLD[CHAT] in one.got


def test_who_only_watches_does_not_hold_the_end_up(tmp_path: Path) -> None:
    with (
        serving(tmp_path, {}, shutdown_grace_s=LONG_S) as paddock,
        httpx.stream("GET", f"{paddock.url}/api/chats/events", timeout=HANG_GUARD_S, trust_env=False) as watched,
    ):
        assert watched.status_code == 200
        paddock.stop()
        assert paddock.ended() == 0


def test_an_engine_that_ignores_its_end_is_killed(tmp_path: Path) -> None:
    answer = {"generate": {"chunks": 10**6, "per_s": 20}}
    with serving(tmp_path, answer, is_stubborn=True, shutdown_grace_s=0.2) as paddock:
        one = asked(paddock, CHAT, ASKED[CHAT])
        assert one.begun.wait(HANG_GUARD_S)
        engines = psutil.Process(paddock.process.pid).children(recursive=True)
        assert engines
        paddock.stop()
        assert paddock.ended() == 0
        one.thread.join(HANG_GUARD_S)
        _, alive = psutil.wait_procs(engines, timeout=HANG_GUARD_S)
        assert alive == []


def test_whoever_waits_for_a_held_database_is_told_so_at_the_end(tmp_path: Path) -> None:
    with serving(tmp_path, {}, shutdown_grace_s=LONG_S) as paddock:
        assert httpx.post(f"{paddock.url}/api/chats", json={}, trust_env=False).status_code == 201
        with held(tmp_path / "home" / "paddock.db"):
            waiting = [asked(paddock, "/api/chats", {}) for _ in range(4)]
            end_s = time.monotonic() + HANG_GUARD_S
            while not _are_under_way(paddock, len(waiting)):
                assert time.monotonic() < end_s
            paddock.stop()
            for one in waiting:
                one.thread.join(HANG_GUARD_S)
            assert paddock.ended() == 0
        assert {one.status for one in waiting} == {503}
        assert all(int(one.headers["retry-after"]) > 0 for one in waiting)
        assert {json.loads(one.got)["error"]["code"] for one in waiting} == {"store_unusable"}
        assert "Traceback" not in paddock.complaints.read_text()


def _are_under_way(paddock: Paddock, count: int) -> bool:
    told = httpx.get(f"{paddock.url}/metrics", trust_env=False).text
    line = next(line for line in told.splitlines() if line.startswith("paddock_requests_in_flight "))
    # And the one that asks for it.
    return int(float(line.split()[1])) > count
