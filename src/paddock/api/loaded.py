"""Owns what is loaded as others see and steer it: load, unload, pin, unpin, and the list; decides nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.attending import attended
from paddock.api.edge import Edge
from paddock.engine.resident import Resident


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    edge: Edge

    async def listed(self, request: Request) -> Response:
        """Every model that takes memory, and what waits for room."""
        pool = self.edge.pool
        waiting = pool.waiting
        residents = list(pool.residents.values())
        return JSONResponse(
            {
                "models": [_entry(resident, waiting=waiting.count(resident.model_id)) for resident in residents],
                "waiting": {model_id: waiting.count(model_id) for model_id in dict.fromkeys(waiting)},
                "memory_bytes": sum(resident.plan.memory_bytes for resident in residents),
                "memory_budget_bytes": pool.limits.memory_budget_bytes if pool.limits else None,
            }
        )

    async def load(self, request: Request) -> Response:
        model = await self.edge.named(request)

        async def loaded() -> Response:
            async with self.edge.pool.lease(model.id) as lease:
                context_tokens, is_pinned = lease.abilities.context_tokens, lease.resident.is_pinned
            return JSONResponse(_ready(model.id, context_tokens, is_pinned=is_pinned))

        return await attended(request, loaded)

    async def unload(self, request: Request) -> Response:
        model_id = await self._held(request)
        await self.edge.pool.unload(model_id)
        return JSONResponse({"id": model_id, "state": "stopped"})

    async def pin(self, request: Request) -> Response:
        model = await self.edge.named(request)
        abilities = await attended(request, lambda: self.edge.pool.pin(model.id))
        return JSONResponse(_ready(model.id, abilities.context_tokens, is_pinned=True))

    async def unpin(self, request: Request) -> Response:
        model_id = await self._held(request)
        self.edge.pool.unpin(model_id)
        return JSONResponse({"id": model_id, "pinned": False})

    async def _held(self, request: Request) -> str:
        """The id of a model that may be loaded; its file may be gone. Raises as `Edge.named` does."""
        name = request.path_params["id"]
        if name not in self.edge.pool.residents:
            return (await self.edge.named(request)).id
        self.edge.permit_model(name)
        return name


def routes(edge: Edge) -> list[Route]:
    """The routes of what is loaded."""
    own = _Loaded(edge=edge)
    return [
        Route("/api/models/loaded", own.listed),
        Route("/api/models/{id:path}/load", own.load, methods=["POST"]),
        Route("/api/models/{id:path}/unload", own.unload, methods=["POST"]),
        Route("/api/models/{id:path}/pin", own.pin, methods=["POST"]),
        Route("/api/models/{id:path}/unpin", own.unpin, methods=["POST"]),
    ]


def _ready(model_id: str, context_tokens: int, *, is_pinned: bool) -> dict[str, Any]:
    return {"id": model_id, "state": "ready", "context_length": context_tokens, "pinned": is_pinned}


def _entry(resident: Resident, *, waiting: int) -> dict[str, Any]:
    """One loaded model. Requests that are in the engine, but beyond its slots, wait there."""
    slots = resident.plan.flags.slots
    idle_s = None if resident.leases else round(anyio.current_time() - resident.last_used_s, 3)
    return {
        "id": resident.model_id,
        "state": resident.engine.state,
        "memory_bytes": resident.plan.memory_bytes,
        "context_length": resident.abilities.context_tokens if resident.abilities else None,
        "slots": slots,
        "live_requests": resident.leases,
        "waiting_requests": waiting + max(0, resident.leases - slots),
        "idle_s": idle_s,
        "pinned": resident.is_pinned,
    }
