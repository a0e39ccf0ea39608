"""Owns what every route needs: the settings, the models, the pool, and reading a body; decides nothing of a dialect."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from paddock.api.body import read_bytes, read_object
from paddock.api.credentials import is_here, is_key_needed, is_loopback
from paddock.api.dialects import OPENAI
from paddock.config import Settings
from paddock.engine.pool import Pool
from paddock.engine.remotes import RemoteLease, RemoteModel, Remotes
from paddock.engine.resident import Lease
from paddock.errors import BadRequest, ModelUnknown, NotPermitted
from paddock.install.jobs import Jobs
from paddock.log import Ring
from paddock.models.catalog import Model
from paddock.models.downloads import Downloads
from paddock.models.gguf import Task
from paddock.recorder.recorder import Recorder
from paddock.serving.chats import Chats
from paddock.serving.choice import force, narrow
from paddock.serving.control import harmless
from paddock.serving.counting import count
from paddock.serving.decoding import decodable
from paddock.serving.images import Intake, admit
from paddock.serving.passage import Passage, Straight
from paddock.serving.prepare import Prepared, limited
from paddock.serving.relay import Dialect, Patience, Relay
from paddock.serving.remotely import RemoteRelay, counted, sent_away
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
    remotes: Remotes
    responses: Responses
    recorder: Recorder
    keys: Keys
    downloads: Downloads
    chats: Chats
    builds: Jobs
    engine: str
    """The build that engines are started of, until paddock is started anew."""
    log: Ring
    end: Callable[[], None]
    """Ends paddock, in order; open requests get their grace."""

    async def body(self, request: Request) -> dict[str, Any]:
        """The request's body. What its texts needed is noted with the request. Raises BodyTooLarge or BadRequest."""
        data = await read_bytes(request, limit_bytes=self.settings.max_body_bytes)
        if recording := request.scope.get("paddock.recording"):
            recording.inbound(data)
        body, request.scope["paddock.normalized"] = await read_object(data, strict=self.settings.strict_wire)
        if recording and isinstance(asked := body.get("model"), str):
            recording.asked(asked)
        return body

    def is_owners(self, request: Request) -> bool:
        """Whether whoever asks sits at this machine: others do not reach paddock, and no page of elsewhere asks."""
        is_private = is_loopback(self.settings.host) and not is_key_needed(self.settings) and is_here(request)
        return is_private and request.headers.get("origin", "").rstrip("/") not in self.allowed_origins

    def own(self, request: Request, deed: str, how: str) -> None:
        """Let a deed pass that is the owner's alone. Raises NotPermitted."""
        if why_not := self.why_not(request, deed, how):
            raise why_not

    def why_not(self, request: Request, deed: str, how: str) -> NotPermitted | None:
        """Why a deed that is the owner's alone is refused; None where it is not."""
        return None if self.is_owners(request) else NotPermitted(deed, how)

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins whose pages may call, beside paddock's own."""
        origins = self.settings.allowed_origins.split(",")
        return frozenset(origin.strip().rstrip("/") for origin in origins if origin.strip())

    async def model_for(self, task: Task, name: str | None) -> Model:
        """The model of that name on this machine, which must be of that task. Raises ModelUnknown or BadRequest."""
        return self._fit_for(task, await self._local(name))

    async def answering(self, task: Task, name: str | None) -> Model | RemoteModel:
        """As `model_for`, where a remote's model will do too; what that can, its remote knows."""
        model = await self.find(name)
        return model if isinstance(model, RemoteModel) else self._fit_for(task, model)

    async def find(self, name: str | None) -> Model | RemoteModel:
        """The model of that name or alias, here or elsewhere. Raises ModelUnknown or ModelUnusable."""
        if model := self.remotes.meant(name or ""):
            return model
        try:
            return await self.shelf.find(name)
        except ModelUnknown as error:
            # An alias may stand for a remote's model.
            if model := self.remotes.meant(error.model):
                return model
            raise

    async def named(self, request: Request) -> Model:
        """The model on this machine that a path names; no name is none here. Raises ModelUnknown or ModelUnusable."""
        name = request.path_params["id"]
        if not name:
            raise ModelUnknown(name, known=[model.id for model in await self.shelf.models()])
        return await self.shelf.find(name)

    async def _local(self, name: str | None) -> Model:
        model = await self.find(name)
        if isinstance(model, RemoteModel):
            sentence = (
                f"'{model.id}' is a model of the remote '{model.remote}'; this route asks engines of this machine."
            )
            raise BadRequest(f"{sentence} Name a model of `paddock models list`.", param="model")
        return model

    @staticmethod
    def _fit_for(task: Task, model: Model) -> Model:
        if model.task == task:
            return model
        instead = _INSTEAD[task] if model.task == "text" else f"Use {_ROUTES[model.task]} with it."
        raise BadRequest(f"The model '{model.id}' {_DOES[model.task]} and {_DOES_NOT[task]}. {instead}", param="model")

    async def addressed(self, prepared: Prepared) -> tuple[Prepared, Model | RemoteModel]:
        """A prepared chat request as its model may read it, and that model. Raises ModelUnknown or BadRequest."""
        model = await self.answering("text", prepared.body.get("model"))
        if isinstance(model, RemoteModel):
            return prepared, model
        prepared = await self.advised(decodable(narrow(prepared)), model)
        if not self.settings.guard_control_text:
            return prepared, model
        return harmless(prepared, await self.shelf.control_texts(model)), model

    async def advised(self, prepared: Prepared, model: Model | RemoteModel) -> Prepared:
        """A prepared request with the model's recommended sampling where it leaves that out. Raises ModelUnusable."""
        if isinstance(model, RemoteModel):
            return prepared
        return recommended(prepared, await self.shelf.advice(model))

    def relay(
        self,
        prepared: Prepared,
        model: Model | RemoteModel,
        *,
        dialect: Dialect = OPENAI,
        passage: Passage | None = None,
    ) -> Relay:
        """The exchange that answers a prepared request, in `dialect`; the engine's own bytes without a `passage`."""
        settings = self.settings
        asked = prepared.body.get("model") or model.id
        is_remote = isinstance(model, RemoteModel)
        prepared = sent_away(prepared, model) if is_remote else replace(prepared, received=None)
        prepared = limited(prepared, settings.answer_tokens_most)
        if asked != model.id:
            prepared = replace(prepared, served_by=model.id)
        patience = Patience(
            status_deadline_s=settings.status_deadline_s,
            keepalive_s=settings.keepalive_s,
            answer_timeout_s=settings.answer_timeout_s,
        )
        real = model.remote_id if is_remote else model.id
        return (RemoteRelay if is_remote else Relay)(
            prepared,
            pool=self.remotes if is_remote else self.pool,
            model_id=model.id,
            dialect=dialect,
            passage=passage or Straight(real=real, asked=str(asked)),
            patience=patience,
            intake=self.intake,
            adapters={} if isinstance(model, RemoteModel) else {str(one.path): one.scale for one in model.adapters},
        )

    def lease(self, model: Model | RemoteModel) -> AbstractAsyncContextManager[Lease | RemoteLease]:
        """The right to ask a model's engine, here or elsewhere. Raises as an exchange does."""
        return self.remotes.lease(model.id) if isinstance(model, RemoteModel) else self.pool.lease(model.id)

    async def count(self, prepared: Prepared, model: Model | RemoteModel) -> int:
        """The tokens of a prepared chat request's prompt. Raises as an exchange does."""
        if isinstance(model, RemoteModel):
            async with self.remotes.lease(model.id) as lease:
                return await counted(lease, prepared)
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
