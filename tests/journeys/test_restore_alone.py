"""Tests that a restore has the data home alone: no server of it is left out, and none begins while it is under way.

What a server acknowledges after a restore must lie in the home, and not in the files that the restore replaced.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from paddock.app import running
from paddock.backup.swap import workplace
from paddock.config import Settings
from paddock.errors import HomeBusy
from paddock.ownership import holders
from paddock.paths import Home
from tests.engine import environ

WAIT_S = 120.0


@contextmanager
def serving(home: Path) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A server on the home, and its address."""
    words = [sys.executable, "-m", "paddock", "serve", "--port=0"]
    with subprocess.Popen(
        words, env={**os.environ, **environ(home)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(WAIT_S)


def paddock(home: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "paddock", *words], env={**os.environ, **environ(home)}, input=typed,
        capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip


def chat(url: str) -> str:
    answer = httpx.post(f"{url}/api/chats", json={}, trust_env=False, timeout=WAIT_S)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_second_server_is_seen_at_once_when_the_first_is_gone(end: signal.Signals, tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "b.tar"
    with serving(home) as (first, _), serving(home) as (second, url):
        chat(url)
        assert paddock(home, "backup", "make", str(backup)).returncode == 0
        first.send_signal(end)
        first.wait(WAIT_S)
        refused = paddock(home, "backup", "restore", "--yes", str(backup))
        late = chat(url)
        assert refused.returncode == 1, refused
        assert f"A paddock works on the data home {home} (process {second.pid}, at {url})." in refused.stderr
        assert "Stop it, then restore again." in refused.stderr
    assert not (home / "replaced").exists()
    with serving(home) as (_, url):
        found = httpx.get(f"{url}/api/chats", trust_env=False, timeout=WAIT_S).json()
        assert late in [one["id"] for one in found["data"]]


def test_every_server_is_named(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "b.tar"
    with serving(home) as (first, one), serving(home) as (second, two):
        assert paddock(home, "backup", "make", str(backup)).returncode == 0
        refused = paddock(home, "backup", "restore", "--yes", str(backup))
        assert refused.returncode == 1
        assert f"(process {first.pid}, at {one}; process {second.pid}, at {two}). Stop each of them" in refused.stderr
    assert paddock(home, "backup", "restore", "--yes", str(backup)).returncode == 0


def test_a_chat_that_runs_a_paddock_of_its_own_is_seen(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "b.tar"
    home.mkdir()
    assert paddock(home, "backup", "make", str(backup)).returncode == 0
    # An address that nobody listens on: the chat begins a paddock of its own.
    (home / "config.toml").write_text("port = 0\n", "utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "paddock", "chat"], env={**os.environ, **environ(home)}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as talker:  # fmt: skip
        assert talker.stdin
        assert talker.stdout
        talker.stdin.write("Hello!\n")
        talker.stdin.flush()
        assert talker.stdout.read(1)
        refused = paddock(home, "backup", "restore", "--yes", str(backup))
        talker.stdin.close()
        talker.stdout.read()
        assert talker.wait(WAIT_S) == 0
    assert refused.returncode == 1
    assert f"(process {talker.pid}, at " in refused.stderr


def test_a_server_does_not_start_while_a_restore_is_under_way(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "b.tar"
    home.mkdir()
    (home / "config.toml").write_text("slots = 3\n", "utf-8")
    assert paddock(home, "backup", "make", str(backup)).returncode == 0
    with subprocess.Popen(
        [sys.executable, "-m", "paddock", "backup", "restore", str(backup), "--json"],
        env={**os.environ, **environ(home)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as restore:  # fmt: skip
        assert restore.stdin
        assert restore.stderr
        assert restore.stdout
        while "Do it?" not in restore.stderr.readline():
            assert restore.poll() is None
        # It waits for an answer, and has the home.
        for words in (("serve", "--port=0"), ("backup", "restore", "--yes", str(backup))):
            refused = paddock(home, *words)
            assert refused.returncode == 1
            assert f"A restore into the data home {home} is under way (process {restore.pid})." in refused.stderr
            assert "Wait until it is done." in refused.stderr
        restore.stdin.write("y\n")
        restore.stdin.close()
        assert Path(json.loads(restore.stdout.read())["kept"]).is_dir()
        assert restore.wait(WAIT_S) == 0
    with serving(home) as (_, url):
        chat(url)


def test_a_server_that_had_begun_before_the_restore_gives_way_before_it_opens_anything(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    home.ensure()

    async def begin() -> None:
        async with running(Settings(home=home, port=0, require_login=True)):
            pytest.fail("it serves")

    with workplace(home), pytest.raises(HomeBusy, match=rf"is under way \(process {os.getpid()}\)"):
        anyio.run(begin)
    assert not home.database.exists()
    assert holders(home.present) == []
