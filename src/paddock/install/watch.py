"""Owns the shape of who watches an installation; knows nothing of screens or of installing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _silent(words: str) -> None:
    pass


def _unshown(done: int, total: int) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who is told how an installation goes, and who may end it.

    `say` gets each step in words, `progress` what is done and what there is (bytes of a download, percent of a
    compilation), `is_cancelled` is asked all the time: True ends the installation.
    """

    say: Callable[[str], None] = _silent
    progress: Callable[[int, int], None] = _unshown
    is_cancelled: Callable[[], bool] = _never


QUIET = Watch()
