"""Owns the folders in which tools work, one for each chat; refuses to know what is in them.

A session's folder is kept for a week after it was last used; a message without a session has one that goes with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from paddock import scratch
from paddock.caller import Caller
from paddock.clock import stamp_s
from paddock.paths import Home
from paddock.sandbox import files

_KEPT_S = 7 * 86400.0


class Workspace:
    """The folder of one message's tools; it is made when it is first asked for. `lasts` is whether a session has it."""

    def __init__(self, home: Home, name: str, stack: AsyncExitStack, session_id: str = "") -> None:
        self.session_id = session_id
        self.lasts = session_id != ""
        self._home = home
        self._name = name
        self._stack = stack
        self._folder: Path | None = None
        self._making = anyio.Lock()

    async def folder(self) -> Path:
        """Where it lies. Raises HomeUnusable or OSError where it cannot be made."""
        async with self._making:
            if self._folder is None:
                if self.lasts:
                    self._folder = self._home.workspaces / self._name
                else:
                    self._folder = await self._stack.enter_async_context(scratch.private_folder(self._home))
                await anyio.to_thread.run_sync(_made, self._folder)
        return self._folder

    async def files(self) -> Path:
        """Where the files of it lie that programs and people see. Raises as `folder` does."""
        return await self.folder() / "files"

    def on_leaving(self, deed: Callable[[], Awaitable[None]]) -> None:
        """Do something when the message is over, before a folder that does not last goes."""
        self._stack.push_async_callback(deed)


@asynccontextmanager
async def workspace(home: Home, caller: Caller, session_id: str) -> AsyncGenerator[Workspace]:
    """The workspace of a caller's session; without an id, one that goes with the block."""
    async with AsyncExitStack() as stack:
        yield Workspace(home, name_of(caller, session_id), stack, session_id)


def name_of(caller: Caller, session_id: str) -> str:
    """The name of a session's folder. Whoever else uses the same id has another one."""
    whose = "\0".join((repr(caller.owner), caller.account_id or "", caller.key_id or "", session_id))
    return hashlib.sha256(whose.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def sweep(home: Home) -> None:
    """Take away the folders of sessions that nobody has used for a week. Blocks."""
    for folder in home.workspaces.glob("*"):
        with contextlib.suppress(OSError):
            if stamp_s() - folder.stat().st_mtime > _KEPT_S:
                files.remove(folder)


def _made(folder: Path) -> None:
    (folder / "files").mkdir(mode=0o755, parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    # By which it is known when it was last used.
    os.utime(folder)
