"""Owns the routes of which models lie on this machine: listing, bringing in, removing, their templates as text.

Refuses to know how models are kept, and loads none. No answer names a folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.credentials import is_loopback
from paddock.api.edge import Edge
from paddock.api.evaluated import scored
from paddock.api.schemas import ImportRequest, check
from paddock.errors import BadRequest, ModelUnusable, shown
from paddock.models.adapters import Adapter
from paddock.models.catalog import Catalog, Model
from paddock.models.certificates import certificate_of
from paddock.models.importing import kept_as, models_in
from paddock.models.removal import Removal
from paddock.models.saved import NAMES, UNSET
from paddock.paths import typed

_CREATED = 201


@dataclass(frozen=True, kw_only=True)
class _Here:
    edge: Edge

    @property
    def catalog(self) -> Catalog:
        return self.edge.shelf.catalog

    async def listed(self, request: Request) -> Response:
        """Every model, adapter and unusable file on this machine."""
        models = await self.edge.shelf.models()
        scores = await scored(self.edge, models)

        def look() -> dict[str, Any]:
            return {
                "models": [{**entry(model), **scores.get(model.id, {})} for model in models],
                "adapters": [adapter_entry(self.catalog, one, models) for one in self.catalog.adapters()],
                "broken": [{"id": one.id, "origin": one.origin, "reason": one.reason} for one in self.catalog.broken()],
            }

        found = await anyio.to_thread.run_sync(look)
        return JSONResponse({**found, "default": self.edge.shelf.default.id})

    async def bring(self, request: Request) -> Response:
        """Put a file of this machine, or each model of a folder, into the data home by a link."""
        if not is_loopback(self.edge.settings.host):
            raise BadRequest(
                "Files of this machine are brought in over the API only where paddock listens on this machine alone. "
                "Run `paddock models import FILE` there."
            )
        asked = check(ImportRequest, await self.edge.body(request))
        path = await anyio.to_thread.run_sync(_as_path, asked.path)
        return JSONResponse(
            await anyio.to_thread.run_sync(self._brought, path, asked.name or None), status_code=_CREATED
        )

    def _brought(self, path: Path, name: str | None) -> dict[str, Any]:
        if not path.is_dir():
            return {"imported": [imported(self.catalog, path, name)], "refused": []}
        brought: list[dict[str, Any]] = []
        refused: list[dict[str, str]] = []
        found = models_in(path)
        if not found:
            raise BadRequest(f"The folder '{path.name}' holds no GGUF file. Name the one with the model.", param="path")
        if name is not None and len(found) > 1:
            raise BadRequest(f"The folder holds {len(found)} models, so none of them can get a name.", param="name")
        for file in found:
            try:
                brought.append(imported(self.catalog, file, name))
            except (BadRequest, ModelUnusable) as error:
                refused.append({"file": file.name, "reason": error.message})
        return {"imported": brought, "refused": refused}

    async def removal(self, request: Request) -> Response:
        """What removing a model would take away; nothing is removed."""
        return JSONResponse(self._told(await self._removal(request.path_params["id"])))

    async def remove(self, request: Request) -> Response:
        """Unload a model, then remove it, its bytes and what was set for it."""
        removal = await self._removal(request.path_params["id"])
        await self.edge.pool.unload(removal.id)
        await anyio.to_thread.run_sync(self._removed, removal.id)
        await self.edge.note(request, "model removed", about=removal.id)
        return JSONResponse({**self._told(removal), "removed": True})

    async def _removal(self, model_id: str) -> Removal:
        self.edge.permit_model(model_id)
        if model_id == self.edge.shelf.default.id:
            raise BadRequest(
                f"'{shown(model_id)}' answers the requests that name no model, for as long as this paddock runs. "
                "Start it with another --model first.",
                param="model",
            )
        return await anyio.to_thread.run_sync(self.catalog.removal, model_id)

    def _removed(self, model_id: str) -> None:
        self.catalog.remove(model_id)
        if self.edge.shelf.saved.get(model_id) != UNSET:
            self.edge.shelf.saved.update(model_id, dict.fromkeys(NAMES))

    def _told(self, removal: Removal) -> dict[str, Any]:
        resident = self.edge.pool.residents.get(removal.id)
        return {
            "id": removal.id,
            "frees_bytes": removal.frees_bytes,
            "going": [
                {"file": one.path.name, "frees_bytes": one.frees_bytes, "note": one.note or None}
                for one in removal.going
            ],
            "staying": [
                {"file": one.path.name, "size_bytes": one.size_bytes, "reason": one.reason} for one in removal.staying
            ],
            "loaded": resident is not None,
            "live_requests": resident.leases if resident else 0,
        }

    async def template(self, request: Request) -> Response:
        """A model's chat template as text, read from its file or from what was set in its place."""
        model = await self.edge.named(request)

        def read() -> tuple[str, str | None]:
            own = self.edge.shelf.saved.template_path(self.edge.shelf.saved.get(model.id))
            if own is not None:
                return "override", own.read_text("utf-8")
            return "model", self.catalog.header(model).chat_template

        source, text = await anyio.to_thread.run_sync(read)
        words = text or ""
        return JSONResponse(
            {
                "id": model.id,
                "from": source,
                "template": text,
                "mentions": {"tools": "tools" in words, "thinking": "enable_thinking" in words},
            }
        )


