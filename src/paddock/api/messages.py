"""Owns `POST /v1/messages` and its count of tokens; refuses to know how a prepared request is answered."""

from __future__ import annotations

import secrets
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.attending import attended
from paddock.api.dialects import ANTHROPIC
from paddock.api.edge import Edge
from paddock.api.looped import exchange, prepared_chat
from paddock.protocol.messages import to_chat
from paddock.protocol.messages_answer import MessagesPassage


def routes(edge: Edge) -> list[Route]:
    """The routes of Anthropic's Messages."""

    async def messages(request: Request) -> ASGIApp:
        body = await edge.body(request)
        form = to_chat(body)
        prepared = await prepared_chat(edge, form.body)
        prepared = replace(prepared, adapted=(*form.adapted, *prepared.adapted))
        prepared, model = await edge.addressed(prepared)
        passage = MessagesPassage(message_id=f"msg_{secrets.token_hex(12)}", model=str(body.get("model") or model.id))
        return exchange(edge, prepared, model, dialect=ANTHROPIC, passage=passage)

    async def count_tokens(request: Request) -> Response:
        body = await edge.body(request)
        form = to_chat({"max_tokens": 1, **body})
        prepared, model = await edge.addressed(await prepared_chat(edge, form.body))
        tokens = await attended(request, lambda: edge.count(prepared, model))
        return JSONResponse({"input_tokens": tokens})

    return [
        Route("/v1/messages", messages, methods=["POST"]),
        Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
    ]
