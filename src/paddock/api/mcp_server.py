"""Owns `POST /mcp`, at which clients of MCP use paddock; refuses to know what its tools do.

The SDK that speaks with them is imported when the first one asks.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock.api.edge import Edge
from paddock.api.inside import Inside

_JSON = ((b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream"))
_INVALID_REQUEST = -32600
_TOLD_ANEW = (b"content-length", b"transfer-encoding", b"content-type", b"accept")


def route(edge: Edge, inside: Inside) -> Route:
    """The route. Each call of a tool is asked `inside`, on behalf of whoever called."""

    async def speak(request: Request) -> ASGIApp:
        message = await edge.body(request)
        if missing := [name for name in ("jsonrpc", "method") if not isinstance(message.get(name), str)]:
            return JSONResponse(_no_message(missing), status_code=400)
        body = json.dumps(message).encode()
        spoken = await anyio.to_thread.run_sync(importlib.import_module, "paddock.api.mcp_spoken")
        answer: ASGIApp = spoken.answer(partial(inside.ask, request.scope))
        return _Until(answer, body)

    return Route("/mcp", speak, methods=["POST"])


def _no_message(missing: Sequence[str]) -> dict[str, Any]:
    sentence = f"A message of MCP is a JSON-RPC 2.0 object, and this one has no {' and no '.join(missing)}."
    return {"jsonrpc": "2.0", "id": None, "error": {"code": _INVALID_REQUEST, "message": sentence}}


class _Until:
    """An exchange with a body that was read, which ends when its client leaves."""

    def __init__(self, answer: ASGIApp, body: bytes) -> None:
        self._answer = answer
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:
            gone = anyio.Event()

            async def until_left() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                gone.set()
                group.cancel_scope.cancel()

            async def again() -> Message:
                if self._body:
                    body, self._body = self._body, b""
                    return {"type": "http.request", "body": body, "more_body": False}
                await gone.wait()
                return {"type": "http.disconnect"}

            group.start_soon(until_left)
            # The body is JSON, whatever was said of it, and so is what is answered.
            told = [(b"content-length", str(len(self._body)).encode()), *_JSON]
            headers = [pair for pair in scope["headers"] if pair[0] not in _TOLD_ANEW]
            await self._answer({**scope, "headers": [*headers, *told]}, again, send)
            group.cancel_scope.cancel()
