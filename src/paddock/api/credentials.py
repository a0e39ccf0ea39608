"""Owns who is let in: by a key, by being signed in, or by sitting at the machine; refuses to know what is asked.

A browser shows its session by itself, to whatever page asks it to. So a session counts only for paddock's own page, and
changes nothing unless the browser says that the request comes from there.
"""

from __future__ import annotations

import hmac
import ipaddress
from functools import lru_cache, partial

from starlette.types import ASGIApp, Receive, Scope, Send

from paddock.api.let_in import while_let_in
from paddock.api.origins import is_of_server
from paddock.api.page import is_open
from paddock.caller import LOCAL, NOBODY, VISITOR, Caller, acting
from paddock.config import Settings
from paddock.errors import KeyRefused, StoreUnusable
from paddock.store.keys import PREFIX, Keys
from paddock.store.sessions import PREFIX as SESSION_PREFIX
from paddock.store.sessions import Sessions

COOKIE = "paddock-session"
# What proxies say of whom they ask for, each in its own way; those that begin so, too.
_PROXIED = frozenset((b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"))
_PROXIED_SO = b"x-forwarded-"
_SIGN_IN = ("/api/session", "/api/session/link")
_READING = ("GET", "HEAD", "OPTIONS")


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_credential_needed(settings: Settings) -> bool:
    """Whether every request needs a key or a sign-in: beyond loopback, or where a setting says so."""
    is_asked = settings.require_key or settings.require_login or not is_loopback(settings.host)
    return not settings.unsafe_no_auth and is_asked


class Credentials:
    """The layer that learns who asks.

    Where nobody need say, any word will do for a key, since many programs insist on sending one; but a paddock key that
    is unknown, expired or revoked is refused, so that its owner learns of it.

    `own_word`: where a command has paddock for itself, what it says in place of a key, and nobody else knows.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys,
        sessions: Sessions,
        settings: Settings,
        allowed_origins: frozenset[str],
        own_word: str | None,
    ) -> None:
        self._app = app
        self._keys = keys
        self._sessions = sessions
        self._is_needed = is_credential_needed(settings)
        self._is_private = is_loopback(settings.host) and not self._is_needed
        self._allowed_origins = allowed_origins
        self._own_word = own_word

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on. Raises KeyRefused or StoreUnusable, for the guard to tell."""
        is_asked = scope["type"] == "http" and not is_open(scope["path"])
        caller = scope["paddock.caller"] = await self._caller(scope) if is_asked else NOBODY
        with acting(caller):
            if "paddock.key" in scope or "paddock.session" in scope:
                await while_let_in(self._app, scope, receive, send, partial(self._is_still, scope, caller))
            else:
                await self._app(scope, receive, send)

    async def _is_still(self, scope: Scope, caller: Caller) -> bool:
        """Whether whoever asked would be let in now, and may as much; yes where that cannot be looked up."""
        try:
            return await self._caller(scope) == caller
        except StoreUnusable:
            return True
        except KeyRefused:
            return False

    async def _caller(self, scope: Scope) -> Caller:
        shown = _Shown(scope)
        if self._own_word is not None:
            if hmac.compare_digest(shown.key.encode(), self._own_word.encode()):
                return LOCAL
            raise KeyRefused("This paddock answers the command that started it alone. `paddock serve` starts another.")
        if shown.key.startswith(PREFIX):
            key = await self._keys.verify(shown.key)
            if key is None:
                raise KeyRefused("This key is unknown, expired or revoked. `paddock keys create` makes a new one.")
            scope["paddock.key"] = key
            return key.caller
        if self._is_owners(scope, shown):
            return LOCAL
        # Also where nobody need sign in: an admin is one through a proxy too.
        if shown.session.startswith(SESSION_PREFIX) and shown.is_own_page(scope["method"]):
            session = await self._sessions.verify(shown.session)
            if session is not None:
                scope["paddock.session"] = session
                return session.account.caller
        if not self._is_needed:
            return VISITOR
        if scope["path"] in _SIGN_IN:
            return NOBODY
        raise KeyRefused(
            "A key is needed here: send it as 'Authorization: Bearer pdk-…' or 'x-api-key: pdk-…'. "
            "`paddock keys create` makes one. On the page, sign in."
        )

    def _is_owners(self, scope: Scope, shown: _Shown) -> bool:
        """Whether whoever asks sits at this machine: others do not reach paddock, and no page of elsewhere asks."""
        is_page_elsewhere = shown.origin is not None and shown.origin.rstrip("/") in self._allowed_origins
        return self._is_private and not is_page_elsewhere and _is_here(scope, shown)


class _Shown:
    """What a request's headers show of who asks; "" or None for what is not there."""

    __slots__ = ("host", "is_proxied", "key", "origin", "scheme", "session", "site")

    def __init__(self, scope: Scope) -> None:
        self.key = self.session = self.host = ""
        self.scheme: str = scope.get("scheme", "http")
        self.origin: str | None = None
        self.site: str | None = None
        self.is_proxied = False
        for name, value in scope["headers"]:
            if name == b"x-api-key":
                self._key(value.decode("latin-1").strip())
            elif name == b"authorization":
                kind, _, rest = value.decode("latin-1").partition(" ")
                if kind.lower() == "bearer":
                    self._key(rest.strip())
            elif name == b"cookie":
                self.session = _cookie(value.decode("latin-1")) or self.session
            elif name == b"host":
                self.host = value.decode("latin-1").strip().lower()
            elif name == b"origin":
                self.origin = value.decode("latin-1").strip()
            elif name == b"sec-fetch-site":
                self.site = value.decode("latin-1").strip().lower()
            elif name in _PROXIED or name.startswith(_PROXIED_SO):
                self.is_proxied = True

    def is_own_page(self, method: str) -> bool:
        """Whether the browser sends this for paddock's own page; for a change, it must say so."""
        if self.origin is not None:
            return is_of_server(self.origin, self.host, self.scheme)
        if method in _READING:
            return self.site in (None, "same-origin", "none")
        return self.site == "same-origin"

    def _key(self, text: str) -> None:
        # A word of another kind does not hide a key of ours.
        if not self.key.startswith(PREFIX):
            self.key = text


def _is_here(scope: Scope, shown: _Shown) -> bool:
    """Whether a request comes from this machine. A proxy makes strangers look local; honest ones say so in a header."""
    address = scope["client"][0] if scope.get("client") else ""
    return not shown.is_proxied and is_loopback(address.removeprefix("::ffff:"))


def _cookie(header: str) -> str:
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value
    return ""
