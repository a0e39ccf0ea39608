"""Owns `GET /v1/models` and `GET /v1/models/{id}`; refuses to load anything."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.api.evaluated import scored
from paddock.engine.remotes import RemoteModel
from paddock.models.catalog import Model
from paddock.models.certificates import Standing, certificate_of


def routes(edge: Edge) -> list[Route]:
    """The routes that tell which models there are."""

    async def listed(request: Request) -> Response:
        models = await edge.shelf.models()
        scores = await scored(edge, every := [*models, *await edge.shelf.tuned_models(models)])
        certificates = await anyio.to_thread.run_sync(_certificates, models)
        data = [
            {**entry(edge, one), "certificate": certificates.get(one.tuned_id), **scores.get(one.tuned_id, {})}
            for one in every
        ]
        data += [remote_entry(model) for model in await edge.remotes.models()]
        return JSONResponse({"object": "list", "data": data})

    async def one(request: Request) -> Response:
        model = await edge.find(request.path_params["id"])
        if isinstance(model, RemoteModel):
            return JSONResponse(remote_entry(model))
        advice = {"recommended_sampling": (await edge.shelf.advice(model)).told()} if model.task == "text" else {}
        # What is compared is a model alone, and not with what is laid over it.
        found = None if model.adapters else await anyio.to_thread.run_sync(certificate_of, model.path, model.origin)
        told = {} if model.adapters else {"certificate_links": dict(found.links) if found else None}
        score = (await scored(edge, [model])).get(model.tuned_id, {})
        standing = found.standing if found else None
        return JSONResponse({**entry(edge, model), "certificate": standing, **told, **score, **advice})

    return [Route("/v1/models", listed), Route("/v1/models/{id:path}", one)]


def entry(edge: Edge, model: Model) -> dict[str, Any]:
    """One model as `/v1/models` shows it; its context is the running engine's own where it runs."""
    resident = edge.pool.residents.get(model.id)
    ready = edge.pool.ready(model.id)
    abilities = ready.abilities if ready else None
    has_adapters = ready is not None and not ready.plan.lacks([str(one.path) for one in model.adapters])
    context_tokens = abilities.context_tokens if abilities else edge.shelf.context_tokens(model)
    return {
        "id": model.tuned_id,
        "object": "model",
        "created": int(model.created_s),
        "owned_by": "paddock",
        "context_length": context_tokens,
        "trained_context_length": model.trained_context_tokens,
        "capabilities": _capabilities(model, sees=abilities.sees_images if abilities else bool(model.projector_path)),
        "quantization": model.quantisation,
        "size_bytes": model.size_bytes,
        "loaded": has_adapters,
        "state": resident.engine.state if resident else "stopped",
        "live_requests": resident.leases if resident else 0,
        **({"base": model.id} if model.adapters else {}),
    }


def _certificates(models: list[Model]) -> dict[str, Standing]:
    """How the certificate of each stands, by its name, of those that have one. Blocks."""
    found = {model.tuned_id: certificate_of(model.path, model.origin) for model in models}
    return {name: certificate.standing for name, certificate in found.items() if certificate}


def remote_entry(model: RemoteModel) -> dict[str, Any]:
    """A model of a remote as `/v1/models` shows it; null is what its remote does not tell."""
    return {
        "id": model.id,
        "object": "model",
        "created": int(model.created_s),
        "owned_by": model.remote,
        "context_length": model.context_tokens,
        "remote": {"name": model.remote, "id": model.remote_id},
    }


def _capabilities(model: Model, *, sees: bool) -> list[str]:
    if model.task != "text":
        return ["embeddings"] if model.task == "embedding" else ["rerank"]
    return ["chat", "completions", "vision"] if sees else ["chat", "completions"]
