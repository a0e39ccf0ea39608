"""Owns which models there are and what they are called; refuses to load, serve or fetch any of them.

Three places are looked at: the model that comes with paddock, the data home's folder of models (imported files, and
records of what was pulled into the hub's cache), and files named on the command line. An id never holds a folder.
"""

from __future__ import annotations

import difflib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from paddock.errors import BadRequest, HomeUnusable, ModelUnknown, ModelUnusable
from paddock.models.gguf import GgufHeader, Task, part_of, read_header
from paddock.models.importing import Progress, check_name, import_files, parts_beside
from paddock.models.projectors import Beside, Projectors, match, projector_name
from paddock.models.records import SUFFIX, PulledRecord, RecordDamaged, forget, read_record, record_path
from paddock.paths import Home

# Times and sizes of a model's files.
_State: TypeAlias = tuple[tuple[int, int], ...]

Origin = Literal["bundled", "imported", "pulled", "file"]

BUNDLED: Mapping[str, Path] = {"pocket-v0": Path(__file__).parent / "bundled" / "pocket-v0-Q8_0.gguf"}


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model that can be loaded. `path` is its file, or the first part of several; `created_s` is unix time.

    `projector_path` is the file with its eyes. `doubtful_projectors` are names of files beside it that may be that,
    where none is certain: none of them is used.
    """

    id: str
    path: Path
    origin: Origin
    size_bytes: int
    created_s: int
    architecture: str
    quantisation: str
    parameter_count: int
    trained_context_tokens: int | None
    has_chat_template: bool
    task: Task
    projector_path: Path | None = None
    doubtful_projectors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BrokenModel:
    """Something in the data home that was meant to be a model and cannot be loaded. `reason` is a sentence."""

    id: str
    origin: Origin
    reason: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A place where a model should be, before anyone looked into the file. `record` belongs to pulled ones."""

    id: str
    path: Path
    origin: Origin
    record: PulledRecord | None = None


