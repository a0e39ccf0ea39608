"""Owns the time by which things are forgotten and end: how long paddock has lived, whatever the system's clock says.

A clock that is wrong, from its first moment or by a jump, must delete nothing. So what is kept is stamped by `stamp_s`
and its age is told by `lived_s`, which no jump takes far: it runs while paddock runs, and counts the time between, by
the system's clock, as a day at most. The mark in the home carries it from one process to the next; a home without one
goes on from the newest that it holds. Where that and the system's clock disagree, `stamp_s` is the later and `lived_s`
the earlier: what is kept stays for too long rather than too short.

Who is let in until some time is let in by `stamp_s`, from the making to the end: a clock that goes back lets nobody in
again. What people are shown goes by the system's clock.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from paddock.paths import Home, alone, write_whole

if TYPE_CHECKING:
    import anyio

_log = logging.getLogger(__name__)
# The most that a time counts in which paddock did not run, and so the most that a jump of the clock takes.
OFF_MOST_S = 86400.0
# What was given from later on was given by a clock that was ahead, and would hold until long after its end.
AHEAD_MOST_S = 86400.0
_MARKED_EVERY_S = 300.0
# When this was written, 2026-11-28: no home began before. A machine whose clock has no battery begins in 1970.
_WRITTEN_S = 1795824000.0
BEGAN_S, _BEGAN_MONOTONIC_S = time.time(), time.monotonic()


class _Lived:
    """The time that one home has lived, as this process knows it; None until it is told of a home."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lived_s: float | None = None
        self._system_s = self._monotonic_s = 0.0

    def begin(self, mark: tuple[float, float] | None) -> None:
        """Go on from what a home had lived, and what the system's clock said then; None: not yet."""
        with self._lock:
            self._lived_s, self._system_s = mark or (None, 0.0)
            self._monotonic_s = time.monotonic()

    def now(self) -> tuple[float, float] | None:
        """What it has lived, and the system's clock at that."""
        with self._lock:
            if self._lived_s is None:
                return None
            system_s, monotonic_s = time.time(), time.monotonic()
            ran_s = monotonic_s - self._monotonic_s
            # A machine that slept, a paddock that was off, or a clock that was set.
            off_s = system_s - self._system_s - ran_s
            self._lived_s += ran_s + min(max(off_s, 0.0), OFF_MOST_S)
            self._system_s, self._monotonic_s = system_s, monotonic_s
            return self._lived_s, system_s


_lived = _Lived()


def lived_s() -> float:
    """By which the age of what is kept is told, in seconds since 1970; 0 before it began: then nothing is old."""
    now = _lived.now()
    # What other homes on one database stamped by a right clock is not judged by a mark that began far ahead.
    return min(now) if now else 0.0


def stamp_s() -> float:
    """When something was kept or given, or whether that has ended, in seconds since 1970.

    Never before what this home has lived.
    """
    return max(_lived.now() or (time.time(),))


def steady_s() -> float:
    """Seconds since 1970 by the clock as it stood when this process began: no later jump moves it."""
    return BEGAN_S + time.monotonic() - _BEGAN_MONOTONIC_S


def begin(home: Home) -> bool:
    """Go on from the home's mark; whether there is one. Without, nothing is old until `begin_at`. Blocks."""
    mark = _read(home)
    _lived.begin(mark)
    _mark(home)
    return mark is not None


def begin_at(home: Home, newest_s: float | None) -> None:
    """Go on from the newest that a home's database tells of, else from its newest file, else from now. Blocks."""
    if newest_s is None:
        kept = [*home.requests.glob("*"), *home.slots.glob("*")]
        newest_s = max(map(_written_s, kept), default=None)
    begun_s = max(newest_s or time.time(), _WRITTEN_S)
    _lived.begin((begun_s, begun_s))
    _mark(home)


async def keep(home: Home, ended: anyio.Event) -> None:
    """Move the home's mark from time to time, until `ended`, and once then."""
    import anyio
    import anyio.to_thread

    while not ended.is_set():
        with anyio.move_on_after(_MARKED_EVERY_S):
            await ended.wait()
        await anyio.to_thread.run_sync(_mark, home)


def _mark(home: Home) -> None:
    """Write down where this home is; a home that cannot be written goes by what it last was."""
    now = _lived.now()
    if now is None:
        return
    try:
        with alone(home.clock):
            before = _read(home)
            lived_s = max(now[0], before[0] if before else 0.0)
            write_whole(home.clock, json.dumps({"lived_s": lived_s, "system_s": now[1]}))
    except OSError as error:
        _log.warning("the mark of the time that this home has lived was not written: %s", error)


def _written_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read(home: Home) -> tuple[float, float] | None:
    """The mark of a home; None where there is none to be read."""
    try:
        said = cast("dict[str, float]", json.loads(home.clock.read_text("utf-8")))
        mark = float(said["lived_s"]), float(said["system_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return mark if all(map(math.isfinite, mark)) else None
