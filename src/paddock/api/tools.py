"""Owns the routes of the server's own tools and of the files they work on; refuses to know what tools do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.body import read_bytes
from paddock.api.described import Operation, Told, text
from paddock.api.edge import Edge
from paddock.sandbox.files import File
from paddock.tools.session_files import MOST_BYTES, SESSION_CHARACTERS_MOST


class ToolEntry(Told):
    """One tool of the server."""

    name: str
    group: str
    description: str
    parameters: dict[str, Any]
    is_harmless: bool
    wants_asking: bool
    """Whether a person is asked before a call on the page, where nothing else was decided."""
    why_off: str


class SessionFile(Told):
    """A file of a session's workspace; `path` is where it lies in there."""

    path: str
    size_bytes: int
    media_type: str


class SessionFileList(Told):
    """The files of a session's workspace."""

    object: Literal["list"]
    data: list[SessionFile]


class SessionFileGone(Told):
    """A file that was taken away."""

    path: str
    deleted: Literal[True]


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

_SESSION = {"session_id": text(most=SESSION_CHARACTERS_MOST)}
_FILE = {**_SESSION, "path": text()}

OPERATIONS: Mapping[str, Operation] = {
    "GET /api/tools": Operation(says="The server's own tools, also those that are off here, and why.", answer=ToolList),
    "GET /api/tools/files": Operation(
        says="The files that the tools of a session of the caller's work on.",
        answer=SessionFileList,
        query=_SESSION,
        needs=("session_id",),
    ),
    "GET /api/tools/file": Operation(
        says="A file that a tool made in a session of the caller's, or that was put there.",
        kind="application/octet-stream",
        query=_FILE,
        needs=("session_id", "path"),
    ),
    "PUT /api/tools/file": Operation(
        says="Put a file, whose bytes are the body, where the tools of a session find it.",
        answer=SessionFile,
        query=_FILE,
        needs=("session_id", "path"),
        takes="application/octet-stream",
    ),
    "DELETE /api/tools/file": Operation(
        says="Take a file of a session away.",
        answer=SessionFileGone,
        query=_FILE,
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
                "wants_asking": tool.wants_asking,
                "why_off": tool.why_off(),
            }
            for tool in edge.tools.all()
        ]
        return JSONResponse({"object": "list", "data": data})

    async def all_files(request: Request) -> Response:
        found = await edge.tools.files.all(request.query_params.get("session_id", ""))
        return JSONResponse({"object": "list", "data": [_told(one) for one in found]})

    async def put(request: Request) -> Response:
        timeout_s = edge.settings.receive_timeout_s
        data = await read_bytes(request, limit_bytes=MOST_BYTES, timeout_s=timeout_s, room=edge.bodies)
        made = await edge.tools.files.write(*_named(request), data)
        return JSONResponse(_told(made))

    async def delete(request: Request) -> Response:
        session_id, path = _named(request)
        await edge.tools.files.remove(session_id, path)
        return JSONResponse({"path": path, "deleted": True})

    async def file(request: Request) -> Response:
        data, kind = await edge.tools.files.read(*_named(request))
        # A page that a model wrote must not be one of ours.
        shown = kind if kind in _PICTURES else "application/octet-stream"
        return Response(data, media_type=shown, headers=_INERT)

    return [
        Route("/api/tools", listed, methods=["GET"]),
        Route("/api/tools/files", all_files, methods=["GET"]),
        Route("/api/tools/file", file, methods=["GET"]),
        Route("/api/tools/file", put, methods=["PUT"]),
        Route("/api/tools/file", delete, methods=["DELETE"]),
    ]


def _named(request: Request) -> tuple[str, str]:
    """The session and the path that a request names."""
    session_id, path = (request.query_params.get(name, "") for name in ("session_id", "path"))
    return session_id, path


def _told(file: File) -> dict[str, Any]:
    return {"path": file.name, "size_bytes": file.size_bytes, "media_type": file.media_type}
