"""Owns copies of a SQLite database: whole ones while others write, and the ones kept before its tables are changed.

Refuses to know what is in the tables, and to write into what it copies. Of what a paddock committed before a copy was
begun, all is in it; of what comes later, nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

from paddock.errors import StoreDamaged, StoreFull, StoreUnusable, size
from paddock.paths import Home, draft_of, take_place
from paddock.store import address
from paddock.store.faults import damaged, has_no_room, meaning

_log = logging.getLogger(__name__)
_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 10
# Between two steps a signal is heard, and progress told.
_STEP_PAGES = 512
_KEPT = 2


def file_of(url: str, home: Home) -> Path | None:
    """The file of a database by its address, "" for the data home's own; None where it is no file of SQLite's."""
    return address.file_of(url) if url else home.database


def copy(source: Path, target: Path, advance: Callable[[int, int], None] | None = None) -> None:
    """Copy a database into a file that is not there yet, in one piece that nothing lies beside.

    Args:
        source: the database; others go on reading and writing it.
        target: is made; on an error a part of it may be left.
        advance: is told how many bytes are done, and of how many.

    Raises:
        StoreDamaged: it is no whole database.
        StoreUnusable: it cannot be read, or the copy cannot be written.
    """

    def step(_: int, left_pages: int, all_pages: int) -> None:
        if advance:
            advance((all_pages - left_pages) * page_bytes, all_pages * page_bytes)

    with mapped(source), closing(_opened(source)) as there, closing(sqlite3.connect(target)) as here:
        page_bytes: int = there.execute("PRAGMA page_size").fetchone()[0]
        # One transaction around all steps: each would else begin anew whenever another process has written.
        there.execute("BEGIN")
        there.execute("SELECT count(*) FROM sqlite_master").fetchone()
        there.backup(here, pages=_STEP_PAGES, progress=step)
        here.execute("PRAGMA journal_mode=DELETE").fetchone()


def check(path: Path) -> None:
    """See that a database is sound, reading all of it. Raises StoreDamaged or StoreUnusable."""
    with mapped(path), closing(_opened(path)) as there:
        found: str = there.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise damaged(path.name, found[:300])


def revision_of(path: Path) -> str | None:
    """Which tables a database has, as the last migration is named; None before the first. Raises StoreUnusable."""
    with mapped(path), closing(_opened(path)) as there:
        found = there.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version' AND type = 'table'")
        if not found.fetchone():
            return None
        row: tuple[object] | None = there.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def revisions() -> tuple[str, ...]:
    """The migrations that this paddock knows, the oldest first."""
    from alembic.script import ScriptDirectory

    found = ScriptDirectory(str(_MIGRATIONS)).walk_revisions()
    return tuple(reversed([one.revision for one in found]))


def keep_before_migration(path: Path) -> None:
    """Copy a database whose tables are about to be changed to `NAME.before-REVISION`; the last two copies stay.

    Raises:
        StoreUnusable: no copy can be made, so that it should better not be changed.
    """
    if not path.exists() or not path.stat().st_size:
        return
    now = revision_of(path)
    known = revisions()
    if now is None or now == known[-1] or now not in known:
        return
    target = path.with_name(f"{path.name}.before-{known[-1]}")
    need_bytes, free_bytes = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free_bytes < need_bytes:
        raise StoreFull(
            f"The tables of {path.name} are to be changed from {now} to {known[-1]}, and there is no room for a copy "
            f"before: it needs {size(need_bytes)}, and {size(free_bytes)} are free. Free space, then start again."
        )
    draft = draft_of(target)
    try:
        with mapped(path):
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            copy(path, draft)
            take_place(draft, target)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    _log.warning("the tables of %s are changed from %s to %s; %s is as it was", path, now, known[-1], target.name)
    for old in kept(path)[_KEPT:]:
        with contextlib.suppress(OSError):
            old.unlink()


def kept(path: Path) -> list[Path]:
    """The copies that were kept before the tables of a database were changed, the newest first."""
    found = path.parent.glob(f"{path.name}.before-*")
    return sorted((one for one in found if one.is_file()), key=lambda one: one.stat().st_mtime_ns, reverse=True)


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that reads a database. One that could write would, at its end, take the log into the file."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    # It may come from a stranger's backup: what its tables say is computed runs nothing of consequence.
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


@contextmanager
def mapped(path: Path) -> Generator[None]:
    """Turn what SQLite raises into StoreUnusable, or StoreDamaged."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if isinstance(found := meaning(path.name, error, path), StoreDamaged):
            raise found from error
        is_full = isinstance(error, sqlite3.OperationalError | OSError) and has_no_room(path)
        raise (StoreFull if is_full else StoreUnusable)(
            f"The database {path.name} cannot be copied: {error}. Check free space and rights."
        ) from error
