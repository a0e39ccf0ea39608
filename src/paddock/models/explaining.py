"""Owns telling a plan in plain words, with numbers; plans nothing."""

from __future__ import annotations

from paddock.errors import size
from paddock.models.planner import Plan


def explain(plan: Plan) -> list[str]:
    """Sentences on what a model needs, where it goes, what gave way, and whether it fits."""
    told = [_needs(plan), *_places(plan), *plan.changes, *plan.memory.doubts]
    return [*told, _verdict(plan)]


def _needs(plan: Plan) -> str:
    memory, load = plan.memory, plan.load
    slots = "1 slot" if load.slots == 1 else f"{load.slots} slots"
    parts = [f"{size(memory.weights_bytes)} of weights"]
    if memory.kv_bytes:
        parts.append(f"{size(memory.kv_bytes)} for {slots} of {load.context_tokens} tokens, kept as {load.key_type}")
    if memory.recurrent_bytes:
        parts.append(f"{size(memory.recurrent_bytes)} of state for {slots}")
    parts.append(f"{size(memory.compute_bytes)} to work in")
    if memory.projector_bytes:
        parts.append(f"{size(memory.projector_bytes)} of its projector")
    if memory.adapter_bytes:
        parts.append(f"{size(memory.adapter_bytes)} of adapters")
    if memory.prompt_cache_bytes:
        parts.append(f"up to {size(memory.prompt_cache_bytes)} of earlier prompts")
    if memory.checkpoint_bytes:
        parts.append(f"up to {size(memory.checkpoint_bytes)} for {load.checkpoints} copies of each slot's state")
    parts.append(f"{size(memory.overhead_bytes)} of the engine itself")
    return f"It needs about {size(memory.total_bytes)}: {', '.join(parts)}."


def _places(plan: Plan) -> list[str]:
    if not plan.shares:
        how = "was measured to need" if plan.is_measured else "needs"
        return [f"In main memory it {how} {size(plan.needed_bytes)}; {size(plan.free_bytes)} are free for it."]
    told = [
        f"{share.layers} of {plan.layers} layers go to {share.accelerator.name}: {size(share.needed_bytes)} of "
        f"{size(share.free_bytes)} free there."
        for share in plan.shares
    ]
    if plan.gpu_layers < plan.layers:
        told.append(f"The processor computes the other {plan.layers - plan.gpu_layers}, which is slower.")
    if plan.load.projector_bytes and not plan.is_projector_on_gpu:
        told.append("The projector stays with the processor.")
    told.append(f"Main memory takes {size(plan.needed_bytes)}; {size(plan.free_bytes)} are free for it.")
    return told


def _verdict(plan: Plan) -> str:
    if plan.verdict == "fits":
        return "It fits."
    if plan.verdict == "tight":
        return "It fits tightly: whatever else needs memory may slow it down."
    if plan.fitting_context_tokens:
        return f"It does not fit; with a context of {plan.fitting_context_tokens} tokens it would."
    return "It does not fit with any context: choose a smaller model or quantisation, or free memory."
