"""Owns making a backup: the database's copy first, then the files beside it, then what is said of them.

The archive is there whole, or not at all. Nothing in the data home is changed, and no writer waits. Refuses to decide
what belongs into a backup; `parts.py` does.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from paddock import __version__
from paddock.backup import manifest, parts, tar
from paddock.backup.manifest import Absent, File, Kind, Manifest
from paddock.config import Settings, without_passwords
from paddock.errors import BackupFailed, DiskTooFull, size
from paddock.models.records import records_in
from paddock.paths import Home, draft_of, take_place
from paddock.scratch import name_of_folder, take_left
from paddock.store import copying, integrity

_DRAFT = ".paddock-backup.draft"
_SPARE_BYTES = 2**20
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a backup is to hold beyond what every one does; `secrets` are in it unless one says otherwise."""

    secrets: bool = True
    models: bool = False
    recordings: bool = False
    trainings: bool = False

    @property
    def kinds(self) -> frozenset[parts.When]:
        """The kinds of rules that take files."""
        chosen: dict[parts.When, bool] = {
            "always": True, "secrets": self.secrets, "models": self.models, "recordings": self.recordings,
            "trainings": self.trainings,
        }  # fmt: skip
        return frozenset(kind for kind, is_wanted in chosen.items() if is_wanted)


def usual_name(now_s: float) -> str:
    """The name of a backup that nobody named."""
    return f"paddock-{datetime.fromtimestamp(now_s, UTC):%Y-%m-%dT%H%M%SZ}.tar"


def make(settings: Settings, target: Path, choice: Choice, advance: Progress) -> Manifest:
    """Write a backup to a file that is not there yet.

    Args:
        settings: whose data home and database are copied.
        target: the archive.
        choice: what is to be in it.
        advance: is told how many bytes are done, and of about how many.

    Raises:
        BackupFailed: it cannot be written, or something cannot be read.
        DiskTooFull: it would not fit.
        StoreUnusable: the database is damaged or cannot be read.
    """
    take_left(_globbed(target.parent))
    database = copying.file_of(settings.database_url, settings.home)
    if database is not None and not integrity.is_there(database):
        database = None
    with _told_of(target), _drafted(target) as file:
        source = _Source(settings, choice, database)
        source.refuse_unfit()
        source.refuse_full(target.parent)
        done_bytes = 0

        def step(more_bytes: int) -> None:
            nonlocal done_bytes
            done_bytes += more_bytes
            advance(done_bytes, max(done_bytes, source.all_bytes))

        writer = tar.Writer(file, step)
        said = source.written(writer, step)
        data = said.written()
        if len(data) > manifest.MOST_BYTES:
            raise BackupFailed(
                f"The names of the {len(said.files)} files to copy take more than {size(manifest.MOST_BYTES)}. "
                "Leave the recordings out."
            )
        writer.add(manifest.NAME, io.BytesIO(data), len(data), changed_s=time.time())
        writer.close()
    return said


