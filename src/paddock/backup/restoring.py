"""Owns restoring: a backup is checked, unpacked beside the data home's files, checked again, and swapped in.

Until the last step nothing of the home is changed. Sign-ins do not come back, nor trainings that waited, nor programs
that its settings name. Refuses a home that somebody works on, and a backup of a newer paddock; an older one's tables
are changed at the next opening, as any older database's are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paddock import __version__
from paddock.backup import parts, programs
from paddock.backup.archive import Archive, opened
from paddock.backup.making import Progress
from paddock.backup.manifest import Manifest
from paddock.backup.swap import Change, Journal, swap, workplace
from paddock.errors import BackupFailed, BackupRefused, DiskTooFull, HomeBusy, StoreUnusable, size
from paddock.jobs.folder import JobFolder
from paddock.ownership import holders
from paddock.paths import Home
from paddock.store import copying, returned

_SPARE_BYTES = 2**20
_TOLD_MOST = 10
_CONFIG = Home(root=Path()).config_file.as_posix()
# What SQLite keeps beside a database: it belongs to the one that goes.
_BESIDE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a restore is to do. `replaced` are the files of the home that it takes the place of.

    `withheld` are the settings, by their names, that name a program and are left out; `unread` is why none of the
    settings can be taken, "" where they can.
    """

    manifest: Manifest
    replaced: tuple[str, ...]
    withheld: Mapping[str, str]
    unread: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a restore did. `kept` is where what it replaced lies now; None where there was nothing."""

    manifest: Manifest
    kept: Path | None
    withheld: Mapping[str, str]
    unread: str
    notes: tuple[str, ...]


def check(path: Path, advance: Progress) -> Manifest:
    """Read all of a backup, and see that it is whole and could be restored here. Raises BackupRefused, BackupFailed."""
    with opened(path) as archive:
        _refuse_newer(archive.manifest, path)
        _settings(archive)
        archive.check(_stepping(advance, archive.size_bytes))
        return archive.manifest


def restore(
    home: Home,
    path: Path,
    environ: Mapping[str, str],
    *,
    agree: Callable[[Plan], bool],
    advance: Progress,
    trusts_settings: bool,
) -> Outcome:
    """Put a backup into a data home that nobody works on.

    Args:
        home: is made where it is not there.
        path: the backup.
        environ: may name another database than the backup's settings do.
        agree: is asked whether to.
        advance: is told how many bytes are done, and of how many.
        trusts_settings: settings that name a program to be run, or cannot be read, are taken too.

    Raises:
        BackupRefused: the backup is damaged, unsafe, of a newer paddock, or of another kind of database.
        HomeBusy: a paddock serves on the home, a training runs in it, or another restore does.
        DiskTooFull: it does not fit beside what is there.
        BackupFailed: it could not be done, or nobody agreed.
    """
    with opened(path) as archive, _alone(home) as gathered:
        said = archive.manifest
        _refuse_newer(said, path)
        told = _settings(archive)
        settings = programs.all_of(told) if trusts_settings else programs.harmless(told, home)
        notes = _database_notes(archive, path, home, environ.get("PADDOCK_DATABASE_URL", "") or settings.database_url)
        _refuse_full(home, archive)
        step = _stepping(advance, 2 * archive.size_bytes)
        archive.check(step)
        changes = [one for one in _changes(home, said) if one.path != _CONFIG or settings.data is not None]
        there = tuple(change.path for change in changes if os.path.lexists(home.root / change.path))
        if not agree(Plan(manifest=said, replaced=there, withheld=settings.withheld, unread=settings.unread)):
            raise BackupFailed("Nothing was restored, since nobody agreed. Type y when asked, or say --yes.")
        kept = _kept_name(home)
        taken_out = _gather(archive, gathered, step)
        _settle(gathered / _CONFIG, settings)
        swap(home, Journal(source=path.name, kept=kept, changes=tuple(changes)))
        if said.database == "sqlite":
            notes += [_caution(said), *_taken_out_note(taken_out)]
        return Outcome(
            manifest=said,
            kept=home.replaced / kept if there else None,
            withheld=settings.withheld,
            unread=settings.unread,
            notes=tuple(notes),
        )


def _stepping(advance: Progress, all_bytes: int) -> Callable[[int], None]:
    done_bytes = 0

    def step(more_bytes: int) -> None:
        nonlocal done_bytes
        done_bytes += more_bytes
        advance(done_bytes, all_bytes)

    return step


@contextmanager
def _alone(home: Home) -> Generator[Path]:
    """A folder to gather files in, while nobody else works on the home, or begins to: who begins looks for that folder.

    Raises HomeBusy, HomeUnusable, or BackupFailed where the disk refuses.
    """
    home.ensure()
    try:
        with workplace(home) as gathered:
            _refuse_busy(home)
            yield gathered
    except OSError as error:
        raise BackupFailed(
            f"The backup cannot be unpacked into {home.root} ({error.strerror or error}). All is as it was."
        ) from error


def _refuse_busy(home: Home) -> None:
    found = holders(home.present)
    if found:
        who = "; ".join(
            f"process {one.get('pid', 'unknown')}" + (f", at {one['url']}" if "url" in one else "") for one in found
        )
        what, them = ("A paddock works", "it") if len(found) == 1 else (f"{len(found)} paddocks work", "each of them")
        raise HomeBusy(f"{what} on the data home {home.root} ({who}). Stop {them}, then restore again.")
    for folder in home.jobs.glob("job_*"):
        if JobFolder(root=folder).is_alive():
            raise HomeBusy(f"The training {folder.name} runs in the data home. Stop it, then restore again.")


def _refuse_newer(said: Manifest, path: Path) -> None:
    """A database whose tables are not known here could be neither used nor changed."""
    known = copying.revisions()
    if said.schema is not None and said.schema not in known:
        raise BackupRefused(
            f"The backup {path} is of paddock {said.made_by}, whose tables are {said.schema}; this is paddock "
            f"{__version__}, which knows them up to {known[-1]}. Upgrade paddock, then restore it."
        )


def _database_notes(archive: Archive, path: Path, home: Home, url: str) -> list[str]:
    """What is to be said of the database; `url` is the address of the one that is used then.

    Raises BackupRefused where it could not be that one.
    """
    kind = archive.manifest.database
    if kind == "elsewhere":
        return ["The backup holds no database: that was PostgreSQL's, and `pg_restore` brings it back."]
    if kind == "none" or not url:
        return []
    place = copying.file_of(url, home)
    if place is None:
        raise BackupRefused(
            f"The backup {path} holds a SQLite database, and database_url names another kind, which it cannot be "
            "restored into. Take database_url out of the environment and make a backup without it, or use pg_restore."
        )
    if place.absolute() == home.database.absolute():
        return []
    return [f"The database is restored as {home.database}, but database_url names {place}. Mend that setting."]


def _caution(said: Manifest) -> str:
    """What is to be known of a database as it once was."""
    return (
        "Everybody is signed out, and trainings that waited or ran are stopped. Keys, accounts and passwords are those "
        f"of {said.made_at}: what was revoked or changed since counts as it did then. Look at `paddock keys list` and "
        "`paddock users list`."
    )


def _taken_out_note(taken_out: Sequence[str]) -> list[str]:
    if not taken_out:
        return []
    more = f" and {len(taken_out) - _TOLD_MOST} more" if len(taken_out) > _TOLD_MOST else ""
    told = f"{', '.join(taken_out[:_TOLD_MOST])}{more}"
    return [f"Left out of the database, since paddock makes no such thing: {told}."]


def _settings(archive: Archive) -> bytes:
    """The settings that come with the backup, as they lie in it. Raises Malformed where they are too long."""
    return archive.data(_CONFIG, most_bytes=parts.CONFIG_MOST_BYTES)


def _settle(config_file: Path, settings: programs.Taken) -> None:
    """Leave in the gathered settings what is taken of them alone."""
    if settings.data is None:
        config_file.unlink()
    elif config_file.exists() and config_file.read_bytes() != settings.data:
        config_file.write_bytes(settings.data)


def _refuse_full(home: Home, archive: Archive) -> None:
    need_bytes, free_bytes = archive.size_bytes + _SPARE_BYTES, shutil.disk_usage(home.root).free
    if free_bytes < need_bytes:
        raise DiskTooFull(
            f"There is no room for the restore: it needs {size(need_bytes)}, and {home.root} has {size(free_bytes)} "
            "free. Free space, or choose another data home with PADDOCK_HOME."
        )


def _changes(home: Home, said: Manifest) -> list[Change]:
    """What the restore moves: what lies beside the old database first, so that no other one finds it."""
    coming = {file.path for file in said.files}
    going = [name for name in said.speaks_of if name not in coming]
    if said.database != "elsewhere":
        going = [*(parts.database_name() + end for end in _BESIDE), *going]
    if said.database == "none":
        going.append(parts.database_name())
    gone = [Change(path=name, comes=False) for name in going if os.path.lexists(home.root / name)]
    return [*gone, *(Change(path=name, comes=True) for name in sorted(coming))]


def _gather(archive: Archive, folder: Path, step: Callable[[int], None]) -> tuple[str, ...]:
    """Unpack all of it, and see that the database is sound and the one that was told of; then let nobody in by it.

    Returns what was taken out of the database, in words.
    """
    for file in archive.manifest.files:
        place = folder / file.path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        archive.give(file, place, step)
    database = folder / parts.database_name()
    if archive.manifest.database != "sqlite":
        return ()
    try:
        copying.check(database)
        if (schema := copying.revision_of(database)) != archive.manifest.schema:
            raise BackupRefused("The backup's database is not the one that its manifest tells of. Take another backup.")
        taken_out = returned.settle(database, schema)
    except StoreUnusable as error:
        raise BackupRefused(f"The backup's database cannot be used: {error.message}") from error
    for end in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            database.with_name(database.name + end).unlink()
    return taken_out


def _kept_name(home: Home) -> str:
    name = f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    taken: set[Any] = {path.name for path in home.replaced.glob("*")}
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 1000))) if one not in taken)
