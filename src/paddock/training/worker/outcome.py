"""Owns how a training's end is told: done, stopped, or failed and why; refuses to know how it trains."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from typing import Any

from paddock.errors import PaddockError
from paddock.jobs.ended import is_disk_full, is_memory_short, peak_memory_bytes, tell_failure
from paddock.jobs.folder import JobFolder, Report
from paddock.training.endings import DISK_IS_FULL, DRY_RUN
from paddock.training.worker.checkpoints import clear_halves
from paddock.training.worker.ranks import Rank, forget_others


class Diverged(PaddockError):
    """The loss is no number any more, or far beyond what it began with."""


class DryReport:
    """The voice of a worker that only tries: none of it is a figure of the training."""

    def __init__(self, report: Report | Rank) -> None:
        self._report = report

    def tell(self, kind: str, **told: Any) -> None:
        """Tell something. Raises OSError."""
        self._report.tell(DRY_RUN, of=kind, **told)


def told(job: JobFolder, report: Report | Rank) -> int:
    """Train what is ordered, or have several processes do it, and tell how it ended; 0 where it went well."""
    if isinstance(report, Report):
        from paddock.training.worker.launching import is_shared, launched

        forget_others(os.environ)
        if is_shared(job):
            return launched(job)
    begun_s = time.monotonic()
    try:
        from paddock.training.worker.learning import learn

        ending = learn(job, report)
    except Diverged as error:
        return tell_failure(report, "diverged", error.message)
    except PaddockError as error:
        is_data = getattr(error, "param", "") in ("data", "eval_data")
        return tell_failure(report, "data" if is_data else "spec", error.message)
    except MemoryError:
        return tell_failure(report, "memory", _MEMORY)
    except Exception as error:  # the libraries raise what they like, and each of it is told
        kind, words = _of_library(error)
        if kind == "disk":
            # What was not written to its end is of no use, and may be all the room there is to tell of it.
            clear_halves(job)
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return tell_failure(report, kind, words)
    voice = DryReport(report) if job.order().get(DRY_RUN) else report
    voice.tell(ending, took_s=round(time.monotonic() - begun_s, 2), peak_memory_bytes=peak_memory_bytes())
    return 0


_MEMORY = "There was not enough memory. Lower batch_rows or context_tokens, say saves_memory, or train a smaller model."


def _of_library(error: Exception) -> tuple[str, str]:
    if is_memory_short(error):
        return "memory", _MEMORY
    if is_disk_full(error):
        return "disk", DISK_IS_FULL
    said = str(error).splitlines()[0] if str(error) else "No reason was given."
    return "system" if isinstance(error, OSError) else "training", f"{said} output.log holds more."
