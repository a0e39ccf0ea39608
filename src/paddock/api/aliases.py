"""Owns the routes of the other names of models; refuses to know how aliases are kept."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.errors import FieldInvalid, shown
from paddock.models.aliases import check_pattern


def routes(edge: Edge) -> list[Route]:
    """The routes that list, set and forget aliases."""
    aliases = edge.shelf.aliases

    async def listed(request: Request) -> Response:
        found = await anyio.to_thread.run_sync(aliases.all)
        data = [{"pattern": pattern, "model": model} for pattern, model in sorted(found.items())]
        return JSONResponse({"object": "list", "data": data})

    async def put(request: Request) -> Response:
        pattern = check_pattern(request.path_params["pattern"])
        name = (await edge.body(request)).get("model")
        if not isinstance(name, str):
            raise FieldInvalid(f"model: must be the id of a model (got {shown(name)}).", param="model")
        model = await edge.find(name)
        await anyio.to_thread.run_sync(aliases.set, pattern, model.id)
        await edge.note(request, "other name given", about=f"{pattern} for {model.id}")
        return JSONResponse({"pattern": pattern, "model": model.id})

    async def forget(request: Request) -> Response:
        await anyio.to_thread.run_sync(aliases.remove, request.path_params["pattern"])
        await edge.note(request, "other name taken away", about=request.path_params["pattern"])
        return JSONResponse({"pattern": request.path_params["pattern"], "deleted": True})

    return [
        Route("/api/aliases", listed, methods=["GET"]),
        Route("/api/aliases/{pattern:path}", put, methods=["PUT"]),
        Route("/api/aliases/{pattern:path}", forget, methods=["DELETE"]),
    ]
