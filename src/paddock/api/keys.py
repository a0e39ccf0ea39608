"""Owns the routes that list, make and revoke keys, and who may do so; refuses to know how keys are kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.described import Operation, Told
from paddock.api.edge import Edge
from paddock.api.rights import how
from paddock.api.schemas import KeyRequest, check
from paddock.caller import Caller, Right, current
from paddock.clock import stamp_s
from paddock.errors import KeyUnknown, NotPermitted, shown
from paddock.store.key_uses import Used
from paddock.store.keys import Key, Terms, checked

_DAY_S = 86400
# A key is shown once: nothing on the way may keep it.
_NOT_KEPT = {"cache-control": "no-store"}
_BY_HAND = "A key makes no keys. Sign in, or type `paddock keys create` at the machine of paddock."


class KeyShape(Told):
    """A key as it is known. Times are seconds since 1970; a limit of 0 is none, and a day one of UTC."""

    id: str
    object: Literal["key"]
    name: str
    ends_with: str
    state: Literal["valid", "expired", "revoked"]
    created: float
    expires: float | None
    last_used: float | None
    recorded: bool
    may: list[Right]
    models: list[str]
    paths: list[str]
    requests_per_minute: int
    requests_per_day: int
    tokens_per_day: int
    requests_today: int
    tokens_today: int


class NewKey(KeyShape):
    """A key that was just made, with its text."""

    key: str


class KeyList(Told):
    """`GET /api/keys`. `can_change` tells whether whoever asks may make and revoke keys."""

    object: Literal["list"]
    data: list[KeyShape]
    can_change: bool


class KeyRevoked(Told):
    """`DELETE /api/keys/{id}`."""

    id: str
    object: Literal["key"]
    revoked: Literal[True]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/keys": Operation(says="The keys, never their text.", answer=KeyList),
    "POST /api/keys": Operation(says="Make a key, and show it once.", body=KeyRequest, answer=NewKey, status=201),
    "DELETE /api/keys/{id}": Operation(says="Let a key in no longer.", answer=KeyRevoked),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of keys. Whoever may manage paddock sees and changes all, an account its own, a key sees itself."""

    async def listed(request: Request) -> Response:
        caller = current()
        found = await edge.database.aside(edge.access.keys.listed, only_reads=True)
        used = await edge.database.aside(partial(edge.access.uses.latest, int(time.time() // _DAY_S)), only_reads=True)
        entries = [_entry(key, used.get(key.key_id, (0, 0))) for key in found if _is_shown(caller, key)]
        return JSONResponse({"object": "list", "data": entries, "can_change": _may_change(caller)})

    async def create(request: Request) -> Response:
        return await _created(edge, request)

    async def revoke(request: Request) -> Response:
        key_id, caller = request.path_params["id"], current()
        _permit(caller)
        found = await edge.database.aside(edge.access.keys.listed, only_reads=True)
        if not any(key.key_id == key_id and _is_shown(caller, key) for key in found):
            raise KeyUnknown(f"There is no key with the id {shown(key_id)}. GET /api/keys shows yours.")
        await edge.database.aside(partial(edge.access.keys.revoke, key_id))
        await edge.note(request, "key revoked", about=key_id)
        return JSONResponse({"id": key_id, "object": "key", "revoked": True})

    return [
        Route("/api/keys", listed, methods=["GET"]),
        Route("/api/keys", create, methods=["POST"]),
        Route("/api/keys/{id}", revoke, methods=["DELETE"]),
    ]


async def _created(edge: Edge, request: Request) -> Response:
    """The answer to a new key. Raises NotPermitted where it may more than whoever makes it."""
    caller = current()
    _permit(caller)
    wanted = check(KeyRequest, await edge.body(request))
    if beyond := sorted(set(wanted.may) - caller.rights):
        raise NotPermitted(f"The right '{beyond[0]}'", how(caller, beyond[0]))
    if wanted.record and not caller.may("inspect"):
        raise NotPermitted("A key whose requests are recorded", how(caller, "inspect"))
    terms = checked(
        Terms(
            rights=frozenset(wanted.may),
            models=tuple(wanted.models),
            paths=tuple(wanted.paths),
            requests_per_minute=wanted.requests_per_minute,
            requests_per_day=wanted.requests_per_day,
            tokens_per_day=wanted.tokens_per_day,
        )
    )
    expires_s = stamp_s() + wanted.expires_days * _DAY_S if wanted.expires_days else None
    key, text = await edge.database.aside(
        lambda: edge.access.keys.create(
            wanted.name,
            expires_s=expires_s,
            is_recorded=wanted.record,
            terms=terms,
            account_id=caller.account_id,
        )
    )
    await edge.note(request, "key made", about=f"{key.key_id} {wanted.name} ({', '.join(sorted(wanted.may))})")
    return JSONResponse({**_entry(key, (0, 0)), "key": text}, status_code=201, headers=_NOT_KEPT)


def _may_change(caller: Caller) -> bool:
    """A key makes no keys: one that leaked must not make another that outlives it, nor lock its owner out."""
    return caller.key_id is None and (caller.may("manage") or caller.account_id is not None)


def _permit(caller: Caller) -> None:
    if not _may_change(caller):
        raise NotPermitted("Making and revoking keys", how(caller, "manage") if caller.key_id is None else _BY_HAND)


def _is_shown(caller: Caller, key: Key) -> bool:
    if caller.key_id is not None:
        return caller.key_id == key.key_id
    return caller.may("manage") or (caller.account_id is not None and caller.account_id == key.account_id)


def _entry(key: Key, used: Used) -> dict[str, Any]:
    """A key as it is known, never its text. Times are seconds since 1970."""
    return {
        "id": key.key_id,
        "object": "key",
        "name": key.name,
        "ends_with": key.hint,
        "state": "revoked" if key.revoked_s else "valid" if key.is_valid(stamp_s()) else "expired",
        "created": key.created_s,
        "expires": key.expires_s,
        "last_used": key.last_used_s,
        "recorded": key.is_recorded,
        "may": sorted(key.caller.rights),
        "models": list(key.terms.models),
        "paths": list(key.terms.paths),
        "requests_per_minute": key.terms.requests_per_minute,
        "requests_per_day": key.terms.requests_per_day,
        "tokens_per_day": key.terms.tokens_per_day,
        "requests_today": used[0],
        "tokens_today": used[1],
    }
