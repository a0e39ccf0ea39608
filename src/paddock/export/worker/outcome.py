"""Owns how an export's end is told: done, stopped, or failed and why; refuses to know how files are made."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable

from paddock.errors import PaddockError
from paddock.export.endings import DISK_IS_FULL, MEMORY_IS_SHORT
from paddock.export.worker.ledger import Ledger
from paddock.export.worker.programs import Wished
from paddock.jobs.ended import is_disk_full, is_memory_short, peak_memory_bytes, tell_failure
from paddock.jobs.folder import JobFolder, Report


def told(job: JobFolder, report: Report) -> int:
    """Export what is ordered, and tell how it ended; 0 where it went well."""

    def work() -> str:
        from paddock.export.worker.steps import Work

        return Work(job, report).carry_out()

    return seen_through(job, report, work, disk=DISK_IS_FULL, memory=MEMORY_IS_SHORT)


def seen_through(job: JobFolder, report: Report, work: Callable[[], str], *, disk: str, memory: str) -> int:
    """Work, and tell how it ended; `disk` and `memory` are said where these are short. 0 where it went well."""
    begun_s = time.monotonic()
    try:
        ending = work()
    except Wished:
        ending = "stopped" if job.wish() == "save" else "cancelled"
    except Exception as error:  # the libraries raise what they like, and each of it is told
        if is_disk_full(error):
            # What was not written to its end is of no use, and may be all the room there is to tell of it.
            Ledger(job.root).clear_halves()
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return tell_failure(report, *_of_library(error, disk=disk, memory=memory))
    report.tell(ending, took_s=round(time.monotonic() - begun_s, 2), peak_memory_bytes=peak_memory_bytes())
    return 0


def _of_library(error: Exception, *, disk: str, memory: str) -> tuple[str, str]:
    if is_memory_short(error):
        return "memory", memory
    if is_disk_full(error):
        return "disk", disk
    if isinstance(error, PaddockError):
        return "export", error.message
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "system" if isinstance(error, OSError) else "export", f"{said} output.log holds more."
