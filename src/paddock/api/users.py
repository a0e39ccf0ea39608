"""Owns the routes of accounts and of the audit, which are an admin's; refuses to know how accounts are kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api import described
from paddock.api.chat_asking import whole
from paddock.api.described import Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.caller import Role, current
from paddock.errors import NotPermitted
from paddock.store.accounts import Account

_NOT_KEPT = {"cache-control": "no-store"}
_PAGE = 100
_PAGE_MOST = 1000


class UserCreate(Asked):
    """`POST /api/users`."""

    name: str = Field(min_length=1, max_length=64)
    role: Role = "user"


class UserPatch(Asked):
    """`PATCH /api/users/{name}`."""

    role: Role | None = None
    disabled: bool | None = None


class User(Told):
    """An account. Times are seconds since 1970. One without a password cannot sign in yet."""

    object: Literal["user"]
    name: str
    role: Role
    created: float
    seen: float | None
    disabled: bool
    has_password: bool


class UserLink(User):
    """An account with a link, good for an hour and once, by which its owner chooses a password."""

    link: str


class UserList(Told):
    """`GET /api/users`."""

    object: Literal["list"]
    data: list[User]


class UserRemoved(Told):
    """`DELETE /api/users/{name}`: its chats and keys went with it."""

    object: Literal["user"]
    name: str
    deleted: Literal[True]


class AuditEntry(Told):
    """Who did what, when (seconds since 1970) and from where."""

    id: int
    at: float
    who: str
    address: str
    deed: str
    about: str


class AuditPage(Told):
    """`GET /api/audit`, the newest first; `before` of the next page is the last `id`."""

    object: Literal["list"]
    data: list[AuditEntry]
    has_more: bool


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/users": Operation(says="The accounts.", answer=UserList),
    "POST /api/users": Operation(says="Make an account.", body=UserCreate, answer=UserLink, status=201),
    "PATCH /api/users/{name}": Operation(says="Change an account.", body=UserPatch, answer=User),
    "POST /api/users/{name}/link": Operation(says="A new link to choose a password.", answer=UserLink),
    "DELETE /api/users/{name}": Operation(says="Remove an account with all that is its own.", answer=UserRemoved),
    "GET /api/audit": Operation(
        says="What was done that an owner may want to know.",
        answer=AuditPage,
        query={"limit": described.whole(1, _PAGE_MOST, _PAGE), "before": described.whole(0, 999_999_999, 0)},
    ),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of accounts and of the audit."""
    accounts = edge.access.accounts

    async def listed(request: Request) -> Response:
        found = await edge.database.aside(accounts.listed, only_reads=True)
        return JSONResponse({"object": "list", "data": [_told(one) for one in found]})

    async def create(request: Request) -> Response:
        _refuse_keys()
        asked = check(UserCreate, await edge.body(request))
        made = await edge.database.aside(partial(accounts.create, asked.name, asked.role))
        await edge.note(request, "account made", about=f"{made.name} ({made.role})")
        return await with_link(request, made, 201)

    async def change(request: Request) -> Response:
        _refuse_keys()
        asked = check(UserPatch, await edge.body(request))
        name = request.path_params["name"]
        made = await edge.database.aside(lambda: accounts.change(name, role=asked.role, is_disabled=asked.disabled))
        state = "disabled" if made.disabled_s else "enabled"
        await edge.note(request, "account changed", about=f"{made.name} ({made.role}, {state})")
        return JSONResponse(_told(made))

    async def link(request: Request) -> Response:
        _refuse_keys()
        found = await edge.database.aside(partial(accounts.find, request.path_params["name"]), only_reads=True)
        await edge.note(request, "link made", about=found.name)
        return await with_link(request, found, 200)

    async def remove(request: Request) -> Response:
        _refuse_keys()
        gone = await edge.database.aside(partial(accounts.remove, request.path_params["name"]))
        await edge.note(request, "account removed", about=gone.name)
        return JSONResponse({"object": "user", "name": gone.name, "deleted": True})

    async def with_link(request: Request, account: Account, status: int) -> Response:
        text = await edge.database.aside(partial(accounts.link, account.name))
        told = {**_told(account), "link": f"{request.url.scheme}://{request.url.netloc}/welcome#{text}"}
        return JSONResponse(told, status_code=status, headers=_NOT_KEPT)

    async def audit(request: Request) -> Response:
        return await _audited(edge, request)

    return [
        Route("/api/users", listed, methods=["GET"]),
        Route("/api/users", create, methods=["POST"]),
        Route("/api/users/{name}", change, methods=["PATCH"]),
        Route("/api/users/{name}", remove, methods=["DELETE"]),
        Route("/api/users/{name}/link", link, methods=["POST"]),
        Route("/api/audit", audit, methods=["GET"]),
    ]


async def _audited(edge: Edge, request: Request) -> Response:
    """A page of the audit."""
    limit = whole(request, "limit", _PAGE, 1, _PAGE_MOST)
    before = whole(request, "before", 0, 0, 999_999_999) or None
    found = await edge.database.aside(lambda: edge.access.audit.latest(limit=limit + 1, before=before), only_reads=True)
    data = [
        {"id": e.number, "at": e.at_s, "who": e.who, "address": e.address, "deed": e.deed, "about": e.about}
        for e in found[:limit]
    ]
    return JSONResponse({"object": "list", "data": data, "has_more": len(found) > limit})


def _refuse_keys() -> None:
    """A key that leaked must let nobody in who stays when it is revoked. Raises NotPermitted."""
    if current().key_id is not None:
        raise NotPermitted(
            "Changing accounts", "A key does not do it. Sign in, or type `paddock users` at the machine."
        )


def _told(account: Account) -> dict[str, Any]:
    return {
        "object": "user",
        "name": account.name,
        "role": account.role,
        "created": account.created_s,
        "seen": account.seen_s,
        "disabled": account.disabled_s is not None,
        "has_password": account.has_password,
    }
