"""Owns which right each route needs, and refusing whoever lacks it; refuses to know how callers are recognised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from functools import wraps
from typing import cast

from starlette.requests import Request
from starlette.routing import Route

from paddock.caller import VISITOR, Caller, Right, current
from paddock.errors import NotPermitted
from paddock.serving.admission import Admission
from paddock.store.keys import Key

Endpoint = Callable[[Request], Awaitable[object]]
# The first line that a route matches holds; None is open to whoever is let in. `docs/keys.md` shows it.
NEEDED: tuple[tuple[str, Right | None], ...] = (
    ("* /v1/*", "ask"),
    ("POST /api/chat", "ask"),
    ("POST /api/generate", "ask"),
    ("POST /api/embed*", "ask"),
    ("POST /api/show", "ask"),
    ("GET /api/tags", "ask"),
    ("GET /api/ps", "ask"),
    ("POST /*tokenize", "ask"),
    ("POST /apply-template", "ask"),
    ("POST /infill", "ask"),
    ("GET /api/doctor/clients", "ask"),
    ("* /api/chats*", "chats"),
    ("* /api/folders*", "chats"),
    ("* /api/presets*", "chats"),
    ("* /api/attachments*", "chats"),
    # A folder of this machine holds what is not the caller's.
    ("PUT /api/knowledge/*/folder", "manage"),
    ("* /api/knowledge*", "chats"),
    ("GET /api/models*", "ask"),
    ("GET /api/aliases", "ask"),
    ("* /api/tools/*", "tools"),
    ("GET /api/tools", "ask"),
    # What a program of the machine is, and that it runs, is decided by whom the machine is.
    ("GET /api/mcp*", "tools"),
    ("* /api/mcp*", "manage"),
    ("GET /api/remotes", "ask"),
    ("POST /api/models/import", "download"),
    ("DELETE /api/models/*", "delete"),
    ("DELETE /api/delete", "delete"),
    # What holds for everybody who asks a model is not for each of them to change.
    ("PUT /api/models/*/settings", "manage"),
    ("* /api/aliases/*", "manage"),
    ("* /api/models/*", "load"),
    ("POST /api/remotes/check", "load"),
    ("* /api/hub/*", "download"),
    ("* /api/downloads*", "download"),
    ("POST /api/pull", "download"),
    ("POST /api/copy", "download"),
    ("POST /api/create", "download"),
    ("POST /api/push", "download"),
    ("* /api/training*", "train"),
    ("POST /api/exports/*/import", "download"),
    # It shows the hub this server's own token, and may publish.
    ("POST /api/exports/*/push", "manage"),
    ("* /api/exports*", "train"),
    ("* /api/evaluation-sets*", "train"),
    ("* /api/evaluations*", "train"),
    ("GET /api/pushes*", "train"),
    ("* /api/pushes*", "manage"),
    ("POST /api/requests/recording", "manage"),
    ("DELETE /api/requests", "manage"),
    ("* /api/requests*", "inspect"),
    ("GET /api/system*", "inspect"),
    ("GET /api/settings", "inspect"),
    ("GET /api/engines*", "inspect"),
    ("GET /metrics", "inspect"),
    ("* /api/settings", "manage"),
    ("* /api/engines*", "manage"),
    ("* /api/users*", "manage"),
    ("GET /api/audit", "manage"),
    ("POST /api/shutdown", "manage"),
    # Each shows and changes what is the caller's own.
    ("* /api/keys*", None),
    ("* /api/session*", None),
    # Each of its tools is a route, which needs its own.
    ("POST /mcp", None),
    ("GET /api/clients", None),
    ("GET /api/version", None),
    ("GET /openapi.json", None),
    ("GET /health*", None),
)


def needed(method: str, path: str) -> Right | None:
    """The right that a route needs, of those in `NEEDED`. Raises LookupError for one that is not told there."""
    for pattern, right in NEEDED:
        if fnmatchcase(f"{method} {path}", pattern):
            return right
    raise LookupError(f"{method} {path} is not in api/rights.py: NEEDED")


def guarded(route: Route, admission: Admission) -> Route:
    """The route, open to those who have its right alone; what asks a model counts towards what a key may ask."""
    methods = sorted((route.methods or {"GET"}) - {"HEAD"})
    rights: dict[str, Right | None] = {method: needed(method, route.path) for method in methods}
    rights["HEAD"] = rights.get("GET")
    endpoint: Endpoint = route.endpoint
    asks = "POST" in rights and (rights["POST"] == "ask" or route.path.endswith("/answers"))

    @wraps(endpoint)
    async def permitted(request: Request) -> object:
        right, key = rights[request.method], cast("Key | None", request.scope.get("paddock.key"))
        permit(current(), right, request.scope["path"])
        if key is not None and right == "train" and key.terms.why_no_training:
            # A key that was made before that was looked at.
            raise NotPermitted(request.scope["path"][:100], key.terms.why_no_training)
        if asks and key is not None:
            await admission.enter(key)
        return await endpoint(request)

    return type(route)(route.path, permitted, methods=methods)


def permit(caller: Caller, right: Right | None, path: str) -> None:
    """Let a call pass. Raises NotPermitted."""
    if not caller.may_call(path):
        raise NotPermitted(f"{path[:100]}", f"This key may call {', '.join(caller.paths)} alone.")
    if right is not None and right not in caller.rights:
        raise NotPermitted(f"{path[:100]}", how(caller, right))


def how(caller: Caller, right: Right) -> str:
    """What helps a caller who lacks a right."""
    if caller.key_id:
        return (
            f"This key lacks the right '{right}'. `paddock keys create --may {right}` makes one that has it, at the "
            "machine of paddock."
        )
    if caller is VISITOR:
        return (
            "It is done at the machine of paddock, or by an admin who is signed in. Over HTTP it may be done where "
            "paddock listens on loopback and asks for no key, from a loopback address without a proxy between, and not "
            "by a page of another origin. From elsewhere, `ssh -L 8642:127.0.0.1:8642 THE-MACHINE` makes such a "
            "paddock yours."
        )
    return f"It needs the right '{right}', which an admin has. Ask one."
