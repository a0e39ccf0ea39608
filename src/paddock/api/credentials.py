"""Owns who is let in: the key of a request, in whichever header its dialect puts it; refuses to know what is asked."""

from __future__ import annotations

import ipaddress

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from paddock.api.page import is_open
from paddock.config import Settings
from paddock.errors import KeyRefused
from paddock.store.keys import PREFIX, Keys

_PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_here(request: HTTPConnection) -> bool:
    """Whether a request comes from this machine. A proxy makes strangers look local; honest ones say so in a header."""
    address = request.client.host if request.client else ""
    return is_loopback(address.removeprefix("::ffff:")) and not any(name in request.headers for name in _PROXIED)


def is_key_needed(settings: Settings) -> bool:
    """Whether every request needs a key: beyond loopback, or where the setting says so."""
    return not settings.unsafe_no_auth and (settings.require_key or not is_loopback(settings.host))


class Credentials:
    """The layer that asks for keys.

    Where none is needed, any word will do, since many programs insist on sending one; but a paddock key that is
    unknown, expired or revoked is refused, so that its owner learns of it.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys, is_key_needed: bool) -> None:
        self._app = app
        self._keys = keys
        self._is_key_needed = is_key_needed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on. Raises KeyRefused or StoreUnusable, for the guard to tell."""
        if scope["type"] == "http" and not is_open(scope["path"]):
            text = _presented(scope)
            if text.startswith(PREFIX):
                key = await self._keys.verify(text)
                if key is None:
                    raise KeyRefused("This key is unknown, expired or revoked. `paddock keys create` makes a new one.")
                scope["paddock.key"] = key
            elif self._is_key_needed:
                raise KeyRefused(
                    "A key is needed here: send it as 'Authorization: Bearer pdk-…' or 'x-api-key: pdk-…'. "
                    "`paddock keys create` makes one."
                )
        await self._app(scope, receive, send)


def _presented(scope: Scope) -> str:
    """The key in the request's headers; "" if there is none. A word of another kind does not hide a key of ours."""
    found: list[str] = []
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            found.append(value.decode("latin-1").strip())
        if name == b"authorization":
            kind, _, rest = value.decode("latin-1").partition(" ")
            found += [rest.strip()] if kind.lower() == "bearer" else []
    return max(found, key=lambda text: text.startswith(PREFIX), default="")
