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


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/tools": Operation(says="The server's own tools, also those that are off here, and why.", answer=ToolList),
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

    return [Route("/api/tools", listed, methods=["GET"])]
