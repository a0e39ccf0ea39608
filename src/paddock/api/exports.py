"""Owns the routes of exports; refuses to know how any file is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.described import EVENTS, Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.jobs import told_job
from paddock.api.numbered import after, frames
from paddock.api.schemas import check
from paddock.serving.runs import Replay
from paddock.store.jobs import Job, State

_ACCEPTED = 202


class ExportRequest(Asked):
    """`POST /api/exports`: what is exported, and as what."""

    source: str
    base: str = ""
    name: str = ""
    types: list[str] | None = None
    certifies: bool = True


class ExportFault(Told):
    """Why an export failed."""

    kind: str
    message: str


class Export(Told):
    """One export. Times are seconds since 1970; `figures` are the newest that its worker told."""

    object: Literal["export"]
    id: str
    name: str
    state: State
    spec: dict[str, Any]
    figures: dict[str, Any]
    error: ExportFault | None
    created_s: float
    started_s: float | None
    ended_s: float | None


class ExportList(Told):
    """`GET /api/exports`, the newest first; `has_stack`: there are the libraries that export."""

    object: Literal["list"]
    data: list[Export]
    has_stack: bool


class ExportRemoved(Told):
    """`DELETE /api/exports/{id}`: what it made went with it."""

    id: str
    deleted: Literal[True]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/exports": Operation(says="The exports.", answer=ExportList),
    "POST /api/exports": Operation(says="Queue an export.", body=ExportRequest, answer=Export, status=_ACCEPTED),
    "GET /api/exports/{id}": Operation(says="One export.", answer=Export),
    "DELETE /api/exports/{id}": Operation(says="Remove an export with what it made.", answer=ExportRemoved),
    "GET /api/exports/{id}/events": Operation(says="What its worker tells, until it is at rest.", kind=EVENTS),
    "POST /api/exports/{id}/cancel": Operation(says="Stop as soon as it can.", answer=Export),
    "POST /api/exports/{id}/verify": Operation(says="Compare its files anew, as they are.", answer=Export),
    "POST /api/exports/{id}/resume": Operation(says="Go on from the last step that is whole.", answer=Export),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of exports."""
    exports = edge.exports

    async def listed(request: Request) -> Response:
        data = [_told(one) for one in await exports.listed()]
        has_stack = await anyio.to_thread.run_sync(exports.has_stack)
        return JSONResponse({"object": "list", "data": data, "has_stack": has_stack})

    async def start(request: Request) -> Response:
        asked = check(ExportRequest, await edge.body(request))
        job = await exports.start(asked.model_dump())
        await edge.note(request, "export begun", about=f"{job.id} {job.name}")
        return JSONResponse(_told(job), status_code=_ACCEPTED)

    async def one(request: Request) -> Response:
        return JSONResponse(_told(await exports.find(request.path_params["id"])))

    async def remove(request: Request) -> Response:
        await exports.remove(request.path_params["id"])
        await edge.note(request, "export removed", about=request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "deleted": True})

    async def events(request: Request) -> ASGIApp:
        job = await exports.find(request.path_params["id"])
        return Replay(frames(exports.events(job.id, after(request))), keepalive_s=edge.settings.keepalive_s)

    async def change(request: Request) -> Response:
        deeds = {"cancel": exports.cancel, "resume": exports.resume, "verify": exports.verify}
        return JSONResponse(_told(await deeds[request.url.path.rpartition("/")[2]](request.path_params["id"])))

    return [
        Route("/api/exports", listed, methods=["GET"]),
        Route("/api/exports", start, methods=["POST"]),
        Route("/api/exports/{id}", one, methods=["GET"]),
        Route("/api/exports/{id}", remove, methods=["DELETE"]),
        Route("/api/exports/{id}/events", events, methods=["GET"]),
        Route("/api/exports/{id}/cancel", change, methods=["POST"]),
        Route("/api/exports/{id}/resume", change, methods=["POST"]),
        Route("/api/exports/{id}/verify", change, methods=["POST"]),
    ]


def _told(job: Job) -> dict[str, Any]:
    return told_job(job, "export")
