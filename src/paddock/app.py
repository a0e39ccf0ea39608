"""Owns building everything once and the one task group all of it lives in; knows no route and no model."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import uvicorn
from anyio.abc import TaskGroup
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from paddock import log
from paddock.api.chat_messages import maker_of
from paddock.api.credentials import is_key_needed, is_loopback
from paddock.api.edge import Edge
from paddock.api.routes import application
from paddock.config import Settings, masked
from paddock.engine.pool import EMBEDDED, Pool
from paddock.engine.remotes import Remotes
from paddock.engine.slots import Slots
from paddock.errors import PortBusy, SettingInvalid
from paddock.install.builds import EMBEDDED_NAME, Builds
from paddock.install.jobs import Jobs
from paddock.models.catalog import Catalog
from paddock.models.downloads import Downloads
from paddock.models.hub_process import HubProcess
from paddock.ownership import Ownership
from paddock.recorder.recorder import Recorder
from paddock.recorder.secrets import without_secrets
from paddock.serving.attachments import Attachments
from paddock.serving.chat_answers import Answers
from paddock.serving.chat_changes import Changes
from paddock.serving.chats import Chats
from paddock.serving.responses import Responses
from paddock.serving.runs import Runs
from paddock.serving.shelf import Shelf
from paddock.store.attachments import AttachmentStore
from paddock.store.chat_answers import AnswerStore
from paddock.store.chat_folders import FolderStore
from paddock.store.chat_messages import MessageStore
from paddock.store.chat_words import ChatSearch
from paddock.store.chats import ChatStore
from paddock.store.db import Database
from paddock.store.keys import Keys
from paddock.store.responses import ResponseStore
from paddock.store.secrets import Secrets

_log = logging.getLogger(__name__)

_GRACE_S = 1
_TAKE_OVER_EVERY_S = 2.0
_BACKLOG = 2048
# Longer than clients keep a connection that rests (httpx 5 s, aiohttp 15 s, Go 90 s): the side that closes it first
# must be theirs, or a request that crosses the close is lost without an answer.
_IDLE_CONNECTION_S = 100
# Each write waits until the one before has gone: one frame is held for a client that does not read, not many.
_WRITE_BUFFER_BYTES = 0


@dataclass(frozen=True, kw_only=True)
class Studio:
    """A paddock that is accepting requests at `url`. `ended` is set once somebody asked it to end."""

    url: str
    pool: Pool
    ended: anyio.Event


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, holding little for a client that reads slowly: the engine is made to wait instead."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client connected."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)


class _Server(uvicorn.Server):
    """uvicorn that tells when it is up and leaves signals to the command line."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = anyio.Event()
        self.down = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting, then say so."""
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open requests finish within the grace, then say so."""
        await super().shutdown(sockets)
        self.down.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def running(
    settings: Settings, *, engine_program: Sequence[str] | None = None, builds_program: Sequence[str] | None = None
) -> AsyncGenerator[Studio]:
    """A paddock for the length of an `async with`: it accepts requests inside, and leaves nothing behind.

    Args:
        settings: what to serve, and where.
        engine_program: the words that start an engine; its flags are appended. Else those of `engine`.
        builds_program: the words that start the program that works on builds, in place of paddock's own.

    Raises:
        HomeUnusable, SettingInvalid, ModelUnknown, ModelUnusable, BuildUnknown, BuildBroken, PortBusy: before
            anything is listened on.
    """
    settings.home.ensure()
    database = Database(settings.database_url, settings.home)
    try:
        keys = Keys(database, settings.home)
        await anyio.to_thread.run_sync(_refuse_keyless, settings, keys)
        shelf = await anyio.to_thread.run_sync(lambda: Shelf(Catalog.of(settings), settings))
        program = engine_program or await anyio.to_thread.run_sync(_engine_program, settings)
        engine = await anyio.to_thread.run_sync(_engine_name, settings)
        with log.kept(log.Ring(clean=_without_secrets)) as ring:
            parts = _Parts(
                shelf=shelf, database=database, keys=keys, ring=ring, engine=engine, engine_program=program,
                builds_program=builds_program,
            )  # fmt: skip
            async with _serving(settings, parts) as studio:
                yield studio
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What is made before anything is listened on."""

    shelf: Shelf
    database: Database
    keys: Keys
    ring: log.Ring
    engine: str
    engine_program: Sequence[str]
    builds_program: Sequence[str] | None


@asynccontextmanager
async def _serving(settings: Settings, parts: _Parts) -> AsyncGenerator[Studio]:
    shelf, database = parts.shelf, parts.database
    with contextlib.closing(_listen(settings)) as listener:
        async with anyio.create_task_group() as tasks:
            slots = Slots(settings.home.slots, most_bytes=settings.slot_cache_bytes)
            pool = Pool(
                plan_for=shelf.plan_for,
                limits=lambda: shelf.room.limits,
                observe=shelf.observe,
                tasks=tasks,
                load_timeout_s=settings.load_timeout_s,
                program=parts.engine_program,
                slots=slots,
            )
            downloads = Downloads(
                settings.home,
                tasks,
                HubProcess(settings.home, lends_token=settings.lend_hub_token),
                most_at_once=settings.downloads_at_once,
            )
            ended, builds = anyio.Event(), Jobs(settings, tasks, parts.builds_program)
            responses = Responses(ResponseStore(database), Runs(tasks), keep_days=settings.response_days)
            chats = _chats(settings, database, responses, tasks)
            edge = Edge(
                settings=settings,
                shelf=shelf,
                pool=pool,
                remotes=Remotes(settings.home, Secrets(database, settings.home), pool.connect),
                responses=responses,
                recorder=Recorder.of(settings),
                keys=parts.keys,
                downloads=downloads,
                chats=chats,
                builds=builds,
                engine=parts.engine,
                log=parts.ring,
                end=ended.set,
            )
            server = _server(application(edge))
            tasks.start_soon(server.serve, [listener])
            try:
                await server.up.wait()
                tasks.start_soon(pool.preload)
                tasks.start_soon(slots.tidy)
                tasks.start_soon(downloads.restore)
                if settings.database_url or settings.home.database.exists():
                    tasks.start_soon(chats.answers.carry_on, maker_of(edge))
                yield Studio(url=_url(settings.host, listener), pool=pool, ended=ended)
            finally:
                with anyio.CancelScope(shield=True):
                    server.should_exit = True
                    chats.close()
                    builds.close()
                    await downloads.close()
                    with anyio.move_on_after(_GRACE_S):
                        await server.down.wait()
                    # What is still open now learns of the stop from its engine's end, in its own dialect.
                    await pool.close()
                    with anyio.move_on_after(_GRACE_S):
                        await server.down.wait()


def _chats(settings: Settings, database: Database, responses: Responses, tasks: TaskGroup) -> Chats:
    changes = Changes()
    return Chats(
        ChatStore(database),
        MessageStore(database),
        ChatSearch(database),
        FolderStore(database),
        answers=Answers(AnswerStore(database), responses, changes, tasks),
        attachments=Attachments(AttachmentStore(database), most_bytes=settings.image_most_bytes),
        changes=changes,
    )


def serve(settings: Settings, announce: Callable[[str, Mapping[str, Any] | None], None]) -> None:
    """Serve until SIGINT or SIGTERM, or until somebody at this machine asks the server to end.

    `announce` gets the address once requests are accepted, and what `Ownership.holder` says of another paddock that
    serves on the same data home already.

    Raises:
        PaddockError: as `running` does.
    """
    log.set_up(settings.log_level)
    anyio.run(_serve, settings, announce, backend_options={"use_uvloop": _has_uvloop()})


async def _serve(settings: Settings, announce: Callable[[str, Mapping[str, Any] | None], None]) -> None:
    home = Ownership(settings.home.serving)
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals, contextlib.ExitStack() as held:
        held.callback(home.release)
        async with running(settings) as studio, anyio.create_task_group() as tasks:
            is_held = await _takes(home, studio.url)
            announce(studio.url, None if is_held else home.holder())
            if not is_held:
                tasks.start_soon(_take_over, home, studio.url)
            tasks.start_soon(_signalled, signals, studio.ended)
            await studio.ended.wait()
            tasks.cancel_scope.cancel()


async def _signalled(signals: AsyncIterable[signal.Signals], ended: anyio.Event) -> None:
    async for _ in signals:
        ended.set()
        return


async def _takes(home: Ownership, url: str) -> bool:
    """Whether no other paddock holds the data home. One that cannot be locked is served without."""
    try:
        return await anyio.to_thread.run_sync(lambda: home.take(url=url))
    except OSError as error:
        _log.warning("the data home cannot be locked: %s", error)
        return True


async def _take_over(home: Ownership, url: str) -> None:
    """Hold the data home as soon as nobody else does, so that the next paddock is told of this one."""
    while True:
        await anyio.sleep(_TAKE_OVER_EVERY_S)
        if await _takes(home, url):
            return


def _engine_program(settings: Settings) -> Sequence[str]:
    """The words that start the engine that was chosen. Raises BuildUnknown or BuildBroken."""
    if settings.engine == "embedded" or not (settings.engine or settings.home.engines.is_dir()):
        return EMBEDDED
    from paddock.install.installing import program

    return program(settings.home, settings.engine) or EMBEDDED


def _engine_name(settings: Settings) -> str:
    """The build that was chosen, by its name or its path. Raises BuildBroken."""
    return settings.engine or Builds(settings.home).pointer().active or EMBEDDED_NAME


def _without_secrets(text: str) -> str:
    """What the log keeps of a line: no keys, no passwords."""
    return masked(without_secrets(text.encode("utf-8", "replace")).decode("utf-8", "replace"))


def _refuse_keyless(settings: Settings, keys: Keys) -> None:
    """An address that others reach is of no use while nobody has a key. Raises SettingInvalid or StoreUnusable."""
    if is_loopback(settings.host) or not is_key_needed(settings):
        return
    if not any(key.is_valid(time.time()) for key in keys.listed()):
        raise SettingInvalid(
            f"host is {settings.host!r}, which others can reach, and there is no key yet. Make one with "
            "`paddock keys create`, listen on 127.0.0.1, or say --unsafe-no-auth if the network is yours alone."
        )


def _listen(settings: Settings) -> socket.socket:
    """The listening socket. Raises PortBusy when the address is taken, SettingInvalid when it is not ours."""
    host = settings.host
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingInvalid(f"host is {host!r}, which is no address of this machine. Use 127.0.0.1.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(f"Port {settings.port} on {host} is taken by another program.") from error
        raise SettingInvalid(
            f"Cannot listen on {host} port {settings.port}: {error.strerror}. Choose another."
        ) from error
    return listener


def _url(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _server(app: object) -> _Server:
    config = uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType]
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_IDLE_CONNECTION_S,
        timeout_graceful_shutdown=3 * _GRACE_S,
    )
    return _Server(config)


def _has_uvloop() -> bool:
    try:
        import uvloop
    except ImportError:
        return False
    return bool(uvloop)
