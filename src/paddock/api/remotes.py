"""Owns `GET /api/remotes` and `POST /api/remotes/check`; refuses to know how a remote is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.engine.remotes import Remote


def routes(edge: Edge) -> list[Route]:
    """The routes that tell how the remote engines are."""

    async def listed(request: Request) -> Response:
        return _told(edge, list(edge.remotes.all().values()))

    async def check(request: Request) -> Response:
        return _told(edge, await edge.remotes.look(fresh_s=0.0))

    return [Route("/api/remotes", listed), Route("/api/remotes/check", check, methods=["POST"])]


def _told(edge: Edge, remotes: Sequence[Remote]) -> Response:
    return JSONResponse({"remotes": [_entry(remote) for remote in remotes], "fault": edge.remotes.fault or None})


def _entry(remote: Remote) -> dict[str, Any]:
    """One remote, never its key."""
    health = remote.health
    return {
        "name": remote.record.name,
        "url": remote.record.url,
        "state": health.state,
        "since": _time(health.since_at_s),
        "last_check": _time(health.checked_at_s),
        "reason": health.reason or None,
        "failures": health.failures,
        "models": [model.id for model in remote.models],
    }


def _time(at_s: float | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
