"""Owns the records of downloaded models: small JSON files in the data home that say where the hub's cache holds them.

Knows nothing of networks; refuses a record that does not say what its own name says.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from paddock.errors import HomeUnusable
from paddock.paths import write_whole

SUFFIX = ".pulled.json"
_LEAVING = ".leaving"


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
    """A downloaded model: its id (`ORG/REPO:QUANT`), the commit it came from, and its files, the first part first.

    `projector` is the file with its eyes.
    """

    id: str
    repo: str
    revision: str
    pulled_s: int
    files: tuple[PulledFile, ...]
    projector: PulledFile | None = None

    @property
    def all_files(self) -> tuple[PulledFile, ...]:
        """Its files and its projector."""
        return (*self.files, self.projector) if self.projector else self.files


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
    try:
        write_whole(path, json.dumps(asdict(record), indent=1))
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
        eyes = raw.pop("projector", None)
        record = PulledRecord(files=files, projector=PulledFile(**eyes) if eyes else None, **raw)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RecordDamaged("cannot be read as the record of a pulled model. Remove it, then pull again.") from error
    if not _is_sound(record) or record_path(path.parent, record.id).stem != path.stem:
        raise RecordDamaged("is not the record its name says. Remove it, then pull again.")
    return record


def records_in(folder: Path) -> Iterator[PulledRecord]:
    """Every record that can be read, by its file's name."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with contextlib.suppress(RecordDamaged):
            yield read_record(path)


def let_go(record_file: Path) -> Path:
    """Turn a record, if it is there, into the note that its model is leaving, and no model from now on."""
    leaving = record_file.with_suffix(_LEAVING)
    with contextlib.suppress(FileNotFoundError):
        record_file.replace(leaving)
    return leaving


def take_back(record_file: Path) -> None:
    """Undo `let_go`: some of the model's files could not be removed. Another record of that model stays."""
    leaving = record_file.with_suffix(_LEAVING)
    if record_file.exists():
        leaving.unlink(missing_ok=True)
    elif leaving.exists():
        leaving.replace(record_file)


def leaving_in(folder: Path) -> Iterator[tuple[PulledRecord | None, Path]]:
    """Each note of a model that was leaving, with its record, if that can be read."""
    for path in sorted(folder.glob(f"*.pulled{_LEAVING}")):
        record = None
        with contextlib.suppress(RecordDamaged):
            record = read_record(path)
        yield record, path


def note_fetched(folder: Path, model_id: str, files: Sequence[PulledFile]) -> None:
    """Remember, until the record is written, which files an unfinished pull has fetched; none forgets it.

    Raises:
        HomeUnusable: the folder cannot be written.
    """
    note = record_path(folder, model_id).with_suffix(".unfinished")
    try:
        if files:
            write_whole(note, json.dumps([file.path for file in files if file.fetched]))
        else:
            note.unlink(missing_ok=True)
    except OSError as error:
        raise HomeUnusable(
            f"'{note.name}' cannot be written in the data home ({error.strerror}). Free space or mend its rights."
        ) from error


def unfinished(folder: Path, model_id: str) -> tuple[str, ...]:
    """The files that an unfinished pull of this model put into the cache."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        raw: Any = json.loads(record_path(folder, model_id).with_suffix(".unfinished").read_text("utf-8"))
        return tuple(str(entry) for entry in cast("list[object]", raw))
    return ()


def fetched_before(folder: Path, model_id: str) -> frozenset[str]:
    """The files that paddock put into the cache: finished pulls of any model, and unfinished ones of this."""
    paths = [file.path for record in records_in(folder) for file in record.all_files if file.fetched]
    return frozenset((*paths, *unfinished(folder, model_id)))


def _is_sound(record: PulledRecord) -> bool:
    texts: list[object] = [record.id, record.repo, record.revision, *(file.path for file in record.all_files)]
    numbers: list[object] = [record.pulled_s, *(file.size_bytes for file in record.all_files)]
    return (
        len(record.files) > 0
        and all(type(text) is str and text for text in texts)
        and all(type(number) is int and number >= 0 for number in numbers)
        and record.id.partition(":")[0] == record.repo
    )
