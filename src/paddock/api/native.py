"""Owns the engine's own routes as paddock offers them: tokens, templates, infill, rerank.

Refuses to know how a prepared request is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.edge import Edge
from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.models.catalog import Model
from paddock.serving import images
from paddock.serving.prepare import prepare

_AUDIO = "Audio is not supported: the engine of this paddock has no model that hears or speaks."
# Routes of the services that clients try, and why each is none here.
_ABSENT = {
    "/v1/audio/transcriptions": _AUDIO,
    "/v1/audio/translations": _AUDIO,
    "/v1/audio/speech": _AUDIO,
    "/v1/images/generations": "Images are not made here.",
    "/v1/moderations": "Moderation is not offered: no model here judges texts.",
}


@dataclass(frozen=True, kw_only=True)
class _Native:
    edge: Edge

    async def tokenize(self, request: Request) -> ASGIApp:
        body = await self.edge.body(request)
        _require(body, "content", (str, list), "text or a list of texts and tokens")
        return await self._relayed("/tokenize", body)

    async def detokenize(self, request: Request) -> ASGIApp:
        body = await self.edge.body(request)
        _require(body, "tokens", (list,), "a list of whole numbers")
        for place, token in enumerate(body["tokens"]):
            if isinstance(token, bool) or not isinstance(token, int) or not 0 <= token < 2**31:
                raise FieldInvalid(f"tokens.{place}: must be a token's number (got {shown(token)}).", param="tokens")
        model = await self.edge.model_for("text", _model_of(body))
        # The engine would answer such a token with a fault of its own.
        if body["tokens"] and max(body["tokens"]) >= (size := await self._vocabulary_size(model)):
            place = next(place for place, token in enumerate(body["tokens"]) if token >= size)
            sentence = f"tokens.{place}: {body['tokens'][place]} is no token: the vocabulary of '{model.id}' ends at"
            raise BadRequest(f"{sentence} {size - 1}.", param="tokens")
        return self.edge.relay(prepare("/detokenize", body), model)

    async def apply_template(self, request: Request) -> ASGIApp:
        body = await self.edge.body(request)
        _require(body, "messages", (list,), "a list of messages")
        # The engine would fetch what parts name by itself: images, and also video.
        images.check_sources(body)
        if images.has_images(body):
            raise BadRequest("Images have no place in a rendered prompt. Leave them out.", param="messages")
        return await self._relayed("/apply-template", body)

    async def infill(self, request: Request) -> ASGIApp:
        body = await self.edge.body(request)
        for name in ("input_prefix", "input_suffix"):
            _require(body, name, (str,), "text")
        return await self._relayed("/infill", body)

    async def rerank(self, request: Request) -> ASGIApp:
        body = await self.edge.body(request)
        _require(body, "query", (str,), "text")
        _require(body, "documents" if "documents" in body else "texts", (list,), "a list of texts")
        model = await self.edge.model_for("ranking", _model_of(body))
        return self.edge.relay(await self.edge.guarded(prepare("/v1/rerank", body), model), model)

    async def absent(self, request: Request) -> Response:
        raise BadRequest(_ABSENT[request.url.path])

    async def _vocabulary_size(self, model: Model) -> int:
        """How many tokens a model has, as its engine says. Loads it. Raises as an exchange does."""
        async with self.edge.pool.lease(model.id) as lease:
            learned = lease.resident.learned
            if "vocabulary_size" not in learned:
                told = await lease.client.ask(lease.endpoint, "/v1/models")
                learned["vocabulary_size"] = int(told["data"][0]["meta"]["n_vocab"])
            return learned["vocabulary_size"]

    async def _relayed(self, path: str, body: dict[str, Any]) -> ASGIApp:
        return self.edge.relay(prepare(path, body), await self.edge.model_for("text", _model_of(body)))


def routes(edge: Edge) -> list[Route]:
    """The routes, each answered with the engine's own bytes."""
    own = _Native(edge=edge)
    return [
        Route("/tokenize", own.tokenize, methods=["POST"]),
        Route("/detokenize", own.detokenize, methods=["POST"]),
        Route("/apply-template", own.apply_template, methods=["POST"]),
        Route("/infill", own.infill, methods=["POST"]),
        Route("/v1/rerank", own.rerank, methods=["POST"]),
        Route("/v1/audio/transcriptions", own.absent, methods=["POST"]),
        Route("/v1/audio/translations", own.absent, methods=["POST"]),
        Route("/v1/audio/speech", own.absent, methods=["POST"]),
        Route("/v1/images/generations", own.absent, methods=["POST"]),
        Route("/v1/moderations", own.absent, methods=["POST"]),
    ]


def _model_of(body: dict[str, Any]) -> str | None:
    if body.get("model") is not None:
        _require(body, "model", (str,), "text")
    return body.get("model")


def _require(body: dict[str, Any], name: str, kinds: tuple[type, ...], what: str) -> None:
    if not isinstance(body.get(name), kinds):
        raise FieldInvalid(f"{name}: must be {what} (got {shown(body.get(name))}).", param=name)
