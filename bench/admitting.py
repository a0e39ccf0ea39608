"""Owns what learning who asks costs each request, and counting it; refuses to measure what follows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.figures import Figure
from paddock.api.credentials import COOKIE, Credentials
from paddock.api.rights import guarded
from paddock.config import load
from paddock.paths import Home
from paddock.serving.admission import Admission
from paddock.store.access import Access
from paddock.store.db import Database
from paddock.store.keys import Terms

_GOAL_US = 50.0
_CHAT = "/v1/chat/completions"
Headers = list[tuple[bytes, bytes]]


def access(quick: bool) -> list[Figure]:
    """The time from a request's headers to its route, with all that decides whether it may go there."""
    return anyio.run(_access, quick)


async def _access(quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(root=Path(folder))
        database = Database("", home)
        known = Access.of(database, home)
        figures = [await _figure(*case, known, quick=quick) for case in await _cases(known)]
        figures.append(await _nearness(known, quick=quick))
        await database.close()
        return figures


async def _cases(known: Access) -> list[tuple[str, Headers, dict[str, Any]]]:
    def make() -> tuple[str, str]:
        for number in range(1000):
            known.keys.create(f"other {number}")
        known.accounts.create("anna", "admin")
        limits = Terms(requests_per_minute=10**6, requests_per_day=10**9, tokens_per_day=10**9)
        return known.keys.create("plain")[1], known.keys.create("limited", terms=limits)[1]

    plain, limited = await anyio.to_thread.run_sync(make)
    account = await anyio.to_thread.run_sync(known.accounts.find, "anna")
    _, word = await known.sessions.begin(account, address="127.0.0.1", program="bench")
    closed = {"require_key": True}
    page = [(b"origin", b"http://127.0.0.1:8642"), (b"cookie", f"{COOKIE}={word}".encode())]
    return [
        ("nobody is asked", [], {}),
        ("a key, of 1000", [(b"authorization", f"Bearer {plain}".encode())], closed),
        ("a key whose use is limited, of 1000", [(b"authorization", f"Bearer {limited}".encode())], closed),
        ("who is signed in", page, closed),
    ]


async def _figure(name: str, headers: Headers, settings: dict[str, Any], known: Access, *, quick: bool) -> Figure:
    count = 1_000 if quick else 20_000
    runs: list[float] = []
    endpoint = guarded(Route(_CHAT, _answer, methods=["POST"]), Admission(known.uses)).endpoint
    credentials = Credentials(
        _Routed(endpoint),
        keys=known.keys,
        sessions=known.sessions,
        settings=load(settings, environ={}),
        allowed_origins=frozenset(),
    )
    for _ in range(3 if quick else 7):
        bare_s = await _timed(_Routed(_answer), headers, count)
        whole_s = await _timed(credentials, headers, count)
        runs.append((whole_s - bare_s) / count * 1e6)
    return Figure(name=f"{name}: added to each request", unit="µs", runs=(*runs,), total=True, goal=_GOAL_US)


async def _nearness(known: Access, *, quick: bool) -> Figure:
    """What a nearly right key costs beside one that is wrong in all: the same, if nothing is given away."""
    count = 1_000 if quick else 20_000
    key = (await anyio.to_thread.run_sync(known.keys.create, "guessed"))[1]
    near: list[float] = []
    far: list[float] = []
    for _ in range(5 if quick else 15):
        for runs, word in ((near, key[:-1] + "!"), (far, key[:4] + "!" * len(key[4:]))):
            began_s = time.perf_counter()
            for _ in range(count):
                assert await known.keys.verify(word) is None
            runs.append((time.perf_counter() - began_s) / count * 1e6)
    name = "a key that is wrong in its last letter, beside one that is wrong in all"
    return Figure(name=name, unit="µs", runs=(*near,), engine_runs=(*far,), against="wrong in all", total=True)


class _Routed:
    """What follows: a route that does nothing."""

    def __init__(self, endpoint: Callable[[Request], Awaitable[Any]]) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(Request(scope, receive))


_DONE = Response()


async def _answer(request: Request) -> Response:
    return _DONE


async def _timed(app: ASGIApp, headers: Headers, count: int) -> float:
    everyday = [(b"host", b"127.0.0.1:8642"), (b"content-type", b"application/json"), (b"user-agent", b"bench")]
    scope: Scope = {
        "type": "http", "method": "POST", "path": _CHAT, "headers": [*everyday, *headers], "client": ("127.0.0.1", 1),
        "query_string": b"", "scheme": "http", "server": ("127.0.0.1", 8642),
    }  # fmt: skip
    began_s = time.perf_counter()
    for _ in range(count):
        await app(dict(scope), _nothing, _nowhere)
    return time.perf_counter() - began_s


async def _nothing() -> Any:
    return {"type": "http.disconnect"}


async def _nowhere(message: Any) -> None:
    pass
