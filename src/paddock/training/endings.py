"""Owns reading what a training's worker left: the newest figures, and how it ended; pure but for its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddock.jobs import ended
from paddock.jobs.ended import Error
from paddock.jobs.folder import JobFolder
from paddock.store.jobs import State

# What a worker tells in a dry run; `of` is what it would be else.
DRY_RUN = "dry_run"
DISK_IS_FULL = "The disk is full. Free space, and resume: it goes on from its last checkpoint, or from the beginning."
ADVICE = ended.Advice(
    resume="Resume goes on from the last checkpoint",
    memory="a lower batch_rows or context_tokens needs less",
    disk=DISK_IS_FULL,
)
# What is kept of an event as the newest figure of its name.
_FIGURES = {
    "started": ("torch", "threads", "processes"),
    "model": ("parameters", "trained_parameters"),
    "data": ("rows", "held_out", "too_long", "tokens", "trained_tokens"),
    "begins": ("steps", "step"),
    "step": (
        "step",
        "loss",
        "learning_rate",
        "gradient",
        "epoch",
        "tokens_per_s",
        "memory_bytes",
        "reward_margin",
        "reward_accuracy",
        "kl",
    ),
    "tried": ("answer",),
    "done": ("took_s", "peak_memory_bytes"),
}


def figures_of(before: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The newest figures after these events, and the number of the last of them (`events`)."""
    figures = dict(before)
    for event in told:
        kind = event["kind"]
        figures = ended.newest(figures, event, _FIGURES)
        if kind == DRY_RUN and event.get("tokens_per_s"):
            figures["dry_run_tokens_per_s"] = event["tokens_per_s"]
        if kind == "eval":
            figures["eval_loss"] = event["loss"]
            figures |= {"nearest_share": event["nearest_share"]} if "nearest_share" in event else {}
        elif kind == "checkpoint":
            figures["checkpoint"] = event["step"]
        elif kind == "artifact":
            figures["artifacts"] = {**figures.get("artifacts", {}), event["name"]: event["path"]}
    return figures


def concluded(folder: JobFolder, last: Mapping[str, Any] | None) -> tuple[State, Error | None]:
    """How a training ended whose worker is gone: by its last word, else by how its keeper saw it end."""
    if last and last["kind"] == DRY_RUN and last["of"] in ended.TOLD:
        return ended.TOLD[last["of"]], None
    if last and last["kind"] == "tried":
        return "done", None
    return ended.concluded(folder, last, ADVICE)
