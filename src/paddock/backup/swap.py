"""Owns putting gathered files in the place of a data home's own, so that a kill at any moment leaves nothing half.

What is to be done is written down before the first file is moved; each move is one renaming, and can be told from the
files whether it was done. So whoever comes after a kill finishes it (`settle`), and after an error all of it is undone.
What was there before is never removed: it lies under `replaced/DATE`. Refuses to know what the files are.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from paddock.errors import BackupFailed, HomeBusy, HomeUnusable
from paddock.ownership import Ownership
from paddock.paths import Home, take_place

_LOCK = "owner.lock"
_NEW = "new"
_JOURNAL = "journal.json"
_DONE = "done.json"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One file, by its name in the home: another one comes in its place, or it only goes."""

    path: str
    comes: bool


@dataclass(frozen=True, kw_only=True)
class Journal:
    """A swap, as it is written down. `source` names the backup, `kept` the folder of what was there."""

    source: str
    kept: str
    changes: tuple[Change, ...]


@contextmanager
def workplace(home: Home) -> Generator[Path]:
    """A folder in the home to gather files in; it goes with the block, unless a swap could be neither done nor undone.

    Raises:
        HomeBusy: another restore is under way.
        OSError: it cannot be made.
    """
    lock, is_ours = Ownership(home.restoring / _LOCK), True
    try:
        home.restoring.mkdir(mode=0o700, exist_ok=True)
        is_ours = lock.take()
        if not is_ours:
            raise _busy(home, lock)
        gathered = home.restoring / _NEW
        gathered.mkdir(mode=0o700)
        yield gathered
    finally:
        if is_ours and not (home.restoring / _JOURNAL).exists():
            _remove(home.restoring, lock)
        lock.release()


def swap(home: Home, journal: Journal) -> None:
    """Do all of it, or nothing: what was gathered is put in its places.

    Raises:
        BackupFailed: it could not be done, and all is as it was; or that could not be done either, and the next start
            of paddock tries again.
    """
    path = home.restoring / _JOURNAL
    is_done = False
    try:
        _write(path, journal)
        _do(home, journal)
        is_done = True
    except OSError as error:
        raise BackupFailed(
            f"The restore could not put {Path(str(error.filename or 'its files')).name} in its place "
            f"({error.strerror or error}). All is as it was. Mend that, then restore again."
        ) from error
    finally:
        if is_done:
            path.rename(home.restoring / _DONE)
        else:
            _undo_all(home, journal)


def settle(home: Home, say: Callable[[str], None]) -> None:
    """End what a killed restore left: finish it if everything was there, else take away what it had gathered.

    Raises:
        HomeBusy: it was not killed, but is under way.
        HomeUnusable: it cannot be ended.
    """
    try:
        lock = Ownership(home.restoring / _LOCK)
        if not lock.take():
            raise _busy(home, lock)
        try:
            if (home.restoring / _JOURNAL).exists():
                journal = _read(home.restoring / _JOURNAL)
                _do(home, journal)
                (home.restoring / _JOURNAL).rename(home.restoring / _DONE)
                say(
                    f"A restore of {journal.source} was cut short while it put files in their places. That is done "
                    f"now; what was there before lies in {home.replaced / journal.kept}."
                )
            elif not (home.restoring / _DONE).exists():
                say("A restore was cut short before it had changed anything. What it had unpacked is removed.")
            _remove(home.restoring, lock)
        finally:
            lock.release()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise HomeUnusable(
            f"A restore into the data home was cut short, and cannot be finished: {error}. Mend that and start again. "
            f"What it brings lies in {home.restoring / _NEW}, what was there in {home.replaced}."
        ) from error


def _remove(folder: Path, lock: Ownership) -> None:
    """Take the folder of a restore away while its lock is held, so that it is not another one's by then."""
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()
    if sys.platform == "win32":
        # It keeps a file that is open, and a folder with such a file.
        shutil.rmtree(folder, ignore_errors=True)


def _busy(home: Home, lock: Ownership) -> HomeBusy:
    pid = lock.holder().get("pid", "unknown")
    return HomeBusy(f"A restore into the data home {home.root} is under way (process {pid}). Wait until it is done.")


def _do(home: Home, journal: Journal) -> None:
    kept = home.replaced / journal.kept
    for change in journal.changes:
        new, place, old = (root / change.path for root in (home.restoring / _NEW, home.root, kept))
        if change.comes and not os.path.lexists(new):
            continue
        # Where the old file is safe, whatever lies in its place came from here.
        if os.path.lexists(place) and not os.path.lexists(old):
            _move(place, old)
        if change.comes:
            _move(new, place)
        else:
            place.unlink(missing_ok=True)
    _flush_folders(home, kept, journal.changes)


def _undo_all(home: Home, journal: Journal) -> None:
    kept = home.replaced / journal.kept
    try:
        for change in reversed(journal.changes):
            new, place, old = (root / change.path for root in (home.restoring / _NEW, home.root, kept))
            if change.comes and not os.path.lexists(new) and os.path.lexists(place):
                _move(place, new)
            if os.path.lexists(old):
                _move(old, place)
        (home.restoring / _JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
    except OSError as error:
        raise BackupFailed(
            f"The restore could be neither done nor undone ({error.strerror or error}). The next start of paddock "
            f"tries again; what was there lies in {kept}."
        ) from error


def _move(source: Path, target: Path) -> None:
    """Rename a file, also to another disk, where a folder of the home is a link to one. Raises OSError."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        take_place(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        draft = target.with_name(f".{target.name}.restored.draft")
        shutil.copyfile(source, draft)
        draft.chmod(0o600)
        _flush(draft)
        take_place(draft, target)
        source.unlink()


def _write(path: Path, journal: Journal) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(journal), indent=1), "utf-8")
    _flush(draft)
    take_place(draft, path)
    _flush(path.parent)


def _read(path: Path) -> Journal:
    told = cast("dict[str, Any]", json.loads(path.read_text("utf-8")))
    return Journal(source=told["source"], kept=told["kept"], changes=tuple(Change(**one) for one in told["changes"]))


def _flush_folders(home: Home, kept: Path, changes: Sequence[Change]) -> None:
    for folder in {(root / change.path).parent for root in (home.root, kept) for change in changes}:
        # What went only may have had no folder.
        with contextlib.suppress(FileNotFoundError):
            _flush(folder)


def _flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder. Raises OSError."""
    if sys.platform == "win32" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
