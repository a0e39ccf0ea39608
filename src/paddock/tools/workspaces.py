"""Owns the folders in which tools work, one for each chat; refuses to know what is in them.

A session's folder is kept for a week after it was last used; a message without a session has one that goes with it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from paddock import scratch
from paddock.caller import Caller
from paddock.clock import stamp_s
from paddock.paths import Home

_KEPT_S = 7 * 86400.0


class Workspace:
    """The folder of one message's tools; it is made when it is first asked for."""

    def __init__(self, home: Home, name: str, stack: AsyncExitStack) -> None:
        self._home = home
        self._name = name
        self._stack = stack
        self._folder: Path | None = None
        self._making = anyio.Lock()

    async def folder(self) -> Path:
        """The folder. Raises HomeUnusable where a folder of its own cannot be made, OSError for a session's."""
        async with self._making:
            if self._folder is None and not self._name:
                self._folder = await self._stack.enter_async_context(scratch.private_folder(self._home))
            elif self._folder is None:
                self._folder = self._home.workspaces / self._name
                await anyio.to_thread.run_sync(_made, self._folder)
        return self._folder


@asynccontextmanager
async def workspace(home: Home, caller: Caller, session_id: str) -> AsyncGenerator[Workspace]:
    """The workspace of a caller's session; without an id, one that goes with the block."""
    async with AsyncExitStack() as stack:
        yield Workspace(home, name_of(caller, session_id) if session_id else "", stack)


def name_of(caller: Caller, session_id: str) -> str:
    """The name of a session's folder. Whoever else uses the same id has another one."""
    whose = "\0".join((repr(caller.owner), caller.account_id or "", caller.key_id or "", session_id))
    return hashlib.sha256(whose.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def sweep(home: Home) -> None:
    """Take away the folders of sessions that nobody has used for a week. Blocks."""
    for folder in home.workspaces.glob("*"):
        try:
            is_old = stamp_s() - folder.stat().st_mtime > _KEPT_S
        except OSError:
            continue
        if is_old:
            shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # By which it is known when it was last used.
    os.utime(folder)
