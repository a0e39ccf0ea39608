"""Owns the route that lists the server's own tools; refuses to know what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.described import Operation, Told
from paddock.api.edge import Edge


class ToolEntry(Told):
    """One tool of the server."""

    name: str
    group: str
    description: str
    parameters: dict[str, Any]
    is_harmless: bool
    why_off: str


class ToolList(Told):
    """The tools that `enable_tools` can turn on."""

    object: Literal["list"]
    data: list[ToolEntry]


_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_INERT = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}

OPERATIONS: Mapping[str, Operation] = {
    "GET /api/tools": Operation(says="The server's own tools, also those that are off here, and why.", answer=ToolList),
    "GET /api/tools/file": Operation(
        says="A file that a tool made in a session of the caller's.",
        kind="application/octet-stream",
        query={"session_id": {"type": "string"}, "path": {"type": "string"}},
        needs=("session_id", "path"),
    ),
}


def routes(edge: Edge) -> list[Route]:
    """The route of the server's tools."""

    async def listed(request: Request) -> Response:
        await edge.tools.look()
        data = [
            {
                "name": tool.name,
                "group": tool.group,
                "description": tool.description,
                "parameters": tool.parameters,
                "is_harmless": tool.is_harmless,
                "why_off": tool.why_off(),
            }
            for tool in edge.tools.all()
        ]
        return JSONResponse({"object": "list", "data": data})

    async def file(request: Request) -> Response:
        session_id, path = (request.query_params.get(name, "") for name in ("session_id", "path"))
        data, kind = await edge.tools.file(session_id, path)
        # A page that a model wrote must not be one of ours.
        shown = kind if kind in _PICTURES else "application/octet-stream"
        return Response(data, media_type=shown, headers=_INERT)

    return [
        Route("/api/tools", listed, methods=["GET"]),
        Route("/api/tools/file", file, methods=["GET"]),
    ]
