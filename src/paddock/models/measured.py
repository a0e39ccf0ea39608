"""Owns remembering how much memory a load was seen to need; measures nothing."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from paddock.errors import HomeUnusable
from paddock.paths import Home, write_whole

MOST_ENTRIES = 1000


def key_of(files: Sequence[Path], words: Sequence[str]) -> str:
    """What a load is remembered by: the files as they are now, by name, size and time, and the engine's words.

    Raises:
        OSError: a file is gone.
    """
    states = [(file.name, status.st_size, status.st_mtime_ns) for file in files for status in (file.stat(),)]
    return hashlib.sha256(json.dumps([states, list(words)]).encode()).hexdigest()


class Measured:
    """Peaks of memory by key, in one file of the data home. Blocks; may be called from any thread."""

    def __init__(self, home: Home) -> None:
        self._path = home.measured
        self._lock = threading.Lock()

    def get(self, key: str) -> int | None:
        """The bytes that a load was seen to need; None where it never was, or the file cannot be read."""
        return self._read().get(key)

    def put(self, key: str, size_bytes: int) -> None:
        """Remember a peak, if it is higher than what is known; the oldest entries leave beyond `MOST_ENTRIES`.

        Raises:
            HomeUnusable: the file cannot be written.
        """
        with self._lock:
            entries = self._read()
            size_bytes = max(size_bytes, entries.pop(key, 0))
            entries[key] = size_bytes
            kept = dict(list(entries.items())[-MOST_ENTRIES:])
            try:
                write_whole(self._path, json.dumps(kept, indent=0))
            except OSError as error:
                raise HomeUnusable(
                    f"'{self._path.name}' in the data home cannot be written ({error.strerror}). Mend its rights."
                ) from error

    def _read(self) -> dict[str, int]:
        try:
            data: object = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            # A file that somebody spoilt is as good as none: everything can be measured again.
            return {}
        entries = cast("dict[str, object]", data) if isinstance(data, dict) else {}
        return {key: value for key, value in entries.items() if type(value) is int and value > 0}
