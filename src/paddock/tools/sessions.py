"""Owns the sandbox's sessions, one for each workspace that is in use: begun when first needed, ended when idle.

Refuses to know what is run in them.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread

from paddock.config import Settings
from paddock.sandbox import probing, pythons
from paddock.sandbox.workspace import Session
from paddock.tools.workspaces import Workspace

# An interpreter holds what its chat defined, and memory for it.
_IDLE_S = 900.0
_LOOKED_EVERY_S = 60.0
_MOST = 8
_UNKNOWN = "whether code can be run within walls here is being looked at; ask again in a moment."


@dataclass(kw_only=True)
class _Kept:
    session: Session
    used_s: float = 0.0
    users: int = 0


@dataclass(kw_only=True)
class Sessions:
    """The sessions of one paddock. `stack_python` tells where the training stack's interpreter is, if it is there."""

    settings: Settings
    stack_python: Callable[[], Path | None] = field(default=lambda: None)
    _kept: dict[Path, _Kept] = field(default_factory=dict[Path, _Kept])
    _ending: dict[Path, anyio.Event] = field(default_factory=dict[Path, anyio.Event])
    _why_off: str | None = _UNKNOWN
    _python: pythons.Python | None = None

    def why_off(self) -> str:
        """Why no code can be run, and what helps; "" where it can. `look` finds that out."""
        return self._why_off or ""

    async def look(self) -> None:
        """Try whether code can be run here; quick once that is known."""
        self._why_off = await anyio.to_thread.run_sync(lambda: probing.available(is_unsafe=self.settings.tools_unsafe))

    @asynccontextmanager
    async def using(self, workspace: Workspace) -> AsyncGenerator[Session]:
        """The session of a workspace, begun if need be. Raises HomeUnusable or OSError."""
        folder = await workspace.folder()
        if self._python is None:
            other = self.stack_python()
            self._python = await anyio.to_thread.run_sync(pythons.best, [other] if other else [])
        # One that ends takes away what is temporary in its folder, which would be the next one's.
        while folder in self._ending:
            await self._ending[folder].wait()
        kept = self._kept.get(folder)
        if kept is None:
            kept = self._kept[folder] = _Kept(session=self._new(folder, self._python))
            if not workspace.lasts:
                workspace.on_leaving(lambda: self._end(folder))
        kept.users += 1
        try:
            await self._make_room()
            yield kept.session
        finally:
            kept.users -= 1
            kept.used_s = anyio.current_time()

    async def keep(self, over: anyio.Event) -> None:
        """End sessions that are idle, from time to time; all of them when it is over."""
        try:
            while not over.is_set():
                with anyio.move_on_after(_LOOKED_EVERY_S):
                    await over.wait()
                for folder, kept in list(self._kept.items()):
                    if not kept.users and anyio.current_time() - kept.used_s > _IDLE_S:
                        await self._end(folder)
        finally:
            with anyio.CancelScope(shield=True):
                for folder in list(self._kept):
                    await self._end(folder)

    def _new(self, folder: Path, python: pythons.Python) -> Session:
        settings = self.settings
        return Session(
            folder,
            python,
            hidden=(settings.home.root,),
            has_network=settings.tools_network,
            is_unsafe=settings.tools_unsafe,
        )

    async def _make_room(self) -> None:
        """Of very many sessions, end those that have been idle the longest."""
        # Each end takes a while, in which others may be taken up again.
        while len(self._kept) > _MOST:
            idle = [(kept.used_s, folder) for folder, kept in self._kept.items() if not kept.users]
            if not idle:
                return
            await self._end(min(idle)[1])

    async def _end(self, folder: Path) -> None:
        if kept := self._kept.pop(folder, None):
            ended = self._ending[folder] = anyio.Event()
            try:
                with contextlib.suppress(OSError):
                    await kept.session.close()
            finally:
                del self._ending[folder]
                ended.set()
