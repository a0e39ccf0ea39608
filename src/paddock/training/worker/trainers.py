"""Owns which of TRL's trainers a method takes, and what every one of them is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from trl import SFTConfig, SFTTrainer

from paddock.data.masks import Tokenizer
from paddock.jobs.ended import Voice
from paddock.training.spec import TrainSpec
from paddock.training.worker.material import material
from paddock.training.worker.seeing import Eyes

_ROUNDS = 10


def trainer_of(
    spec: TrainSpec, model: Any, tokenizer: Any, folder: Path, *,
    judged_at: str, report: Voice, watcher: Any, reference: Callable[[], Any],
) -> Any:  # fmt: skip
    """The trainer of a training, with its rows. Raises FieldInvalid.

    Args:
        spec: what is trained, and how.
        model: with its addition, where that alone is trained.
        tokenizer: the model's.
        folder: where checkpoints are written.
        judged_at: where a model can be asked for rewards; "" where none can.
        report: where the rows are told of.
        watcher: what is told of each step.
        reference: loads the model as it was, for methods that compare with it.
    """
    common = {"model": model, "processing_class": tokenizer, "callbacks": [watcher]}
    # Others are imported where they are needed: half a second that these need not wait for.
    if spec.method == "grpo":
        from paddock.training.worker.grouping import grouping

        return grouping(
            spec, lambda answers, looks: _arguments(spec, folder, answers, looks), common, report, judged_at
        )
    if spec.method == "embedding":
        from paddock.training.worker.embedding import embedding

        return embedding(spec, lambda rows, looks: _arguments(spec, folder, rows, looks), common, report)
    if isinstance(tokenizer, Eyes):
        from paddock.training.worker.looking import looking

        return looking(spec, lambda rows, looks: _arguments(spec, folder, rows, looks), common, report)
    trained, held = material(spec, cast("Tokenizer", tokenizer), report)
    common |= {"train_dataset": trained, "eval_dataset": held}
    shared = _arguments(spec, folder, len(trained), held is not None)
    if spec.method in ("sft", "cpt"):
        config = SFTConfig(**shared, max_length=spec.context_tokens, packing=spec.packs, eval_packing=False)
        return SFTTrainer(args=config, **common)
    from paddock.training.worker.preferring import preferring

    return preferring(spec, shared, common, reference)


def _arguments(spec: TrainSpec, folder: Path, rows: int, looks: bool) -> dict[str, Any]:
    """What every trainer is told; `looks` is whether there are held-out rows to look at."""
    steps = spec.steps or max(1, round(spec.epochs * max(1, rows // (spec.batch_rows * spec.accumulate))))
    bf16 = spec.precision == "bf16" or (spec.precision == "auto" and _has_bf16())
    return {
        "output_dir": str(folder),
        "max_steps": spec.steps or -1,
        "num_train_epochs": spec.epochs,
        "per_device_train_batch_size": spec.batch_rows,
        "per_device_eval_batch_size": spec.batch_rows,
        "gradient_accumulation_steps": spec.accumulate // spec.processes,
        "learning_rate": spec.learning_rate,
        "lr_scheduler_type": spec.schedule,
        "warmup_steps": spec.warmup_share,
        "weight_decay": spec.weight_decay,
        "max_grad_norm": spec.gradient_clip,
        "bf16": bf16,
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": spec.saves_memory,
        "seed": spec.seed,
        "data_seed": spec.seed,
        "logging_steps": spec.log_every_steps,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps" if looks else "no",
        "eval_steps": spec.eval_every_steps or max(1, steps // _ROUNDS),
        "save_strategy": "steps",
        "save_steps": spec.save_every_steps or max(1, steps // _ROUNDS),
        "save_total_limit": spec.keep_checkpoints,
        "include_num_input_tokens_seen": "non_padding",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        # Every weight that is trained has its part in every row.
        "ddp_find_unused_parameters": False,
        "fsdp": spec.strategy == "fsdp",
    }


def _has_bf16() -> bool:
    """Whether bf16 is quick here: cards from Ampere on, and processors with instructions for it."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return "avx512_bf16" in _processor_flags() or "amx_bf16" in _processor_flags()


def _processor_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return ""
