"""Owns the layer around everything, that sees what became of each request; refuses to see what was said in it.

It gives the request its id and its span, and tells at the end: the counts, the times, and one line of the log.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock import log
from paddock.counts import TimesBy
from paddock.tracing.spans import UNTRACED, Span
from paddock.tracing.traces import Traces

if TYPE_CHECKING:
    from paddock.serving.accounts import Account

_log = log.named(log.ACCESS)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_OTHER = "other"
_UNTRACED = nullcontext(UNTRACED)
# Who watches, the page among them, asks these again and again: that it went well is no news, and nothing to trace.
_WATCHING = frozenset(
    (
        "/health", "/health/ready", "/metrics", "/api/system/log", "/api/system/meters", "/api/models/loaded",
        "/api/downloads", "/api/requests", "/api/engines",
    )
)  # fmt: skip
_PATH_CHARACTERS_MOST = 200
_REFUSED, _FAILED, _NOT_READY = 400, 500, 503


@dataclass(kw_only=True)
class Answered:
    """The counts of answered requests, told apart by method, route and status, 0 for one whose client left first.

    `took` and `began` are by route and class of status: how long until the last byte, and until the first of answers
    that are sent in pieces. `errors` are by the names of errors, also of those that ended a stream. `working` is how
    many of those `in_flight` ask for more than to be told something.
    """

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter[tuple[str, str, int]])
    took: TimesBy = field(default_factory=TimesBy)
    began: TimesBy = field(default_factory=TimesBy)
    errors: Counter[str] = field(default_factory=Counter[str])
    in_flight: int = 0
    working: int = 0


class Observed:
    """The outermost layer.

    Args:
        app: what is behind it.
        routes: the paths of every route, by their endpoints; a path without parameters also by itself.
        answered: what is counted.
        traces: where spans go.
    """

    def __init__(
        self, app: ASGIApp, *, routes: Mapping[Callable[..., Any] | str, str], answered: Answered, traces: Traces
    ) -> None:
        self._app = app
        self._routes = routes
        self._answered = answered
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(scope, send)
        is_watching = scope["path"] in _WATCHING and seen.method in ("GET", "HEAD")
        is_traced = self._traces.is_on and not is_watching
        spans = self._traces.request(seen.method, scope["headers"]) if is_traced else _UNTRACED
        works = seen.method not in ("GET", "HEAD")
        self._answered.in_flight += 1
        self._answered.working += works
        with spans as span, log.about(seen.request_id, span.trace_id):
            try:
                await self._app(scope, receive, seen.send)
            finally:
                self._answered.in_flight -= 1
                self._answered.working -= works
                route = self._route_of(scope)
                self._count(seen, route)
                _note(span, seen, route)
                is_news = not is_watching or (seen.status >= _REFUSED and seen.status != _NOT_READY)
                level = logging.INFO if is_news else logging.DEBUG
                if _log.isEnabledFor(level):
                    _tell(seen, level)

    def _route_of(self, scope: Scope) -> str:
        """The route that answered, of those there are. Paths that nobody knows share a name."""
        return self._routes.get(scope["path"]) or self._routes.get(scope.get("endpoint", ""), _OTHER)

    def _count(self, seen: _Seen, route: str) -> None:
        status, answered = seen.status, self._answered
        answered.requests[seen.method, route, status] += 1
        labels = (route, f"{status // 100}xx" if status else "none")
        answered.took[labels].add(seen.took_s)
        if seen.first_s is not None:
            answered.began[labels].add(seen.first_s)
        if error := seen.error:
            answered.errors[error] += 1


class _Seen:
    """What is seen of one exchange. `first_s` is when an answer that is sent in pieces began."""

    __slots__ = ("_began_s", "_send", "first_s", "is_complete", "is_open", "method", "request_id", "scope", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._began_s = scope["paddock.began_s"] = time.perf_counter()
        self._send = send
        self.request_id = scope["paddock.request_id"] = secrets.token_hex(8)
        self.scope = scope
        self.method = scope["method"] if scope["method"] in _METHODS else _OTHER
        self.status = 0
        self.first_s: float | None = None
        self.is_open = self.is_complete = False

    async def send(self, message: Message) -> None:
        """Pass on what is sent."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif not message.get("more_body", False):
            self.is_complete = True
        elif not self.is_open:
            self.first_s = self.took_s
            self.is_open = True
        await self._send(message)

    @property
    def took_s(self) -> float:
        """Seconds since it came."""
        return time.perf_counter() - self._began_s

    @property
    def account(self) -> Account | None:
        """What the answer cost, where an engine was asked."""
        return self.scope.get("paddock.account")

    @property
    def error(self) -> str:
        """The name of the error that was told; "" for none."""
        account = self.account
        return self.scope.get("paddock.error", "") or (account.error if account else "")


def _note(span: Span, seen: _Seen, route: str) -> None:
    """What a request's span tells of it."""
    if not span.trace_id:
        return
    span.rename(f"{seen.method} {route}")
    span.note(
        {
            "http.request.method": seen.method,
            "http.route": route,
            "http.response.status_code": seen.status or None,
            "url.scheme": seen.scope.get("scheme"),
            "paddock.request_id": seen.request_id,
        }
    )
    # A request that was wrong is no fault of the server's.
    if seen.error and _REFUSED <= seen.status < _FAILED:
        span.note({"error.type": seen.error})
    elif seen.error:
        span.fail(seen.error)


def _tell(seen: _Seen, level: int) -> None:
    """The line of a request that was answered."""
    scope, account = seen.scope, seen.account
    caller = scope.get("paddock.caller")
    path, who = scope["path"][:_PATH_CHARACTERS_MOST], caller.name if caller else "nobody"
    told: dict[str, Any] = {"method": seen.method, "path": path, "status": seen.status}
    words = f"{seen.method} {path} {seen.status or 'left'} in {seen.took_s:.3f} s"
    if not seen.is_complete:
        words += ", broken off"
    if account is not None and account.spent.tokens:
        spent = account.spent
        words += f", {spent.read} + {spent.cached} cached + {spent.written} tokens"
        told |= {"read_tokens": spent.read, "cached_tokens": spent.cached, "written_tokens": spent.written}
    if seen.error:
        words += f", {seen.error}"
        told["error"] = seen.error
    told |= {"duration_s": round(seen.took_s, 6), "is_complete": seen.is_complete, "caller": who}
    _log.log(level, "%s, by %s", words, who, extra=log.fields(**told))