class _Source:
    """What goes into an archive."""

    def __init__(self, settings: Settings, choice: Choice, database: Path | None) -> None:
        self._settings = settings
        self._home = settings.home
        self._choice = choice
        self._database = database
        self._found, self._left_out = parts.files_of(settings.home, choice.kinds)
        self._database_bytes = _size_of(database) if database else 0
        files_bytes = sum(path.stat().st_size for _, path in self._found if path.is_file())
        # The database is copied, and the copy written.
        self.all_bytes = 2 * self._database_bytes + files_bytes

    def refuse_unfit(self) -> None:
        """Raises BackupFailed where what is to be copied would be a backup that is not taken back."""
        if twin := manifest.twins(name for name, _ in self._found):
            raise BackupFailed(
                f"The files {twin[0]!r} and {twin[1]!r} in the data home have names that are one on some systems. "
                "Rename one of them, then try again."
            )
        if len(self._found) + bool(self._database) >= tar.MOST_MEMBERS:
            raise BackupFailed(f"There are more than {tar.MOST_MEMBERS} files to copy. Leave the recordings out.")
        settings = self._home.config_file
        if settings.is_file() and settings.stat().st_size > parts.CONFIG_MOST_BYTES:
            raise BackupFailed(f"The file {settings.name} has more than {parts.CONFIG_MOST_BYTES} bytes. Shorten it.")

    def refuse_full(self, folder: Path) -> None:
        """Raises DiskTooFull where the archive, or the copy of the database, does not fit."""
        _refuse_full(folder, self.all_bytes - self._database_bytes + _SPARE_BYTES, "the backup")
        _refuse_full(self._home.root, self._database_bytes, "the copy of the database")

    def written(self, writer: tar.Writer, step: tar.Advance) -> Manifest:
        """Write every file, the database first, so that whatever it speaks of was there when the others are read."""
        files: list[File] = []
        schema = self._write_database(writer, step, files) if self._database else None
        for name, path in self._found:
            with contextlib.suppress(FileNotFoundError), self._opened(name, path) as (source, size_bytes):
                changed_s = path.stat().st_mtime
                digest = writer.add(name, source, size_bytes, changed_s=changed_s)
                files.append(File(path=name, size_bytes=size_bytes, sha256=digest))
        return Manifest(
            made_by=__version__,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            database=self._kind(),
            schema=schema,
            speaks_of=parts.single_files(with_secrets=self._choice.secrets),
            files=tuple(files),
            absent_models=tuple(_absent(self._home, is_all=not self._choice.models)),
            left_out=tuple(self._left_out),
        )

    def _kind(self) -> Kind:
        if self._database:
            return "sqlite"
        return "none" if copying.file_of(self._settings.database_url, self._home) else "elsewhere"

    def _write_database(self, writer: tar.Writer, step: tar.Advance, files: list[File]) -> str | None:
        assert self._database
        with _private(self._home) as folder:
            copied = folder / parts.database_name()
            os.close(os.open(copied, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            before_bytes = 0

            def advance(done_bytes: int, _: int) -> None:
                nonlocal before_bytes
                step(done_bytes - before_bytes)
                before_bytes = done_bytes

            copying.copy(self._database, copied, advance)
            copying.check(copied)
            schema = copying.revision_of(copied)
            size_bytes = copied.stat().st_size
            with copied.open("rb") as source:
                digest = writer.add(parts.database_name(), source, size_bytes, changed_s=time.time())
        files.append(File(path=parts.database_name(), size_bytes=size_bytes, sha256=digest))
        return schema

    @contextmanager
    def _opened(self, name: str, path: Path) -> Generator[tuple[BinaryIO, int]]:
        with path.open("rb") as file:
            if path == self._home.config_file and not self._choice.secrets:
                text = without_passwords(file.read().decode("utf-8", "replace")).encode()
                yield io.BytesIO(text), len(text)
            else:
                yield file, os.fstat(file.fileno()).st_size


def _size_of(database: Path) -> int:
    """What a database may take, with what was written to it lately."""
    lately = database.with_name(f"{database.name}-wal")
    return sum(path.stat().st_size for path in (database, lately) if path.is_file())


def _absent(home: Home, *, is_all: bool) -> Iterator[Absent]:
    """The models that are not in the backup: pulled ones lie in the hub's cache."""
    for record in records_in(home.models):
        total_bytes = sum(file.size_bytes for file in record.all_files)
        yield Absent(id=record.id, size_bytes=total_bytes, origin="pulled")
    if is_all:
        for path in sorted(home.models.glob("*.gguf")):
            if path.is_file() and not path.name.startswith("."):
                yield Absent(id=path.name, size_bytes=path.stat().st_size, origin="imported")


@contextmanager
def _told_of(target: Path) -> Generator[None]:
    """Say what went wrong with the archive or a file that goes into it."""
    try:
        yield
    except tar.Changed as error:
        raise BackupFailed(f"The file {error} became shorter while it was copied. Make the backup again.") from error
    except OSError as error:
        name = Path(str(error.filename)).name if error.filename else target.name
        raise BackupFailed(
            f"The backup {target} cannot be made: {name}: {error.strerror or error}. Nothing of it is left."
        ) from error


@contextmanager
def _drafted(target: Path) -> Generator[BinaryIO]:
    """A new file, for its owner alone, which gets its name when the block has gone well. Raises OSError."""
    if target.exists():
        raise BackupFailed(f"There is a file {target} already. Choose another name, or move it away.")
    draft = draft_of(target, _DRAFT)
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        take_place(draft, target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _private(home: Home) -> Generator[Path]:
    """A folder for the copy of the database; what is left of it by a killed process, a server takes away."""
    folder = home.scratch / name_of_folder()
    try:
        home.scratch.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _globbed(folder: Path) -> Iterable[Path]:
    """What backups left in a folder that were killed, and what others are making there."""
    try:
        return list(folder.glob(f".*{_DRAFT}"))
    except OSError:
        return []


def _refuse_full(folder: Path, need_bytes: int, what: str) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < need_bytes:
        raise DiskTooFull(
            f"There is no room for {what}: it needs {size(need_bytes)}, and {folder} has {size(free_bytes)} free. "
            "Free space, or choose another place."
        )
