"""Owns the connection to the database: opening, migrating, transactions, and the one mapping of its library's errors.

Statements run in worker threads, so that none blocks the event loop. The library is imported at the first use: paddock
starts without it.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from paddock.errors import PaddockError, StoreBusy, StoreUnusable
from paddock.paths import Home
from paddock.store import address, distances, integrity, migrating
from paddock.store.faults import meaning

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_BUSY_TIMEOUT_S = 10
# SQLite itself waits so long for whoever holds the file; then it is looked whether paddock ends, and tried again.
_STEP_S = 0.2
# Transactions that may wait at once: of those that write, and of those that only read, which wait for no writer.
_WRITERS, _READERS = 8, 6
_ONLY_READS = "only_reads"
Result = TypeVar("Result")


class Database:
    """One database, opened and brought to the present tables at its first use.

    Args:
        url: `postgresql://…`, `sqlite:///…`; "" for a SQLite file in the data home.
        home: the data home.

    `errors` counts the transactions that could not be done.
    """

    def __init__(self, url: str, home: Home) -> None:
        self._home = home
        self._url = url or f"sqlite:///{home.database}"
        self.errors = 0
        self._engine: Engine | None = None
        self._opening: Future[Engine] | None = None
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._writing = anyio.Semaphore(_WRITERS), anyio.CapacityLimiter(_WRITERS)
        self._reading = anyio.Semaphore(_READERS), anyio.CapacityLimiter(_READERS)

    @property
    def is_there(self) -> bool:
        """Whether there is one already, as far as can be seen without opening it."""
        return not self._url.startswith("sqlite") or bool((file := address.file_of(self._url)) and file.exists())

    async def run(
        self, work: Callable[[Connection], Result], *, only_reads: bool = False, waits: bool = True
    ) -> Result:
        """Do `work` in one transaction, in a thread: all of it is kept, or nothing. Raises StoreUnusable.

        What only reads does not wait for whoever writes. What does not wait gives up where somebody holds the database.
        """
        do = partial(self.do, work, only_reads=only_reads, waits=waits)
        return await self.aside(do, only_reads=only_reads, waits=waits)

    async def aside(self, work: Callable[[], Result], *, only_reads: bool = False, waits: bool = True) -> Result:
        """Do what blocks on the database, as `do` does, in a thread. Raises StoreUnusable.

        Its threads are its own, so that requests which wait for a database that somebody holds keep no thread from
        those that need none; and none waits long for such a thread.
        """
        turns, threads = self._reading if only_reads else self._writing
        with anyio.move_on_after(_BUSY_TIMEOUT_S if waits or turns.value else 0) as waiting:
            async with turns:
                waiting.deadline = math.inf
                return await anyio.to_thread.run_sync(work, limiter=threads)
        self.errors += 1
        raise StoreBusy(f"Too many wait for the database {address.shown(self._url)}, which somebody holds. Ask again.")

    def do(self, work: Callable[[Connection], Result], *, only_reads: bool = False, waits: bool = True) -> Result:
        """As `run`, in this thread."""
        try:
            # Opened first, by one thread: two that begin to import one library hand each other half of it.
            engine = self.engine().execution_options(**{_ONLY_READS: only_reads})
            with mapped(self._url), ExitStack() as whole:
                return work(self._patiently(lambda: whole.enter_context(engine.begin()), waits=waits))
        except StoreUnusable:
            self.errors += 1
            raise

    def try_it(self) -> None:
        """See that it can be used, in this thread. Raises StoreUnusable."""
        self.do(lambda connection: connection.exec_driver_sql("SELECT 1").close())

    def engine(self) -> Engine:
        """The open database; all who come while it is opened get what came of that. Raises StoreUnusable."""
        with self._lock:
            if self._engine is not None:
                return self._engine
            is_mine = self._opening is None
            opening: Future[Engine] = self._opening or Future()
            self._opening = opening
        if is_mine:
            try:
                self._engine = self._patiently(self._open)
                opening.set_result(self._engine)
            except StoreUnusable as error:
                opening.set_exception(error)
                raise
            finally:
                opening.cancel()
                with self._lock:
                    self._opening = None
        return opening.result()

    def end_waits(self) -> None:
        """Nobody waits any more for a database that somebody holds: paddock ends."""
        self._ending.set()

    def _patiently(self, step: Callable[[], Result], *, waits: bool = True) -> Result:
        """Do a step, again and again for a while where somebody holds the file. Raises StoreUnusable."""
        # PostgreSQL waits by itself.
        deadline_s = time.monotonic() + (_BUSY_TIMEOUT_S if waits and self._url.startswith("sqlite") else 0)
        while True:
            try:
                with mapped(self._url):
                    return step()
            except StoreBusy:
                if self._ending.is_set() or time.monotonic() >= deadline_s:
                    raise

    async def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            await anyio.to_thread.run_sync(self._engine.dispose)

    def _open(self) -> Engine:
        from sqlalchemy import create_engine, event

        from paddock.store.copying import keep_before_migration

        url = address.parsed(self._url)
        is_file = url.drivername == "sqlite"
        if is_file and url.database:
            integrity.check(Path(url.database))
            integrity.begin(Path(url.database))
            keep_before_migration(Path(url.database))
        # It would tell with a traceback of each connection that was cut that it cannot be closed in good order.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
        engine = create_engine(url, pool_pre_ping=not is_file, connect_args=_arguments(is_file=is_file))
        if is_file:
            event.listen(engine, "do_connect", _connected)
            event.listen(engine, "connect", _tune)
            event.listen(engine, "begin", _begin)
        with ExitStack() as where_it_fails:
            where_it_fails.callback(engine.dispose)
            migrating.upgrade(engine)
            where_it_fails.pop_all()
        return engine


def _arguments(*, is_file: bool) -> dict[str, Any]:
    return {"timeout": _STEP_S, "check_same_thread": False} if is_file else {"timeout": _BUSY_TIMEOUT_S}


def _begin(connection: Connection) -> None:
    """Take the writer's place at once: a reader that became a writer could not wait for another."""
    if connection.get_execution_options().get(_ONLY_READS):
        connection.exec_driver_sql("BEGIN")
        # Only with a first look is anything begun.
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").close()
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _connected(dialect: object, record: object, args: Sequence[Any], parameters: dict[str, Any]) -> Any:
    return distances.connected(*args, **parameters)


def _tune(connection: Any, record: object) -> None:
    """SQLite as it is best for a server: readers do not wait for the writer, references are kept."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def mapped(url: str) -> Generator[None]:
    """Turn whatever the libraries of the database of that address raise into StoreUnusable."""
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except PaddockError:
        raise
    except (SQLAlchemyError, CommandError, sqlite3.Error, OSError) as error:
        raise meaning(address.shown(url), error, address.file_of(url)) from error
