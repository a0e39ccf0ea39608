"""Owns putting the routes of every file together behind the guard; refuses to know what any of them does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from paddock import __version__
from paddock.api import (
    aliases,
    attachments,
    catalog,
    chat,
    chat_folders,
    chat_messages,
    chat_transfer,
    chats,
    clients,
    completions,
    doctor,
    downloads,
    engines,
    fit,
    guard,
    hub,
    keys,
    loaded,
    messages,
    metrics,
    model_settings,
    models,
    native,
    ollama,
    openapi,
    page,
    remotes,
    requests,
    responses,
    settings,
    system,
)
from paddock.api.credentials import Credentials, is_key_needed
from paddock.api.described import Operation
from paddock.api.dialects import ANTHROPIC, OLLAMA, dialect_of, headers_of
from paddock.api.edge import Edge
from paddock.api.recording import Recorded
from paddock.engine.process import State as EngineState
from paddock.errors import PaddockError

_FURTHEST: tuple[EngineState, ...] = ("ready", "starting", "stopping", "failed")
_ROOMS = (
    chat,
    completions,
    messages,
    responses,
    models,
    fit,
    loaded,
    catalog,
    aliases,
    remotes,
    model_settings,
    native,
    ollama,
    requests,
    downloads,
    chat_transfer,
    chats,
    chat_messages,
    chat_folders,
    attachments,
    system,
    settings,
    engines,
    keys,
    clients,
    hub,
)
_TOLD = (chat_transfer, chats, chat_messages, chat_folders, attachments, keys, clients, requests)


def application(edge: Edge) -> ASGIApp:
    """The whole HTTP application, behind its guard."""
    health = doctor.Doctor(edge)
    routes, pages = _published(edge, health), page.routes()
    counted = metrics.Counted(known=frozenset(route.path for route in (*routes, *pages)))
    routes.append(counted.route(edge))
    # A copy: the pages that follow are no part of what is described.
    routes.append(openapi.route(tuple(routes), _operations()))
    routes += pages
    lanes = {r.path: r.endpoint for r in routes if "POST" in (r.methods or ()) and "{" not in r.path}
    inner = Starlette(
        routes=routes, exception_handlers={HTTPException: _unrouted, PaddockError: _refused, Exception: _refused}
    )
    # A request sent to a mistyped path is refused rather than redirected: clients drop the body of a redirected POST.
    inner.router.redirect_slashes = False
    counted.app = _Lanes(inner, lanes)
    recorded = Recorded(counted, edge.recorder)
    let_in = Credentials(recorded, keys=edge.keys, is_key_needed=is_key_needed(edge.settings))
    health.inside.app = guard.Guard(let_in, host=edge.settings.host, allowed_origins=edge.allowed_origins)
    return health.inside.app


def described(edge: Edge) -> dict[str, Any]:
    """The OpenAPI description of the published routes. `edge` is not asked anything."""
    return openapi.document(_published(edge, doctor.Doctor(edge)), _operations())


def _published(edge: Edge, health: doctor.Doctor) -> list[Route]:
    return [*_signs_of_life(edge), health.route(), *(route for room in _ROOMS for route in room.routes(edge))]


def _operations() -> dict[str, Operation]:
    """What routes say of themselves, as "GET /path"."""
    return {name: told for room in _TOLD for name, told in room.OPERATIONS.items()}


def _signs_of_life(edge: Edge) -> list[Route]:
    async def health(request: Request) -> Response:
        """Whether paddock answers, and what its engines are doing."""
        models = {one.model_id: one.engine.state for one in edge.pool.residents.values()}
        # One word for all of them: how far the furthest is.
        furthest = next((state for state in _FURTHEST if state in models.values()), "stopped")
        about = {"status": "ok", "name": "paddock", "version": __version__}
        return JSONResponse({**about, "engine": furthest, "models": models})

    return [Route("/health", health)]


class _Lanes:
    """Calls the routes with a body itself: Starlette's layers cost each stream memory, and each chunk time."""

    def __init__(self, rest: ASGIApp, relayed: Mapping[str, Callable[[Request], Awaitable[ASGIApp]]]) -> None:
        self._rest = rest
        self._relayed = relayed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. What is raised is the guard's to tell."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        endpoint = self._relayed.get(scope["path"]) if is_post else None
        if endpoint is None:
            await self._rest(scope, receive, send)
        else:
            request = Request(scope, receive)
            try:
                answer = await endpoint(request)
            except PaddockError as error:
                answer = await _refused(request, error)
            await answer(scope, receive, send)


async def _refused(request: Request, error: Exception) -> Response:
    """An error before the first byte; what is not ours becomes a 500 that tells no internals."""
    status, body = dialect_of(request.url.path).refuse(error)
    return Response(body, status_code=status, headers=headers_of(error), media_type="application/json")


async def _unrouted(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the shape of every other error."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        message = f"There is no {request.method} {request.url.path[:200]}. The routes are listed in docs/api.md."
    elif error.status_code == 405:
        message = f"{request.url.path} does not take {request.method}."
    else:
        message = error.detail
    body = _unrouted_body(request.url.path, error.status_code, message)
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


def _unrouted_body(path: str, status: int, message: str) -> dict[str, Any]:
    dialect = dialect_of(path)
    if dialect is ANTHROPIC:
        kind = "not_found_error" if status == 404 else "invalid_request_error"
        return {"type": "error", "error": {"type": kind, "message": message}}
    if dialect is OLLAMA:
        return {"error": message}
    code = _CODES.get(status)
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


_CODES = {404: "unknown_path", 405: "method_not_allowed"}
