"""Owns how a job ended whose worker is gone, and how a worker tells what ended it; refuses to know what it did."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from paddock.jobs.folder import JobFolder
from paddock.paths import NO_ROOM, says_disk_is_full
from paddock.store.jobs import State


class Voice(Protocol):
    """What a job is told by."""

    def tell(self, kind: str, **told: Any) -> object:
        """Tell something. Raises OSError."""
        ...


Error = Mapping[str, str]
TOLD: dict[str, State] = {"done": "done", "stopped": "stopped", "cancelled": "cancelled"}
# How a worker ends that could not even tell that the disk is full: the number of that error.
DISK_FULL = errno.ENOSPC
_LINES = 3
_TAIL_BYTES = 8192


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to do: `resume` and `memory` are halves of a sentence, `disk` is one."""

    resume: str
    memory: str
    disk: str


def newest(before: Mapping[str, Any], event: Mapping[str, Any], kept: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The newest figures after an event, of which those of its kind are `kept`, and its number (`events`)."""
    named = {name: event[name] for name in kept.get(event["kind"], ()) if event.get(name) is not None}
    return {**before, **named, "events": event["number"]}


def concluded(folder: JobFolder, last: Mapping[str, Any] | None, advice: Advice) -> tuple[State, Error | None]:
    """By the worker's last word, else by how its keeper saw it end."""
    kind = str(last["kind"]) if last else ""
    if kind in TOLD:
        return TOLD[kind], None
    if kind == "failed" and last:
        return "failed", last["error"]
    code = folder.exit_code()
    if code in (-9, 137):
        return "failed", {
            "kind": "killed",
            "message": f"The worker was killed: most likely memory was short. {advice.resume}; {advice.memory}.",
        }
    if code == DISK_FULL:
        return "failed", {"kind": "disk", "message": advice.disk}
    if code is None:
        return "failed", {
            "kind": "lost",
            "message": f"The worker went away with the machine or by somebody's hand. {advice.resume}.",
        }
    return "failed", {"kind": "crashed", "message": f"The worker ended with {code}. {last_words(folder.output)}"}


def not_begun(fault: Exception, advice: Advice) -> Error:
    """Why a job failed whose worker was not begun, or not seen through."""
    if is_disk_full(fault):
        return {"kind": "disk", "message": advice.disk}
    return {"kind": "system", "message": str(fault)}


def broken(fault: Exception) -> Error:
    """Why a job failed by what nobody foresaw."""
    while isinstance(fault, ExceptionGroup):
        fault = cast("ExceptionGroup[Exception]", fault).exceptions[0]
    words = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
    return {
        "kind": "system",
        "message": f"A fault of paddock itself ended it ({words}). The server's log tells where; please report it.",
    }


def tell_failure(report: Voice, kind: str, words: str) -> int:
    """Tell why a worker fails; the status that it ends with."""
    try:
        report.tell("failed", error={"kind": kind, "message": words})
    except OSError:
        return DISK_FULL if kind == "disk" else 1
    return 1


def is_disk_full(error: BaseException) -> bool:
    """Whether that is what a library means."""
    return getattr(error, "errno", 0) in NO_ROOM or says_disk_is_full(str(error))


def is_memory_short(error: BaseException) -> bool:
    """Whether that is what a library means."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def peak_memory_bytes() -> int:
    """The most main memory that this process has taken; 0 where the system does not say (Windows)."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


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
