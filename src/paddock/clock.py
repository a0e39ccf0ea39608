"""Owns the time by which things are forgotten: seconds since 1970 that no jump of the system's clock moves.

A clock that is set a year ahead by mistake must delete nothing. So the age of what is kept is told by the clock as it
stood when this process began, and how long it has run since. What people are shown, and when a key or a session ends,
goes by the system's clock.
"""

from __future__ import annotations

import time

_BEGAN_S, _BEGAN_MONOTONIC_S = time.time(), time.monotonic()


def steady_s() -> float:
    """Seconds since 1970, as far as this process can tell without looking at the system's clock again."""
    return _BEGAN_S + time.monotonic() - _BEGAN_MONOTONIC_S
