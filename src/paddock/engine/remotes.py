"""Owns the remote engines: their models, their health, and the right to send them a request.

They take none of this machine's memory, so no policy decides about them. Refuses to know what they are asked, and
contacts no address but those that a person named.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread

from paddock.engine.health import Health
from paddock.engine.remote_records import Record, Records
from paddock.errors import EngineRefused, EngineUnavailable, EngineUnreachable, HomeUnusable, StoreUnusable
from paddock.log import named
from paddock.paths import Home
from paddock.store.secrets import Secrets

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient

_log = named(__name__)
_LIST_TIMEOUT_S = 3.0
_LIST_FRESH_S = 60.0
_MODELS_MOST = 2000
_REASON_CHARACTERS = 200
# In seconds since 1970: of what a list tells, later ones are no time.
_TIME_MOST_S = 2**36
# Under which a list tells the context of a model: vLLM, paddock and hosted providers.
_CONTEXTS = ("max_model_len", "context_length", "context_window")


@dataclass(frozen=True, kw_only=True)
class RemoteModel:
    """A model elsewhere. `id` is its name here, `remote_id` its name there; None is what its remote does not tell."""

    id: str
    remote: str
    remote_id: str
    context_tokens: int | None = None
    created_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class RemoteEndpoint:
    """The address of a remote's API, up to and with its version, and the key that is sent there."""

    base_url: str
    api_key: str = field(repr=False)

    def url_of(self, path: str) -> str:
        """The address of a route; what is not below `/v1` lies beside it."""
        if path.startswith("/v1/"):
            return self.base_url + path.removeprefix("/v1")
        return self.base_url.removesuffix("/v1") + path


@dataclass(frozen=True, kw_only=True)
class RemoteLease:
    """The right to send a remote one request until the `async with` that gave it ends."""

    model: RemoteModel
    endpoint: RemoteEndpoint
    client: EngineClient
    remote: Remote

    def note_answer(self, status: int) -> None:
        """An answer came."""
        self.remote.health.answered(status, at_s=time.time())


@dataclass(frozen=True, kw_only=True)
class RemotePlace:
    """One request's place with a remote. Nothing is loaded for it: it is always warm."""

    model: RemoteModel
    remote: Remote
    is_warm: bool = True


class Remote:
    """One remote as it was named, and what it was found to be since."""

    def __init__(self, record: Record, secrets: Secrets) -> None:
        self.record = record
        self.health = Health()
        self.models: tuple[RemoteModel, ...] = tuple(self.model(model_id) for model_id in record.models)
        # The route that counts tokens there, once one was found.
        self.counting_path = ""
        self._secrets = secrets
        self._key: str | None = None
        self._listed_s: float | None = None
        self._asking = anyio.Lock()

    def model(self, remote_id: str, **told: Any) -> RemoteModel:
        """A model of this remote's, whether or not it has one of that id."""
        return RemoteModel(id=f"{self.record.name}/{remote_id}", remote=self.record.name, remote_id=remote_id, **told)

    async def endpoint(self) -> RemoteEndpoint:
        """Where it is asked. Raises EngineUnavailable where its key cannot be read."""
        if self._key is None:
            try:
                self._key = await anyio.to_thread.run_sync(self._secrets.get, self.record.secret) or ""
            except (HomeUnusable, StoreUnusable) as error:
                words = f"The key of the remote '{self.record.name}' cannot be read. {error.told}"
                raise EngineUnavailable(words) from error
        return RemoteEndpoint(base_url=self.record.url, api_key=self._key)

    async def look(self, connect: Callable[[], Awaitable[EngineClient]], *, fresh_s: float) -> None:
        """Ask for its list unless it was asked within `fresh_s` or is to be left alone. What fails is its health."""
        async with self._asking:
            now_s = anyio.current_time()
            is_fresh = self._listed_s is not None and now_s - self._listed_s < fresh_s
            if is_fresh or (fresh_s and self.health.is_resting(now_s)):
                return
            try:
                client, endpoint = await connect(), await self.endpoint()
                with anyio.fail_after(_LIST_TIMEOUT_S):
                    answer = await client.ask(endpoint, "/v1/models")
            except TimeoutError:
                self.lost(f"it gave no list of models within {_LIST_TIMEOUT_S:g} s")
            except EngineUnreachable as error:
                self.lost(_reason(error))
            except EngineRefused as error:
                self.health.answered(error.status, at_s=time.time())
            except EngineUnavailable as error:
                self.lost(error.message)
            else:
                self.health.answered(200, at_s=time.time())
                self._listed_s = anyio.current_time()
                self.models = tuple(self.model(model_id) for model_id in self.record.models) or self._in(answer)

    def lost(self, reason: str) -> EngineUnreachable:
        """Note that it failed; the error that says so."""
        self.health.failed(reason, now_s=anyio.current_time(), at_s=time.time())
        _log.info("remote %s: %s", self.record.name, reason)
        return self.unreachable()

    def unreachable(self) -> EngineUnreachable:
        """What is said to a request while it does not answer."""
        name = self.record.name
        return EngineUnreachable(
            f"The remote '{name}' does not answer: {self.health.reason}. `paddock remotes check {name}` tries it."
        )

    def refused(self, error: EngineRefused, key: str) -> EngineRefused | EngineUnreachable:
        """The refusal, as the remote's own. Its key is cut out, should it have said that."""
        name = self.record.name
        self.health.answered(error.status, at_s=time.time())
        if error.status < 400:
            sentence = f"The remote '{name}' sends requests elsewhere (status {error.status}), which are not followed."
            return EngineUnreachable(f"{sentence} Name its real address with `paddock remotes add`.")
        reason = (error.reason.replace(key, "[key]") if key else error.reason) or "it gave no reason"
        return EngineRefused(status=error.status, reason=f"The remote '{name}' answered {error.status}: {reason}")

    def _in(self, answer: Any) -> tuple[RemoteModel, ...]:
        """The models in a list as the API tells it; what has another form is passed over."""
        listed = cast("dict[str, Any]", answer).get("data") if isinstance(answer, dict) else None
        found: list[RemoteModel] = []
        for one in cast("list[Any]", listed)[:_MODELS_MOST] if isinstance(listed, list) else []:
            entry = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
            model_id, created = entry.get("id"), entry.get("created")
            if not isinstance(model_id, str) or not model_id.isprintable():
                continue
            contexts = [entry.get(name) for name in _CONTEXTS]
            context = next((size for size in contexts if type(size) is int and size > 0), None)
            created_s = 0.0
            if isinstance(created, (int, float)) and 0 <= created < _TIME_MOST_S:
                created_s = float(created)
            found.append(self.model(model_id, context_tokens=context, created_s=created_s))
        return tuple(found)


