"""Owns what a training will need before it begins: memory, disk, steps and time; refuses to begin one.

Memory is reckoned from the shapes of the weights: what is held in 32 bits, gradients and AdamW's two means of what is
trained, what the backward pass needs of each layer, the scores of every token over the vocabulary, and the libraries
themselves. Time is reckoned from how quick a training of the same base was on this machine, of which a dry run is one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from paddock.data.files import each_row
from paddock.data.likenesses import Likeness
from paddock.data.preferences import Judged, Pair
from paddock.data.rows import Row
from paddock.errors import FieldInvalid, size
from paddock.hardware import find_accelerators, read_memory
from paddock.models.weights import Weights, weights_of
from paddock.store.jobs import Job
from paddock.training.exclusions import modules_of, refuse_unknown_modules
from paddock.training.spec import Sample, TrainSpec, form_of

_FLOAT_BYTES = 4
# NF4 with its scales.
_FOUR_BITS_BYTES = 0.56
# Python, torch and TRL, as measured with pocket.
_LIBRARIES_BYTES = 560 * 2**20
# Scores of a token: themselves, their logarithms, and the gradient of both.
_SCORES = 3
# What the backward pass keeps of one layer, in widths of the model, of keys and values, and of the inner layer.
_OF_WIDTH, _OF_KEYS, _OF_INNER = 6, 3, 4
# Fewer than most tokenizers make of most languages, so that tokens are rather more than will be read.
_BYTES_OF_A_TOKEN, _BETWEEN_TURNS_BYTES = 3.5, 16
# How many tokens an image takes, its processor alone knows.
_OF_IMAGES = (
    "Rows with images are reckoned with context_tokens, the most that they may have; what the model holds of the "
    "images themselves is not counted."
)
# Rows that are compared are read in twos.
_TEXTS = {"dpo": 2, "orpo": 2, "kto": 2, "embedding": 3}


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What each process holds at once, in bytes."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    scores: int
    libraries: int

    @property
    def all(self) -> int:
        """All of it."""
        return sum(asdict(self).values())


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a training will need. Sizes are in bytes; `seconds` is None where nothing like it ever ran here.

    `not_counted` says what it does not know of.
    """

    memory: Memory
    disk_bytes: int
    rows: int
    tokens_most: int
    steps: int
    seconds: float | None
    seconds_source: str
    not_counted: str = ""

    def as_table(self) -> dict[str, Any]:
        """As it is told."""
        return {**asdict(self), "memory": {**asdict(self.memory), "all": self.memory.all}}


def estimated(
    spec: TrainSpec, base: Path, before: Sequence[Job] = (), *, rows_most: int | None = None
) -> Estimate | None:
    """What it will need; None for weights of an unknown form. Blocking. Raises FieldInvalid.

    Args:
        spec: what is trained.
        base: the folder of what it begins from.
        before: earlier trainings, the newest first.
        rows_most: so many rows are looked at; all if None.
    """
    weights = weights_of(base)
    if weights is None:
        return None
    if spec.tuning == "lora":
        linear = {name.removesuffix(".weight").rpartition(".")[2] for name in weights.matrices()}
        # Some models have that layer without weights of its own.
        refuse_unknown_modules(spec, linear | {"lm_head"})
    lengths, has_images = _lengths(spec, rows_most)
    # Where rows of their own are looked at, none is held out.
    rows = len(lengths) if spec.eval_data else round(len(lengths) * (1 - spec.eval_share))
    row_tokens = spec.context_tokens if spec.packs else max(lengths, default=0)
    batch = spec.batch_rows * spec.accumulate
    steps = spec.steps or max(1, round(spec.epochs * math.ceil(max(1, rows) / batch)))
    mean = spec.context_tokens if spec.packs else sum(lengths) / max(1, len(lengths))
    tokens = round(steps * batch * mean)
    per_s = _speed(spec, before)
    return Estimate(
        memory=_memory(spec, weights, row_tokens),
        disk_bytes=_disk(spec, weights),
        rows=rows,
        tokens_most=tokens,
        steps=steps,
        seconds=round(tokens / per_s[0], 1) if per_s else None,
        seconds_source=per_s[1] if per_s else "Nothing like it ran here yet; a dry run tells.",
        not_counted=_OF_IMAGES if has_images else "",
    )


