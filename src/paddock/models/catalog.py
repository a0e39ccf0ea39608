"""Owns which models there are and what they are called; refuses to load, serve or fetch any of them.

Looked at are: the model that comes with paddock, the data home's folder of models (imported files, and records of what
was pulled into the hub's cache), what was made of checkpoints to try them, files named on the command line, and the
places that were given: folders of the person's choice and of other programs, which are read and never written. An id
never holds a folder.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddock.config import Settings
from paddock.errors import BadRequest, HomeUnusable, ModelUnknown, ModelUnusable
from paddock.models import removal
from paddock.models.adapters import Adapter, AdapterFacts, Applied, misfit
from paddock.models.certificates import beside
from paddock.models.entries import Copy, Entry, Origin, first_parts, id_of_file, told_once
from paddock.models.facts import FactsCache, ModelFacts, Projector, State, state_of
from paddock.models.gguf import GgufHeader, Task, read_header
from paddock.models.importing import How, Progress, check_name, import_files, parts_beside
from paddock.models.places import Place, places_of
from paddock.models.projectors import Beside, match, projector_name
from paddock.models.records import SUFFIX, RecordDamaged, read_record, record_path, records_in
from paddock.models.removal import Removal
from paddock.models.tried import tried_in
from paddock.paths import Home, kind_of

BUNDLED: Mapping[str, Path] = {"pocket-v0": Path(__file__).parent / "bundled" / "pocket-v0-Q8_0.gguf"}
_NO_BASE = "'{}' is an adapter, which is laid over a model. Ask for MODEL+{} with a model that it fits."
_NO_MODEL = "'{}' is the projector of a model, which goes beside it. Name the model's own file."
# How a model is removed that lies where paddock does not write.
_REMOVED_ELSEWHERE: Mapping[Origin, str] = {
    "file": "is a file of your own, served where it lies. Delete it there",
    "folder": "is a file of your own, in one of model_folders. Delete it there",
    "hub-cache": "was put into the hub's cache by another program. `hf cache rm` removes it",
    "lmstudio": "belongs to LM Studio. Remove it there",
    "ollama": "belongs to Ollama. `ollama rm` removes it",
}


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model that can be loaded. `path` is its file, or the first part of several; `created_s` is unix time.

    `projector_path` is the file with its eyes. `doubtful_projectors` are names of files beside it that may be that,
    where none is certain: none of them is used. `copies` are the same bytes in other places. `adapters` are what a
    request wants laid over it; the catalogue itself tells of models without any.
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
    copies: tuple[Copy, ...] = ()
    adapters: tuple[Applied, ...] = ()

    @property
    def tuned_id(self) -> str:
        """The name under which the model is asked for with its adapters."""
        scaled = (one.id if one.scale == 1 else f"{one.id}:{one.scale:g}" for one in self.adapters)
        return "+".join((self.id, *scaled))


@dataclass(frozen=True, kw_only=True)
class BrokenModel:
    """Something that was meant to be a model and cannot be loaded. `reason` is a sentence."""

    id: str
    origin: Origin
    reason: str


class Catalog:
    """The models of one data home, and of other places. Cheap to ask again: a file is read once for each of its states.

    Every method blocks on the disk and may be called from any thread.

    Args:
        home: the data home.
        places: where else models lie.
    """

    def __init__(self, home: Home, places: Sequence[Place] = ()) -> None:
        self._folder = home.models
        self._jobs = home.jobs
        self._places = tuple(places)
        self._named_files: dict[str, Path] = {}
        self._facts = FactsCache(home.scanned)
        self._remembered: dict[str, Entry] = {}
        self._headers: dict[Path, tuple[State | None, GgufHeader]] = {}

    @classmethod
    def of(cls, settings: Settings) -> Catalog:
        """The catalogue under these settings."""
        return cls(settings.home, places_of(settings))

    def models(self) -> list[Model]:
        """What can be loaded: the bundled model first, then by id."""
        return [model for model in self._looked_into() if isinstance(model, Model)]

    def broken(self) -> list[BrokenModel]:
        """What cannot be loaded, with the reason, by id."""
        return [model for model in self._looked_into() if isinstance(model, BrokenModel)]

    def adapters(self) -> list[Adapter]:
        """The adapters that can be laid over models, by id."""
        found: dict[str, Adapter] = {}
        for entry in self._entries():
            facts = self._facts.of(entry.path) if entry.defect is None else None
            if isinstance(facts, AdapterFacts):
                # Names of adapters are joined with this sign.
                name = entry.id.replace("+", "_")
                found.setdefault(name, Adapter(id=name, path=entry.path, origin=entry.origin, facts=facts))
        return [found[name] for name in sorted(found)]

    def fitting(self, model: Model, adapters: Sequence[Adapter]) -> list[Adapter]:
        """Those of `adapters` that can be laid over a model. Raises ModelUnusable if its file is broken by now."""
        alike = [one for one in adapters if one.facts.architecture == model.architecture and model.task == "text"]
        return [one for one in alike if misfit(one, self.header(model)) is None]

    def find(self, name: str) -> Model:
        """The model of that id; letter case is forgiven, and so is a missing `:QUANT` where only one was pulled.

        Raises:
            ModelUnknown: there is none; carries what there is, and the nearest name.
            ModelUnusable: there is one, and its file cannot be loaded.
        """
        remembered = self._remembered_as(name)
        if remembered is not None:
            return self._load(remembered)
        entries, wanted = self._entries(), name.casefold()
        exact = [entry for entry in entries if entry.id == name]
        alike = [entry for entry in entries if entry.id.casefold() == wanted]
        other_names = [entry for entry in entries if wanted in entry.names]
        begun = f"{wanted}:"
        without_quant = [entry for entry in entries if any(one.startswith(begun) for one in entry.names)]
        for found in (exact, alike, other_names, without_quant):
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

    def import_file(
        self, path: Path, name: str | None = None, progress: Progress | None = None, *, how: How = "link"
    ) -> Model:
        """Put a GGUF file (with all its parts, and its projector) into the data home, under `name` or its own name.

        Args:
            path: the file, or the first part of several.
            name: what to call it; letters, digits, '.', '-' and '_'.
            progress: told the bytes that are there and the bytes in all.
            how: whether its bytes are linked or copied.

        Raises:
            BadRequest: the name is not allowed, or taken.
            ModelUnusable: the file cannot be loaded.
            HomeUnusable: there is too little space, or the data home cannot be written.
        """
        chosen = self._name_for(path, name)
        source = self._load(Entry(id=chosen, path=path, origin="file"))
        files = read_header(path).files
        target = import_files(files, self._folder, chosen, progress, projector=source.projector_path, how=how)
        return self._load(Entry(id=chosen, path=target, origin="imported"))

    def import_adapter(
        self, path: Path, name: str | None = None, progress: Progress | None = None, *, how: How = "link"
    ) -> Adapter:
        """The same for a file that `is_adapter`."""
        target = import_files([path], self._folder, self._name_for(path, name), progress, how=how)
        return next(one for one in self.adapters() if one.path == target)

    def is_adapter(self, path: Path) -> bool:
        """Whether a file is an adapter that can be laid over models."""
        return isinstance(self._facts.of(path), AdapterFacts)

    def removal(self, model_id: str) -> Removal:
        """What removing a model would take away and free, and what stays because something else needs it.

        Raises:
            BadRequest: it comes with paddock, or lies where paddock does not write.
            ModelUnknown: there is none of exactly this id.
        """
        entry = next((entry for entry in self._entries() if entry.id == model_id), None)
        damaged = next((path for path in self._listed(SUFFIX) if path.name == model_id), None)
        if entry is None and damaged is None:
            raise ModelUnknown(model_id, known=[model.id for model in self.models()])
        if entry is None:
            return Removal(id=model_id, record=damaged)
        if entry.origin == "bundled":
            raise BadRequest(f"'{model_id}' comes with paddock and cannot be removed.", param="model")
        if entry.origin in _REMOVED_ELSEWHERE:
            raise BadRequest(f"'{model_id}' {_REMOVED_ELSEWHERE[entry.origin]}.", param="model")
        if entry.record is not None:
            others = [record for record in records_in(self._folder) if record.id != model_id]
            return removal.of_pulled(entry.record, record_path(self._folder, model_id), others)
        files = (*parts_beside(entry.path), entry.path.with_name(projector_name(entry.id)), beside(entry.path))
        return removal.of_imported(model_id, files, entry.copies)

    def remove(self, model_id: str) -> None:
        """Remove a model and its bytes, loadable or not, as `removal` says.

        Raises:
            BadRequest, ModelUnknown: as `removal` does.
            HomeUnusable: the files cannot be removed.
        """
        try:
            self.removal(model_id).carry_out()
        except OSError as error:
            raise HomeUnusable(
                f"'{model_id}' cannot be removed ({error.strerror}). Mend the rights of its file."
            ) from error

    def header(self, model: Model) -> GgufHeader:
        """Everything the file says of itself, read once for each of its states.

        Raises:
            ModelUnusable: the file changed since and cannot be loaded any more.
        """
        seen = self._headers.get(model.path)
        if seen is None or state_of(seen[1].files) != seen[0]:
            header = read_header(model.path)
            seen = self._headers[model.path] = (state_of(header.files), header)
        return seen[1]

    def _name_for(self, path: Path, name: str | None) -> str:
        """The id that a file gets in the data home. Raises BadRequest or ModelUnusable."""
        _check_is_file(path)
        chosen = check_name(id_of_file(path.name) if name is None else name)
        taken = {entry.id.casefold() for entry in self._own() if entry.origin != "file"}
        if chosen.casefold() in taken:
            raise BadRequest(f"There is a model '{chosen}' already. Choose another --name, or remove it.", param="name")
        return chosen

    def _looked_into(self) -> list[Model | BrokenModel]:
        looked: list[Model | BrokenModel] = list(self._damaged_records())
        folders: dict[Path, Beside] = {}
        for entry in self._entries():
            try:
                looked.append(self._load(entry, folders))
            except ModelUnusable as error:
                if not isinstance(self._facts.of(entry.path), Projector | AdapterFacts):
                    looked.append(BrokenModel(id=entry.id, origin=entry.origin, reason=error.message))
        self._facts.keep()
        return sorted(looked, key=lambda model: (model.origin != "bundled", model.id.casefold(), model.id))

    def _entries(self) -> list[Entry]:
        """Every model's place, under an id of its own: a file named on the command line hides what has its id."""
        elsewhere = (entry for place in self._places for entry in place.entries())
        found = told_once([*self._own(), *elsewhere])
        self._remembered = {entry.id: entry for entry in found}
        return found

    def _remembered_as(self, name: str) -> Entry | None:
        """The entry of exactly that id as it was last seen, if its file is still there and nothing new hides it.

        Requests name models all day; thousands of files are not listed for each.
        """
        entry = self._remembered.get(name)
        if entry is None or not os.path.exists(entry.path):
            return None
        own = next((one for one in self._own() if one.id == name), None)
        # Another place's model is hidden by one of ours of its name; ours may be gone, or pulled anew.
        is_as_it_was = entry.path == own.path if own else entry.origin in _REMOVED_ELSEWHERE
        return entry if is_as_it_was else None

    def _own(self) -> Iterator[Entry]:
        named = [Entry(id=model_id, path=path, origin="file") for model_id, path in self._named_files.copy().items()]
        yield from (*named, *self._bundled(), *self._imported(), *self._pulled(), *tried_in(self._jobs))

    def _bundled(self) -> Iterator[Entry]:
        for model_id, path in BUNDLED.items():
            yield Entry(id=model_id, path=path, origin="bundled")

    def _imported(self) -> Iterator[Entry]:
        for path, defect in first_parts(self._listed(".gguf")):
            yield Entry(id=id_of_file(path.name), path=path, origin="imported", defect=defect)

    def _pulled(self) -> Iterator[Entry]:
        for record in records_in(self._folder):
            eyes = Path(record.projector.path) if record.projector else None
            yield Entry(id=record.id, path=Path(record.files[0].path), origin="pulled", record=record, projector=eyes)

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
        if entry.defect is not None:
            raise ModelUnusable(entry.defect)
        facts = self._facts.of(entry.path)
        if isinstance(facts, AdapterFacts):
            raise ModelUnusable(_NO_BASE.format(entry.path.name, entry.id))
        if not isinstance(facts, ModelFacts):
            raise ModelUnusable(_NO_MODEL.format(entry.path.name) if isinstance(facts, Projector) else facts.reason)
        eyes, doubtful = self._eyes(entry, facts, {} if folders is None else folders)
        state = state_of((entry.path,))
        changed_s = state[0][0] // 10**9 if state else 0
        return Model(
            id=entry.id,
            path=entry.path,
            origin=entry.origin,
            size_bytes=facts.size_bytes,
            created_s=entry.record.pulled_s if entry.record else changed_s,
            architecture=facts.architecture,
            quantisation=facts.quantisation,
            parameter_count=facts.parameter_count,
            trained_context_tokens=facts.trained_context_tokens,
            has_chat_template=facts.has_chat_template,
            task=facts.task,
            projector_path=eyes,
            doubtful_projectors=doubtful,
            copies=entry.copies,
        )

    def _eyes(
        self, entry: Entry, facts: ModelFacts, folders: dict[Path, Beside]
    ) -> tuple[Path | None, tuple[str, ...]]:
        """The projector of a model, and the doubtful ones. What the place names is looked into all the same."""
        if entry.projector is not None:
            named = self._facts.of(entry.projector)
            if isinstance(named, Projector) and (None in (named.width, facts.width) or named.width == facts.width):
                return entry.projector, ()
        if entry.path.parent not in folders:
            folders[entry.path.parent] = self._facts.beside(entry.path)
        found = match(entry.path, facts.width, folders[entry.path.parent], facts.kin)
        return found.path, found.doubtful


def _check_is_file(path: Path) -> None:
    # Not Path.is_file, which raises on a folder that cannot be searched.
    if os.path.isdir(path):
        raise ModelUnusable(f"'{path.name}' is a folder. Give the GGUF file in it.")
    if kind := kind_of(path):
        raise ModelUnusable(f"'{path.name}' is {kind}, not a file. Give a GGUF file.")
    if os.path.islink(path) and not os.path.exists(path):
        raise ModelUnusable(f"'{path.name}' is a link to a file that is not there. Give the file itself.")
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
