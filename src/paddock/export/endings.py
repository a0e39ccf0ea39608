"""Owns reading what an export's worker told: the newest figures, and how it ended; pure but for its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddock.jobs import ended
from paddock.jobs.folder import JobFolder
from paddock.store.jobs import State

DISK_IS_FULL = "The disk is full. Free space, and resume: what was made before is whole, and is not made again."
MEMORY_IS_SHORT = "There was not enough memory. The source is held in 32 bits while it is compared."
ADVICE = ended.Advice(
    resume="Resume goes on from the last step that is whole",
    memory="nothing else of that size should run beside it",
    disk=DISK_IS_FULL,
)
TRY_DISK_IS_FULL = "The disk is full. Free space, and try the checkpoint again."
TRY_MEMORY_IS_SHORT = "There was not enough memory. Try the checkpoint again when less runs beside it."
TRY_ADVICE = ended.Advice(resume="Try the checkpoint again", memory="less should run beside it", disk=TRY_DISK_IS_FULL)
_FIGURES = {
    "started": ("torch", "quantiser"),
    "step": ("step", "steps", "doing"),
    "progress": ("progress",),
    "done": ("took_s", "peak_memory_bytes"),
}


def figures_of(before: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The newest figures after these events, and the number of the last of them (`events`)."""
    figures = dict(before)
    for event in told:
        kind = event["kind"]
        figures = ended.newest(figures, event, _FIGURES)
        if kind == "artifact":
            made = {"path": event["path"], "size_bytes": event["size_bytes"]}
            figures["artifacts"] = {**figures.get("artifacts", {}), event["name"]: made}
        elif kind == "certificate":
            said = {"verdict": event["verdict"], "links": event["links"], "path": event["path"]}
            # Workers of before told nothing of it.
            said["changed"] = event.get("changed", [])
            figures["certificates"] = {**figures.get("certificates", {}), event["name"]: said}
    return figures


def concluded(folder: JobFolder, last: Mapping[str, Any] | None) -> tuple[State, ended.Error | None]:
    """How an export ended whose worker is gone."""
    return ended.concluded(folder, last, ADVICE)


def tried(folder: JobFolder, last: Mapping[str, Any] | None) -> tuple[State, ended.Error | None]:
    """How it ended that a checkpoint was made ready to be tried."""
    return ended.concluded(folder, last, TRY_ADVICE)
