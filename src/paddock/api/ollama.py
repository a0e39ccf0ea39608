"""Owns Ollama's routes, for programs that speak only that; refuses to know how a prepared request is answered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.attending import attended
from paddock.api.dialects import OLLAMA
from paddock.api.edge import Edge
from paddock.api.looped import exchange, prepared_chat
from paddock.api.models import entry
from paddock.engine.remotes import RemoteModel
from paddock.engine.resident import Resident
from paddock.errors import BadRequest, ModelUnknown, ModelUnusable
from paddock.models.catalog import Model
from paddock.models.gguf import read_header
from paddock.protocol.chat import ChatForm
from paddock.protocol.ollama import chat_form, embed_form, generate_form, model_of
from paddock.protocol.ollama_answer import OllamaPassage

# The newest version whose routes are answered here; clients ask before they use a feature.
_VERSION = "0.12.0"
# Ollama gives such a time to a model that is kept.
_FOR_EVER = "9999-12-31T23:59:59+00:00"
_READ_ONLY = "Models are managed with `paddock pull` and `paddock models`, not over this API."


@dataclass(frozen=True, kw_only=True)
class _Ollama:
    edge: Edge

    async def version(self, request: Request) -> Response:
        return JSONResponse({"version": _VERSION})

    async def tags(self, request: Request) -> Response:
        models = await self.edge.shelf.models()
        listed = [_listed(model) for model in (*models, *await self.edge.shelf.tuned_models(models))]
        listed += [_listed_remote(model) for model in await self.edge.remotes.models()]
        return JSONResponse({"models": listed})

    async def running(self, request: Request) -> Response:
        ready = [one for one in self.edge.pool.residents.values() if one.is_ready]
        return JSONResponse({"models": [await self._running(resident) for resident in ready]})

    async def _running(self, resident: Resident) -> dict[str, Any]:
        try:
            listed = _listed(await self.edge.shelf.find(resident.model_id))
        except (ModelUnknown, ModelUnusable):
            # It runs on without its file.
            listed = {"name": resident.model_id, "model": resident.model_id, "digest": "", "details": _UNTOLD}
        unloads_s = self.edge.settings.idle_unload_s
        stays = resident.is_pinned or not unloads_s
        expires = _FOR_EVER if stays else (datetime.now(UTC) + timedelta(seconds=unloads_s)).isoformat()
        context_tokens = resident.abilities.context_tokens if resident.abilities else 0
        held = {"size": resident.plan.memory_bytes, "size_vram": 0, "context_length": context_tokens}
        return {**listed, **held, "expires_at": expires}

    async def show(self, request: Request) -> Response:
        model = await self.edge.find(model_of(await self.edge.body(request)))
        if isinstance(model, RemoteModel):
            return JSONResponse(_shown_remote(model))
        context = {f"{model.architecture}.context_length": self.edge.shelf.context_tokens(model)}
        abilities = await _abilities(self.edge, model)
        info = {"general.architecture": model.architecture, "general.parameter_count": model.parameter_count, **context}
        details = _listed(model)["details"]
        return JSONResponse({"details": details, "model_info": info, "capabilities": abilities, "template": ""})

    async def chat(self, request: Request) -> ASGIApp:
        body = await self.edge.body(request)
        if body.get("messages") == []:
            return await _loaded(self.edge, request, body, {"message": {"role": "assistant", "content": ""}})
        return await self._answered(body, chat_form(body), "chat")

    async def generate(self, request: Request) -> ASGIApp:
        body = await self.edge.body(request)
        if not body.get("prompt") and not body.get("images"):
            return await _loaded(self.edge, request, body, {"response": ""})
        return await self._answered(body, generate_form(body), "generate")

    async def embed(self, request: Request) -> Response:
        body = embed_form(await self.edge.body(request))
        model = await self.edge.answering("embedding", body["model"])
        if not body["input"]:
            # As Ollama answers: nothing was asked, so nothing is made.
            return JSONResponse({"model": model.id, "embeddings": [], "embedding": [], "prompt_eval_count": 0})

        async def asked() -> dict[str, Any]:
            async with self.edge.lease(model) as lease:
                sent = {**body, "model": model.remote_id} if isinstance(model, RemoteModel) else body
                return dict(await lease.client.ask(lease.endpoint, "/v1/embeddings", sent))

        meter, tokens = self.edge.meter(), 0
        try:
            if meter:
                meter.begin()
            answer = await attended(request, asked)
            tokens = answer.get("usage", {}).get("prompt_tokens", 0)
        finally:
            if meter:
                meter.end(tokens)
        vectors = [one["embedding"] for one in answer["data"]]
        counted = {"prompt_eval_count": tokens}
        return JSONResponse({"model": model.id, "embeddings": vectors, "embedding": vectors[0], **counted})

    async def managed(self, request: Request) -> Response:
        raise BadRequest(_READ_ONLY)

    async def _answered(self, body: dict[str, Any], form: ChatForm, kind: Literal["chat", "generate"]) -> ASGIApp:
        prepared = await prepared_chat(self.edge, form.body)
        prepared = replace(prepared, adapted=(*form.adapted, *prepared.adapted))
        passage = OllamaPassage(kind=kind, model=str(body.get("model")), created_at=_now())
        prepared, model = await self.edge.addressed(prepared)
        return exchange(self.edge, prepared, model, dialect=OLLAMA, passage=passage)


def routes(edge: Edge) -> list[Route]:
    """Ollama's routes."""
    own = _Ollama(edge=edge)
    return [
        Route("/api/version", own.version),
        Route("/api/tags", own.tags),
        Route("/api/ps", own.running),
        Route("/api/show", own.show, methods=["POST"]),
        Route("/api/chat", own.chat, methods=["POST"]),
        Route("/api/generate", own.generate, methods=["POST"]),
        Route("/api/embed", own.embed, methods=["POST"]),
        Route("/api/embeddings", own.embed, methods=["POST"]),
        Route("/api/pull", own.managed, methods=["POST"]),
        Route("/api/push", own.managed, methods=["POST"]),
        Route("/api/create", own.managed, methods=["POST"]),
        Route("/api/copy", own.managed, methods=["POST"]),
        Route("/api/delete", own.managed, methods=["DELETE"]),
    ]


