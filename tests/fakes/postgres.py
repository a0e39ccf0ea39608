"""Owns a real PostgreSQL server for the length of a test run, in a folder of its own; knows nothing of paddock."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

_START_TIMEOUT_S = 60.0


def programs() -> Path:
    """The folder of PostgreSQL's own programs. Raises FileNotFoundError with what to install."""
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin")]
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise FileNotFoundError("PostgreSQL is not installed: apt install postgresql")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving() -> Generator[str]:
    """The address of an empty database, for as long as the block lasts; none of its data outlives it."""
    folder = Path(tempfile.mkdtemp(prefix="paddock-pg-"))
    port = free_port()
    # PostgreSQL refuses to run as root.
    user = next((name for name in ("postgres", "nobody") if _has_user(name)), "") if os.geteuid() == 0 else ""
    try:
        if user:
            shutil.chown(folder, user)
        data = folder / "data"
        _run(
            user,
            programs() / "initdb",
            "-D",
            data,
            "-U",
            "paddock",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            cwd=folder,
        )
        words = ["-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
        log = (folder / "log").open("wb")
        server = subprocess.Popen(
            [str(programs() / "postgres"), *words], cwd=folder, stdout=log, stderr=log, user=user or None
        )
        try:
            _await(server, port, folder / "log")
            yield f"postgresql://paddock@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(timeout=30)
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _run(user: str, *words: object, cwd: Path) -> None:
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, user=user or None, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _await(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < ends_s:
        assert server.poll() is None, log.read_text("utf-8", "replace")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(log.read_text("utf-8", "replace"))
