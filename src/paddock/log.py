"""Owns how paddock logs, and the last lines that it keeps in memory; refuses to know what is logged."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
LINES_MOST = 2000
_CHARACTERS_MOST = 8000
_OWN = "paddock"


def set_up(level: str) -> None:
    """Log to stderr, one line a record. `level` is one of the names in the `log_level` setting."""
    printed = logging.StreamHandler()
    # What is kept in memory may be less severe than what is printed.
    printed.setLevel(level.upper())
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[printed]
    )


def named(name: str) -> logging.Logger:
    """The logger of one module."""
    return logging.getLogger(name)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that was logged: when (unix time in seconds), how severe, by which module, in which words."""

    number: int
    time_s: float
    level: Level
    logger: str
    message: str


class Ring(logging.Handler):
    """The last lines, numbered from 1 on; older ones leave. Any thread may log and any may read.

    `clean` takes secrets out of a line before it is kept.
    """

    def __init__(self, *, clean: Callable[[str], str], most: int = LINES_MOST) -> None:
        super().__init__()
        self._clean = clean
        self._lines: deque[Line] = deque(maxlen=most)
        self._last = 0
        self._guarded = threading.Lock()
        self._format = logging.Formatter("%(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, with its traceback."""
        try:
            message = self._clean(self._format.format(record))[:_CHARACTERS_MOST]
        except (TypeError, ValueError):
            # Words and values that do not fit each other; the library says so on stderr.
            self.handleError(record)
            return
        with self._guarded:
            self._last += 1
            self._lines.append(
                Line(
                    number=self._last,
                    time_s=record.created,
                    level=_level_of(record.levelno),
                    logger=record.name,
                    message=message,
                )
            )

    @property
    def last(self) -> int:
        """The number of the newest line; 0 before the first."""
        return self._last

    def lines(
        self, *, after: int = 0, level: Level = "debug", contains: str = "", most: int = LINES_MOST
    ) -> list[Line]:
        """The newest lines of at least `level` with a number above `after`, oldest first, that contain a text."""
        with self._guarded:
            every = list(self._lines)
        wanted, least = contains.casefold(), LEVELS.index(level)
        found = [
            line
            for line in every
            if line.number > after
            and LEVELS.index(line.level) >= least
            and (not wanted or wanted in line.message.casefold() or wanted in line.logger.casefold())
        ]
        return found[-most:] if most else []


@contextmanager
def kept(ring: Ring) -> Generator[Ring]:
    """Keep what is logged within the block: of paddock from `info` on, of its libraries what is printed."""
    own, root = logging.getLogger(_OWN), logging.getLogger()
    before = own.level
    own.setLevel(min(logging.INFO, own.getEffectiveLevel()))
    root.addHandler(ring)
    try:
        yield ring
    finally:
        root.removeHandler(ring)
        own.setLevel(before)
        ring.close()


def _level_of(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
