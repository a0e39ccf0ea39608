"""Owns what is known of a remote engine's health, and when it is not to be asked; contacts nobody..

Times `now_s` are on a monotonic clock, given by the caller; `at_s` are seconds since 1970, for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["not asked", "ok", "unreachable", "key refused"]

_FAILURES_MOST = 3
_BACKOFF_FIRST_S = 1.0
_BACKOFF_MOST_S = 30.0
_KEY_REFUSED = (401, 403)


@dataclass(kw_only=True)
class Health:
    """One remote's. `since_at_s` is when the present state began, `checked_at_s` when it was last shown."""

    state: State = "not asked"
    reason: str = ""
    since_at_s: float | None = None
    checked_at_s: float | None = None
    failures: int = 0
    retry_s: float = 0.0

    def answered(self, status: int, *, at_s: float) -> None:
        """It answered, with whatever HTTP status: it is there."""
        self.failures, self.retry_s = 0, 0.0
        is_refused = status in _KEY_REFUSED
        self._become("key refused" if is_refused else "ok", f"it answered {status}" if is_refused else "", at_s)

    def failed(self, reason: str, *, now_s: float, at_s: float) -> None:
        """It could not be reached, or was lost. From the third time in a row it is left alone, longer each time."""
        self.failures += 1
        steps = self.failures - _FAILURES_MOST
        # No larger exponent: the product is cut in any case.
        self.retry_s = now_s + min(_BACKOFF_MOST_S, _BACKOFF_FIRST_S * 2 ** min(steps, 8)) if steps >= 0 else 0.0
        self._become("unreachable", reason, at_s)

    def is_resting(self, now_s: float) -> bool:
        """Whether it is to be left alone now, and requests are answered with the last reason."""
        return now_s < self.retry_s

    def _become(self, state: State, reason: str, at_s: float) -> None:
        if state != self.state:
            self.since_at_s = at_s
        self.state, self.reason, self.checked_at_s = state, reason, at_s
