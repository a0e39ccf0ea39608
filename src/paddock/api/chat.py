"""Owns `POST /v1/chat/completions` and its count of tokens; refuses to know how a prepared request is answered."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.attending import attended
from paddock.api.edge import Edge
from paddock.api.looped import exchange, prepared_chat
from paddock.protocol.responses_cursor import adapt_cursor


def routes(edge: Edge) -> list[Route]:
    """The routes of chat completions."""

    async def chat(request: Request) -> ASGIApp:
        body = await edge.body(request)
        strict = edge.settings.strict_wire
        body, notes = (body, ()) if strict else adapt_cursor(body)
        prepared = await prepared_chat(edge, body, strict=strict)
        prepared = replace(prepared, adapted=(*notes, *prepared.adapted))
        return exchange(edge, *await edge.addressed(prepared))

    async def input_tokens(request: Request) -> Response:
        body = await edge.body(request)
        prepared = await prepared_chat(edge, body, strict=edge.settings.strict_wire)
        prepared, model = await edge.addressed(prepared)
        tokens = await attended(request, lambda: edge.count(prepared, model))
        return JSONResponse({"input_tokens": tokens})

    return [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/chat/completions/input_tokens", input_tokens, methods=["POST"]),
    ]