# How Ollama's clients say that a model is to go: a number, or a length of time.
_AT_ONCE = (0, "0", "0s", "0m", "0h")


async def _loaded(edge: Edge, request: Request, body: dict[str, Any], empty: dict[str, Any]) -> Response:
    """An empty prompt asks for the model to be loaded, or to go with a `keep_alive` of 0.

    `empty` is what an answer without words holds.
    """
    model = await edge.answering("text", model_of(body))
    is_to_go = body.get("keep_alive") in _AT_ONCE

    async def loaded() -> None:
        async with edge.lease(model):
            pass

    await attended(request, lambda: edge.pool.unload(model.id) if is_to_go else loaded())
    return JSONResponse(
        {
            "model": body.get("model", body.get("name")),
            "created_at": _now(),
            **empty,
            "done": True,
            "done_reason": "unload" if is_to_go else "load",
        }
    )


async def _abilities(edge: Edge, model: Model) -> list[str]:
    """What a model can do, in Ollama's words."""
    if model.task != "text":
        return [model.task]
    header = await anyio.to_thread.run_sync(read_header, model.path)
    # A template that never speaks of tools shows a model none.
    tools = ["tools"] if "tools" in (header.chat_template or "") else []
    return ["completion", *tools, *(["vision"] if "vision" in entry(edge, model)["capabilities"] else [])]


def _listed(model: Model) -> dict[str, Any]:
    count = model.parameter_count or 0
    details = {
        "format": "gguf",
        "family": model.architecture,
        "families": [model.architecture],
        "parameter_size": f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.1f}M",
        "quantization_level": model.quantisation,
    }
    changed = datetime.fromtimestamp(model.created_s, UTC).isoformat()
    named = {"name": model.tuned_id, "model": model.tuned_id, "modified_at": changed}
    return {**named, "size": model.size_bytes, "digest": "", "details": details}


# Of a model elsewhere its remote tells no such thing.
_UNTOLD: dict[str, Any] = {
    "format": "", "family": "", "families": [], "parameter_size": "", "quantization_level": ""
}  # fmt: skip


def _listed_remote(model: RemoteModel) -> dict[str, Any]:
    changed = datetime.fromtimestamp(model.created_s, UTC).isoformat()
    named = {"name": model.id, "model": model.id, "modified_at": changed, "remote_model": model.remote_id}
    return {**named, "size": 0, "digest": "", "details": _UNTOLD}


def _shown_remote(model: RemoteModel) -> dict[str, Any]:
    """A model elsewhere. It gets what it is sent, tools too, and says itself what it cannot do."""
    context = {"remote.context_length": model.context_tokens} if model.context_tokens else {}
    info = {"general.architecture": "remote", **context}
    abilities = ["completion", "tools"]
    told = {"details": _UNTOLD, "model_info": info, "capabilities": abilities, "template": ""}
    return {**told, "remote_model": model.remote_id}


def _now() -> str:
    return datetime.now(UTC).isoformat()
