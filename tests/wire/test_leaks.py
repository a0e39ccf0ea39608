"""The check that guards the tests with processes can fail, for each kind of thing that it looks for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tests import leaks

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
ORPHAN = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=-3, stderr=-3).pid)"  # -3 is DEVNULL


def test_nothing_is_found_where_nothing_was_left() -> None:
    assert leaks.left_since(leaks.standing()) == []


def test_an_open_socket_is_found() -> None:
    before = leaks.standing()
    with socket.socket():
        assert "socket:" in leaks.left_since(before)[0]


def test_an_open_file_is_found(tmp_path: Path) -> None:
    before = leaks.standing()
    with (tmp_path / "left.txt").open("w"):
        assert "left.txt" in leaks.left_since(before)[0]


def test_a_running_thread_is_found() -> None:
    before, done = leaks.standing(), threading.Event()
    thread = threading.Thread(target=done.wait, name="left")
    thread.start()
    assert leaks.left_since(before) == ["thread left"]
    done.set()
    thread.join()


def test_a_running_child_is_found() -> None:
    before = leaks.standing()
    with subprocess.Popen(SLEEP) as child:
        assert f"process {child.pid}" in leaks.left_since(before)[0]
        child.kill()


def test_a_child_that_nobody_waited_for_is_found() -> None:
    before = leaks.standing()
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read() == b""
        assert f"process {child.pid}" in leaks.left_since(before)[0]


def test_an_orphan_is_found_though_it_is_nobodys_child() -> None:
    before = leaks.standing()
    done = subprocess.run([sys.executable, "-c", ORPHAN, *SLEEP], capture_output=True, text=True, check=True)
    orphan = int(done.stdout)
    assert f"process {orphan}" in leaks.left_since(before)[0]
    assert any(f"process {orphan}" in told for told in leaks.survivors())
    os.kill(orphan, signal.SIGKILL)


def test_what_an_older_process_of_ours_starts_is_its_own() -> None:
    starter = (
        "import subprocess; input(); "
        f"child = subprocess.Popen({SLEEP!r}); print(flush=True); input(); child.kill(); child.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        before = leaks.standing()
        server.stdin.write(b"\n")
        server.stdin.flush()
        server.stdout.readline()
        assert leaks.left_since(before) == []
        server.stdin.write(b"\n")
        server.stdin.flush()
        server.wait()
