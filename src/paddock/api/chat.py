"""Owns `POST /v1/chat/completions`; refuses to know how a prepared request is answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.api.schemas import ChatRequest, check
from paddock.protocol.normalize import normalize
from paddock.protocol.responses_cursor import adapt_cursor
from paddock.serving import choice, images
from paddock.serving.decoding import decodable
from paddock.serving.prepare import Prepared, prepare, refuse_unsupported
from paddock.serving.relay import Relay

CHAT = "/v1/chat/completions"


def routes(edge: Edge) -> list[Route]:
    """The route of chat completions."""

    async def chat(request: Request) -> Relay:
        body = await edge.body(request)
        strict = edge.settings.strict_wire
        body, notes = (body, ()) if strict else adapt_cursor(body)
        prepared = prepared_chat(body, strict=strict)
        prepared = replace(prepared, adapted=(*notes, *prepared.adapted))
        return edge.relay(*await edge.addressed(prepared))

    return [Route("/v1/chat/completions", chat, methods=["POST"])]


def prepared_chat(body: dict[str, Any], *, strict: bool) -> Prepared:
    """A chat body, the client's own or a converted one, as the engine gets it.

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
    return decodable(choice.narrow(prepare(CHAT, body, normalized=tuple(normalized))))
