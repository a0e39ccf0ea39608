"""Owns how a training's end is told: done, stopped, or failed and why; refuses to know how it trains."""

from __future__ import annotations

import contextlib
import errno
import resource
import sys
import time
import traceback
from typing import Any, Protocol

from paddock.errors import PaddockError
from paddock.jobs.folder import JobFolder, Report
from paddock.training.endings import DISK_FULL, DISK_IS_FULL, DRY_RUN
from paddock.training.worker.checkpoints import clear_halves
from paddock.training.worker.ranks import Rank


class Diverged(PaddockError):
    """The loss is no number any more, or far beyond what it began with."""


class DryReport:
    """The voice of a worker that only tries: none of it is a figure of the training."""

    def __init__(self, report: Report | Rank) -> None:
        self._report = report

    def tell(self, kind: str, **told: Any) -> None:
        """Tell something. Raises OSError."""
        self._report.tell(DRY_RUN, of=kind, **told)


class Voice(Protocol):
    """What a training is told by."""

    def tell(self, kind: str, **told: Any) -> object:
        """Tell something. Raises OSError."""
        ...


def told(job: JobFolder, report: Report | Rank) -> int:
    """Train what is ordered, and tell how it ended; 0 where it went well."""
    begun_s = time.monotonic()
    try:
        from paddock.training.worker.learning import learn

        ending = learn(job, report)
    except Diverged as error:
        return failed(report, "diverged", error.message)
    except PaddockError as error:
        return failed(report, "data" if getattr(error, "param", "") in ("data", "eval_data") else "spec", error.message)
    except MemoryError:
        return failed(report, "memory", _MEMORY)
    except Exception as error:  # the libraries raise what they like, and each of it is told
        kind, words = _of_library(error)
        if kind == "disk":
            # What was not written to its end is of no use, and may be all the room there is to tell of it.
            clear_halves(job)
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return failed(report, kind, words)
    voice = DryReport(report) if job.order().get(DRY_RUN) else report
    voice.tell(ending, took_s=round(time.monotonic() - begun_s, 2), peak_memory_bytes=peak_memory_bytes())
    return 0


# How libraries tell of a full disk, beside the number.
_FULL = ("no space left", "enospc", "filewrite")
_MEMORY = "There was not enough memory. Lower batch_rows or context_tokens, say saves_memory, or train a smaller model."


def failed(report: Report | Rank, kind: str, words: str) -> int:
    """Tell that it failed, and why; the worker's exit status."""
    try:
        report.tell("failed", error={"kind": kind, "message": words})
    except OSError:
        return DISK_FULL if kind == "disk" else 1
    return 1


def _of_library(error: Exception) -> tuple[str, str]:
    text = str(error).lower()
    if "out of memory" in text or "can't allocate memory" in text:
        return "memory", _MEMORY
    if getattr(error, "errno", 0) == errno.ENOSPC or any(word in text for word in _FULL):
        return "disk", DISK_IS_FULL
    said = str(error).splitlines()[0] if str(error) else "No reason was given."
    return "system" if isinstance(error, OSError) else "training", f"{said} output.log holds more."


def peak_memory_bytes() -> int:
    """The most main memory that this process has taken."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
