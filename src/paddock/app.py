"""Owns building everything once and the one task group all of it lives in; knows no route and no model."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from anyio.abc import TaskGroup

from paddock import __version__, clock, ending, log, scratch
from paddock.api.body import Room
from paddock.api.chat_messages import maker_of
from paddock.api.credentials import is_credential_needed, is_loopback
from paddock.api.edge import Edge
from paddock.api.evaluated import subjects
from paddock.api.observing import Answered
from paddock.api.routes import application
from paddock.config import Settings
from paddock.engine.pool import EMBEDDED, Pool
from paddock.engine.remotes import Remotes
from paddock.engine.runaways import Leniency
from paddock.engine.slots import Slots
from paddock.evaluation.evaluations import Evaluations
from paddock.export import exports, tries
from paddock.export.exports import Exports
from paddock.export.pushes import Pushes
from paddock.export.tries import Tries
from paddock.install import stacking
from paddock.install.builds import EMBEDDED_NAME, Builds
from paddock.install.jobs import Jobs
from paddock.install.prefix import Prefix
from paddock.jobs.folder import WORKER
from paddock.listening import Certificate, certificate_of, listen, reached_at, server_of, url_of
from paddock.models import importing, removal
from paddock.models.bases import trainable
from paddock.models.catalog import Catalog
from paddock.models.downloads import Downloads
from paddock.models.hub_process import HubProcess
from paddock.models.hub_token import HubToken
from paddock.ownership import Ownership, joined
from paddock.paths import Home
from paddock.recorder.recorder import Recorder
from paddock.recorder.secrets import text_without_secrets
from paddock.serving.accounts import Accounts
from paddock.serving.admission import Admission
from paddock.serving.chat_changes import Changes
from paddock.serving.chats import Chats
from paddock.serving.responses import Responses
from paddock.serving.runs import Runs
from paddock.serving.shelf import Shelf
from paddock.store import stamps
from paddock.store.access import Access
from paddock.store.db import Database
from paddock.store.jobs import JobStore
from paddock.store.responses import ResponseStore
from paddock.store.secrets import Secrets
from paddock.tools.toolbox import Tools
from paddock.tracing.traces import Traces
from paddock.training import trainings
from paddock.training.trainings import Trainings

_log = logging.getLogger(__name__)

_TAKE_OVER_EVERY_S = 2.0
_FIRST_ADMIN = "admin"
# Of the greatest size, while they come.
_BODIES_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Studio:
    """A paddock that is accepting requests at `url`. `ended` is set once somebody asked it to end.

    `link` is where the first admin chooses a password, where nobody can sign in yet and nobody is let in without.
    """

    url: str
    link: str | None
    pool: Pool
    ended: anyio.Event


Announce = Callable[[Studio, Mapping[str, Any] | None], None]


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    engine_program: Sequence[str] | None = None,
    builds_program: Sequence[str] | None = None,
    worker_program: Sequence[str] | None = None,
    signals: AsyncIterable[signal.Signals] | None = None,
    own_word: str | None = None,
) -> AsyncGenerator[Studio]:
    """A paddock for the length of an `async with`: it accepts requests inside, and leaves nothing behind.

    Args:
        settings: what to serve, and where.
        engine_program: the words that start an engine; its flags are appended. Else those of `engine`.
        builds_program: the words that start the program that works on builds, in place of paddock's own.
        worker_program: the words that start the worker of a training, in place of the stack's; its folder is appended.
        own_word: what everybody who asks must say in place of a key; None where it goes by settings, keys and accounts.
        signals: the first sets `ended`; the next, whoever is answered yet, ends that at once.

    Raises:
        HomeUnusable, HomeBusy, SettingInvalid, ModelUnknown, ModelUnusable, BuildUnknown, BuildBroken, PortBusy:
            before anything is listened on.
    """
    settings.home.ensure()
    here = _joined(settings.home)
    database = Database(settings.database_url, settings.home)
    try:
        access = Access.of(database, settings.home)
        word = await anyio.to_thread.run_sync(_first_word, settings, database, access)
        certificate = await anyio.to_thread.run_sync(certificate_of, settings)
        shelf = await anyio.to_thread.run_sync(lambda: Shelf(Catalog.of(settings), settings))
        program = engine_program or await anyio.to_thread.run_sync(_engine_program, settings)
        engine = await anyio.to_thread.run_sync(_engine_name, settings)
        traces = await anyio.to_thread.run_sync(lambda: Traces(settings.trace_endpoint, version=__version__))
        with log.kept(log.Ring(clean=text_without_secrets)) as ring:
            parts = _Parts(
                shelf=shelf, database=database, access=access, certificate=certificate, ring=ring, engine=engine,
                engine_program=program, builds_program=builds_program, worker_program=worker_program,
                word=word, traces=traces, signals=signals, own_word=own_word,
            )  # fmt: skip
            try:
                async with _serving(settings, parts) as studio:
                    if here.is_held:
                        here.note(url=studio.url)
                    yield studio
            finally:
                with anyio.CancelScope(shield=True):
                    await traces.close()
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()
        here.release()


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What is made before anything is listened on."""

    shelf: Shelf
    database: Database
    access: Access
    certificate: Certificate | None
    word: str | None
    ring: log.Ring
    traces: Traces
    engine: str
    engine_program: Sequence[str]
    builds_program: Sequence[str] | None
    worker_program: Sequence[str] | None
    signals: AsyncIterable[signal.Signals] | None
    own_word: str | None