class Catalog:
    """The models of one data home. Cheap to ask again: a header is read once for each state of its file.

    Every method blocks on the disk and may be called from any thread.
    """

    def __init__(self, home: Home) -> None:
        self._folder = home.models
        self._named_files: dict[str, Path] = {}
        self._seen: dict[Path, tuple[_State, GgufHeader | ModelUnusable]] = {}
        self._projectors = Projectors()
        self._lock = threading.Lock()

    def models(self) -> list[Model]:
        """What can be loaded: the bundled model first, then by id."""
        return [model for model in self._looked_into() if isinstance(model, Model)]

    def broken(self) -> list[BrokenModel]:
        """What cannot be loaded, with the reason, by id."""
        return [model for model in self._looked_into() if isinstance(model, BrokenModel)]

    def find(self, name: str) -> Model:
        """The model of that id; letter case is forgiven, and so is a missing `:QUANT` where only one was pulled.

        Raises:
            ModelUnknown: there is none; carries what there is, and the nearest name.
            ModelUnusable: there is one, and its file cannot be loaded.
        """
        entries, wanted = self._entries(), name.casefold()
        exact = [entry for entry in entries if entry.id == name]
        alike = [entry for entry in entries if entry.id.casefold() == wanted]
        without_quant = [entry for entry in entries if entry.id.casefold().startswith(f"{wanted}:")]
        for found in (exact, alike, without_quant):
            if len(found) == 1:
                return self._load(found[0])
        known = [model.id for model in self.models()]
        nearest = difflib.get_close_matches(wanted, [model_id.casefold() for model_id in known], n=1, cutoff=0.5)
        hint = next((model_id for model_id in known if nearest and model_id.casefold() == nearest[0]), None)
        raise ModelUnknown(name, known=known, nearest=hint)

    def resolve(self, path_or_id: str) -> Model:
        """The model that `--model` names: an id, or a GGUF file, which joins this catalogue under its name.

        Raises:
            ModelUnknown: it is neither an id nor looks like a file.
            ModelUnusable: there is no such file, or it cannot be loaded.
        """
        path, is_explicit = _as_path(path_or_id), _looks_like_a_file(path_or_id)
        if path is None or not (is_explicit and os.path.exists(path)):
            try:
                return self.find(path_or_id)
            except ModelUnknown:
                if path is None or not (is_explicit or os.path.isfile(path)):
                    raise
        _check_is_file(path)
        entry = Entry(id=id_of_file(path.name), path=path, origin="file")
        model = self._load(entry)
        self._named_files[entry.id] = path
        return model

    def import_file(self, path: Path, name: str | None = None, progress: Progress | None = None) -> Model:
        """Copy a GGUF file (with all its parts, and its projector) into the data home, under `name` or its own name.

        Args:
            path: the file, or the first part of several.
            name: what to call it; letters, digits, '.', '-' and '_'.
            progress: told the bytes copied and the bytes in all.

        Raises:
            BadRequest: the name is not allowed, or taken.
            ModelUnusable: the file cannot be loaded.
            HomeUnusable: there is too little space, or the data home cannot be written.
        """
        _check_is_file(path)
        chosen = check_name(id_of_file(path.name) if name is None else name)
        taken = {entry.id.casefold() for entry in self._entries() if entry.origin != "file"}
        if chosen.casefold() in taken:
            raise BadRequest(f"There is a model '{chosen}' already. Choose another --name, or remove it.", param="name")
        source = self._load(Entry(id=chosen, path=path, origin="file"))
        target = import_files(path, self._folder, chosen, progress, projector=source.projector_path)
        return self._load(Entry(id=chosen, path=target, origin="imported"))

    def remove(self, model_id: str) -> None:
        """Remove a model and its bytes, loadable or not. What the hub's cache had before paddock pulled stays there.

        Raises:
            BadRequest: it comes with paddock, or lies outside the data home and is not ours to remove.
            ModelUnknown: there is none of exactly this id.
            HomeUnusable: the files cannot be removed.
        """
        entry = next((entry for entry in self._entries() if entry.id == model_id), None)
        damaged = next((path for path in self._listed(SUFFIX) if path.name == model_id), None)
        if entry is None and damaged is None:
            raise ModelUnknown(model_id, known=[model.id for model in self.models()])
        if entry is not None and entry.origin == "bundled":
            raise BadRequest(f"'{model_id}' comes with paddock and cannot be removed.", param="model")
        if entry is not None and entry.origin == "file":
            raise BadRequest(
                f"'{model_id}' is a file of your own, served where it lies. Delete it there.", param="model"
            )
        try:
            if entry is None or entry.record is not None:
                name = record_path(self._folder, model_id).name if damaged is None else damaged.name
                forget(self._folder, name, entry and entry.record)
            else:
                for file in (*parts_beside(entry.path), entry.path.with_name(projector_name(entry.id))):
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise HomeUnusable(
                f"'{model_id}' cannot be removed ({error.strerror}). Mend the rights of its file."
            ) from error

    def header(self, model: Model) -> GgufHeader:
        """Everything the file says of itself.

        Raises:
            ModelUnusable: the file changed since and cannot be loaded any more.
        """
        return self._header(model.path)

    def _looked_into(self) -> list[Model | BrokenModel]:
        looked: list[Model | BrokenModel] = list(self._damaged_records())
        folders: dict[Path, Beside] = {}
        for entry in self._entries():
            try:
                looked.append(self._load(entry, folders))
            except ModelUnusable as error:
                if self._projectors.is_one(entry.path):
                    continue
                looked.append(BrokenModel(id=entry.id, origin=entry.origin, reason=error.message))
        return sorted(looked, key=lambda model: (model.origin != "bundled", model.id.casefold(), model.id))

    def _entries(self) -> list[Entry]:
        """Every place to look at, one for each id: a file named on the command line hides what has its id."""
        named = [Entry(id=model_id, path=path, origin="file") for model_id, path in self._named_files.copy().items()]
        entries: dict[str, Entry] = {}
        for entry in (*named, *self._bundled(), *self._imported(), *self._pulled()):
            entries.setdefault(entry.id, entry)
        return list(entries.values())

    def _bundled(self) -> Iterator[Entry]:
        for model_id, path in BUNDLED.items():
            yield Entry(id=model_id, path=path, origin="bundled")

    def _imported(self) -> Iterator[Entry]:
        for path in self._listed(".gguf"):
            part = part_of(path.name)
            model_id = id_of_file(path.name)
            if part is None or part[1] == 1:
                yield Entry(id=model_id, path=path, origin="imported")

    def _pulled(self) -> Iterator[Entry]:
        for path in self._listed(SUFFIX):
            try:
                record = read_record(path)
            except RecordDamaged:
                continue
            yield Entry(id=record.id, path=Path(record.files[0].path), origin="pulled", record=record)

    def _damaged_records(self) -> Iterator[BrokenModel]:
        for path in self._listed(SUFFIX):
            try:
                read_record(path)
            except RecordDamaged as damage:
                yield BrokenModel(id=path.name, origin="pulled", reason=f"'{path.name}' {damage}")

    def _listed(self, suffix: str) -> list[Path]:
        try:
            found = list(self._folder.iterdir())
        except OSError:
            return []
        return sorted(path for path in found if path.name.lower().endswith(suffix) and not path.name.startswith("."))

    def _load(self, entry: Entry, folders: dict[Path, Beside] | None = None) -> Model:
        """The model at a place. `folders` keeps what lies beside it for the next one."""
        header = self._header(entry.path)
        folders = {} if folders is None else folders
        if entry.path.parent not in folders:
            folders[entry.path.parent] = self._projectors.beside(entry.path)
        eyes = match(entry.path, header.embedding_length, folders[entry.path.parent])
        created_s = entry.record.pulled_s if entry.record else _changed_s(entry.path)
        return Model(
            id=entry.id,
            path=entry.path,
            origin=entry.origin,
            size_bytes=header.size_bytes,
            created_s=created_s,
            architecture=header.architecture,
            quantisation=header.quantisation,
            parameter_count=header.parameter_count,
            trained_context_tokens=header.trained_context_tokens,
            has_chat_template=header.chat_template is not None,
            task=header.task,
            projector_path=eyes.path,
            doubtful_projectors=eyes.doubtful,
        )

    def _header(self, path: Path) -> GgufHeader:
        """The header, from memory while times and sizes of all its files stay."""
        with self._lock:
            seen = self._seen.get(path)
        if seen is not None and seen[0] == _state(seen[1].files if isinstance(seen[1], GgufHeader) else (path,)):
            return _unless_unusable(seen[1])
        state = _state((path,))
        if state is None:
            raise ModelUnusable(f"'{path.name}' is gone. Fetch or import it again, or remove the model.")
        try:
            looked: GgufHeader | ModelUnusable = read_header(path)
            state = _state(looked.files)
        except ModelUnusable as error:
            looked = error
        with self._lock:
            if state is not None and (isinstance(looked, GgufHeader) or part_of(path.name) is None):
                self._seen[path] = (state, looked)
        return _unless_unusable(looked)


