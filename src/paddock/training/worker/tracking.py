"""Owns which trackers follow a training, and telling when one has ended before it; ends no training for that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paddock.jobs.ended import last_words
from paddock.jobs.folder import WORKER, JobFolder, Report
from paddock.masking import masked
from paddock.training.spec import TrainSpec
from paddock.training.trackers import address_of, trackers_of
from paddock.training.worker.ranks import Rank, number
from paddock.training.worker.tracker import WHOLE

# What follows a training, for `jobs/worker.py`.
_FOLLOWS = "paddock.training.worker.tracker"
# What is not handed on by then is left: a server that does not answer must not hold a training's end up.
_END_S = 60.0


class Tracked:
    """A voice that tells, beside all else, of trackers that have ended."""

    def __init__(self, job: JobFolder, report: Report | Rank) -> None:
        self._job = job
        self._report = report
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self, name: str, *, where: str, resumed: int) -> None:
        """Have a tracker follow what is told from now on. Raises OSError."""
        words = [
            sys.executable,
            "-I",
            WORKER,
            _FOLLOWS,
            str(self._job.root),
            name,
            str(self._report.number),
            str(resumed),
        ]
        with self._log(name).open("wb") as output:
            self._running[name] = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=output, stderr=output)
        self._report.tell("tracked", tracker=name, where=where)

    def tell(self, kind: str, **told: Any) -> None:
        """Tell something. Raises OSError."""
        self._report.tell(kind, **told)
        for name in [name for name, one in self._running.items() if one.poll() is not None]:
            self._gone(name)

    def close(self, *, is_whole: bool) -> None:
        """Wait until everything is handed on, within bounds."""
        for one in self._running.values():
            try:
                one.communicate(WHOLE.encode() if is_whole else b"", timeout=_END_S)
            except subprocess.TimeoutExpired:
                one.kill()
                one.communicate()
        for name in [name for name, one in self._running.items() if one.returncode]:
            self._gone(name)

    def _gone(self, name: str) -> None:
        del self._running[name]
        self._report.tell("tracker_failed", tracker=name, message=masked(last_words(self._log(name))))

    def _log(self, name: str) -> Path:
        return self._job.root / f"{name}.log"


@contextmanager
def tracked(job: JobFolder, report: Report | Rank, spec: TrainSpec, kept: Path, *, resumed: int) -> Generator[Tracked]:
    """The voice of a training for the length of a `with`, which its trackers follow.

    Args:
        job: the training's folder.
        report: where everything is told.
        spec: which trackers there are.
        kept: where they keep figures on this machine.
        resumed: the step that the training goes on behind.
    """
    voice = Tracked(job, report)
    is_whole = False
    try:
        # Of several processes the first speaks for all.
        for name, sends in trackers_of(spec.trackers).items() if number() == 0 else ():
            # An address may hold a password, and is told without it.
            where = masked(address_of(name)) if sends else str(kept / name)
            voice.begin(name, where=where, resumed=resumed)
        yield voice
        is_whole = True
    finally:
        voice.close(is_whole=is_whole)
