"""Owns checkpoints that are tried: what file each becomes and is compared with, and that it goes with its training.

An adapter becomes a file that is laid over its base request by request; what no engine can lay over a model becomes a
whole one. Files lie in the training's folder, where the catalogue finds them. Refuses to know how they are written (the
worker does), which checkpoints are whole, and who asks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread

from paddock.errors import FieldInvalid, NoTrainingStack, PaddockError, size
from paddock.export.endings import TRY_ADVICE, figures_of, tried
from paddock.export.spec import name_of
from paddock.hardware import read_memory
from paddock.jobs.ended import Error
from paddock.jobs.folder import JobFolder
from paddock.jobs.queue import JobQueue, Kind, Words
from paddock.models.adapters import misfit
from paddock.models.catalog import Catalog
from paddock.models.tried import tried_folder
from paddock.models.weights import weights_of
from paddock.paths import Home
from paddock.store.jobs import Job, JobStore, State

_KIND = Kind(name="try", lock=".tries.lock", figures_of=figures_of, advice=TRY_ADVICE)
# What a worker does, for `jobs/worker.py`.
WORK = "paddock.export.worker.trying"
_BUNDLED = "pocket-v0"
# A worker that does not end is killed before that.
_END_S = 60.0
_NAME_MOST = 48
_BYTES_IN_16, _BYTES_IN_32 = 2, 4
Form = Literal["adapter", "merged", "model"]


@dataclass(frozen=True, kw_only=True)
class Try:
    """What is made of a checkpoint.

    Attributes:
        training: the id of its training.
        step: the step after which it was written.
        form: an adapter, a base with an addition that no engine can lay over it, or a whole model.
        made: what the file is called.
        compared: the model that it began as, by the name that the engine has it under.
        makes_base: whether that is made of the base's folder, unless it is here.
    """

    training: str
    step: int
    form: Form
    made: str
    compared: str
    makes_base: bool

    @property
    def model(self) -> str:
        """The name by which the checkpoint is asked."""
        return f"{self.compared}+{self.made}" if self.form == "adapter" else self.made


def try_of(job: Job) -> Try:
    """What a job of this kind makes."""
    return Try(**job.spec)


class Tries(JobQueue):
    """The tried checkpoints of one data home; they are made one at a time.

    Args:
        home: where their folders lie.
        store: where they are written down.
        worker: the words that start a worker, before its folder; None where there is no training stack.
        base_of: the folder of a base model by its name or path. Raises FieldInvalid.
        catalog: which models there are.
    """

    def __init__(
        self, home: Home, store: JobStore, *, worker: Words, base_of: Callable[[str], Path], catalog: Catalog
    ) -> None:
        super().__init__(home.jobs, store, _KIND, worker)
        self._base_of = base_of
        self._catalog = catalog
        self._starting = anyio.Lock()

    async def of(self, training: str) -> dict[int, Job]:
        """Those of a training, by their steps; one whose file is gone is left out. Raises StoreUnusable."""
        found = [one for one in await self.listed() if one.spec["training"] == training]
        there = await anyio.to_thread.run_sync(lambda: [one for one in found if self._counts(one)])
        return {one.spec["step"]: one for one in reversed(there)}

    async def start(self, training: Job, step: int, checkpoint: Path, model: str = "") -> Job:
        """Have a checkpoint made ready to be tried, unless it is; `model` is what it is compared with, if one is known.

        Raises FieldInvalid, ModelUnknown, ModelUnusable, NoTrainingStack or StoreUnusable: then nothing was begun.
        """
        async with self._starting:
            known = (await self.of(training.id)).get(step)
            if known and (known.is_live or known.state == "done") and model in ("", known.spec["compared"]):
                return known
            planned = await anyio.to_thread.run_sync(self._planned, training, step, checkpoint, model)
            await self.forget(training.id, step)
            await anyio.to_thread.run_sync(self._hold, planned, checkpoint)
            base = str(self._base_of(str(training.spec["base"])))
            return await self._queue(planned.made, asdict(planned), figures={"base": base})

    async def forget(self, training: str, step: int | None = None) -> None:
        """Remove what was made of a training's checkpoints, or of one, ending what is at it. Raises StoreUnusable."""
        for job in await self.listed():
            if job.spec["training"] != training or step not in (None, job.spec["step"]):
                continue
            if job.is_live:
                with contextlib.suppress(PaddockError):
                    await self.cancel(job.id)
                with anyio.move_on_after(_END_S):
                    async for _ in self.events(job.id, int(job.figures.get("events", 0))):
                        pass
            await self.remove(job.id)
            await anyio.to_thread.run_sync(self._clear, try_of(job))

    async def _carried_out(self, job: Job, folder: JobFolder) -> tuple[State, Error | None]:
        made = try_of(job)
        if job.state == "queued":
            makes_base = await anyio.to_thread.run_sync(self._is_lacking_base, made)
            order: Mapping[str, Any] = {
                "form": made.form,
                "checkpoint": str(self._held(made)),
                "base": job.figures["base"],
                "target": str(self._file(made)),
                "base_target": str(self._base_file(made)) if makes_base else "",
            }
            await self._begin_worker(job, folder, order)
        last = await self._watched(job, folder)
        state, error = await anyio.to_thread.run_sync(tried, folder, last)
        if state == "done" and (fault := await anyio.to_thread.run_sync(self._fault, made)):
            state, error = "failed", {"kind": "export", "message": fault}
        await anyio.to_thread.run_sync(self._tidy, made)
        return state, error

    def _planned(self, training: Job, step: int, checkpoint: Path, model: str) -> Try:
        if not self.has_stack():
            raise NoTrainingStack
        if training.spec["method"] == "embedding":
            raise FieldInvalid(
                "An embedding model makes vectors and cannot be chatted with. Once the training is done, import its "
                "GGUF and ask POST /v1/embeddings.",
                param="step",
            )
        form = _form_of(checkpoint)
        base = self._base_of(str(training.spec["base"]))
        compared, makes_base = self._compared(base, model)
        made = f"{name_of(training.name)[:_NAME_MOST]}-{training.id[4:10]}-step-{step}"
        found = Try(
            training=training.id, step=step, form=form, made=made, compared=compared, makes_base=makes_base,
        )  # fmt: skip
        self._refuse_short(found, base)
        return found

    def _compared(self, base: Path, model: str) -> tuple[str, bool]:
        """The model that a checkpoint is compared with, and whether it must be made."""
        if model:
            return self._catalog.find(model).id, False
        if base == self._base_of(_BUNDLED):
            return _BUNDLED, False
        return f"{name_of(base.name)[:_NAME_MOST]}-{_digest(base)}", True

    def _is_lacking_base(self, made: Try) -> bool:
        """Whether the base is to be made. One that another training has is this one's from here on, too: one file."""
        own = self._base_file(made)
        for other in [] if own.is_file() else self._bases(made):
            with contextlib.suppress(OSError):
                os.link(other, own)
                break
        return made.makes_base and not own.is_file()

    def _bases(self, made: Try) -> list[Path]:
        return list(self._folder.glob(f"job_*/tries/{made.compared}.gguf"))

    def _refuse_short(self, made: Try, base: Path) -> None:
        """Raises FieldInvalid where the disk has no room for what is made, or memory none for what is merged."""
        weights = weights_of(base)
        if weights is None:
            return
        whole_bytes = weights.parameters * _BYTES_IN_16
        makes_base = made.makes_base and not self._bases(made)
        needed = whole_bytes * (makes_base + (made.form != "adapter"))
        needed += weights.parameters * _BYTES_IN_32 if made.form == "merged" else 0
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise FieldInvalid(
                f"To try it, files of about {size(needed)} are written, and {size(free)} are free. Free space"
                + (", or name a GGUF of the same base as `model`." if makes_base else "."),
                param="step",
            )
        available = read_memory().available_bytes
        if made.form == "merged" and (held := weights.parameters * _BYTES_IN_32) > available:
            raise FieldInvalid(
                f"What DoRA trained is merged with its base to be tried, which takes {size(held)} of memory, and "
                f"{size(available)} are free. Try it when the training has ended.",
                param="step",
            )

    def _fault(self, made: Try) -> str:
        """Why what was made cannot be used, as a sentence."""
        if not self._file(made).is_file():
            return f"The worker says that it made {made.made}, and it is not there."
        if made.form != "adapter":
            return ""
        try:
            header = self._catalog.header(self._catalog.find(made.compared))
        except PaddockError as error:
            return error.message
        adapter = next((one for one in self._catalog.adapters() if one.path == self._file(made)), None)
        why = misfit(adapter, header) if adapter else "the catalogue does not know it as an adapter"
        if not why:
            return ""
        self._file(made).unlink(missing_ok=True)
        return f"What was made does not fit {made.compared}: {why}. Name another model to compare it with, or none."

    def _hold(self, made: Try, checkpoint: Path) -> None:
        """Keep a checkpoint from going while it waits: its training removes old ones. Its bytes are not copied."""
        held = self._held(made)
        shutil.rmtree(held, ignore_errors=True)
        held.mkdir(parents=True)
        for file in checkpoint.iterdir():
            if file.is_file() and not file.name.startswith(("optimizer", "scheduler", "rng_state", "training_args")):
                _linked(file, held / file.name)

    def _counts(self, job: Job) -> bool:
        return job.state != "done" or self._file(try_of(job)).is_file()

    def _tidy(self, made: Try) -> None:
        """Remove what it was made of, and what a worker left that was killed."""
        shutil.rmtree(self._held(made), ignore_errors=True)
        for draft in self._file(made).parent.glob(".*.draft*"):
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)

    def _clear(self, made: Try) -> None:
        self._tidy(made)
        self._file(made).unlink(missing_ok=True)

    def _file(self, made: Try) -> Path:
        return tried_folder(self.folder(made.training).root) / f"{made.made}.gguf"

    def _base_file(self, made: Try) -> Path:
        return self._file(made).with_name(f"{made.compared}.gguf")

    def _held(self, made: Try) -> Path:
        return self._file(made).parent / ".held" / made.made


def _form_of(checkpoint: Path) -> Form:
    """Raises FieldInvalid."""
    try:
        if (settings := checkpoint / "adapter_config.json").is_file() and _has(checkpoint, "adapter_model"):
            return "merged" if json.loads(settings.read_text("utf-8")).get("use_dora") else "adapter"
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise FieldInvalid(f"{checkpoint.name} cannot be read: {error}.", param="step") from error
    if (checkpoint / "config.json").is_file() and _has(checkpoint, "model", "pytorch_model"):
        return "model"
    raise FieldInvalid(
        f"{checkpoint.name} holds the weights in parts, one of each process that trains. Try what the training makes "
        "in the end: that is whole.",
        param="step",
    )


def _has(folder: Path, *names: str) -> bool:
    return any(one.name.startswith(names) and one.suffix in (".safetensors", ".bin") for one in folder.iterdir())


def _linked(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def _digest(base: Path) -> str:
    """What tells a base from others of its name, and from what lay there before."""
    files: Sequence[Path] = sorted(one for one in base.iterdir() if one.is_file())
    told = [str(base), *(f"{one.name} {one.stat().st_size} {one.stat().st_mtime_ns}" for one in files)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:6]