@asynccontextmanager
async def _serving(settings: Settings, parts: _Parts) -> AsyncGenerator[Studio]:
    with contextlib.closing(listen(settings)) as listener:
        async with anyio.create_task_group() as tasks:
            slots = Slots(settings.home.slots, most_bytes=settings.slot_cache_bytes)
            ended, hurried, over = anyio.Event(), anyio.Event(), anyio.Event()
            port = listener.getsockname()[1]
            url = url_of(settings, port)
            edge = _edge(settings, parts, tasks, slots, ended, url)
            server = server_of(
                application(edge),
                settings,
                parts.certificate,
                grace_s=ending.bound_s(settings),
            )
            tasks.start_soon(server.serve, [listener])
            signalled = anyio.CancelScope()
            try:
                await server.up.wait()
                if parts.signals:
                    tasks.start_soon(ending.signalled, parts.signals, signalled, ended, hurried)
                tasks.start_soon(edge.pool.preload)
                tasks.start_soon(slots.tidy)
                tasks.start_soon(anyio.to_thread.run_sync, scratch.sweep, settings.home)
                tasks.start_soon(edge.tools.keep, over)
                tasks.start_soon(anyio.to_thread.run_sync, importing.sweep, settings.home.models)
                await anyio.to_thread.run_sync(removal.finish, settings.home.models)
                tasks.start_soon(edge.downloads.restore)
                tasks.start_soon(edge.admission.keep)
                await stamps.begin(parts.database, settings.home, tasks, over)
                tasks.start_soon(clock.keep, settings.home, over)
                for queue in (edge.trainings, edge.exports, edge.pushes, edge.tries, edge.evaluations):
                    tasks.start_soon(queue.carry_on)
                if parts.database.is_there:
                    tasks.start_soon(edge.chats.answers.carry_on, maker_of(edge))
                link = f"{reached_at(settings, port)}/welcome#{parts.word}" if parts.word else None
                yield Studio(url=url, link=link, pool=edge.pool, ended=ended)
            finally:
                over.set()
                with anyio.CancelScope(shield=True):
                    await ending.end(edge, server, hurried)
                signalled.cancel()


def _edge(settings: Settings, parts: _Parts, tasks: TaskGroup, slots: Slots, ended: anyio.Event, url: str) -> Edge:
    """What the routes need, all of it living in `tasks`; `url` is where they will be."""
    shelf, database = parts.shelf, parts.database
    pool = Pool(
        plan_for=shelf.plan_for,
        limits=lambda: shelf.room.limits,
        observe=shelf.observe,
        tasks=tasks,
        load_timeout_s=settings.load_timeout_s,
        program=parts.engine_program,
        slots=slots,
        leniency=Leniency(idle_s=settings.abandoned_timeout_s, used_s=settings.answer_timeout_s),
    )
    responses = Responses(ResponseStore(database), Runs(tasks), keep_days=settings.response_days)
    trained, exported, tried = _jobs(settings, parts, pool, url)
    hub_token = HubToken(database, settings.home).to_show
    return Edge(
        settings=settings,
        shelf=shelf,
        pool=pool,
        remotes=Remotes(settings.home, Secrets(database, settings.home), pool.connect),
        responses=responses,
        recorder=Recorder.of(settings),
        database=database,
        access=parts.access,
        accounts=Accounts(),
        admission=Admission(parts.access.uses),
        downloads=Downloads(
            settings.home,
            tasks,
            HubProcess(settings.home, lends_token=settings.lend_hub_token, token=hub_token),
            most_at_once=settings.downloads_at_once,
        ),
        chats=Chats.of(settings, database, responses, Changes(), tasks),
        builds=Jobs(settings, tasks, parts.builds_program),
        trainings=trained,
        exports=exported,
        pushes=Pushes.of(settings.home, database, exported, hub_token),
        tries=tried,
        evaluations=Evaluations.of(settings.home, database, subjects(shelf, parts.engine)),
        tools=Tools.of(settings, database, lambda: stacking.python(Prefix(settings.home.stack))),
        engine=parts.engine,
        log=parts.ring,
        traces=parts.traces,
        answered=Answered(),
        bodies=Room(_BODIES_AT_ONCE * settings.max_body_bytes),
        end=ended.set,
        is_ending=ended.is_set,
        own_word=parts.own_word,
    )


