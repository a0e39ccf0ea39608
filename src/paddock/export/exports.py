"""Owns the exports of a data home: what each is made of, and what it needs before it begins.

How they wait, run, stop and survive is the queue's (`jobs/queue.py`). Refuses to know how files are made (the worker
does) and who asks.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from paddock.data.files import first_rows
from paddock.data.rows import row_of
from paddock.errors import (
    Conflict,
    ExportFileUnknown,
    FieldInvalid,
    JobUnknown,
    NoTrainingStack,
    PaddockError,
    StoreUnusable,
    shown,
)
from paddock.export.bases import Into, into, refuse_other_forms
from paddock.export.endings import ADVICE, concluded, figures_of
from paddock.export.estimate import Estimate, Prospect, estimated, refuse_too_large, sizes_of
from paddock.export.following import Evaluating, awaiting, name_in, with_told
from paddock.export.spec import (
    MIXED,
    PLAIN,
    QUANTISED,
    TRAINED,
    TYPES,
    ExportSpec,
    as_table,
    importance_in,
    name_of,
    spec_of,
)
from paddock.hardware import read_memory
from paddock.jobs.ended import Error
from paddock.jobs.folder import JobFolder
from paddock.jobs.queue import JobQueue, Kind, Words
from paddock.models.certificates import SUFFIX
from paddock.paths import Home, typed
from paddock.store.jobs import Job, JobStore, State
from paddock.values import table_in

_KIND = Kind(name="export", lock=".exports.lock", figures_of=figures_of, advice=ADVICE)
# What lies beside a model that sees.
_SEES = ("processor_config.json", "preprocessor_config.json")
# Whether files are only compared, and none made.
_VERIFYING = "verifying"
# What a worker does, for `jobs/worker.py`.
WORK = "paddock.export.worker.outcome"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What an export is made of: a model, or a base with what was trained on it, maybe while it was held in 4 bits."""

    base: Path
    adapter: Path | None
    was_held_in_4_bits: bool = False

    @property
    def into(self) -> Into:
        """What the adapter is made part of; of a model alone, what it is made of."""
        return into(self.base, was_held_in_4_bits=self.was_held_in_4_bits and self.adapter is not None)

    def as_table(self) -> dict[str, Any]:
        """As a worker is told it."""
        return {"base": str(self.base), "adapter": str(self.adapter) if self.adapter else None}


