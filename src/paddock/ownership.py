"""Owns which of several paddocks on one data home holds something, and what the holders say; refuses to know of what.

The system lets go of the lock when its holder dies, however that comes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, cast

# Windows keeps others from reading what is locked: the lock lies far behind the note.
_LOCKED_BYTE = 2**20
# More paddocks than that work on no data home.
_MOST_AT_ONCE = 256


class Ownership:
    """A lock on a file, held until `release`. What its holder notes in the file, others can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._file is not None

    def take(self, **more: str | int) -> bool:
        """Have it, if nobody else does, and note who has it, with `more`. OSError is left to the caller."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+b")
            if not _locked(file):
                file.close()
                return False
            self._file = file
            self.note(**more)
        return True

    def note(self, **more: str | int) -> None:
        """Say anew who has it, with `more`."""
        assert self._file
        # On a full disk the lock holds all the same; it only does not say whose it is.
        with contextlib.suppress(OSError):
            self._file.truncate(0)
            self._file.write(json.dumps({"pid": os.getpid(), "started_s": int(time.time()), **more}).encode())
            self._file.flush()

    def holder(self) -> dict[str, Any]:
        """What the holder noted: its `pid`, `started_s` (of the epoch) and more; empty where it cannot be read."""
        try:
            said: object = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return cast("dict[str, Any]", said) if isinstance(said, dict) else {}

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def joined(folder: Path) -> Ownership:
    """A lock of its own for each of many that may be there at once: the first of a folder that nobody has.

    Raises OSError where nothing can be locked.
    """
    for number in range(1, _MOST_AT_ONCE + 1):
        lock = Ownership(folder / f"{number}.lock")
        if lock.take():
            return lock
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def holders(folder: Path) -> list[dict[str, Any]]:
    """What each of those noted that have a lock of that folder. Raises OSError."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.lock")):
        lock = Ownership(path)
        if not lock.take():
            found.append(lock.holder())
        lock.release()
    return found


def _locked(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
