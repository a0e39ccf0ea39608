"""Owns the two signs of life: that paddock answers, and whether it can take work; tells strangers no more than that.

`GET /health` checks nothing: who gets it knows that the process lives. `GET /health/ready` tries what requests need.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib import util
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock import __version__
from paddock.api.credentials import is_credential_needed
from paddock.api.edge import Edge
from paddock.engine.pool import EMBEDDED
from paddock.engine.process import State
from paddock.errors import StoreUnusable
from paddock.log import named

_log = named(__name__)
_FURTHEST: tuple[State, ...] = ("ready", "starting", "stopping", "failed")
# However many ask, what is tried is tried so often at most.
_FRESH_S = 2.0
_DATABASE_S = 3.0


class Health:
    """The routes, and what was found last."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._turn = anyio.Lock()
        self._found: list[str] = []
        self._found_s: float | None = None
        # Whether a thread looks at the database.
        self._is_tried = False

    async def live(self, request: Request) -> Response:
        """Whether paddock answers, and what its engines are doing."""
        models = {one.model_id: one.engine.state for one in self._edge.pool.residents.values()}
        # One word for all of them: how far the furthest is.
        furthest = next((state for state in _FURTHEST if state in models.values()), "stopped")
        about = {"status": "ok", "name": "paddock", "version": __version__, "engine": furthest}
        # Where people must say who they are, a stranger does not learn the names of models.
        is_open = not is_credential_needed(self._edge.settings)
        return JSONResponse({**about, "models": models} if is_open else about)

    async def ready(self, request: Request) -> Response:
        """Whether paddock can take work; 503 with reasons where it cannot."""
        reasons = ["ending"] if self._edge.is_ending() else await self._looked()
        told = {"status": "not_ready", "reasons": reasons} if reasons else {"status": "ready"}
        return JSONResponse(told, status_code=503 if reasons else 200, headers={"cache-control": "no-store"})

    async def _looked(self) -> list[str]:
        """Why no work can be taken, as of now or of a moment ago. What that is about, the log tells."""
        async with self._turn:
            now_s = anyio.current_time()
            if self._found_s is None or now_s - self._found_s > _FRESH_S:
                found = await self._look()
                if [*found] != self._found:
                    for reason, words in found.items():
                        _log.warning("not ready, %s: %s", reason, words)
                    if not found:
                        _log.warning("ready again")
                self._found, self._found_s = [*found], anyio.current_time()
            return self._found

    async def _look(self) -> dict[str, str]:
        """The reasons, with words that are not for strangers."""
        found = {
            "data_home": await anyio.to_thread.run_sync(self._home_fault),
            "engine": await anyio.to_thread.run_sync(self._engine_fault),
            "database": await self._database_fault(),
        }
        return {reason: words for reason, words in found.items() if words}

    def _home_fault(self) -> str:
        try:
            with tempfile.TemporaryFile(dir=self._edge.settings.home.root) as probe:
                probe.write(b"ready?")
                probe.flush()
        except OSError as error:
            return f"nothing can be written in the data home: {error.strerror or error}"
        return ""

    def _engine_fault(self) -> str:
        program = self._edge.pool.program
        gone = [word for word in program if Path(word).is_absolute() and not Path(word).exists()]
        if gone or shutil.which(program[0]) is None:
            return f"the engine's program is gone: {' '.join(gone or program[:1])}"
        if program == EMBEDDED and util.find_spec("xllamacpp") is None:
            return "the engine's library xllamacpp is not installed"
        return ""

    async def _database_fault(self) -> str:
        settings, fault = self._edge.settings, f"it did not answer within {_DATABASE_S:g} s"
        if not settings.database_url and not settings.home.database.exists():
            # Made at its first need, in the data home.
            return ""
        if self._is_tried:
            # The one before still waits: that is the answer, and no second one need wait beside it.
            return fault
        self._is_tried = True
        with anyio.move_on_after(_DATABASE_S):
            try:
                await anyio.to_thread.run_sync(self._try, abandon_on_cancel=True)
            except StoreUnusable as error:
                return error.message
            return ""
        return fault

    def _try(self) -> None:
        try:
            self._edge.database.try_it()
        finally:
            self._is_tried = False


def routes(edge: Edge) -> list[Route]:
    """The signs of life."""
    own = Health(edge)
    return [Route("/health", own.live), Route("/health/ready", own.ready)]
