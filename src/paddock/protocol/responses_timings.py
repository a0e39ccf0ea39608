"""Owns how long the parts of a response took, by a clock that is handed in and by what the engine measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from paddock.protocol.shape import as_object

_DIGITS = 4


class Stopwatch:
    """The clock of one response, started when it is made.

    Args:
        clock: seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began_s = clock()
        self._first_s: float | None = None
        self._over_s: float | None = None
        self.engine: dict[str, Any] = {}

    def now(self) -> float:
        """The time, for a piece of the answer that begins or ends; the first one ends the wait."""
        now_s = self._clock()
        self._first_s = now_s if self._first_s is None else self._first_s
        return now_s

    def stop(self) -> None:
        """The response is over; only the first call counts."""
        if self._over_s is None:
            self._over_s = self._clock()

    def told(self, usage: dict[str, Any] | None, thoughts_s: Sequence[float]) -> dict[str, Any]:
        """The `timings` of a response that is over; what nobody knows is null.

        Args:
            usage: that of the response.
            thoughts_s: how long each of its thoughts took.
        """
        over_s = self._over_s if self._over_s is not None else self._clock()
        wait_s = self._first_s - self._began_s if self._first_s is not None else None
        engine, counted = self.engine, usage or {}
        details = as_object(counted.get("input_tokens_details")) or {}
        output_s = _seconds(engine.get("predicted_ms"))
        if output_s is None and self._first_s is not None:
            output_s = over_s - self._first_s
        output_tokens = engine.get("predicted_n", counted.get("output_tokens"))
        prompt_s = _seconds(engine.get("prompt_ms"))
        read = engine.get("prompt_n")
        if read is None and usage is not None:
            read = counted.get("input_tokens", 0) - (details.get("cached_tokens") or 0)
        return {
            "wait_s": _short(wait_s),
            "total_s": _short(over_s - self._began_s),
            "reasoning_s": _short(sum(thoughts_s)) if thoughts_s else None,
            "prompt_tokens": read,
            "prompt_s": _short(prompt_s),
            "prompt_tokens_per_s": _rate(read, prompt_s),
            "output_tokens": output_tokens,
            "output_s": _short(output_s),
            "output_tokens_per_s": _rate(output_tokens, output_s),
        }


def _seconds(ms: Any) -> float | None:
    return ms / 1000 if isinstance(ms, (int, float)) else None


def _rate(tokens: Any, duration_s: float | None) -> float | None:
    return _short(tokens / duration_s) if isinstance(tokens, int) and tokens and duration_s else None


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
