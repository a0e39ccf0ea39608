"""Owns the routes of the flight recorder's recordings; refuses to know how they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.described import Operation, Told
from paddock.api.edge import Edge
from paddock.api.schemas import RecordingRequest, check
from paddock.caller import current
from paddock.recorder.again import case_text, curl_text

_LISTED_MOST = 200


class OpenShape(Told):
    """A request that is being answered. `model` is left out where none was named, or its body is still coming."""

    id: str
    request_id: str
    created_s: float
    method: str
    path: str
    model: str | None = None


class RecordingHead(OpenShape):
    """A recording without its parts. `times_ms` and `size_bytes` are by part."""

    status: int
    upstream_path: str
    times_ms: dict[str, float]
    size_bytes: dict[str, int]
    cut: list[str]
    notes: dict[str, str]


class RecordingShape(RecordingHead):
    """A recording. `headers` are pairs of a name and a value."""

    headers: list[tuple[str, str]]
    sections: dict[str, str]


class RecordingList(Told):
    """`GET /api/requests`. `recording` tells whether every request is recorded, `can_change` who may turn that."""

    object: Literal["list"]
    data: list[RecordingHead]
    open: list[OpenShape]
    recording: bool
    can_change: bool


class Removed(Told):
    """How many recordings were removed."""

    removed: int


class Recording(Told):
    """Whether every request is recorded."""

    recording: bool


class Curl(Told):
    """A command."""

    curl: str


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/requests": Operation(says="The newest 200 recordings, without their parts.", answer=RecordingList),
    "DELETE /api/requests": Operation(says="Remove every recording.", answer=Removed),
    "POST /api/requests/recording": Operation(
        says="Record every request from now on, or no longer.", body=RecordingRequest, answer=Recording
    ),
    "GET /api/requests/{id}": Operation(says="One recording.", answer=RecordingShape),
    "GET /api/requests/{id}/curl": Operation(says="A command that sends it again.", answer=Curl),
    "GET /api/requests/{id}/case": Operation(says="It as a test case: two lines of JSON.", kind="application/jsonl"),
}


def routes(edge: Edge) -> list[Route]:
    """The routes that list, show and clear what was recorded."""

    async def listed(request: Request) -> Response:
        found = await anyio.to_thread.run_sync(edge.recorder.summaries, _LISTED_MOST)
        about = {"open": edge.recorder.open(), "recording": edge.recorder.is_on, "can_change": current().may("manage")}
        return JSONResponse({"object": "list", "data": found, **about})

    async def turn(request: Request) -> Response:
        edge.recorder.turn(on=check(RecordingRequest, await edge.body(request)).on)
        await edge.note(request, "recording turned", about="on" if edge.recorder.is_on else "off")
        return JSONResponse({"recording": edge.recorder.is_on})

    async def read(request: Request) -> dict[str, Any]:
        record_id = request.path_params["id"]
        await edge.recorder.written(record_id)
        return await anyio.to_thread.run_sync(edge.recorder.read, record_id)

    async def one(request: Request) -> Response:
        return JSONResponse(await read(request))

    async def curl(request: Request) -> Response:
        url = f"{request.url.scheme}://{request.url.netloc}"
        return JSONResponse({"curl": curl_text(await read(request), url)})

    async def case(request: Request) -> Response:
        record = await read(request)
        name = {"content-disposition": f'attachment; filename="paddock-{record["id"]}.jsonl"'}
        return Response(case_text(record), media_type="application/jsonl", headers=name)

    async def clear(request: Request) -> Response:
        removed = await anyio.to_thread.run_sync(edge.recorder.clear)
        await edge.note(request, "recordings removed", about=str(removed))
        return JSONResponse({"removed": removed})

    return [
        Route("/api/requests", listed, methods=["GET"]),
        Route("/api/requests", clear, methods=["DELETE"]),
        Route("/api/requests/recording", turn, methods=["POST"]),
        Route("/api/requests/{id}", one, methods=["GET"]),
        Route("/api/requests/{id}/curl", curl, methods=["GET"]),
        Route("/api/requests/{id}/case", case, methods=["GET"]),
    ]