def _jobs(settings: Settings, parts: _Parts, pool: Pool, url: str) -> tuple[Trainings, Exports, Tries]:
    """What workers do; `url` is where models can be asked."""
    home, store, engine = settings.home, JobStore(parts.database), parts.engine_program

    def worker(module: str) -> Callable[[], Sequence[str] | None]:
        return lambda: parts.worker_program or _worker(settings, module)

    return (
        Trainings(
            home,
            store,
            worker=worker(trainings.WORK),
            engine=engine,
            base_of=trainable,
            pool=pool,
            judged_at="" if is_credential_needed(settings) or parts.certificate or parts.own_word else url,
        ),
        Exports(
            home,
            store,
            worker=worker(exports.WORK),
            engine=engine,
            installed=lambda: [one.binary for one in Builds(home).all()],
            base_of=trainable,
        ),
        Tries(home, store, worker=worker(tries.WORK), base_of=trainable, catalog=parts.shelf.catalog),
    )


def serve(settings: Settings, announce: Announce) -> None:
    """Serve until SIGINT or SIGTERM, or until somebody at this machine asks the server to end.

    `announce` gets the paddock once requests are accepted, and what `Ownership.holder` says of another paddock that
    serves on the same data home already.

    Raises:
        PaddockError: as `running` does.
    """
    log.set_up(settings.log_level, settings.log_format, clean=text_without_secrets)
    anyio.run(_serve, settings, announce, backend_options={"use_uvloop": _has_uvloop()})


async def _serve(settings: Settings, announce: Announce) -> None:
    home = Ownership(settings.home.serving)
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals, contextlib.ExitStack() as held:
        held.callback(home.release)
        async with running(settings, signals=signals) as studio:
            is_held = await _takes(home, studio.url)
            announce(studio, None if is_held else home.holder())
            await _until_ended(home, studio, is_held=is_held)


async def _until_ended(home: Ownership, studio: Studio, *, is_held: bool) -> None:
    async with anyio.create_task_group() as tasks:
        if not is_held:
            tasks.start_soon(_take_over, home, studio.url)
        await studio.ended.wait()
        tasks.cancel_scope.cancel()


def _joined(home: Home) -> Ownership:
    """Be seen by whoever needs the data home alone, and only then look whether somebody has it so: one sees the other.

    A data home that cannot be locked is served without. Raises HomeBusy while a restore is under way, or HomeUnusable.
    """
    try:
        lock = joined(home.present)
    except OSError as error:
        _log.warning("the data home cannot be locked, so that a restore would not see this paddock: %s", error)
        lock = Ownership(home.present / "none.lock")
    if home.restoring.is_dir():
        from paddock.backup.swap import settle

        with contextlib.ExitStack() as where_it_fails:
            where_it_fails.callback(lock.release)
            settle(home, _log.warning)
            where_it_fails.pop_all()
    return lock


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


def _worker(settings: Settings, module: str) -> Sequence[str] | None:
    """The words that start a worker that does what a module does; None without the training stack."""
    python = stacking.python(Prefix(settings.home.stack))
    # Isolated: the packages of whatever runs paddock are not those of the stack.
    return [str(python), "-I", WORKER, module] if python else None


def _engine_name(settings: Settings) -> str:
    """The build that was chosen, by its name or its path. Raises BuildBroken."""
    return settings.engine or Builds(settings.home).pointer().active or EMBEDDED_NAME


def _first_word(settings: Settings, database: Database, access: Access) -> str | None:
    """By which the first admin chooses a password, where nobody could be let in else. Raises StoreUnusable."""
    is_for_keys_alone = settings.require_key and not settings.require_login and is_loopback(settings.host)
    if not is_credential_needed(settings) or is_for_keys_alone:
        return None
    if not settings.require_login and access.keys.has_valid():
        return None
    there = access.accounts.listed()
    if any(one.has_password and one.role == "admin" and one.disabled_s is None for one in there):
        return None
    stamps.begin_at_once(database, settings.home)
    admin = next((one for one in there if one.role == "admin" and one.disabled_s is None), None)
    return access.accounts.link((admin or access.accounts.create(_FIRST_ADMIN, "admin")).name)


def _has_uvloop() -> bool:
    try:
        import uvloop
    except ImportError:
        return False
    return bool(uvloop)