class Remotes:
    """Every remote of one data home, in step with their file.

    Args:
        home: whose file it is.
        secrets: where their keys lie.
        connect: the client of engines, made at its first need. Raises EngineUnavailable when paddock is stopping.
    """

    def __init__(self, home: Home, secrets: Secrets, connect: Callable[[], Awaitable[EngineClient]]) -> None:
        self._records = Records(home)
        self._secrets = secrets
        self._connect = connect
        self._remotes: dict[str, Remote] = {}
        self.fault = ""

    def all(self) -> Mapping[str, Remote]:
        """Every remote by its name. One whose record changed is a new one; `fault` says why the file was not read."""
        try:
            records, self.fault = self._records.all(), ""
        except HomeUnusable as error:
            if error.message != self.fault:
                _log.warning("%s", error.message)
            # The models of this machine are served all the same.
            records, self.fault = {}, error.message
        kept = {name: one for name, one in self._remotes.items() if records.get(name) == one.record}
        self._remotes = {name: kept.get(name) or Remote(record, self._secrets) for name, record in records.items()}
        return self._remotes

    def meant(self, name: str) -> RemoteModel | None:
        """The model that a name means if it begins with a remote's; whether the remote has it, it says itself."""
        first, slash, remote_id = name.partition("/")
        if not (slash and remote_id):
            return None
        remote = self.all().get(first)
        if remote is None:
            return None
        return next((model for model in remote.models if model.id == name), remote.model(remote_id))

    async def look(self, *names: str, fresh_s: float = _LIST_FRESH_S) -> list[Remote]:
        """The remotes of these names, or all, each asked for its models unless it was within `fresh_s` seconds."""
        remotes = [remote for name, remote in self.all().items() if not names or name in names]
        async with anyio.create_task_group() as group:
            for remote in remotes:
                group.start_soon(lambda one=remote: one.look(self._connect, fresh_s=fresh_s))
        return remotes

    async def models(self) -> list[RemoteModel]:
        """The models of every remote. Those that were named with their models are not asked."""
        unlisted = [name for name, remote in self.all().items() if not remote.record.models]
        if unlisted:
            await self.look(*unlisted)
        return [model for remote in self.all().values() for model in remote.models]

    @asynccontextmanager
    async def queued(self, model_id: str, adapters: Collection[str] = ()) -> AsyncGenerator[RemotePlace]:
        """A place for one request, at once; a remote has no adapters of ours.

        Raises:
            EngineUnreachable: the remote is being left alone.
        """
        model = self.meant(model_id)
        if model is None:
            raise EngineUnreachable(f"The remote of '{model_id}' was removed meanwhile.")
        remote = self.all()[model.remote]
        if remote.health.is_resting(anyio.current_time()):
            raise remote.unreachable()
        yield RemotePlace(model=model, remote=remote)

    @asynccontextmanager
    async def leased(self, place: RemotePlace) -> AsyncGenerator[RemoteLease]:
        """The right to send the request; what goes wrong inside is told as the remote's, and noted.

        Raises:
            EngineUnreachable, EngineRefused: inside, in place of those that do not name it.
            EngineUnavailable: its key cannot be read, or paddock is stopping.
        """
        remote = place.remote
        endpoint = await remote.endpoint()
        client = await self._connect()
        try:
            yield RemoteLease(model=place.model, endpoint=endpoint, client=client, remote=remote)
        except EngineUnreachable as error:
            raise remote.lost(_reason(error)) from error
        except EngineRefused as error:
            raise remote.refused(error, endpoint.api_key) from error

    @asynccontextmanager
    async def lease(self, model_id: str) -> AsyncGenerator[RemoteLease]:
        """`queued` and `leased` in one."""
        async with self.queued(model_id) as place, self.leased(place) as lease:
            yield lease

    def progress(self, place: RemotePlace) -> str:
        """What a request waits for beside its answer: nothing."""
        return ""


def _reason(error: EngineUnreachable) -> str:
    """Why, in the words of the system or of the HTTP library, which know no key."""
    cause = error.__cause__
    words = str(cause) if cause and str(cause) else "the connection broke" if cause else error.message.rstrip(".")
    return words[:_REASON_CHARACTERS]