def _state(files: tuple[Path, ...]) -> _State | None:
    """Times and sizes of files; None where one is missing."""
    try:
        return tuple((status.st_mtime_ns, status.st_size) for status in (file.stat() for file in files))
    except OSError:
        return None


def _changed_s(path: Path) -> int:
    state = _state((path,))
    return state[0][0] // 10**9 if state else 0


def _unless_unusable(looked: GgufHeader | ModelUnusable) -> GgufHeader:
    if isinstance(looked, ModelUnusable):
        # A new one each time: an exception that is raised twice grows its traceback.
        raise ModelUnusable(looked.message)
    return looked


def id_of_file(name: str) -> str:
    """The id that a file's name stands for: without `.gguf`, and without the part number of a split model."""
    part = part_of(name)
    stem = part[0] if part else name[: -len(".gguf")] if name.lower().endswith(".gguf") else name
    return "".join(character if character.isprintable() else "_" for character in stem)


def _check_is_file(path: Path) -> None:
    # Not Path.is_file, which raises on a folder that cannot be searched.
    if os.path.isdir(path):
        raise ModelUnusable(f"'{path.name}' is a folder. Give the GGUF file in it.")
    if not os.path.isfile(path):
        raise ModelUnusable(f"There is no file '{path.name}' where it was said to be. Check the path.")


def _looks_like_a_file(path_or_id: str) -> bool:
    beginnings = ("/", "./", "../", "~", ".\\", "..\\")
    return path_or_id.lower().endswith(".gguf") or path_or_id.startswith(beginnings) or Path(path_or_id).is_absolute()


def _as_path(path_or_id: str) -> Path | None:
    """The words as an absolute path; None where they cannot be one."""
    try:
        return Path(path_or_id).expanduser().absolute()
    except (RuntimeError, ValueError):
        return None
