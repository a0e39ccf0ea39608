"""Owns which of several paddocks on one data home works on something; refuses to know on what.

The system lets go of the lock when its holder dies, however that comes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO


class Ownership:
    """A lock on a file, held until `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._file is not None

    def take(self) -> bool:
        """Have it, if nobody else does. OSError is left to the caller."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+b")
            if _locked(file):
                self._file = file
            else:
                file.close()
        return self.is_held

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