class Exports(JobQueue):
    """The exports of one data home, one at a time.

    Args:
        home: where their folders lie.
        store: where they are written down.
        worker: the words that start a worker, before its folder; None where there is no training stack.
        engine: the words that start an engine, before its flags.
        installed: the servers of the engines that are installed, in use or not.
        base_of: the folder of a base model by its name or path. Raises FieldInvalid.

    `evaluating` evaluates what was made; whoever builds it sets it before anything is begun.
    """

    def __init__(
        self,
        home: Home,
        store: JobStore,
        *,
        worker: Words,
        engine: Sequence[str],
        installed: Callable[[], Sequence[Path]],
        base_of: Callable[[str], Path],
    ) -> None:
        super().__init__(home.jobs, store, _KIND, worker)
        self._engine = engine
        self._installed = installed
        self._base_of = base_of
        self.evaluating: Evaluating | None = None

    async def start(self, given: dict[str, Any]) -> Job:
        """Queue an export. Raises FieldInvalid, NoTrainingStack or StoreUnusable: then nothing was begun."""
        name = given.get("name") or await self._name_of(str(given.get("source", "")))
        spec = spec_of({**given, "name": name})
        source = await self._source_of(spec)
        needed = await anyio.to_thread.run_sync(self._refuse, spec, source)
        if spec.evaluates and self.evaluating is not None:
            await self.evaluating.refuse([f"{spec.name}-{kind}" for kind in spec.whole])
        figures = (
            {"estimated_bytes": needed.disk_bytes, "estimated_memory_bytes": needed.memory_bytes} if needed else {}
        )
        return await self._queue(spec.name, as_table(spec), figures={**figures, "into": source.into})

    async def estimate(self, given: dict[str, Any]) -> Prospect:
        """What one would make, in every type. Raises FieldInvalid or StoreUnusable."""
        name = given.get("name") or await self._name_of(str(given.get("source", "")))
        spec = spec_of({**given, "name": name})
        source = await self._source_of(spec)
        return await anyio.to_thread.run_sync(self._prospect, spec, source)

    def _prospect(self, spec: ExportSpec, source: Source) -> Prospect:
        needed = estimated(spec, source.base, source.adapter)
        return Prospect(
            name=spec.name,
            sizes=sizes_of(source.base),
            merged_bytes=needed.merged_bytes if needed else None,
            memory_bytes=needed.memory_bytes if needed else None,
            free_bytes=self._free_bytes(),
            into=source.into,
        )

    def kinds(self) -> tuple[dict[str, bool], bool]:
        """Every type of file, and whether it can be made here; whether what is important can be measured. Blocks."""
        quantiser = self._quantiser()
        can_mix, can_quantise, can_measure = "program" in quantiser, bool(quantiser), "importance" in quantiser

        def is_made(kind: str) -> bool:
            if kind in PLAIN or kind in TRAINED:
                return True
            can_make = can_mix if kind in MIXED else can_quantise
            return can_make and (can_measure or importance_in(kind) != "needed")

        return {kind: is_made(kind) for kind in TYPES}, can_measure

    async def file(self, job_id: str, name: str) -> Path:
        """A file that an export made, by its name. Raises JobUnknown, ExportFileUnknown or StoreUnusable."""
        await self.find(job_id)
        return await anyio.to_thread.run_sync(self._file, job_id, name)

    def _file(self, job_id: str, name: str) -> Path:
        # A name is looked up among those that are there, so that none can lead elsewhere; nor can a link.
        folder = self.folder(job_id).root / "files"
        try:
            with os.scandir(folder) as found:
                there = {one.name for one in found if one.is_file(follow_symlinks=False)}
        except OSError:
            there = set[str]()
        if name not in there or name.startswith("."):
            raise ExportFileUnknown(name, sorted(one for one in there if not one.endswith(SUFFIX) and one[0] != "."))
        return folder / name

    async def verify(self, job_id: str) -> Job:
        """Queue one that is done, to compare its files as they are now.

        Raises JobUnknown, Conflict or StoreUnusable.
        """
        job = await self.find(job_id)
        if job.state != "done":
            raise Conflict(
                f"This export is {job.state}: only one that is done is verified.", current={"state": job.state}
            )
        await anyio.to_thread.run_sync(self.folder(job_id).forget_wish)
        return await self._set(job_id, state="queued", ended_s=None, figures={**job.figures, _VERIFYING: True})

    async def files(self, job_id: str) -> tuple[Job, dict[str, Path]]:
        """An export at rest, and the files that it made, by where they lie in its folder of files.

        Nothing else: no link is followed, nothing half written is among them. Raises JobUnknown or Conflict.
        """
        job = await self.find(job_id)
        if job.state in ("queued", "running", "stopping"):
            raise Conflict(
                f"This export is {job.state}: its files are given once it is at rest.", current={"state": job.state}
            )
        found = await self.made(job_id)
        if not found:
            raise Conflict("This export made no file.", current={"state": job.state})
        return job, found

    async def made(self, job_id: str) -> dict[str, Path]:
        """The whole files that an export has made so far, as `files` finds them. Raises JobUnknown or StoreUnusable."""
        await self.find(job_id)
        return await anyio.to_thread.run_sync(_files_in, self.folder(job_id).root / "files")

    async def _carried_out(self, job: Job, folder: JobFolder) -> tuple[State, Error | None]:
        if job.state == "queued":
            spec = spec_of(job.spec)
            source = await self._source_of(spec)
            order = {
                "spec": as_table(spec),
                "source": source.as_table(),
                "engine": list(self._engine),
                "python": [sys.executable, "-P"],
                "quantiser": await anyio.to_thread.run_sync(self._quantiser),
                _VERIFYING: bool(job.figures.get(_VERIFYING)),
            }
            await self._begin_worker(job, folder, order)
            job = await self._set(job.id, figures={**job.figures, _VERIFYING: False})
        last = await self._watched(job, folder)
        state, error = await anyio.to_thread.run_sync(concluded, folder, last)
        if state == "done":
            await self._evaluate(job.id, spec_of(job.spec))
        return state, error

    async def _evaluate(self, job_id: str, spec: ExportSpec) -> None:
        """Begin what is to follow, and tell what became of it, file by file. Raises StoreUnusable."""
        for kind in awaiting(spec, (await self.find(job_id)).figures):
            job = await self.find(job_id)
            assert self.evaluating is not None
            try:
                file = await self.file(job_id, name_in(job.figures, kind))
                told = await self.evaluating.begun(file, spec.evaluates)
            except StoreUnusable:
                raise
            except PaddockError as error:
                # The files are whole all the same, and can be evaluated by hand.
                told = {"refused": error.message}
            await self._set(job_id, figures=with_told(job.figures, kind, told))

    async def _name_of(self, source: str) -> str:
        training = await self._training(source)
        return name_of(training.name if training else Path(source).name)

    async def _training(self, source: str) -> Job | None:
        if not source.startswith("job_"):
            return None
        try:
            found = await self._store.find(source)
        except JobUnknown:
            return None
        return found if found.kind == "training" else None

    async def _source_of(self, spec: ExportSpec) -> Source:
        """Raises FieldInvalid or StoreUnusable."""
        training = await self._training(spec.source)
        return await anyio.to_thread.run_sync(self._found, spec, training)

    def _found(self, spec: ExportSpec, training: Job | None) -> Source:
        if training is None:
            return self._of_folder(spec, typed(spec.source, "source"))
        root = self.folder(training.id).root
        if any((root / "model" / name).is_file() for name in _SEES):
            raise FieldInvalid(
                f"{shown(training.name)} learnt from images, and what sees is not written as GGUF here. Its folder "
                f"{root / 'model'} holds it whole, as Transformers and other engines read it.",
                param="source",
            )
        if (root / "adapter" / "adapter_config.json").is_file():
            base = self._base_of(spec.base or str(training.spec["base"]))
            held = bool(training.spec.get("base_is_in_4_bits"))
            return Source(base=base, adapter=root / "adapter", was_held_in_4_bits=held)
        if (root / "model" / "config.json").is_file():
            return Source(base=root / "model", adapter=None)
        raise FieldInvalid(f"The training {training.id} is {training.state} and made nothing yet.", param="source")

    def _of_folder(self, spec: ExportSpec, folder: Path) -> Source:
        settings = folder / "adapter_config.json"
        if not os.path.isfile(settings):
            if not os.path.isfile(folder / "config.json") and spec.source != "pocket-v0":
                raise FieldInvalid(
                    f"source is {shown(spec.source)}: no training of that id, and no folder with config.json or "
                    "adapter_config.json. `paddock train list` shows the trainings.",
                    param="source",
                )
            return Source(base=self._base_of(spec.source), adapter=None)
        base = spec.base or str(table_in(settings).get("base_model_name_or_path") or "")
        if not base:
            raise FieldInvalid(f"{settings} does not say what it was trained on. Say base.", param="base")
        return Source(base=self._base_of(base), adapter=folder.resolve())

    def _quantiser(self) -> dict[str, str]:
        return quantiser_of(self._engine, self._installed())

    def _refuse_tools(self, spec: ExportSpec, quantiser: Mapping[str, str]) -> None:
        """Raises FieldInvalid where what quantises cannot do what is asked for."""
        mixed = [one for one in spec.types if one in MIXED]
        if mixed and "program" not in quantiser:
            raise FieldInvalid(
                f"{mixed[0]} mixes types as llama.cpp's own llama-quantize does, and no installed engine has one "
                "beside it. `paddock engine install` fetches a build that may, `--from-source` makes one that does; "
                "Q8_0 and Q6_K are made without.",
                param="types",
            )
        if spec.importance and "importance" not in quantiser:
            raise FieldInvalid(
                "What is important is measured by llama.cpp's own llama-imatrix, and no installed engine has one "
                "beside it. `paddock engine install --from-source` makes one.",
                param="importance",
            )
        if not quantiser and any(one in QUANTISED for one in spec.types):
            raise FieldInvalid("There is nothing here that quantises. Export F16, F32 or BF16.", param="types")

    def _refuse(self, spec: ExportSpec, source: Source) -> Estimate | None:
        """What it will need. Raises FieldInvalid or NoTrainingStack where it would not begin."""
        if not self.has_stack():
            raise NoTrainingStack
        self._refuse_tools(spec, self._quantiser())
        if source.adapter is None and (lacking := next((one for one in spec.types if one in TRAINED), None)):
            raise FieldInvalid(
                f"{lacking} is what was trained without its base, and {shown(spec.source)} is a whole model.",
                param="types",
            )
        refuse_other_forms(source.base)
        if spec.importance:
            try:
                first_rows(spec.importance, 1, row_of)
            except FieldInvalid as error:
                raise FieldInvalid(error.message, param="importance") from error
        if needed := estimated(spec, source.base, source.adapter):
            memory_bytes = read_memory().usable_bytes
            refuse_too_large(needed, spec, memory_bytes=memory_bytes, disk_bytes=self._free_bytes())
        return needed

    def _free_bytes(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._folder).free


def quantiser_of(engine: Sequence[str], installed: Sequence[Path] = ()) -> dict[str, str]:
    """What quantises: the program beside the engine, or beside one that is installed; else the embedded one's library.

    `importance` is the program that measures what is important, where one lies beside as well. {}: there is nothing.
    """
    for server in (*map(Path, engine), *installed):
        beside = server.with_name(server.name.replace("llama-server", "llama-quantize"))
        if server.name.startswith("llama-server") and beside.is_file():
            measures = server.with_name(server.name.replace("llama-server", "llama-imatrix"))
            return {"program": str(beside), **({"importance": str(measures)} if measures.is_file() else {})}
    found = importlib.util.find_spec("xllamacpp")
    places = list(found.submodule_search_locations or ()) if found else []
    library = next((str(one) for place in places for one in sorted(Path(place).glob("xllamacpp*.so"))), None)
    return {"library": library} if library else {}


def _files_in(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(root):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for path in (Path(place) / one for one in sorted(names)):
            if not path.name.startswith(".") and path.is_file() and not path.is_symlink():
                found[path.relative_to(root).as_posix()] = path
    return found
