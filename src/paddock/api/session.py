"""Owns the routes by which people sign in and out, and choose passwords; refuses to know how these are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, TypeVar

import anyio
import anyio.to_thread
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.credentials import COOKIE, is_credential_needed
from paddock.api.described import Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.api.tries import Tries
from paddock.caller import NOBODY, VISITOR, Caller, Right, Role, current
from paddock.errors import NotPermitted, SignInRefused, TooBusy
from paddock.store.accounts import Account
from paddock.store.passwords import MOST_CHARACTERS
from paddock.store.sessions import MOST_S, Session

# Each takes 64 MiB and a processor for a fifth of a second.
_HASHES_AT_ONCE = 2
_HASHES_WAITING = 16
_NOT_KEPT = {"cache-control": "no-store"}
Result = TypeVar("Result")


class SignIn(Asked):
    """`POST /api/session`."""

    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=MOST_CHARACTERS)


class Link(Asked):
    """`POST /api/session/link`: without a password it tells whose the link is."""

    token: str = Field(min_length=1, max_length=200)
    password: str | None = Field(default=None, max_length=MOST_CHARACTERS)


class NewPassword(Asked):
    """`PUT /api/session/password`. Every sign-in ends but the one that is made anew."""

    password: str = Field(min_length=1, max_length=MOST_CHARACTERS)
    new: str = Field(min_length=1, max_length=MOST_CHARACTERS)


class Who(Told):
    """Who asks, and what that one may do. `asks` tells whether paddock lets nobody in without a key or a sign-in."""

    object: Literal["session"]
    name: str
    account: str | None
    role: Role | None
    rights: list[Right]
    asks: bool


class LinkFor(Told):
    """Whose password a link is for."""

    object: Literal["link"]
    name: str


class SignedIn(Told):
    """One place where an account is signed in. Times are seconds since 1970."""

    id: str
    created: float
    seen: float
    address: str
    program: str
    is_this: bool


class Places(Told):
    """Where an account is signed in."""

    object: Literal["list"]
    data: list[SignedIn]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/session": Operation(says="Who asks, and what that one may do.", answer=Who),
    "POST /api/session": Operation(says="Sign in.", body=SignIn, answer=Who),
    "DELETE /api/session": Operation(says="Sign out.", answer=Who),
    "POST /api/session/link": Operation(says="Whose a link is, or choose a password by it.", body=Link, answer=LinkFor),
    "PUT /api/session/password": Operation(says="Choose another password.", body=NewPassword, answer=Who),
    "GET /api/session/places": Operation(says="Where one is signed in.", answer=Places),
    "DELETE /api/session/places/{id}": Operation(says="Sign out there.", answer=Places),
}


class _Door:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._tries = Tries()
        self._hashing = anyio.CapacityLimiter(_HASHES_AT_ONCE)

    async def who(self, request: Request) -> Response:
        session = _session(request)
        return self._told(current(), session.account if session else None)

    async def sign_in(self, request: Request) -> Response:
        asked = check(SignIn, await self._edge.body(request, is_strangers=True))
        account = await self._recognised(request, asked.name, asked.password)
        return await self._begun(request, account, "signed in")

    async def sign_out(self, request: Request) -> Response:
        session = _session(request)
        if session:
            await self._edge.access.sessions.end(session.account.account_id, session.session_id)
            await self._edge.note(request, "signed out")
        without = NOBODY if is_credential_needed(self._edge.settings) else VISITOR
        answer = self._told(without if session else current())
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def link(self, request: Request) -> Response:
        asked = check(Link, await self._edge.body(request, is_strangers=True))
        accounts = self._edge.access.accounts
        if asked.password is None:
            account = await self._edge.database.aside(partial(accounts.linked, asked.token), only_reads=True)
            return JSONResponse({"object": "link", "name": account.name}, headers=_NOT_KEPT)
        password = asked.password
        account = await self._hashed(lambda: accounts.redeem(asked.token, password))
        await self._edge.note(request, "password chosen by link", about=account.name)
        return await self._begun(request, account, "signed in", told={"object": "link", "name": account.name})

    async def password(self, request: Request) -> Response:
        asked = check(NewPassword, await self._edge.body(request, is_strangers=True))
        account = self._signed_in(request).account
        await self._recognised(request, account.name, asked.password)
        account = await self._hashed(lambda: self._edge.access.accounts.set_password(account.name, asked.new))
        await self._edge.access.sessions.end(account.account_id)
        return await self._begun(request, account, "password changed")

    async def places(self, request: Request) -> Response:
        own = self._signed_in(request)
        found = await self._edge.access.sessions.of(own.account.account_id)
        data = [
            {
                "id": one.session_id, "created": one.created_s, "seen": one.seen_s, "address": one.address,
                "program": one.program, "is_this": one.session_id == own.session_id,
            }
            for one in found
        ]  # fmt: skip
        return JSONResponse({"object": "list", "data": data})

    async def leave(self, request: Request) -> Response:
        own = self._signed_in(request)
        await self._edge.access.sessions.end(own.account.account_id, request.path_params["id"])
        await self._edge.note(request, "signed out elsewhere")
        return await self.places(request)

    def _signed_in(self, request: Request) -> Session:
        if found := _session(request):
            return found
        raise NotPermitted(request.url.path, "It is for those who are signed in. POST /api/session signs you in.")

    async def _recognised(self, request: Request, name: str, password: str) -> Account:
        """The account that this name and password belong to. Raises SignInRefused, TriesSpent or TooBusy."""
        address = self._edge.address(request)
        self._tries.refuse(name, address)
        self._tries.begun(name, address)
        account = await self._hashed(lambda: self._edge.access.accounts.signed_in(name, password))
        if account is None:
            await self._edge.note(request, "sign-in refused", about=name)
            raise SignInRefused
        self._tries.succeeded(name, address)
        return account

    async def _hashed(self, work: Callable[[], Result]) -> Result:
        """What takes memory and time, a few at once. Raises TooBusy where too many wait."""
        if self._hashing.statistics().tasks_waiting >= _HASHES_WAITING:
            raise TooBusy("Too many are signing in at once. Try again in a moment.", retry_after_s=2)
        return await anyio.to_thread.run_sync(work, limiter=self._hashing)

    async def _begun(
        self, request: Request, account: Account, deed: str, told: Mapping[str, object] | None = None
    ) -> Response:
        """The answer that signs an account in."""
        _, text = await self._edge.access.sessions.begin(
            account, address=self._edge.address(request), program=request.headers.get("user-agent", "")
        )
        await self._edge.note(request, deed, who=account.name)
        answer = JSONResponse(told, headers=_NOT_KEPT) if told else self._told(account.caller, account)
        is_safe = request.url.scheme == "https"
        answer.set_cookie(COOKIE, text, max_age=int(MOST_S), httponly=True, samesite="strict", secure=is_safe)
        return answer

    def _told(self, caller: Caller, account: Account | None = None) -> Response:
        """The answer that says who asks, and by which account."""
        who = {
            "object": "session",
            "name": caller.name,
            "account": account.name if account else None,
            "role": account.role if account else None,
            "rights": sorted(caller.rights),
            "asks": is_credential_needed(self._edge.settings),
        }
        return JSONResponse(who, headers=_NOT_KEPT)


def routes(edge: Edge) -> list[Route]:
    """The routes of signing in."""
    door = _Door(edge)
    return [
        Route("/api/session", door.who, methods=["GET"]),
        Route("/api/session", door.sign_in, methods=["POST"]),
        Route("/api/session", door.sign_out, methods=["DELETE"]),
        Route("/api/session/link", door.link, methods=["POST"]),
        Route("/api/session/password", door.password, methods=["PUT"]),
        Route("/api/session/places", door.places, methods=["GET"]),
        Route("/api/session/places/{id}", door.leave, methods=["DELETE"]),
    ]


def _session(request: Request) -> Session | None:
    found: Session | None = request.scope.get("paddock.session")
    return found
