"""Owns running other programs for as long as nobody wishes the worker to stop; refuses to know what they do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from paddock.engine.child import die_with_parent
from paddock.errors import PaddockError
from paddock.jobs.folder import JobFolder
from paddock.models.converting import refuse_full

_LOOK_EVERY_S = 0.2
_LINES = 3


class Wished(PaddockError):
    """Somebody wished the worker to stop."""


def runner(job: JobFolder) -> Callable[[list[str]], subprocess.CompletedProcess[str]]:
    """Runs a program to its end, and ends it with a wish. What it runs raises Wished or OSError.

    It runs in the job's folder, and is told files there by their names within it: some write into what they make where
    that was made of, which is nobody else's to know. Where the worker is killed, it is too, on Linux.
    """

    def within(word: str) -> str:
        path = Path(word)
        return str(path.relative_to(job.root)) if path.is_relative_to(job.root) else word

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        with subprocess.Popen(
            [words[0], *map(within, words[1:])],
            cwd=job.root,
            # Set between fork and exec, where nothing is loaded any more.
            preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as program:
            while True:
                try:
                    out, err = program.communicate(timeout=_LOOK_EVERY_S)
                    return subprocess.CompletedProcess(words, program.returncode, out, err)
                except subprocess.TimeoutExpired:
                    if job.wish():
                        program.kill()
                        raise Wished("It was stopped.") from None

    return run


def must(done: subprocess.CompletedProcess[str], what: str) -> None:
    """Print what a program printed. Raises PaddockError where it failed, with its last words, or OSError."""
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode:
        refuse_full(done)
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        words = " / ".join(lines[-_LINES:]) or f"it ended with {done.returncode} and said nothing"
        raise PaddockError(f"{what}: {words} (output.log holds more)")


def stopwatch() -> Callable[[], float]:
    """Seconds since it was made."""
    begun_s = time.monotonic()
    return lambda: round(time.monotonic() - begun_s, 2)
