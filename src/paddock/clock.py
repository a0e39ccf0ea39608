"""Owns the time by which things are forgotten: how long paddock has lived, whatever the system's clock says.

A clock that is wrong, from its first moment or by a jump, must delete nothing. So what is kept is stamped by `stamp_s`
and its age is told by `lived_s`, which no jump takes far: it runs while paddock runs, and counts the time between, by
the system's clock, as a day at most. The mark in the home carries it from one process to the next. Where the two
disagree, `stamp_s` is the later and `lived_s` the earlier: what is kept stays for too long rather than too short.

What people are shown, and when a key or a session ends, goes by the system's clock.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from typing import cast

import anyio
import anyio.to_thread

from paddock.paths import Home, alone, write_whole

_log = logging.getLogger(__name__)
# The most that a time counts in which paddock did not run, and so the most that a jump of the clock takes.
OFF_MOST_S = 86400.0
_MARKED_EVERY_S = 300.0
_BEGAN_S, _BEGAN_MONOTONIC_S = time.time(), time.monotonic()


class _Lived:
    """The time that one home has lived, as this process knows it; None until it is told of a home."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lived_s: float | None = None
        self._system_s = self._monotonic_s = 0.0

    def begin(self, lived_s: float, system_s: float) -> None:
        """Go on from where a home was when the system's clock said `system_s`."""
        with self._lock:
            self._lived_s, self._system_s, self._monotonic_s = lived_s, system_s, time.monotonic()

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
    """By which the age of what is kept is told, in seconds since 1970; 0 before `begin`: then nothing is old."""
    now = _lived.now()
    return now[0] if now else 0.0


def stamp_s() -> float:
    """When something was kept, in seconds since 1970; never before what `lived_s` said."""
    return max(time.time(), lived_s())


def steady_s() -> float:
    """Seconds since 1970 by the clock as it stood when this process began: no later jump moves it."""
    return _BEGAN_S + time.monotonic() - _BEGAN_MONOTONIC_S


def begin(home: Home) -> None:
    """Go on from the home's mark. Blocks."""
    now_s = time.time()
    _lived.begin(*(_read(home) or (now_s, now_s)))
    _mark(home)


async def keep(home: Home, ended: anyio.Event) -> None:
    """Move the home's mark from time to time, until `ended`, and once then."""
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


def _read(home: Home) -> tuple[float, float] | None:
    """The mark of a home; None where there is none to be read."""
    try:
        said = cast("dict[str, float]", json.loads(home.clock.read_text("utf-8")))
        mark = float(said["lived_s"]), float(said["system_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return mark if all(map(math.isfinite, mark)) else None
