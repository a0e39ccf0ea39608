"""Owns what every route needs: the settings, the models, the pool, and reading a body; decides nothing of a dialect."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio
from starlette.requests import Request

from paddock.api.body import Room, read_bytes, read_object
from paddock.api.dialects import OPENAI
from paddock.api.observing import Answered
from paddock.api.rights import how
from paddock.caller import current
from paddock.config import Settings
from paddock.engine.pool import Pool
from paddock.engine.remotes import RemoteLease, RemoteModel, Remotes
from paddock.engine.resident import Lease
from paddock.errors import BadRequest, EngineTimeout, ModelUnknown, NotPermitted, StoreUnusable
from paddock.evaluation.evaluations import Evaluations
from paddock.export.exports import Exports
from paddock.export.pushes import Pushes
from paddock.export.tries import Tries
from paddock.install.jobs import Jobs
from paddock.knowledge.knowledge import Knowledge
from paddock.log import Ring, named
from paddock.models.catalog import Model
from paddock.models.downloads import Downloads
from paddock.models.gguf import Task
from paddock.recorder.recorder import Recorder
from paddock.serving.accounts import Accounts
from paddock.serving.admission import Admission
from paddock.serving.chats import Chats
from paddock.serving.choice import force, narrow
from paddock.serving.control import harmless
from paddock.serving.counting import count
from paddock.serving.decoding import decodable
from paddock.serving.images import Intake, admit
from paddock.serving.passage import Passage, Straight
from paddock.serving.prepare import Prepared, limited
from paddock.serving.relay import Dialect, Meter, Patience, Relay
from paddock.serving.remotely import RemoteRelay, counted, sent_away
from paddock.serving.responses import Responses
from paddock.serving.sampling import recommended
from paddock.serving.shelf import Shelf
from paddock.store.access import Access
from paddock.store.db import Database
from paddock.tools.toolbox import Tools
from paddock.tracing.traces import Traces
from paddock.training.trainings import Trainings

_log = named(__name__)
# Two passwords of the most characters, however they are escaped.
_STRANGERS_MOST_BYTES = 2**15
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
    database: Database
    access: Access
    admission: Admission
    accounts: Accounts
    downloads: Downloads
    chats: Chats
    builds: Jobs
    trainings: Trainings
    exports: Exports
    pushes: Pushes
    tries: Tries
    evaluations: Evaluations
    knowledge: Knowledge
    tools: Tools
    engine: str
    """The build that engines are started of, until paddock is started anew."""
    log: Ring
    traces: Traces
    answered: Answered
    bodies: Room
    """What bodies that are on their way may hold together."""
    end: Callable[[], None]
    """Ends paddock, in order; open requests get their grace."""
    is_ending: Callable[[], bool]
    own_word: str | None
    """What the command that has this paddock for itself says; None where it is for everybody who is let in."""

    async def body(self, request: Request, *, is_strangers: bool = False) -> dict[str, Any]:
        """The request's body. What its texts needed is noted with the request.

        Of a stranger, who has shown nothing yet, little is read, and all of it must be there in the time that others
        have for each piece. Raises BodyTooLarge, TooBusy or BadRequest.
        """
        most, timeout_s = self.settings.max_body_bytes, self.settings.receive_timeout_s
        data = await read_bytes(
            request,
            limit_bytes=min(most, _STRANGERS_MOST_BYTES) if is_strangers else most,
            timeout_s=timeout_s,
            room=self.bodies,
            is_timed_in_all=is_strangers,
        )
        if recording := request.scope.get("paddock.recording"):
            recording.inbound(data)
        body, request.scope["paddock.normalized"] = await read_object(data, strict=self.settings.strict_wire)
        if recording and isinstance(asked := body.get("model"), str):
            recording.asked(asked)
        return body

    def why_not(self, deed: str) -> str | None:
        """Why whoever asks may not do that, which is an admin's; None for one who may."""
        return None if current().may("manage") else NotPermitted(deed, how(current(), "manage")).message

    @staticmethod
    def address(request: Request) -> str:
        """Where a request comes from, as far as that is known."""
        return request.client.host if request.client else ""

    async def note(self, request: Request, deed: str, *, about: str = "", who: str | None = None) -> None:
        """Tell the audit what was done. Where it cannot be written, the log tells it: no deed waits for that."""
        name, address = who or current().name, self.address(request)
        try:
            await self.access.audit.noted(deed, who=name, address=address, about=about)
        except StoreUnusable as error:
            _log.error("audit: %s %s %s from %s is not written down: %s", name, deed, about, address, error.message)

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins whose pages may call, beside paddock's own."""
        return frozenset(origin.rstrip("/") for origin in self.settings.listed("allowed_origins"))

    async def model_for(self, task: Task, name: str | None) -> Model:
        """The model of that name on this machine, which must be of that task. Raises ModelUnknown or BadRequest."""
        return self._fit_for(task, await self.local(name))

    async def answering(self, task: Task, name: str | None) -> Model | RemoteModel:
        """As `model_for`, where a remote's model will do too; what that can, its remote knows."""
        model = await self.find(name)
        return model if isinstance(model, RemoteModel) else self._fit_for(task, model)

    async def find(self, name: str | None) -> Model | RemoteModel:
        """The model of that name or alias, here or elsewhere. Raises ModelUnknown, ModelUnusable or NotPermitted."""
        model = self.remotes.meant(name or "") or await self._shelved(name)
        self.permit_model(model.id, name or "")
        return model

    @staticmethod
    def permit_model(model_id: str, *names: str) -> None:
        """Let a caller have to do with a model, by its id or another name. Raises NotPermitted."""
        caller = current()
        if not caller.may_use(model_id, *names):
            raise NotPermitted(f"The model '{model_id[:200]}'", f"This key may use {', '.join(caller.models)} alone.")

    async def _shelved(self, name: str | None) -> Model | RemoteModel:
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
        model = await self.find(name)
        if isinstance(model, RemoteModel):
            raise ModelUnknown(name, known=[model.id for model in await self.shelf.models()])
        return model

    async def local(self, name: str | None) -> Model:
        """The model of that name on this machine. Raises as `find` does, or BadRequest for one that is elsewhere."""
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
        return await self.guarded(await self.advised(decodable(narrow(prepared)), model), model), model

    async def guarded(self, prepared: Prepared, model: Model) -> Prepared:
        """A prepared request whose texts are none of control, where that is wished. Raises BadRequest for tools."""
        if not self.settings.guard_control_text:
            return prepared
        return harmless(prepared, await self.shelf.control_texts(model))

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
        relay = (RemoteRelay if is_remote else Relay)(
            prepared,
            pool=self.remotes if is_remote else self.pool,
            model_id=model.id,
            dialect=dialect,
            passage=passage or Straight(real=real, asked=str(asked)),
            patience=patience,
            intake=self.intake,
            adapters={} if isinstance(model, RemoteModel) else {str(one.path): one.scale for one in model.adapters},
        )
        relay.meter = self.meter()
        relay.tally = partial(self.accounts.add, model.id)
        return relay

    def meter(self) -> Meter | None:
        """What is told the tokens of an answer; nobody for a caller whose tokens are not counted."""
        key_id = current().key_id
        return self.admission.meter(key_id) if key_id else None

    def lease(self, model: Model | RemoteModel) -> AbstractAsyncContextManager[Lease | RemoteLease]:
        """The right to ask a model's engine, here or elsewhere. Raises as an exchange does."""
        return self.remotes.lease(model.id) if isinstance(model, RemoteModel) else self.pool.lease(model.id)

    async def count(self, prepared: Prepared, model: Model | RemoteModel) -> int:
        """The tokens of a prepared chat request's prompt. Raises as an exchange does."""
        timeout_s = self.settings.answer_timeout_s
        with anyio.move_on_after(timeout_s):
            return await self._counted(prepared, model)
        raise EngineTimeout(timeout_s=timeout_s)

    async def _counted(self, prepared: Prepared, model: Model | RemoteModel) -> int:
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