def memory_of_device(processes: int = 1) -> tuple[int, int]:
    """What is free and what there is in all, in bytes, for each of the processes that train together.

    That is the largest GPU, of which each has one, else an equal share of main memory.
    """
    memory = read_memory()
    gpus = [
        (one.free_bytes or 0, one.total_bytes)
        for one in find_accelerators(memory).accelerators
        if one.api in ("cuda", "rocm") and one.total_bytes
    ]
    share = (memory.available_bytes // processes, memory.usable_bytes // processes)
    return max(gpus, key=lambda one: one[1], default=share)


def refuse_too_large(found: Estimate, *, memory_bytes: int, disk_bytes: int) -> None:
    """Raises FieldInvalid where weights and optimizer alone cannot fit this machine, or what is written its disk."""
    least = found.memory.weights + found.memory.gradients + found.memory.optimizer
    if least > memory_bytes:
        raise FieldInvalid(
            f"This needs {size(least)} for weights and their gradients alone, and this machine has "
            f"{size(memory_bytes)}. Say tuning 'lora', base_is_in_4_bits, or train a smaller model.",
            param="base",
        )
    if found.disk_bytes > disk_bytes:
        raise FieldInvalid(
            f"Checkpoints and the result need {size(found.disk_bytes)}, and {size(disk_bytes)} are free. Free space, "
            "or lower keep_checkpoints.",
            param="keep_checkpoints",
        )


def _memory(spec: TrainSpec, weights: Weights, row_tokens: int) -> Memory:
    matrices = sum(math.prod(shape) for shape in weights.matrices().values())
    held = weights.parameters * _FLOAT_BYTES
    if spec.base_is_in_4_bits:
        held = round(matrices * _FOUR_BITS_BYTES) + (weights.parameters - matrices) * _FLOAT_BYTES
    trained = _trained(spec, weights)
    if spec.tuning == "lora":
        held += trained * _FLOAT_BYTES
    elif spec.method in ("dpo", "kto"):
        held *= 2
    if spec.strategy == "fsdp":
        held, trained = held // spec.processes, trained // spec.processes
    tokens = row_tokens * spec.batch_rows * _TEXTS.get(spec.method, 1)
    layers = weights.said("num_hidden_layers", 0)
    heads = max(1, weights.said("num_attention_heads", 1))
    width = weights.said("hidden_size", 0)
    head = weights.said("head_dim", width // heads)
    keys = weights.said("num_key_value_heads", heads) * head
    of_layer = _OF_WIDTH * width + _OF_KEYS * keys + _OF_INNER * weights.said("intermediate_size", 4 * width)
    # Computed twice, one layer is held at a time, and the input of each.
    of_token = of_layer + layers * width if spec.saves_memory else layers * of_layer
    return Memory(
        weights=held,
        gradients=trained * _FLOAT_BYTES,
        optimizer=trained * _FLOAT_BYTES * 2,
        activations=tokens * of_token * _FLOAT_BYTES,
        scores=0 if spec.method == "embedding" else tokens * weights.said("vocab_size", 0) * _FLOAT_BYTES * _SCORES,
        libraries=_LIBRARIES_BYTES,
    )


def _trained(spec: TrainSpec, weights: Weights) -> int:
    if spec.tuning == "full":
        return weights.parameters
    chosen = weights.matrices(tuple(modules_of(spec)))
    return sum(spec.lora_rank * sum(shape) for shape in chosen.values())


def _disk(spec: TrainSpec, weights: Weights) -> int:
    """Checkpoints with their optimizer (one more while the oldest still lies there), the result, and it as GGUF."""
    trained = _trained(spec, weights) * _FLOAT_BYTES
    whole = weights.parameters * _FLOAT_BYTES
    return (spec.keep_checkpoints + 1) * 3 * trained + 2 * trained + (2 * whole if spec.dry_run != "no" else 0)


def _lengths(spec: TrainSpec, most: int | None) -> tuple[list[int], bool]:
    """Tokens of the rows at most, by their characters, and whether any has images."""
    found: list[int] = []
    has_images = False
    for row in islice(each_row(spec.data, form_of(spec.method)), most):
        shows = isinstance(row, Row) and bool(row.images)
        has_images = has_images or shows
        of_words = 1 + round(_written_bytes(row) / _BYTES_OF_A_TOKEN)
        found.append(spec.context_tokens if shows else min(spec.context_tokens, of_words))
    return found, has_images


def _written_bytes(row: Sample) -> int:
    """How long a row is as text, with what its template puts between the turns; of several texts, the longest."""
    if isinstance(row, Likeness):
        return max(len(text.encode()) for text in row.texts)
    if isinstance(row, Row):
        turns = [*row.messages, {"content": row.text}]
    elif isinstance(row, Pair):
        turns = [*row.prompt, max(row.chosen, row.rejected, key=_said_bytes)]
    else:
        turns = [*row.prompt, row.answer] if isinstance(row, Judged) else [*row.prompt]
    return sum(_said_bytes(turn) + _BETWEEN_TURNS_BYTES for turn in turns) + len(json.dumps(row.tools))


def _said_bytes(turn: Mapping[str, Any]) -> int:
    calls = turn.get("tool_calls")
    return len(str(turn.get("content") or "").encode()) + (len(json.dumps(calls)) if calls else 0)


def _speed(spec: TrainSpec, before: Sequence[Job]) -> tuple[float, str] | None:
    """Tokens a second of the newest training like this one, and which that was."""
    alike = ("base", "method", "tuning", "batch_rows", "saves_memory", "precision", "threads")
    alike += ("processes", "strategy", "cluster")
    for job in before:
        if any(job.spec.get(name, getattr(TrainSpec, name)) != getattr(spec, name) for name in alike):
            continue
        if per_s := job.figures.get("tokens_per_s") or job.figures.get("dry_run_tokens_per_s"):
            return float(per_s), f"{per_s:.0f} tokens/s of {job.name} ({job.id})"
    return None
