"""Owns `GET /metrics`: counts of what was asked and answered, in Prometheus' text form; judges nothing."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock import __version__
from paddock.api.edge import Edge

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counted:
    """The layer that counts every request, by its route and status."""

    def __init__(self, *, known: frozenset[str]) -> None:
        self.app: ASGIApp | None = None
        self._known = known
        self.answers: Counter[tuple[str, str, int]] = Counter()
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and count it."""
        assert self.app is not None
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.in_flight += 1
        try:
            await self.app(scope, receive, watched)
        finally:
            self.in_flight -= 1
            # Paths nobody knows share a name: a stranger must not fill the memory with his.
            path = scope["path"] if scope["path"] in self._known else "other"
            self.answers[scope["method"], path, status] += 1

    def route(self, edge: Edge) -> Route:
        """The route that tells the counts."""

        async def told(request: Request) -> Response:
            return PlainTextResponse(self._text(edge), media_type=_TYPE)

        return Route("/metrics", told)

    def _text(self, edge: Edge) -> str:
        resident = edge.pool.resident
        model = resident.model_id if resident else ""
        state = resident.engine.state if resident else "stopped"
        lines = [
            "# HELP paddock_info The version that serves.",
            "# TYPE paddock_info gauge",
            f'paddock_info{{version="{__version__}"}} 1',
            "# HELP paddock_requests_total Requests by route and status; 0 is a client that left first.",
            "# TYPE paddock_requests_total counter",
            *(
                f'paddock_requests_total{{method="{method}",path="{path}",status="{status}"}} {count}'
                for (method, path, status), count in sorted(self.answers.items())
            ),
            "# HELP paddock_requests_in_flight Requests being answered now.",
            "# TYPE paddock_requests_in_flight gauge",
            f"paddock_requests_in_flight {self.in_flight}",
            "# HELP paddock_model_leases Requests that hold the loaded model.",
            "# TYPE paddock_model_leases gauge",
            f'paddock_model_leases{{model="{_escaped(model)}"}} {resident.leases if resident else 0}',
            "# HELP paddock_engine_ready Whether an engine is ready.",
            "# TYPE paddock_engine_ready gauge",
            f"paddock_engine_ready {int(state == 'ready')}",
        ]
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
