"""Owns the stage of the tests of workspaces: sessions, and what else there is on the machine. Judges nothing."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddock.sandbox import pythons
from paddock.sandbox.box import Limits
from paddock.sandbox.inside import MACHINES
from paddock.sandbox.syscalls import NOT_THERE, REFUSED
from paddock.sandbox.workspace import Session

WAIT_S = 60.0
SMALL = Limits(
    memory_bytes=400 * 2**20, processes=40, file_bytes=64 * 2**20, open_files=64, disk_bytes=100 * 2**20, entries=2000
)
_OTHERS = {"clone": (56, 220), "socket_number": (41, 198)}


@asynccontextmanager
async def opened(folder: Path, *, limits: Limits = SMALL, **words: Any) -> AsyncGenerator[Session]:
    """A workspace in use, gone with the block."""
    session = Session(folder, pythons.best(), limits=limits, **words)
    try:
        yield session
    finally:
        await session.close(is_removed=True)


@dataclass(frozen=True, kw_only=True)
class World:
    """What there is outside, by the names that attempts have for it."""

    folder: Path
    names: dict[str, object]

    def told(self, code: str) -> str:
        """Code with its names filled in."""
        return code.format_map(self.names)


@contextmanager
def world(folder: Path) -> Generator[World]:
    """A data home, another chat's workspace, a process with a secret, and servers of every kind that answer."""
    home, other = folder / "home", folder / "workspaces" / "other"
    for path, text in (
        (home / "paddock.db", "SQLite"), (home / "keys.secret", "secret"), (other / "files" / "secret.txt", "secret"),
        (other / "files" / "spare.txt", "spare"),
    ):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    column = MACHINES[platform.machine()][0]
    numbers = {name: both[column] for name, both in {**REFUSED, **NOT_THERE, **_OTHERS}.items()}
    with ExitStack() as stack:
        victim = stack.enter_context(_victim(home))
        held = stack.enter_context((home / "keys.secret").open())
        os.set_inheritable(held.fileno(), True)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        tcp6 = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(home / "socket"))
        unix.listen()
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        name = f"escape-{os.getpid()}-{threading.get_ident()}"
        abstract.bind(f"\0{name}")
        abstract.listen()
        yield World(
            folder=folder,
            names={
                **numbers, "home": home, "other": other, "victim": victim, "port": tcp.getsockname()[1],
                "port6": tcp6.getsockname()[1], "datagram": udp.getsockname()[1], "socket": home / "socket",
                "abstract": name,
            },
        )  # fmt: skip


@contextmanager
def _victim(home: Path) -> Generator[int]:
    words = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()", "victim-of-escapes"]
    env = {**os.environ, "ESCAPE_SECRET": "hidden-in-environment"}
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=env, cwd=home) as process:
        try:
            yield process.pid
        finally:
            process.kill()
