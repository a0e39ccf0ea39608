"""Owns the routes of downloads; refuses to know how anything is fetched."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.edge import Edge
from paddock.api.numbered import after
from paddock.errors import FieldInvalid, shown
from paddock.models.download_states import Download, Event
from paddock.serving.runs import Replay

_ACCEPTED = 202


def routes(edge: Edge) -> list[Route]:
    """The routes that fetch models."""
    downloads = edge.downloads

    async def start(request: Request) -> Response:
        model = (await edge.body(request)).get("model")
        if not isinstance(model, str):
            raise FieldInvalid(f"model: must be text such as 'ORG/REPO:Q4_K_M' (got {shown(model)}).", param="model")
        return JSONResponse(snapshot(await downloads.start(model)), status_code=_ACCEPTED)

    async def listed(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [snapshot(one) for one in await downloads.listed()]})

    async def one(request: Request) -> Response:
        return JSONResponse(snapshot(await downloads.find(request.path_params["id"])))

    async def forget(request: Request) -> Response:
        await downloads.forget(request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "deleted": True})

    async def events(request: Request) -> ASGIApp:
        download = await downloads.find(request.path_params["id"])
        frames = _frames(downloads.events(download.id, after(request)), download.size_bytes)
        return Replay(frames, keepalive_s=edge.settings.keepalive_s)

    def changing(change: Callable[[str], Awaitable[Download]]) -> Callable[[Request], Awaitable[Response]]:
        async def changed(request: Request) -> Response:
            return JSONResponse(snapshot(await change(request.path_params["id"])))

        return changed

    return [
        Route("/api/downloads", start, methods=["POST"]),
        Route("/api/downloads", listed, methods=["GET"]),
        Route("/api/downloads/{id}", one, methods=["GET"]),
        Route("/api/downloads/{id}", forget, methods=["DELETE"]),
        Route("/api/downloads/{id}/events", events, methods=["GET"]),
        Route("/api/downloads/{id}/pause", changing(downloads.pause), methods=["POST"]),
        Route("/api/downloads/{id}/resume", changing(downloads.resume), methods=["POST"]),
        Route("/api/downloads/{id}/cancel", changing(downloads.cancel), methods=["POST"]),
    ]


def snapshot(download: Download) -> dict[str, Any]:
    """A download as it stands."""
    last = download.last
    error = {"kind": download.error_kind, "message": last.error} if last.error else None
    return {
        "id": download.id,
        "object": "download",
        "model": download.model,
        "revision": download.revision,
        "created": download.created_s,
        **_standing(last, download.size_bytes),
        "error": error,
        "files": [{"name": file.name, "size_bytes": file.size_bytes} for file in download.files],
        "last_event": last.number,
    }


def _standing(event: Event, size_bytes: int) -> dict[str, Any]:
    rate = event.bytes_per_s if event.state == "running" else 0
    return {
        "state": event.state,
        "done_bytes": event.done_bytes,
        "size_bytes": size_bytes,
        "bytes_per_s": rate,
        "seconds_left": math.ceil((size_bytes - event.done_bytes) / rate) if rate else None,
    }


async def _frames(events: AsyncGenerator[Event], size_bytes: int) -> AsyncGenerator[bytes]:
    async with aclosing(events) as found:
        async for event in found:
            kind = "progress" if event.is_progress else "state"
            data = json.dumps({**_standing(event, size_bytes), "error": event.error})
            yield f"id: {event.number}\nevent: {kind}\ndata: {data}\n\n".encode()
