"""Owns what is asked of a plan under the present settings; refuses to know how one is made, or to load anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from paddock.config import Settings
from paddock.errors import ModelUnusable
from paddock.hardware import Accelerator, Memory, find_accelerators, read_memory
from paddock.models.catalog import Model
from paddock.models.explaining import explain
from paddock.models.facts import ModelFacts, Unusable, read_facts
from paddock.models.fit import KvType
from paddock.models.gguf import read_header
from paddock.models.planner import Plan, Wish, plan
from paddock.models.saved import ModelSettings, Saved

# What every engine of ours may keep of prompts that left their slot (`engine/embedded.py`).
PROMPT_CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person asks; None takes what the settings say."""

    context_tokens: int | None = None
    slots: int | None = None
    kv_type: KvType | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How the engine here would load a model, and how one that computes on the GPUs would; None without GPUs."""

    model: Model
    plan: Plan
    on_gpus: Plan | None


def wish_of(model: Model, settings: Settings, saved: ModelSettings, question: Question | None = None) -> Wish:
    """What is fixed by a person, here, for this model or in the settings, and what the planner may choose."""
    asked = question or Question()
    is_slots_set = settings.sources.get("slots", "default") != "default"
    return Wish(
        context_tokens=asked.context_tokens or saved.context_tokens or settings.context_tokens or None,
        slots=asked.slots or saved.slots or (settings.slots if is_slots_set else None),
        kv_types=(asked.kv_type or cast("KvType | None", saved.kv_type) or "f16",),
        batch_tokens=saved.batch_tokens or settings.batch_tokens,
        projector_bytes=os.stat(model.projector_path).st_size if model.projector_path and model.task == "text" else 0,
        adapter_bytes=sum(os.stat(one.path).st_size for one in model.adapters),
        # With adapters, an engine keeps no prompts that left their slot.
        prompt_cache_bytes=0 if model.adapters else PROMPT_CACHE_BYTES,
    )


def fitting(model: Model, settings: Settings, question: Question) -> Answer:
    """Whether a model fits on this machine now. Blocks on files and on the makers' tools.

    Raises:
        ModelUnusable: the file cannot be planned with.
    """
    memory = read_memory()
    if settings.memory_budget_bytes:
        memory = replace(memory, available_bytes=min(memory.available_bytes, settings.memory_budget_bytes))
    return answered(model, settings, question, memory=memory, accelerators=find_accelerators(memory).accelerators)


def foreseen(
    model_id: str, files: Sequence[Path], projector: Path | None, settings: Settings, question: Question
) -> Answer:
    """Whether a model would fit of which only headers are here. Blocks, and raises, as `fitting` does."""
    facts = read_facts(files[0])
    if not isinstance(facts, ModelFacts):
        raise ModelUnusable(facts.reason if isinstance(facts, Unusable) else f"'{model_id}' is no whole model.")
    model = Model(
        id=model_id,
        path=files[0],
        origin="pulled",
        size_bytes=facts.size_bytes,
        created_s=0,
        architecture=facts.architecture,
        quantisation=facts.quantisation,
        parameter_count=facts.parameter_count,
        trained_context_tokens=facts.trained_context_tokens,
        has_chat_template=facts.has_chat_template,
        task=facts.task,
        projector_path=projector,
    )
    return fitting(model, settings, question)


def answered(
    model: Model, settings: Settings, question: Question, *, memory: Memory, accelerators: tuple[Accelerator, ...]
) -> Answer:
    """The same for given devices."""
    saved = Saved(settings.home).get(model.id)
    header, wish = read_header(model.path), wish_of(model, settings, saved, question)
    usable = [one for one in accelerators if one.free_bytes]
    # One engine computes with the GPUs of one maker: those that have the most free.
    room = {one.api: sum(other.free_bytes or 0 for other in usable if other.api == one.api) for one in usable}
    chosen = [one for one in usable if room[one.api] == max(room.values())]
    return Answer(
        model=model,
        plan=plan(header, wish, memory=memory),
        on_gpus=plan(header, wish, memory=memory, accelerators=chosen) if chosen else None,
    )


def entry(answer: Answer) -> dict[str, Any]:
    """The answer as JSON; the keys are stable."""
    return {
        "model": answer.model.tuned_id,
        **_told(answer.plan),
        "on_gpus": _told(answer.on_gpus) if answer.on_gpus else None,
    }


def sentences(answer: Answer) -> list[str]:
    """The answer in plain words, for both engines."""
    told = explain(answer.plan)
    if answer.on_gpus is None:
        return told
    return [*told, "With an engine that computes on the GPUs:", *explain(answer.on_gpus)[1:]]


def _told(found: Plan) -> dict[str, Any]:
    load, memory = found.load, found.memory
    parts = {
        name: getattr(memory, name)
        for name in (
            "weights_bytes", "kv_bytes", "recurrent_bytes", "compute_bytes", "projector_bytes", "adapter_bytes",
            "prompt_cache_bytes", "checkpoint_bytes", "overhead_bytes", "total_bytes",
        )
    }  # fmt: skip
    return {
        "verdict": found.verdict,
        "context_length": load.context_tokens,
        "slots": load.slots,
        "kv_type": load.key_type,
        "checkpoints": load.checkpoints,
        "memory": parts,
        "needed_bytes": found.needed_bytes,
        "free_bytes": found.free_bytes,
        "layers": found.layers,
        "gpus": [
            {
                "name": share.accelerator.name,
                "layers": share.layers,
                "needed_bytes": share.needed_bytes,
                "free_bytes": share.free_bytes,
            }
            for share in found.shares
        ],
        "changes": list(found.changes),
        "fitting_context_length": found.fitting_context_tokens,
        "explanation": explain(found),
    }
