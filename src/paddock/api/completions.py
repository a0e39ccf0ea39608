"""Owns `POST /v1/completions` and `POST /v1/embeddings`; refuses to know how a prepared request is answered."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.api.schemas import CompletionRequest, EmbeddingRequest, check
from paddock.errors import BadRequest
from paddock.serving.prepare import prepare
from paddock.serving.relay import Relay


def routes(edge: Edge) -> list[Route]:
    """The routes of text completions and embeddings."""

    async def completions(request: Request) -> Relay:
        body = await edge.body(request)
        check(CompletionRequest, body)
        return edge.relay(prepare("/v1/completions", body), await edge.text_model(body.get("model")))

    async def embeddings(request: Request) -> Relay:
        body = await edge.body(request)
        check(EmbeddingRequest, body)
        model = await edge.shelf.find(body.get("model"))
        if not model.is_embedding:
            raise BadRequest(
                f"The model '{model.id}' answers in text and makes no embeddings. Name an embedding model, "
                "for example one from `paddock pull`.",
                param="model",
            )
        return edge.relay(prepare("/v1/embeddings", body), model)

    return [
        Route("/v1/completions", completions, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
    ]
