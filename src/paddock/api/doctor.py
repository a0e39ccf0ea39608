"""Owns `GET /api/doctor/clients`: trying the recorded requests of known clients here; judges no answer itself."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from functools import partial
from typing import Any

import anyio
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from paddock.api.edge import Edge
from paddock.api.inside import Inside
from paddock.errors import BadRequest, TooBusy
from paddock.protocol.sse import comment
from paddock.rehearsal.rehearsal import Progress, Verdict, rehearse
from paddock.rehearsal.rules import RULES
from paddock.rehearsal.shapes import Shape, shapes_of
from paddock.serving.wire import STREAM_HEADERS

_WAIT_S = 30


class Doctor:
    """The route, and that only one rehearsal runs at a time: they take the engine for minutes."""

    def __init__(self, edge: Edge) -> None:
        self.inside = Inside()
        self._edge = edge
        self._lock = anyio.Lock()

    def route(self) -> Route:
        """The route that rehearses."""
        return Route("/api/doctor/clients", self._clients, methods=["GET"])

    async def _clients(self, request: Request) -> _Rehearsal:
        """Send each client's recorded requests, and tell by which rules the answers fail it."""
        query = request.query_params
        every = await anyio.to_thread.run_sync(shapes_of, query.getlist("client"))
        model = await self._edge.local(query.get("model"))
        if model.task == "ranking":
            raise BadRequest(
                f"The model '{model.id}' ranks documents, which no recorded client asks for.", param="model"
            )
        streamed = query.get("stream", "false")
        if streamed not in ("true", "false"):
            raise BadRequest(f"stream is '{streamed[:40]}'; say true or false.", param="stream")
        if self._lock.locked():
            raise TooBusy("The clients' requests are being tried already. Wait for that to end.", retry_after_s=_WAIT_S)
        # A stream whose model is still to be loaded opens before the prompt is looked at, and fails within.
        async with self._edge.pool.lease(model.id):
            pass
        ask = partial(self.inside.ask, request.scope)
        found = rehearse(ask, every, model=model.id, embeds=model.task == "embedding")
        return _Rehearsal(
            found, every, model=model.id, lock=self._lock, streamed=streamed == "true",
            keepalive_s=self._edge.settings.keepalive_s,
        )  # fmt: skip


class _Rehearsal:
    """One rehearsal as an answer. The client's leaving ends it."""

    def __init__(
        self,
        found: AsyncGenerator[Progress | Verdict],
        every: list[list[Shape]],
        *,
        model: str,
        lock: anyio.Lock,
        streamed: bool,
        keepalive_s: float,
    ) -> None:
        self._found = found
        self._every = every
        self._model = model
        self._lock = lock
        self._streamed = streamed
        self._keepalive_s = keepalive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rehearse, and answer."""
        async with anyio.create_task_group() as group, self._lock:
            group.start_soon(self._leave, receive, group.cancel_scope)
            if self._streamed:
                headers = [(b"content-type", b"text/event-stream"), *STREAM_HEADERS]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                group.start_soon(self._show_life, send)
            verdicts: list[Verdict] = []
            async with aclosing(self._found) as found:
                async for one in found:
                    if isinstance(one, Verdict):
                        verdicts.append(one)
                    if self._streamed:
                        kind = "verdict" if isinstance(one, Verdict) else "progress"
                        await _write(send, _event(kind, asdict(one)))
            await self._end(send, verdicts)
            group.cancel_scope.cancel()

    async def _end(self, send: Send, verdicts: list[Verdict]) -> None:
        told = self._told(verdicts)
        if self._streamed:
            await _write(send, _event("done", told) + b"data: [DONE]\n\n", more=False)
            return
        body = json.dumps(told).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _write(send, body, more=False)

    def _told(self, verdicts: list[Verdict]) -> dict[str, Any]:
        entries: list[dict[str, Any]] = []
        for shapes in self._every:
            first = shapes[0]
            mine = [one for one in verdicts if one.client == first.client]
            rules = [{"rule": one.rule, "status": one.status, "reason": one.reason, "tried": one.tried} for one in mine]
            ok = all(one.status != "fail" for one in mine)
            took_s = max((one.took_s for one in mine), default=0.0)
            named = {"client": first.client, "version": first.version, "requests": len(shapes)}
            entries.append({**named, "ok": ok, "took_s": took_s, "rules": rules})
        asked = [{"rule": rule.name, "asks": rule.asks} for rule in RULES]
        return {"model": self._model, "ok": all(one["ok"] for one in entries), "clients": entries, "rules": asked}

    async def _leave(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _show_life(self, send: Send) -> None:
        while True:
            await anyio.sleep(self._keepalive_s)
            await _write(send, comment("trying"))


async def _write(send: Send, data: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return f"data: {json.dumps({'kind': kind, **fields})}\n\n".encode()
