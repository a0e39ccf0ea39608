"""Owns keeping a worker company: `python -m paddock.jobs.keeper FOLDER WORD…` starts it, waits, and notes how it ended.

It leaves whoever started it at once, so that neither the server's end nor its terminal's ends the worker; and the note
is there whoever looks, also a server that was started later. Python's standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from paddock.jobs.ended import DISK_FULL, is_disk_full
from paddock.jobs.folder import JobFolder

_HELD = 3


def main(root: str, words: list[str]) -> int:
    """Start a worker and return, while a copy of this process waits for it.

    3: the job is worked on already; DISK_FULL: the disk has no room for how it will end.
    """
    job = JobFolder(root=Path(root))
    lock = job.keeper_lock()
    try:
        if job.is_alive() or not lock.take():
            return _HELD
        job.begin_exit()
        job.output.touch()
    except OSError as error:
        if is_disk_full(error):
            return DISK_FULL
        raise
    if sys.platform != "win32":
        # The lock goes to the copy with the file that holds it.
        if os.fork():
            os._exit(0)
        os.setsid()
    _keep(job, words)
    return 0


def _keep(job: JobFolder, words: list[str]) -> None:
    with job.output.open("ab") as output:
        for stream in (0, 1, 2):
            # Whoever waits for this program's streams to end must not wait for the worker's.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        try:
            code = subprocess.call(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=job.root)
        except OSError as error:
            output.write(f"{words[0]} cannot be started: {error}\n".encode())
            code = 127
    job.note_exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
