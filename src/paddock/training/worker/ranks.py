"""Owns what each of several processes that train together does otherwise than one that trains alone.

They do the same in step; the first of them speaks for all. Refuses to know what started them: torch's launcher and Ray
both say by the environment which of how many a process is.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from paddock.engine.child import die_with_parent
from paddock.jobs.folder import JobFolder, Report, Wish

_SAID = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_WISHES: tuple[Wish | None, ...] = (None, "save", "cancel")
_HELD = 3


def number() -> int:
    """Which of the processes this is, from 0 on."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def forget_others(environ: MutableMapping[str, str]) -> None:
    """Take out what says that a process is one of several: whoever started the server may have been one."""
    for name in _SAID:
        environ.pop(name, None)


class Rank:
    """The voice of one of several: what the first tells is told, and why any of them failed is noted for the worker."""

    def __init__(self, job: JobFolder) -> None:
        self._job = job
        self._report = Report(job) if number() == 0 else None

    @property
    def number(self) -> int:
        """That of the last event that was told."""
        return self._report.number if self._report else 0

    def tell(self, kind: str, **told: Any) -> None:
        """Tell something. Raises OSError."""
        if kind == "failed":
            self._job.note_fault(told["error"])
        elif self._report:
            self._report.tell(kind, **told)

    def close(self) -> None:
        """Tell no more."""
        if self._report:
            self._report.close()


def beside(folder: str, *_: str) -> int:
    """Do one process's share of what lies in a job's folder. 0 went well, 1 failed and noted so."""
    from paddock.training.worker.outcome import told

    if threading.current_thread() is threading.main_thread():
        # Ray has threads and parents of its own, and ends what it started.
        die_with_parent()
        # Whoever ends the machine's session tells all of them, and the one that started them asks for a checkpoint.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job = JobFolder(root=Path(folder))
    lock = job.first_lock()
    if number() == 0 and not lock.take():
        return _HELD
    voice = Rank(job)
    try:
        return told(job, voice)
    finally:
        voice.close()
        lock.release()


def threads_each() -> int:
    """Processor threads for each of the processes on this machine, if nobody says how many."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, (os.cpu_count() or 1) // beside)


def prepare() -> None:
    """Share the processor with the others, before anything is loaded."""
    if "RANK" not in os.environ:
        return
    import torch

    torch.set_num_threads(threads_each())
    if not torch.cuda.is_available():
        # Else each takes a processor of its own number, which torch cannot read a checkpoint for.
        os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"


def agreed(wish: Wish | None, device: Any) -> Wish | None:
    """What the first of them saw: all stop after the same step, or those that go on would wait for the others."""
    if count() == 1:
        return wish
    import torch

    said = torch.tensor([_WISHES.index(wish)], device=device)
    torch.distributed.broadcast(said, src=0)
    return _WISHES[int(said.item())]


def meet() -> None:
    """Wait until all are here."""
    if count() > 1:
        import torch

        torch.distributed.barrier()