def routes(edge: Edge) -> list[Route]:
    """The routes of what lies here."""
    own = _Here(edge=edge)
    return [
        Route("/api/models", own.listed, methods=["GET"]),
        Route("/api/models/import", own.bring, methods=["POST"]),
        Route("/api/models/{id:path}/removal", own.removal, methods=["GET"]),
        Route("/api/models/{id:path}/chat-template", own.template, methods=["GET"]),
        Route("/api/models/{id:path}", own.remove, methods=["DELETE"]),
    ]


def imported(catalog: Catalog, path: Path, name: str | None) -> dict[str, Any]:
    """Put a file into the data home by a link, and tell as what. Raises BadRequest, ModelUnusable or HomeUnusable."""
    if catalog.is_adapter(path):
        adapter = catalog.import_adapter(path, name=name)
        return {"id": adapter.id, "kind": "adapter", "kept_as": kept_as(adapter.path)}
    model = catalog.import_file(path, name=name)
    return {"id": model.id, "kind": "model", "kept_as": kept_as(model.path)}


def entry(model: Model) -> dict[str, Any]:
    """One model as its file tells of it, and its certificate. Blocks."""
    certificate = certificate_of(model.path, model.origin)
    return {
        "id": model.id,
        "size_bytes": model.size_bytes,
        "parameter_count": model.parameter_count,
        "architecture": model.architecture,
        "quantization": model.quantisation,
        "trained_context_length": model.trained_context_tokens,
        "has_chat_template": model.has_chat_template,
        "task": model.task,
        "origin": model.origin,
        "projector": model.projector_path.name if model.projector_path else None,
        "doubtful_projectors": list(model.doubtful_projectors),
        "copies": [{"id": copy.id, "origin": copy.origin} for copy in model.copies],
        "certificate": certificate.told() if certificate else None,
    }


def adapter_entry(catalog: Catalog, adapter: Adapter, models: list[Model]) -> dict[str, Any]:
    """One adapter, with the ids of the models that it fits."""
    return {
        "id": adapter.id,
        "size_bytes": adapter.facts.size_bytes,
        "architecture": adapter.facts.architecture,
        "fits": [model.id for model in models if catalog.fitting(model, [adapter])],
        "origin": adapter.origin,
    }


def _as_path(text: str) -> Path:
    """An absolute path on this machine. Raises BadRequest. Blocks."""
    path = typed(text.strip(), "path")
    if not path.is_absolute():
        raise BadRequest(f"path is {shown(text)}; it must be a whole path, from the root.", param="path")
    return path
