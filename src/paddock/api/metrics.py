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
        residents = edge.pool.residents.values()
        ready = sum(resident.engine.state == "ready" for resident in residents)
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
            "# HELP paddock_model_leases Requests that hold a loaded model.",
            "# TYPE paddock_model_leases gauge",
            *(f'paddock_model_leases{{model="{_escaped(one.model_id)}"}} {one.leases}' for one in residents),
            "# HELP paddock_model_memory_bytes Memory that a loaded model is taken to need.",
            "# TYPE paddock_model_memory_bytes gauge",
            *(
                f'paddock_model_memory_bytes{{model="{_escaped(one.model_id)}"}} {one.plan.memory_bytes}'
                for one in residents
            ),
            "# HELP paddock_requests_waiting Requests that wait for a model.",
            "# TYPE paddock_requests_waiting gauge",
            f"paddock_requests_waiting {len(edge.pool.waiting)}",
            "# HELP paddock_engines_ready Engines that are ready.",
            "# TYPE paddock_engines_ready gauge",
            f"paddock_engines_ready {ready}",
        ]
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
