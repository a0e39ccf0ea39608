"""Owns `POST /v1/chat/completions` and its count of tokens; refuses to know how a prepared request is answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.attending import attended
from paddock.api.edge import Edge
from paddock.api.schemas import ChatRequest, check
from paddock.protocol.normalize import normalize
from paddock.protocol.responses_cursor import adapt_cursor
from paddock.serving import images
from paddock.serving.prepare import Prepared, prepare, refuse_unsupported
from paddock.serving.relay import Relay

CHAT = "/v1/chat/completions"


def routes(edge: Edge) -> list[Route]:
    """The routes of chat completions."""

    async def chat(request: Request) -> Relay:
        body = await edge.body(request)
        strict = edge.settings.strict_wire
        body, notes = (body, ()) if strict else adapt_cursor(body)
        prepared = prepared_chat(body, strict=strict)
        prepared = replace(prepared, adapted=(*notes, *prepared.adapted))
        return edge.relay(*await edge.addressed(prepared))

    async def input_tokens(request: Request) -> Response:
        body = await edge.body(request)
        prepared = prepared_chat(body, strict=edge.settings.strict_wire)
        prepared, model = await edge.addressed(prepared)
        tokens = await attended(request, lambda: edge.count(prepared, model))
        return JSONResponse({"input_tokens": tokens})

    return [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/chat/completions/input_tokens", input_tokens, methods=["POST"]),
    ]


def prepared_chat(body: dict[str, Any], *, strict: bool) -> Prepared:
    """A chat body, the client's own or a converted one, checked and prepared.

    Raises:
        FieldInvalid, BadRequest, ImageRefused: with the field as `param`.
    """
    normalized: list[str] = []
    if not strict and isinstance(body.get("messages"), list):
        messages, normalized = normalize(body["messages"])
        body = {**body, "messages": messages}
    check(ChatRequest, body, lenient=not strict)
    refuse_unsupported(body)
    images.check_sources(body)
    return prepare(CHAT, body, normalized=tuple(normalized))
