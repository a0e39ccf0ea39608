"""Owns `POST /v1/completions` and `POST /v1/embeddings`; refuses to know how a prepared request is answered."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.api.schemas import CompletionRequest, EmbeddingRequest, check
from paddock.serving.prepare import prepare
from paddock.serving.relay import Relay


def routes(edge: Edge) -> list[Route]:
    """The routes of text completions and embeddings."""

    async def completions(request: Request) -> Relay:
        body = await edge.body(request)
        check(CompletionRequest, body)
        model = await edge.answering("text", body.get("model"))
        return edge.relay(await edge.advised(prepare("/v1/completions", body), model), model)

    async def embeddings(request: Request) -> Relay:
        body = await edge.body(request)
        check(EmbeddingRequest, body)
        return edge.relay(prepare("/v1/embeddings", body), await edge.answering("embedding", body.get("model")))

    return [
        Route("/v1/completions", completions, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
    ]
