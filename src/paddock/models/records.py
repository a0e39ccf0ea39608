"""Owns the records of downloaded models: small JSON files in the data home that say where the hub's cache holds them.

Knows nothing of networks; refuses a record that does not say what its own name says.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from paddock.errors import HomeUnusable

SUFFIX = ".pulled.json"


@dataclass(frozen=True, kw_only=True)
class PulledFile:
    """One file of a downloaded model. `fetched` is false where the cache had it before: then it is not ours to remove.

    `digest` is `sha256:…`, or `git:…` for the few files that a repository holds without large-file storage.
    """

    path: str
    size_bytes: int
    digest: str
    fetched: bool


@dataclass(frozen=True, kw_only=True)
class PulledRecord:
    """A downloaded model: its id (`ORG/REPO:QUANT`), the commit it came from, and its files, the first part first."""

    id: str
    repo: str
    revision: str
    pulled_s: int
    files: tuple[PulledFile, ...]


class RecordDamaged(Exception):
    """A record cannot be used; the message is the end of a sentence that begins with its name."""


def record_path(folder: Path, model_id: str) -> Path:
    """Where the record of a downloaded model lies. The hub allows no `--` in names, so no two ids share a file."""
    return folder / (model_id.replace("/", "--").replace(":", "--") + SUFFIX)


def write_record(folder: Path, record: PulledRecord) -> None:
    """Write or replace a record, whole or not at all.

    Raises:
        HomeUnusable: the folder cannot be written.
    """
    path = record_path(folder, record.id)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(json.dumps(asdict(record), indent=1), "utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise HomeUnusable(
            f"The model was fetched, but '{path.name}' cannot be written in the data home ({error.strerror}). "
            "Free space or mend its rights, then pull again."
        ) from error


def read_record(path: Path) -> PulledRecord:
    """The record in a file.

    Raises:
        RecordDamaged: it cannot be read, is not a record, or is another model's.
    """
    try:
        raw: Any = json.loads(path.read_text("utf-8"))
        files = tuple(PulledFile(**entry) for entry in cast("list[dict[str, Any]]", raw.pop("files")))
        record = PulledRecord(files=files, **raw)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RecordDamaged("cannot be read as the record of a pulled model. Remove it, then pull again.") from error
    if not _is_sound(record) or record_path(path.parent, record.id).name != path.name:
        raise RecordDamaged("is not the record its name says. Remove it, then pull again.")
    return record


def forget(folder: Path, record_name: str, record: PulledRecord | None) -> None:
    """Remove a record, and before it those of its files that paddock fetched into the hub's cache.

    Only files inside the cache's own folder of that repository are touched, whatever the record says.
    OSError is left to the caller.
    """
    for file in record.files if record else ():
        if file.fetched and record is not None:
            _remove_cached(Path(file.path), "models--" + record.repo.replace("/", "--"))
    (folder / record_name).unlink(missing_ok=True)


def note_fetched(folder: Path, model_id: str, files: Sequence[PulledFile]) -> None:
    """Remember, until the record is written, which files an unfinished pull has fetched; none forgets it.

    Raises:
        HomeUnusable: the folder cannot be written.
    """
    note = record_path(folder, model_id).with_suffix(".unfinished")
    try:
        if files:
            note.write_text(json.dumps([file.path for file in files if file.fetched]), "utf-8")
        else:
            note.unlink(missing_ok=True)
    except OSError as error:
        raise HomeUnusable(
            f"'{note.name}' cannot be written in the data home ({error.strerror}). Free space or mend its rights."
        ) from error


def fetched_before(folder: Path, model_id: str) -> frozenset[str]:
    """The files that earlier pulls of this model, finished or not, put into the cache."""
    path = record_path(folder, model_id)
    paths: list[str] = []
    with contextlib.suppress(RecordDamaged):
        paths += [file.path for file in read_record(path).files if file.fetched]
    with contextlib.suppress(OSError, ValueError, TypeError):
        raw: Any = json.loads(path.with_suffix(".unfinished").read_text("utf-8"))
        paths += [str(entry) for entry in cast("list[object]", raw)]
    return frozenset(paths)


def _remove_cached(pointer: Path, repo_folder_name: str) -> None:
    """A file of the cache is a link in `snapshots/COMMIT` to bytes in `blobs`, which other commits may share."""
    repo_folder = next((parent for parent in pointer.parents if parent.name == repo_folder_name), None)
    if repo_folder is None or not pointer.resolve().is_relative_to(repo_folder.resolve()):
        return
    bytes_file = pointer.resolve()
    pointer.unlink(missing_ok=True)
    others = (path for path in (repo_folder / "snapshots").rglob("*") if path.is_symlink())
    if not any(other.resolve() == bytes_file for other in others):
        bytes_file.unlink(missing_ok=True)


def _is_sound(record: PulledRecord) -> bool:
    texts: list[object] = [record.id, record.repo, record.revision, *(file.path for file in record.files)]
    numbers: list[object] = [record.pulled_s, *(file.size_bytes for file in record.files)]
    return (
        len(record.files) > 0
        and all(type(text) is str and text for text in texts)
        and all(type(number) is int and number >= 0 for number in numbers)
        and record.id.partition(":")[0] == record.repo
    )
