"""Owns the routes of what is set for single models and of their templates; refuses to know what a setting does."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.attending import attended
from paddock.api.edge import Edge
from paddock.models.catalog import Model
from paddock.models.saved import ModelSettings, spec_of
from paddock.serving import template


def routes(edge: Edge) -> list[Route]:
    """The routes of what is set for single models."""

    async def shown(request: Request) -> Response:
        model = await edge.named(request)
        return JSONResponse(_told(model, edge.shelf.saved.get(model.id)))

    async def change(request: Request) -> Response:
        model = await edge.named(request)
        changes = await edge.body(request)
        draft = changes.get("draft_model")
        if isinstance(draft, str):
            await edge.shelf.find(draft)
        settings = await anyio.to_thread.run_sync(edge.shelf.saved.update, model.id, changes)
        await edge.note(request, "model's settings changed", about=f"{model.id}: {', '.join(sorted(changes))}")
        return JSONResponse({**_told(model, settings), "needs_reload": _needs_reload(edge, model, changes)})

    async def check_template(request: Request) -> Response:
        model = await edge.model_for("text", request.path_params["id"] or (await edge.named(request)).id)

        async def checked() -> dict[str, Any]:
            async with edge.pool.lease(model.id) as lease:
                within_s = min(template.RENDERED_WITHIN_S, edge.settings.answer_timeout_s)
                return await template.checked(lease, within_s=within_s)

        found = await attended(request, checked)
        is_own = edge.shelf.saved.get(model.id).chat_template is None
        return JSONResponse({"id": model.id, "from": "model" if is_own else "override", **found})

    return [
        Route("/api/models/{id:path}/settings", shown),
        Route("/api/models/{id:path}/settings", change, methods=["PUT"]),
        Route("/api/models/{id:path}/template", check_template),
    ]


def _told(model: Model, settings: ModelSettings) -> dict[str, Any]:
    return {"id": model.id, "settings": settings.given()}


def _needs_reload(edge: Edge, model: Model, changes: dict[str, Any]) -> bool:
    """Whether the model runs, or is being started, without what was just changed."""
    resident = edge.pool.residents.get(model.id)
    is_used = any(spec_of(name).metadata["when"] == "load" for name in changes)
    return is_used and resident is not None and not resident.is_going
