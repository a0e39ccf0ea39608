"""Owns the routes of the flight recorder's recordings; refuses to know how they are kept."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.api.schemas import RecordingRequest, check
from paddock.recorder.again import case_text, curl_text

_LISTED_MOST = 200


def routes(edge: Edge) -> list[Route]:
    """The routes that list, show and clear what was recorded."""

    async def listed(request: Request) -> Response:
        found = await anyio.to_thread.run_sync(edge.recorder.summaries, _LISTED_MOST)
        about = {"recording": edge.recorder.is_on, "can_change": edge.is_owners(request)}
        return JSONResponse({"object": "list", "data": found, **about})

    async def turn(request: Request) -> Response:
        edge.own(request, "Recording what everybody asks", "paddock serve --record")
        edge.recorder.turn(on=check(RecordingRequest, await edge.body(request)).on)
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
        return JSONResponse({"removed": await anyio.to_thread.run_sync(edge.recorder.clear)})

    return [
        Route("/api/requests", listed, methods=["GET"]),
        Route("/api/requests", clear, methods=["DELETE"]),
        Route("/api/requests/recording", turn, methods=["POST"]),
        Route("/api/requests/{id}", one, methods=["GET"]),
        Route("/api/requests/{id}/curl", curl, methods=["GET"]),
        Route("/api/requests/{id}/case", case, methods=["GET"]),
    ]
