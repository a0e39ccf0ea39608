"""Owns the connection to the database: opening, migrating, transactions, and the one mapping of its library's errors.

Statements run in worker threads, so that none blocks the event loop. The library is imported at the first use: paddock
starts without it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread

from paddock.errors import PaddockError, StoreUnusable
from paddock.paths import Home

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 10
_POSTGRES = "postgresql+pg8000"
Result = TypeVar("Result")


class Database:
    """One database, opened and brought to the present tables at its first use.

    Args:
        url: `postgresql://…`, `sqlite:///…`; "" for a SQLite file in the data home.
        home: the data home.
    """

    def __init__(self, url: str, home: Home) -> None:
        self._home = home
        self._url = url or f"sqlite:///{home.database}"
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in one transaction, in a thread: all of it is kept, or nothing. Raises StoreUnusable."""
        return await anyio.to_thread.run_sync(self.do, work)

    def do(self, work: Callable[[Connection], Result]) -> Result:
        """As `run`, in this thread."""
        with mapped(self._shown()), self.engine().begin() as connection:
            return work(connection)

    def engine(self) -> Engine:
        """The open database. Raises StoreUnusable."""
        with self._opening:
            if self._engine is None:
                with mapped(self._shown()):
                    self._engine = self._open()
            return self._engine

    async def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            await anyio.to_thread.run_sync(self._engine.dispose)

    def _open(self) -> Engine:
        from sqlalchemy import create_engine, event
        from sqlalchemy.engine import make_url

        url = make_url(self._url)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername=_POSTGRES)
        if url.drivername not in (_POSTGRES, "sqlite"):
            raise StoreUnusable(f"database_url begins with {url.drivername!r}. Use postgresql:// or sqlite:///.")
        is_file = url.drivername == "sqlite"
        if is_file and url.database:
            # Made by us, so that nobody else can read it in between.
            os.close(os.open(url.database, os.O_CREAT | os.O_RDWR, 0o600))
        engine = create_engine(url, pool_pre_ping=not is_file, connect_args=_arguments(is_file=is_file))
        if is_file:
            event.listen(engine, "connect", _tune)
            event.listen(engine, "begin", _begin)
        self._migrate(engine)
        return engine

    @staticmethod
    def _migrate(engine: Engine) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Two paddocks that start at once take turns.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(864286428642)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _shown(self) -> str:
        """The address without its password."""
        head, at, tail = self._url.rpartition("@")
        return f"{head.split('://')[0]}://…@{tail}" if at else self._url


def _arguments(*, is_file: bool) -> dict[str, Any]:
    return {"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False} if is_file else {"timeout": _BUSY_TIMEOUT_S}


def _begin(connection: Connection) -> None:
    """Take the writer's place at once: a reader that became a writer could not wait for another."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _tune(connection: Any, record: object) -> None:
    """SQLite as it is best for a server: readers do not wait for the writer, references are kept."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def mapped(shown: str) -> Generator[None]:
    """Turn whatever the database's libraries raise into StoreUnusable."""
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except PaddockError:
        raise
    except (SQLAlchemyError, CommandError, OSError) as error:
        words = str(getattr(error, "orig", None) or error).splitlines()
        reason = words[0][:300] if words else type(error).__name__
        raise StoreUnusable(
            f"The database {shown} cannot be used: {reason}. Check the setting database_url, free space and rights."
        ) from error
