"""Owns whether the process that was making an answer still does; refuses to know what an answer is.

Covered: processes of this host, at once; those of other hosts on the same database, by their silence. No clock of the
system's is asked: another host's may differ, and this one's may be set.
"""

from __future__ import annotations

import socket
import time

from paddock import process

# What makes an answer says so each second.
_SILENT_S = 60.0


def name_of_this() -> str:
    """This process, among all of all hosts."""
    return f"{socket.gethostname()}/{process.this()}"


class Workers:
    """Those whose answers are looked at, again and again."""

    def __init__(self) -> None:
        # What each of another host said last, and since when it has said no more, by this process's own time.
        self._heard: dict[str, tuple[float, float]] = {}

    def is_gone(self, worker: str | None, beat_s: float | None) -> bool:
        """Whether nobody works any more on what `worker` was making, and last said so at `beat_s`."""
        host, _, name = (worker or "").partition("/")
        if host == socket.gethostname():
            return not process.is_there(name)
        return worker is None or beat_s is None or self._is_silent(worker, beat_s)

    def _is_silent(self, worker: str, beat_s: float) -> bool:
        now_s = time.monotonic()
        last_s, since_s = self._heard.get(worker, (beat_s, now_s))
        if beat_s > last_s:
            since_s = now_s
        self._heard[worker] = max(beat_s, last_s), since_s
        return now_s - since_s > _SILENT_S
