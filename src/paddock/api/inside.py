"""Owns asking this server a question from within, by the way that every request takes; judges no answer."""

from __future__ import annotations

import contextlib
import secrets

import anyio
from starlette.types import ASGIApp, Message, Scope

_CALLERS = (b"host", b"authorization", b"x-api-key", b"cookie", b"origin", b"sec-fetch-site")
_LOOPBACK = "127.0.0.1"
_KEPT = ("type", "asgi", "http_version", "scheme", "server", "client", "root_path", "paddock.request_id")


class Inside:
    """A caller on the inside. `app` is the whole application, guard and credentials with it."""

    def __init__(self, app: ASGIApp | None = None) -> None:
        self.app = app

    async def send(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of one POST on paddock's own behalf, for whoever runs this; 0 where nothing came."""
        own: Scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
            "server": (_LOOPBACK, 0), "client": (_LOOPBACK, 0), "headers": [(b"host", _LOOPBACK.encode())],
            "paddock.request_id": secrets.token_hex(8),
        }  # fmt: skip
        return await self.ask(own, "POST", path, {"Content-Type": "application/json"}, body)

    async def ask(self, own: Scope, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of one request, sent on behalf of the caller whose request has the scope `own`.

        Cancelling it ends the request as a client's leaving does.
        """
        assert self.app is not None
        mine = {name.lower().encode(): value.encode("latin-1", "replace") for name, value in headers.items()}
        # Who may ask, and under which name of this server, is as it was for the caller.
        mine |= {name: value for name, value in own["headers"] if name in _CALLERS}
        if body:
            mine[b"content-length"] = str(len(body)).encode()
        route, _, query = path.partition("?")
        scope: Scope = {name: own[name] for name in _KEPT if name in own}
        scope |= {"method": method, "path": route, "raw_path": route.encode(), "query_string": query.encode()}
        scope["headers"] = list(mine.items())
        answer = _Answer(body)
        # What the guard raises once an answer has begun breaks the connection: the client has what came until then.
        with contextlib.suppress(Exception):
            await self.app(scope, answer.receive, answer.send)
        return answer.status, b"".join(answer.pieces)


class _Answer:
    def __init__(self, body: bytes) -> None:
        self.status = 0
        self.pieces: list[bytes] = []
        self._body: bytes | None = body

    async def receive(self) -> Message:
        if self._body is None:
            await anyio.sleep_forever()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.pieces.append(message.get("body", b""))
