"""Owns the routes that list, make and revoke keys, and who may do so; refuses to know how keys are kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

import anyio.to_thread
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.described import Operation
from paddock.api.edge import Edge
from paddock.api.schemas import KeyRequest, check
from paddock.store.keys import Key

_DAY_S = 86400
# A key is shown once: nothing on the way may keep it.
_NOT_KEPT = {"cache-control": "no-store"}


class KeyShape(BaseModel):
    """A key as it is known. Times are seconds since 1970."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["key"]
    name: str
    ends_with: str
    state: Literal["valid", "expired", "revoked"]
    created: float
    expires: float | None
    last_used: float | None
    recorded: bool


class NewKey(KeyShape):
    """A key that was just made, with its text."""

    key: str


class KeyList(BaseModel):
    """`GET /api/keys`. `can_change` tells whether whoever asks may make and revoke keys."""

    model_config = ConfigDict(extra="forbid")

    object: Literal["list"]
    data: list[KeyShape]
    can_change: bool


class KeyRevoked(BaseModel):
    """`DELETE /api/keys/{id}`."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["key"]
    revoked: Literal[True]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/keys": Operation(says="The keys, never their text.", answer=KeyList),
    "POST /api/keys": Operation(says="Make a key, and show it once.", body=KeyRequest, answer=NewKey, status=201),
    "DELETE /api/keys/{id}": Operation(says="Let a key in no longer.", answer=KeyRevoked),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of keys."""

    async def listed(request: Request) -> Response:
        own: Key | None = request.scope.get("paddock.key")
        found = await anyio.to_thread.run_sync(edge.keys.listed)
        # Whoever is let in by a key learns of that one alone.
        is_owners = edge.is_owners(request)
        shown = [key for key in found if is_owners or (own is not None and key.key_id == own.key_id)]
        entries = [_entry(key) for key in shown]
        return JSONResponse({"object": "list", "data": entries, "can_change": is_owners})

    async def create(request: Request) -> Response:
        edge.own(request, "Making a key", "`paddock keys create`")
        wanted = check(KeyRequest, await edge.body(request))
        expires_s = time.time() + wanted.expires_days * _DAY_S if wanted.expires_days else None
        key, text = await anyio.to_thread.run_sync(
            lambda: edge.keys.create(wanted.name, expires_s=expires_s, is_recorded=wanted.record)
        )
        return JSONResponse({**_entry(key), "key": text}, status_code=201, headers=_NOT_KEPT)

    async def revoke(request: Request) -> Response:
        key_id = request.path_params["id"]
        edge.own(request, "Revoking a key", f"`paddock keys revoke {key_id[:40]}`")
        await anyio.to_thread.run_sync(edge.keys.revoke, key_id)
        return JSONResponse({"id": key_id, "object": "key", "revoked": True})

    return [
        Route("/api/keys", listed, methods=["GET"]),
        Route("/api/keys", create, methods=["POST"]),
        Route("/api/keys/{id}", revoke, methods=["DELETE"]),
    ]


def _entry(key: Key) -> dict[str, Any]:
    """A key as it is known, never its text. Times are seconds since 1970."""
    return {
        "id": key.key_id,
        "object": "key",
        "name": key.name,
        "ends_with": key.hint,
        "state": "revoked" if key.revoked_s else "valid" if key.is_valid(time.time()) else "expired",
        "created": key.created_s,
        "expires": key.expires_s,
        "last_used": key.last_used_s,
        "recorded": key.is_recorded,
    }
