"""Two paddocks at once, on two data homes and on one: neither touches the other's engines, and one knows of the other.

Each is killed as hard as can be, in the midst of a stream of the other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.engine import environ

WAIT_S = 60.0
ENDLESS: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
    "ignore_eos": True,
    "max_tokens": 15_000,
}


@dataclass(kw_only=True)
class Paddock:
    """A `paddock serve`, a client of it, and a file of what it complains of."""

    process: subprocess.Popen[str]
    http: httpx.Client
    complaints: Path

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    @property
    def engines(self) -> list[int]:
        """Its children: the engines that it has loaded."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def said(self) -> str:
        return self.complaints.read_text("utf-8")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)

    @contextmanager
    def stream(self) -> Generator[Iterator[bytes]]:
        """An answer without end, which has begun."""
        with self.http.stream("POST", "/v1/chat/completions", content=json.dumps(ENDLESS).encode()) as response:
            assert response.status_code == 200
            frames = response.iter_raw()
            goes_on(frames)
            yield frames


@contextmanager
def serving(home: Path, name: str, *words: str) -> Generator[Paddock]:
    complaints = home.parent / f"{name}.txt"
    command = [sys.executable, "-m", "paddock", "serve", "--port=0", "--context-tokens=16384", "--threads=1", *words]
    with (
        complaints.open("wb") as stderr,
        subprocess.Popen(
            command, env={**os.environ, **environ(home)}, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            with httpx.Client(base_url=url, trust_env=False, timeout=WAIT_S) as http:
                yield Paddock(process=process, http=http, complaints=complaints)
        finally:
            process.terminate()


def goes_on(frames: Iterator[bytes]) -> None:
    """The stream brings more words."""
    got = b""
    while got.count(b'"delta":{"content"') < 3:
        got += next(frames)
    assert b'"error"' not in got


def until(is_right: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_right():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_on_two_homes_know_nothing_of_each_other(tmp_path: Path) -> None:
    with serving(tmp_path / "one", "first") as first, serving(tmp_path / "two", "second") as second:
        with first.stream(), second.stream() as words:
            (gone,), (kept,) = first.engines, second.engines
            first.kill()
            until(lambda: not psutil.pid_exists(gone))
            goes_on(words)
        assert second.engines == [kept]
        assert (first.said(), second.said()) == ("", "")


def test_the_second_on_a_home_says_who_holds_it_and_serves_all_the_same(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, "first") as first, serving(home, "second") as second:
        told = f"Warning: the data home {home} is held by process {first.process.pid}, which serves at {first.url}. "
        assert second.said().startswith(told)
        assert second.said().count("\n") == 1
        with first.stream(), second.stream() as words:
            (gone,), (kept,) = first.engines, second.engines
            first.kill()
            until(lambda: not psutil.pid_exists(gone))
            goes_on(words)
        assert second.engines == [kept]
        assert first.said() == ""


def test_a_home_whose_holder_was_killed_is_held_by_who_is_left(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, "first") as first, serving(home, "second") as second:
        first.kill()
        note = home / "serving.lock"
        until(lambda: json.loads(note.read_text("utf-8") or "{}").get("pid") == second.process.pid)
        with serving(home, "third") as third:
            assert f"is held by process {second.process.pid}, which serves at {second.url}. " in third.said()


def test_one_alone_on_its_home_and_commands_that_only_read_hear_of_no_holder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, "first") as first:
        first.kill()
    with serving(home, "next") as following:
        listed = subprocess.run(
            [sys.executable, "-m", "paddock", "models", "list"],
            env={**os.environ, **environ(home)},
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        assert (listed.returncode, listed.stderr) == (0, "")
        assert "pocket-v0" in listed.stdout
    assert following.said() == ""
