"""Owns a real PostgreSQL server for the length of a test run, in a folder of its own; knows nothing of paddock."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
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


class Server:
    """One server in a folder, which can be stopped and started again on its port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        # PostgreSQL refuses to run as root.
        self._user = next((name for name in ("postgres", "nobody") if _has_user(name)), "") if os.geteuid() == 0 else ""
        self.url = f"postgresql://paddock@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(folder, self._user)
        words = ("-D", folder / "data", "-U", "paddock", "-A", "trust", "--no-sync", "-E", "UTF8")
        _run(self._user, programs() / "initdb", *words, cwd=folder)

    def start(self) -> None:
        """Serve."""
        words = ["-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(programs() / "postgres"), *words, "-c", "fsync=off"],
                cwd=self.folder, stdout=output, stderr=output, user=self._user or None,
            )  # fmt: skip
        _await(self._process, self.folder / "data", log)

    def stop(self) -> None:
        """Cut every connection, and end."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None


@contextlib.contextmanager
def serving() -> Generator[str]:
    """The address of an empty database, for as long as the block lasts; none of its data outlives it."""
    with restartable() as server:
        yield server.url


@contextlib.contextmanager
def restartable() -> Generator[Server]:
    """As `serving`, with the server."""
    folder = Path(tempfile.mkdtemp(prefix="paddock-pg-"))
    try:
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
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


def _await(server: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    """Until it answers: it listens before it does, and says so in its own file."""
    ends_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < ends_s:
        assert server.poll() is None, log.read_text("utf-8", "replace")
        with contextlib.suppress(OSError):
            said = (data / "postmaster.pid").read_text("ascii").split()
            if said and (said[0], said[-1]) == (str(server.pid), "ready"):
                return
        time.sleep(0.05)
    raise TimeoutError(log.read_text("utf-8", "replace"))
