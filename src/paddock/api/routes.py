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

from paddock.api import (
    aliases,
    attachments,
    catalog,
    chat,
    chat_folders,
    chat_messages,
    chat_transfer,
    chats,
    checkpoints,
    clients,
    completions,
    doctor,
    downloads,
    engines,
    evaluated,
    evaluation_sets,
    evaluation_votes,
    evaluations,
    exports,
    fit,
    guard,
    health,
    hub,
    keys,
    knowledge,
    loaded,
    mcp_server,
    messages,
    metrics,
    model_settings,
    models,
    native,
    ollama,
    openapi,
    page,
    pushes,
    remotes,
    requests,
    responses,
    session,
    settings,
    system,
    tool_permissions,
    tools,
    toolservers,
    training,
    users,
)
from paddock.api.credentials import Credentials
from paddock.api.described import Operation
from paddock.api.dialects import ANTHROPIC, OLLAMA, dialect_of, headers_of
from paddock.api.edge import Edge
from paddock.api.faults import name_of
from paddock.api.inside import Inside
from paddock.api.observing import Observed
from paddock.api.recording import Recorded
from paddock.api.rights import guarded
from paddock.errors import PaddockError

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
    session,
    users,
    clients,
    hub,
    training,
    checkpoints,
    exports,
    pushes,
    evaluations,
    evaluation_votes,
    evaluation_sets,
    tools,
    tool_permissions,
    toolservers,
    knowledge,
)
_TOLD = (
    chat_transfer, chats, chat_messages, chat_folders, attachments, keys, session, users, clients, requests, training,
    checkpoints, exports, pushes, evaluations, evaluation_votes, evaluation_sets, tools, tool_permissions, toolservers,
    knowledge,
)  # fmt: skip


def application(edge: Edge) -> ASGIApp:
    """The whole HTTP application, behind its guard."""
    clients_doctor = doctor.Doctor(edge)
    routes = table(edge, clients_doctor)
    lanes = {r.path: r.endpoint for r in routes if "POST" in (r.methods or ()) and "{" not in r.path}
    inner = Starlette(
        routes=routes, exception_handlers={HTTPException: _unrouted, PaddockError: _refused, Exception: _refused}
    )
    # A request sent to a mistyped path is refused rather than redirected: clients drop the body of a redirected POST.
    inner.router.redirect_slashes = False
    recorded = Recorded(_Lanes(inner, lanes), edge.recorder)
    let_in = Credentials(
        recorded,
        keys=edge.access.keys,
        sessions=edge.access.sessions,
        settings=edge.settings,
        allowed_origins=edge.allowed_origins,
        own_word=edge.own_word,
    )
    guarding = guard.Guard(
        let_in,
        host=edge.settings.host,
        allowed_origins=edge.allowed_origins,
        names=edge.settings.listed("server_names"),
    )
    by_path = {route.path: route.path for route in routes if "{" not in route.path}
    by_endpoint = {route.endpoint: route.path for route in routes}
    whole = Observed(guarding, routes={**by_path, **by_endpoint}, answered=edge.answered, traces=edge.traces)
    clients_doctor.inside.app = whole
    # What is evaluated or embedded is nobody's request: it is not recorded, counted, or asked for a key.
    inside = Inside(guard.Guard(_Lanes(inner, lanes), host="", allowed_origins=frozenset()))
    edge.evaluations.send = edge.knowledge.embedder.send = inside.send
    edge.exports.evaluating = evaluated.Following(edge=edge)
    return whole


def table(edge: Edge, clients_doctor: doctor.Doctor) -> list[Route]:
    """Every route of the application: what is described, the numbers, the description and the pages."""
    routes = published(edge, clients_doctor)
    routes.append(metrics.route(edge, edge.answered))
    # A copy: the pages that follow are no part of what is described.
    routes.append(openapi.route(tuple(routes), _operations()))
    return [*(guarded(route, edge.admission) for route in routes), *page.routes()]


def described(edge: Edge) -> dict[str, Any]:
    """The OpenAPI description of the published routes. `edge` is not asked anything."""
    return openapi.document(published(edge, doctor.Doctor(edge)), _operations())


def published(edge: Edge, clients_doctor: doctor.Doctor) -> list[Route]:
    """The routes that are described to programs."""
    first = [*health.routes(edge), clients_doctor.route(), mcp_server.route(edge, clients_doctor.inside)]
    return [*first, *(route for room in _ROOMS for route in room.routes(edge))]


def _operations() -> dict[str, Operation]:
    """What routes say of themselves, as "GET /path"."""
    return {name: told for room in _TOLD for name, told in room.OPERATIONS.items()}


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
    request.scope["paddock.error"] = name_of(error)
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
