"""Owns reading what a training's worker left: the newest figures, and how it ended; pure but for its folder."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paddock.jobs.folder import JobFolder
from paddock.store.jobs import State

Error = Mapping[str, str]
_TOLD: dict[str, State] = {"done": "done", "stopped": "stopped", "cancelled": "cancelled", "tried": "done"}
# What a worker tells in a dry run; `of` is what it would be else.
DRY_RUN = "dry_run"
# How a worker ends that could not even tell that the disk is full: the number of that error.
DISK_FULL = errno.ENOSPC
DISK_IS_FULL = "The disk is full. Free space, and resume: the last checkpoint is whole."
_LINES = 3
_TAIL_BYTES = 8192
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
        figures |= {name: event[name] for name in _FIGURES.get(kind, ()) if event.get(name) is not None}
        if kind == DRY_RUN and event.get("tokens_per_s"):
            figures["dry_run_tokens_per_s"] = event["tokens_per_s"]
        if kind == "eval":
            figures["eval_loss"] = event["loss"]
            figures |= {"nearest_share": event["nearest_share"]} if "nearest_share" in event else {}
        elif kind == "checkpoint":
            figures["checkpoint"] = event["step"]
        elif kind == "artifact":
            figures["artifacts"] = {**figures.get("artifacts", {}), event["name"]: event["path"]}
        figures["events"] = event["number"]
    return figures


def concluded(folder: JobFolder, last: Mapping[str, Any] | None) -> tuple[State, Error | None]:
    """How a training ended whose worker is gone: by its last word, else by how its keeper saw it end."""
    kind = str(last["kind"]) if last else ""
    if last and kind == DRY_RUN and last["of"] in _TOLD:
        return _TOLD[last["of"]], None
    if kind in _TOLD:
        return _TOLD[kind], None
    if kind == "failed" and last:
        return "failed", last["error"]
    code = folder.exit_code()
    if code in (-9, 137):
        return "failed", {
            "kind": "killed",
            "message": "The worker was killed: most likely memory was short. Resume goes on from the last "
            "checkpoint; a lower batch_rows or context_tokens needs less.",
        }
    if code == DISK_FULL:
        return "failed", {"kind": "disk", "message": DISK_IS_FULL}
    if code is None:
        return "failed", {
            "kind": "lost",
            "message": "The worker went away with the machine or by somebody's hand. Resume goes on from the last "
            "checkpoint.",
        }
    return "failed", {"kind": "crashed", "message": f"The worker ended with {code}. {last_words(folder.output)}"}


def last_words(output: Path) -> str:
    """The last lines of what a process printed, as a sentence."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return "It left no output."
    words = [line.strip() for line in lines if line.strip()]
    return f"Its last words: {' / '.join(words[-_LINES:])}" if words else "It printed nothing."
