"""Owns making a checkpoint, and the model it began as, files that an engine loads; gives way to whoever else works.

A training may be at work beside it: nothing of it is locked or written to, and processors are left to it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from paddock.export.bases import is_in_4_bits
from paddock.export.endings import TRY_DISK_IS_FULL, TRY_MEMORY_IS_SHORT
from paddock.export.worker.outcome import seen_through
from paddock.export.worker.programs import runner
from paddock.jobs.folder import JobFolder, Report
from paddock.models import converting

_NICENESS = 15


def told(job: JobFolder, report: Report) -> int:
    """Make what is ordered, and tell how it ended; 0 where it went well."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    # Before torch is imported, which heeds it then; programs that are started here do, too.
    os.environ["OMP_NUM_THREADS"] = "1"
    return seen_through(job, report, lambda: _made(job, report), disk=TRY_DISK_IS_FULL, memory=TRY_MEMORY_IS_SHORT)


def _made(job: JobFolder, report: Report) -> str:
    """Make it, and "done". Raises PaddockError, OSError or Wished."""
    order: dict[str, Any] = job.order()
    base, checkpoint = Path(order["base"]), Path(order["checkpoint"])
    target = Path(order["target"])
    with tempfile.TemporaryDirectory(prefix=".try-", suffix=".draft", dir=target.parent) as folder:
        if order["base_target"] and not (of_base := Path(order["base_target"])).is_file():
            report.tell("step", doing="base")
            base = _in_whole_numbers(base, Path(folder))
            _convert(job, "model", base, of_base)
            report.tell("artifact", name="base", path=str(of_base), size_bytes=of_base.stat().st_size)
        report.tell("step", doing="checkpoint")
        if order["form"] == "adapter":
            _convert(job, "adapter", checkpoint, target, "--base", str(base))
        elif order["form"] == "merged":
            from paddock.export.worker.merging import merge
            from paddock.export.worker.source import Source

            merge(Source(base=_in_whole_numbers(base, Path(folder)), adapter=checkpoint), Path(folder) / "merged")
            _convert(job, "model", Path(folder) / "merged", target)
        else:
            _convert(job, "model", checkpoint, target)
    report.tell("artifact", name="checkpoint", path=str(target), size_bytes=target.stat().st_size)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return "done"


def _in_whole_numbers(base: Path, folder: Path) -> Path:
    """A base, or what its 4 bits stand for, in a folder. Raises PaddockError or OSError."""
    if not is_in_4_bits(base):
        return base
    # Slow to import, and of no use to other bases.
    from paddock.export.worker.dequantising import dequantise

    made = folder / base.name
    dequantise(base, made)
    return made


def _convert(job: JobFolder, kind: Any, source: Path, target: Path, *more: str) -> None:
    converting.convert(kind, source, target, *more, run=runner(job))
