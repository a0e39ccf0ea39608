"""Owns taking a model away: which of its files go, what that frees, and what stays because something else needs it.

Refuses to touch a file that is not paddock's own: the data home's, and those that paddock fetched into the hub's cache.
Covered: other revisions and branches in the cache, other models that paddock pulled, other names of the same bytes.
Not covered: a program that holds a path of the cache in memory or in a file of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddock.models.entries import Copy
from paddock.models.records import PulledFile, PulledRecord, leaving_in, let_go, records_in, take_back, unfinished

_MAIN = "main"
_SHOWN_OF_A_COMMIT = 7


@dataclass(frozen=True, kw_only=True)
class Going:
    """One name that is taken away. `frees_bytes` is 0 where the bytes have another name; `note` says which."""

    path: Path
    frees_bytes: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Staying:
    """One file of the model that is kept, and why, as the end of a sentence."""

    path: Path
    size_bytes: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What removing a model will do. `record` is that of a pulled model, which is none once that is put aside."""

    id: str
    going: tuple[Going, ...] = ()
    staying: tuple[Staying, ...] = ()
    record: Path | None = None

    @property
    def frees_bytes(self) -> int:
        """What the disk gains."""
        return sum(one.frees_bytes for one in self.going)

    def carry_out(self) -> None:
        """Do it; what a kill leaves of a pulled model, `finish` takes away.

        OSError is left to the caller; what was done then stays done, and the model is there for another try.
        """
        leaving = let_go(self.record) if self.record else None
        try:
            # The first file, which is the model's name or leads to its bytes, goes last.
            for one in reversed(self.going):
                one.path.unlink(missing_ok=True)
        except OSError:
            if self.record:
                take_back(self.record)
            raise
        if leaving:
            leaving.unlink(missing_ok=True)


def finish(folder: Path) -> None:
    """Carry out what killed paddocks began: take away the files of models that were leaving this data home. Blocks.

    What cannot be removed waits for the next time, and so does a model that is being fetched again.
    """
    for record, leaving in leaving_in(folder):
        with contextlib.suppress(OSError):
            if record and unfinished(folder, record.id):
                continue
            if record:
                others = list(records_in(folder))
                for one in reversed(of_pulled(record, leaving, others).going):
                    one.path.unlink(missing_ok=True)
            leaving.unlink(missing_ok=True)


def of_imported(model_id: str, files: Iterable[Path], copies: Sequence[Copy]) -> Removal:
    """The removal of a model in the data home: its names there. Links leave what they link to."""
    going: list[Going] = []
    for path in files:
        with contextlib.suppress(OSError):
            status = path.lstat()
            note = ""
            if path.is_symlink():
                note = "a link; the file it leads to stays"
            elif status.st_nlink > 1:
                where = ", ".join(f"{copy.origin}: {copy.id}" for copy in copies) or "elsewhere on this disk"
                note = f"the same bytes have another name ({where}), which stays"
            going.append(Going(path=path, frees_bytes=0 if note else status.st_size, note=note))
    return Removal(id=model_id, going=tuple(going))


def of_pulled(record: PulledRecord, record_file: Path, others: Sequence[PulledRecord]) -> Removal:
    """The removal of a pulled model: its record, and those of its files that nothing else needs.

    Only files inside the cache's own folder of that repository are touched, whatever the record says.
    """
    going: list[Going] = []
    staying: list[Staying] = []
    for file in record.all_files:
        path = Path(file.path)
        folder = _repo_folder(path, record.repo)
        reason = _why_kept(file, folder, others)
        if reason or folder is None:
            staying.append(Staying(path=path, size_bytes=file.size_bytes, reason=reason))
        elif path.exists() or path.is_symlink():
            going += _names(path, folder)
    return Removal(id=record.id, going=tuple(going), staying=tuple(staying), record=record_file)


def _why_kept(file: PulledFile, folder: Path | None, others: Sequence[PulledRecord]) -> str:
    path = Path(file.path)
    if not file.fetched:
        return "it was in the hub's cache before paddock pulled"
    if folder is None or not path.resolve().is_relative_to(folder.resolve()):
        return "it does not lie in the hub's cache"
    sharing = [other.id for other in others if any(one.path == file.path for one in other.all_files)]
    if sharing:
        return f"'{sharing[0]}' needs it"
    commit = next((parent.name for parent in path.parents if parent.parent == folder / "snapshots"), "")
    refs = [ref for ref in _refs_to(folder, commit) if ref != _MAIN]
    return f"the hub's cache has it under the name '{refs[0]}' too" if refs else ""


def _names(pointer: Path, folder: Path) -> list[Going]:
    """A file of the cache is a link in `snapshots/COMMIT` to bytes in `blobs`, which other commits may share."""
    bytes_file = pointer.resolve()
    if bytes_file == pointer.absolute() or not bytes_file.exists():
        return [Going(path=pointer, frees_bytes=pointer.lstat().st_size)]
    links = (path for path in (folder / "snapshots").rglob("*") if path.is_symlink() and path != pointer)
    commit = next((_commit_of(link, folder) for link in links if link.resolve() == bytes_file), "")
    if commit:
        note = f"another revision ({commit[:_SHOWN_OF_A_COMMIT]}) needs the bytes, which stay"
        return [Going(path=pointer, frees_bytes=0, note=note)]
    status = bytes_file.stat()
    note = "the same bytes have another name elsewhere, which stays" if status.st_nlink > 1 else ""
    freed = Going(path=bytes_file, frees_bytes=0 if note else status.st_size, note=note)
    return [Going(path=pointer, frees_bytes=0), freed]


def _repo_folder(pointer: Path, repo: str) -> Path | None:
    name = "models--" + repo.replace("/", "--")
    return next((parent for parent in pointer.parents if parent.name == name), None)


def _refs_to(folder: Path, commit: str) -> list[str]:
    found: list[str] = []
    for path in sorted((folder / "refs").rglob("*")):
        with contextlib.suppress(OSError, ValueError):
            if path.read_text("ascii").strip() == commit:
                found.append(path.relative_to(folder / "refs").as_posix())
    return found


def _commit_of(link: Path, folder: Path) -> str:
    return link.relative_to(folder / "snapshots").parts[0]
