"""Owns one training from its order to its last file: rows, model, trainer, what is kept of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from paddock.jobs.ended import Voice
from paddock.jobs.folder import JobFolder, Report
from paddock.training.endings import DRY_RUN
from paddock.training.sight import refuse_what_excludes_images, sees, shows_images
from paddock.training.spec import TrainSpec, spec_of
from paddock.training.worker.backend import Plain
from paddock.training.worker.checkpoints import newest
from paddock.training.worker.dry_run import shortened
from paddock.training.worker.gguf import to_gguf
from paddock.training.worker.outcome import Diverged, DryReport
from paddock.training.worker.ranks import Rank, count, number, prepare
from paddock.training.worker.sampling import Sampler
from paddock.training.worker.tracking import tracked
from paddock.training.worker.trainers import trainer_of
from paddock.training.worker.watching import Watcher


def learn(job: JobFolder, report: Report | Rank) -> str:
    """Train what is ordered; "done" or "stopped". Raises what `outcome` tells of."""
    order = job.order()
    spec = spec_of(order["spec"])
    prepare()
    if order.get(DRY_RUN):
        if number() == 0:
            shutil.rmtree(job.dry_run, ignore_errors=True)
        return _learnt(job, order, shortened(spec), job.dry_run, DryReport(report))
    with tracked(job, report, spec, Path(order["tracked"]), resumed=_resumed_step(job.root)) as voice:
        return _learnt(job, order, spec, job.root, voice)


def _learnt(job: JobFolder, order: Mapping[str, Any], spec: TrainSpec, root: Path, voice: Voice) -> str:
    base = Path(order["base"])
    if spec.threads:
        torch.set_num_threads(spec.threads)
    set_seed(spec.seed)
    voice.tell(
        "started", torch=torch.__version__, threads=torch.get_num_threads(), resumed=_resumed_step(root),
        processes=count(),
    )  # fmt: skip
    backend = _backend(spec, base)
    checkpoint = newest(root / "checkpoints")
    is_whole = spec.tuning == "full" and spec.strategy != "fsdp"
    model, tokenizer = backend.load(base, spec, checkpoint if is_whole else None)
    if spec.tuning == "lora":
        model = backend.add_lora(model, spec)
    sizes = [(one.numel(), one.requires_grad) for one in model.parameters()]
    voice.tell("model", trained_parameters=sum(n for n, trains in sizes if trains), parameters=sum(n for n, _ in sizes))
    watcher = Watcher(job, voice, spec)
    trainer = trainer_of(
        spec, model, tokenizer, root / "checkpoints", judged_at=str(order.get("judged_at", "")),
        report=voice, watcher=watcher, reference=lambda: backend.load(base, spec)[0],
    )  # fmt: skip
    if spec.sample_prompts:
        trainer.add_callback(Sampler(tokenizer, spec, voice))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if watcher.fault:
        raise Diverged(watcher.fault)
    if watcher.was_cancelled:
        return "cancelled"
    if watcher.was_stopped:
        return "stopped"
    state = _gathered(trainer)
    if number() == 0:
        kept = backend.keep(trainer.model, tokenizer, root / "model", state)
        _keep(backend, trainer.model, tokenizer, base, kept, spec=spec, voice=voice, is_dry=bool(order.get(DRY_RUN)))
    return "done"


def _backend(spec: TrainSpec, base: Path) -> Any:
    """What loads and keeps the model. Raises FieldInvalid."""
    if spec.method == "embedding":
        from paddock.training.worker.embedding import Encoders

        return Encoders()
    if sees(base) and shows_images(spec):
        refuse_what_excludes_images(spec, base)
        from paddock.training.worker.seeing import Seeing

        return Seeing()
    return Plain()


def _gathered(trainer: Any) -> Any:
    """The weights of a model that several processes have divided, at the first; None where each has it whole."""
    return trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None


def _keep(
    backend: Any, model: Any, tokenizer: Any, base: Path, written: Path, *,
    spec: TrainSpec, voice: Voice, is_dry: bool,
) -> None:  # fmt: skip
    """Write what else is kept of what was trained, and tell of all of it.

    Raises OSError, or PaddockError where it cannot be written as GGUF.
    """
    kept = [written]
    is_addition = kept[0].name == "adapter"
    # The engine adds an addition to a model; what DoRA makes does more than that, so it gets the whole. A dry run shows
    # whether the addition can be written, and whether it can be merged.
    if is_addition and (is_dry or backend.keeps_merged or (spec.makes_gguf and spec.lora_is_decomposed)):
        kept.append(backend.keep_merged(model, tokenizer, written.with_name("model"), base=base, spec=spec))
    for folder in kept:
        voice.tell("artifact", name=folder.name, path=str(folder), size_bytes=_size(folder))
    engines = kept[-1:] if spec.lora_is_decomposed else kept
    for folder in engines if spec.makes_gguf or is_dry else []:
        made = to_gguf(folder, base)
        voice.tell("artifact", name="gguf", path=str(made), size_bytes=made.stat().st_size)


def _resumed_step(root: Path) -> int:
    checkpoint = newest(root / "checkpoints")
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
