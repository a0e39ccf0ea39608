"""Owns what every route needs: the settings, the models, the pool, and reading a body; decides nothing of a dialect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from paddock.api.body import read_bytes, read_object
from paddock.api.dialects import OPENAI
from paddock.config import Settings
from paddock.engine.pool import Pool
from paddock.errors import BadRequest
from paddock.models.catalog import Model
from paddock.models.downloads import Downloads
from paddock.models.gguf import Task
from paddock.recorder.recorder import Recorder
from paddock.serving.choice import force
from paddock.serving.control import harmless
from paddock.serving.counting import count
from paddock.serving.images import Intake, admit
from paddock.serving.passage import Passage, Straight
from paddock.serving.prepare import Prepared, limited
from paddock.serving.relay import Dialect, Patience, Relay
from paddock.serving.responses import Responses
from paddock.serving.sampling import recommended
from paddock.serving.shelf import Shelf
from paddock.store.keys import Keys

_DOES: dict[Task, str] = {
    "text": "answers in text", "embedding": "makes embeddings", "ranking": "ranks documents"
}  # fmt: skip
_DOES_NOT: dict[Task, str] = {
    "text": "does not answer in text", "embedding": "makes no embeddings", "ranking": "ranks nothing"
}  # fmt: skip
_INSTEAD: dict[Task, str] = {
    "text": "Name a model that does.",
    "embedding": "Name an embedding model, for example one from `paddock pull`.",
    "ranking": "Name a reranker, for example one from `paddock pull`.",
}
_ROUTES: dict[Task, str] = {"text": "/v1/chat/completions", "embedding": "/v1/embeddings", "ranking": "/v1/rerank"}


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One paddock as its routes see it."""

    settings: Settings
    shelf: Shelf
    pool: Pool
    responses: Responses
    recorder: Recorder
    keys: Keys
    downloads: Downloads

    async def body(self, request: Request) -> dict[str, Any]:
        """The request's body. Raises BodyTooLarge or BadRequest."""
        data = await read_bytes(request, limit_bytes=self.settings.max_body_bytes)
        if recording := request.scope.get("paddock.recording"):
            recording.inbound(data)
        return await read_object(data)

    async def model_for(self, task: Task, name: str | None) -> Model:
        """The model of that name, which must be of that task. Raises ModelUnknown or BadRequest."""
        model = await self.shelf.find(name)
        if model.task == task:
            return model
        instead = _INSTEAD[task] if model.task == "text" else f"Use {_ROUTES[model.task]} with it."
        raise BadRequest(f"The model '{model.id}' {_DOES[model.task]} and {_DOES_NOT[task]}. {instead}", param="model")

    async def addressed(self, prepared: Prepared) -> tuple[Prepared, Model]:
        """A prepared chat request as its model may read it, and that model. Raises ModelUnknown or BadRequest."""
        model = await self.model_for("text", prepared.body.get("model"))
        prepared = await self.advised(prepared, model)
        if not self.settings.guard_control_text:
            return prepared, model
        return harmless(prepared, await self.shelf.control_texts(model)), model

    async def advised(self, prepared: Prepared, model: Model) -> Prepared:
        """A prepared request with the model's recommended sampling where it leaves that out. Raises ModelUnusable."""
        return recommended(prepared, await self.shelf.advice(model))

    def relay(
        self, prepared: Prepared, model: Model, *, dialect: Dialect = OPENAI, passage: Passage | None = None
    ) -> Relay:
        """The exchange that answers a prepared request, in `dialect`; the engine's own bytes without a `passage`."""
        settings = self.settings
        prepared = limited(prepared, settings.answer_tokens_most)
        asked = prepared.body.get("model") or model.id
        if asked != model.id:
            prepared = replace(prepared, served_by=model.id)
        patience = Patience(
            status_deadline_s=settings.status_deadline_s,
            keepalive_s=settings.keepalive_s,
            answer_timeout_s=settings.answer_timeout_s,
        )
        return Relay(
            prepared,
            pool=self.pool,
            model_id=model.id,
            dialect=dialect,
            passage=passage or Straight(real=model.id, asked=str(asked)),
            patience=patience,
            intake=self.intake,
            adapters={str(one.path): one.scale for one in model.adapters},
        )

    async def count(self, prepared: Prepared, model: Model) -> int:
        """The tokens of a prepared chat request's prompt. Raises as an exchange does."""
        async with self.pool.lease(model.id) as lease:
            # A forced call is begun for the model, and what it is begun with is read as well.
            body = (await force(prepared, lease)).body if prepared.forces_call else prepared.body
            if prepared.has_images:
                sees_images = lease.abilities.sees_images
                body = await admit(body, None, model_id=model.id, sees_images=sees_images, intake=self.intake)
            return await count(lease, body, has_images=prepared.has_images)

    @property
    def intake(self) -> Intake:
        """Which images are let in under these settings."""
        settings = self.settings
        return Intake(
            fetches=settings.fetch_images, most_bytes=settings.image_most_bytes, timeout_s=settings.fetch_timeout_s
        )
