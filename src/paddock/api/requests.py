"""Owns the routes of the flight recorder's recordings; refuses to know how they are kept."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.edge import Edge

_LISTED_MOST = 200


def routes(edge: Edge) -> list[Route]:
    """The routes that list, show and clear what was recorded."""

    async def listed(request: Request) -> Response:
        found = await anyio.to_thread.run_sync(edge.recorder.summaries, _LISTED_MOST)
        return JSONResponse({"object": "list", "data": found})

    async def one(request: Request) -> Response:
        record_id = request.path_params["id"]
        await edge.recorder.written(record_id)
        return JSONResponse(await anyio.to_thread.run_sync(edge.recorder.read, record_id))

    async def clear(request: Request) -> Response:
        return JSONResponse({"removed": await anyio.to_thread.run_sync(edge.recorder.clear)})

    return [
        Route("/api/requests", listed, methods=["GET"]),
        Route("/api/requests", clear, methods=["DELETE"]),
        Route("/api/requests/{id}", one, methods=["GET"]),
    ]
