"""Owns the edge that every request passes: Host and Origin, and the last catch; decides nothing else.

Web pages must not reach a server on loopback. A page of another origin sends its Origin; a page that rebinds its own
name to 127.0.0.1 sends that name as Host. Both are refused on every route. A page that only lets its browser fetch
something, as an image, sends no Origin; browsers tell that in Sec-Fetch-Site.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock.api.dialects import dialect_of, headers_of
from paddock.api.faults import name_of
from paddock.api.origins import is_of_server
from paddock.api.page import is_open
from paddock.errors import PaddockError, PageForbidden
from paddock.log import named

_log = named(__name__)
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_CHECKED = (b"host", b"origin", b"sec-fetch-site")
_PREFLIGHT_HEADERS = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b"*, authorization, content-type, x-api-key"),
    (b"access-control-max-age", b"600"),
)


# What is no page shows nothing, should a browser open it; the page brings a policy of its own.
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_SAFE_AND_SHARED = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_SAFE = (*_SAFE_AND_SHARED, (b"cross-origin-resource-policy", b"same-origin"))


class Guard:
    """The layer that refuses what must not come in.

    Args:
        app: the application behind it.
        host: the address listened on; any name reaches it when that is every address.
        allowed_origins: web origins whose pages may call, beside the server's own.
        names: further names of the server, such as those that a proxy is reached by.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        allowed_origins: frozenset[str],
        names: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._names = {*_LOOPBACK_NAMES, host.lower().strip("[]"), *(name.lower() for name in names)}
        self._is_any = host in _ANY_ADDRESS
        self._origins = allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request and pass it on; what is raised beneath becomes an answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _CHECKED}
        origin = headers.get(b"origin")
        request_id: str = scope["paddock.request_id"]
        extra: list[tuple[bytes, bytes]] = [
            (b"x-request-id", request_id.encode()),
            *(_SAFE_AND_SHARED if origin in self._origins else _SAFE),
        ]
        if scope["path"].startswith("/v1/messages"):
            extra.append((b"request-id", request_id.encode()))
        if origin in self._origins:
            extra += [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
        is_started = is_complete = False

        async def send_with_id(message: Message) -> None:
            nonlocal is_started, is_complete
            if message["type"] == "http.response.start":
                is_started = True
                own = message.get("headers", [])
                message["headers"] = [*own, *extra, *(() if any(n == _POLICY[0] for n, _ in own) else (_POLICY,))]
            else:
                is_complete = not message.get("more_body", False)
            await send(message)

        try:
            self._check(scope, headers.get(b"host", ""), origin)
            _refuse_embedding(scope, headers.get(b"sec-fetch-site", ""), is_allowed=origin in self._origins)
            if scope["method"] == "OPTIONS" and origin in self._origins:
                await send_with_id({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT_HEADERS)})
                await send_with_id({"type": "http.response.body", "body": b""})
                return
            await self._app(scope, receive, send_with_id)
        except Exception as error:  # the outermost boundary: nothing of ours may become a stack trace
            scope["paddock.error"] = name_of(error)
            if not isinstance(error, PaddockError):
                _log.exception("request %s failed", request_id)
            elif error.told != error.message:
                _log.warning("%s", error.message)
            if is_complete:
                return
            if is_started:
                # Half an answer is out: only a broken connection tells the client so.
                raise
            status, body = dialect_of(scope["path"]).refuse(error)
            extra += [(name.encode(), value.encode()) for name, value in headers_of(error).items()]
            await answer_json(send_with_id, status, body)

    def _check(self, scope: Scope, host: str, origin: str | None) -> None:
        seen = [name for name, _ in scope["headers"] if name in _CHECKED]
        if len(seen) > len(set(seen)):
            raise PageForbidden("Host, Origin or Sec-Fetch-Site was sent twice. Send each once.")
        name = _name_of(host)
        if name not in self._names and not (self._is_any and _is_address(name)):
            raise PageForbidden(
                f"Host '{host[:100]}' is not a name of this server. Call it by the address it printed at start."
            )
        if origin is None or origin in self._origins:
            return
        if not is_of_server(origin, host, scope.get("scheme", "http")):
            raise PageForbidden(
                f"A web page of origin '{origin[:100]}' asked. If it may, add that to the setting allowed_origins."
            )


def _refuse_embedding(scope: Scope, site: str, *, is_allowed: bool) -> None:
    """A page of elsewhere lets its browser fetch this, without an Origin. Raises PageForbidden."""
    if not is_allowed and not is_open(scope["path"]) and site.strip().lower() in ("cross-site", "same-site"):
        raise PageForbidden("A web page of another origin asked. If it may, add its origin to allowed_origins.")


async def answer_json(send: Send, status: int, body: bytes) -> None:
    """A whole JSON answer, over plain ASGI."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _name_of(host: str) -> str:
    """The name in a Host header, without port, brackets and letter case."""
    host = host.strip().lower()
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        return name if not port or (port[1:].isdecimal() and port[0] == ":") else host
    return host.rsplit(":", 1)[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
