"""Tests a database and settings for which there is no room: told as that wherever it is met, and nothing lost.

There is none on a small disk of its own that is full, where one may be mounted, and anywhere for a process that the
system lets make no file longer. SQLite has a word of its own for the first, in some places, and none for the second.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from paddock.errors import StoreFull, StoreUnusable
from paddock.paths import Home
from paddock.store.db import Database
from tests.fakes.hub import environment
from tests.fakes.scripted_llama_server import lay_out
from tests.wire.rig import HANG_GUARD_S
from tests.wire.test_store_faults import CHATS, fill, small_disk

pytestmark = pytest.mark.attack("damage")
NoRoom = Callable[[], AbstractContextManager[None]]


@contextmanager
def limited(pid: int = 0) -> Generator[None]:
    """A process, this one by itself, makes no file longer within the block."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def filled(home: Path, left_bytes: int = 0) -> Generator[None]:
    path = fill(home)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - left_bytes)
    try:
        yield
    finally:
        path.unlink()


@pytest.fixture(params=["a limit", "a full disk", "two pages left"])
def no_room(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[NoRoom]:
    """What leaves no room in the data home within its block."""
    home = tmp_path / "home"
    if request.param == "a limit":
        home.mkdir()
        yield limited
        return
    left_bytes = 8192 if request.param == "two pages left" else 0
    with small_disk(home, 16):
        yield lambda: filled(home, left_bytes)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_database_without_room_is_told_so_when_it_is_opened(tmp_path: Path, no_room: NoRoom, is_new: bool) -> None:
    home = Home(root=tmp_path / "home")
    if not is_new:
        before = Database("", home)
        before.try_it()
        before.engine().dispose()
    there = home.database.read_bytes() if home.database.exists() else None
    database = Database("", home)
    with no_room():
        for _ in range(2):
            with pytest.raises(StoreFull, match=r"[Ff]ree space"):
                database.try_it()
    assert is_new or home.database.read_bytes() == there
    assert not list(home.root.glob(".*.draft"))
    database.try_it()
    database.engine().dispose()


def test_a_disk_that_fails_with_room_on_it_is_not_called_full(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    database = Database("", home)
    database.try_it()
    database.engine().dispose()
    # Its log cannot be opened, whoever asks.
    home.database.with_name("paddock.db-wal").mkdir()
    with pytest.raises(StoreUnusable) as caught:
        Database("", home).try_it()
    assert not isinstance(caught.value, StoreFull)


@contextmanager
def served(folder: Path) -> Generator[tuple[httpx.Client, int]]:
    """`paddock serve` on a data home in that folder, and its process."""
    engine = lay_out(folder / "scripted", {})
    words = [sys.executable, "-m", "paddock", "serve", "--port=0", f"--engine={engine}", "--slots=2"]
    environ = environment(folder, PADDOCK_SCAN_OTHERS="0")
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            with httpx.Client(base_url=process.stdout.readline().strip(), timeout=HANG_GUARD_S) as http:
                yield http, process.pid
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(HANG_GUARD_S)
            process.kill()


def refused(answer: httpx.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, code), answer.text
    message = answer.json()["error"]["message"]
    assert "full" in message
    assert "Free space" in message
    assert "home" not in message


def titles(http: httpx.Client) -> set[str]:
    return {chat["title"] for chat in http.get(CHATS).raise_for_status().json()["data"]}


def test_a_server_without_room_tells_so_keeps_what_it_acknowledged_and_goes_on(tmp_path: Path) -> None:
    """Needs no rights: the system lets the server make no file longer for a while."""
    with served(tmp_path) as (http, pid):
        with limited(pid):
            # The first that needs a database, which is to be made for it.
            refused(http.get(CHATS), "disk_full")
            refused(http.post(CHATS, json={"title": "never"}), "disk_full")
        kept = {"before"}
        http.post(CHATS, json={"title": "before"}).raise_for_status()
        settings = tmp_path / "home" / "config.toml"
        http.patch("/api/settings", json={"slots": 3}).raise_for_status()
        with limited(pid):
            for number in range(20):
                answer = http.post(CHATS, json={"title": f"{number} {'x' * 5000}"[:190]})
                if answer.is_success:
                    kept.add(answer.json()["title"])
                else:
                    refused(answer, "disk_full")
            refused(http.patch("/api/settings", json={"slots": 4}), "disk_too_full")
            assert "slots = 3" in settings.read_text("utf-8")
            refused(http.put("/api/aliases/short", json={"model": "pocket-v0"}), "disk_too_full")
            assert titles(http) == kept
            assert http.get("/v1/models").status_code == 200
        assert not list((tmp_path / "home").rglob("*.draft"))
        http.post(CHATS, json={"title": "after"}).raise_for_status()
        http.patch("/api/settings", json={"slots": 4}).raise_for_status()
        assert titles(http) == {*kept, "after"}
        assert psutil.pid_exists(pid)
    with closing(sqlite3.connect(tmp_path / "home" / "paddock.db")) as there:
        assert there.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert {row[0] for row in there.execute("SELECT title FROM chats")} == {*kept, "after"}
