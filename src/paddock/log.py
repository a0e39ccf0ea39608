"""Owns how paddock logs, and the last lines that it keeps in memory; refuses to know what is logged.

What a stranger sends gets into lines: a path, the name of a model. So whatever would end a line, steer a terminal or
turn the writing round is escaped in every message, and what follows a line, a traceback, is indented: no message can
look like a line of its own.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from heapq import merge
from typing import Any, Literal, NamedTuple, TypeAlias

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
LINES_MOST = 2000
ACCESS = "paddock.access"
_CHARACTERS_MOST = 8000
_OWN = "paddock"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_FIELDS = "paddock_fields"
Clean: TypeAlias = Callable[[str], str]


class About(NamedTuple):
    """On which request something is logged; "" where on none. `trace_id` is 32 hex digits where it is traced."""

    request_id: str = ""
    trace_id: str = ""


_NOTHING = About()
_about: ContextVar[About] = ContextVar("about", default=_NOTHING)


class about:  # noqa: N801 - used as `with about(...)`, once for each request: a generator would cost more
    """Whatever is logged within the block, and by what it begins, is about that request."""

    __slots__ = ("_about", "_token")

    def __init__(self, request_id: str, trace_id: str = "") -> None:
        self._about = About(request_id, trace_id)

    def __enter__(self) -> None:
        """From here on."""
        self._token = _about.set(self._about)

    def __exit__(self, *exc: object) -> None:
        """Until here."""
        _about.reset(self._token)


def fields(**values: Any) -> dict[str, Mapping[str, Any]]:
    """The `extra` of a record whose message tells these values, which JSON has apart as well."""
    return {_FIELDS: values}


def set_up(level: str, form: str = "text", clean: Clean = str) -> None:
    """Log to stderr, one line a record.

    Args:
        level: one of the names in the `log_level` setting.
        form: one of the names in the `log_format` setting.
        clean: takes secrets out of a line.
    """
    printed = logging.StreamHandler()
    # What is kept in memory may be less severe than what is printed.
    printed.setLevel(level.upper())
    printed.setFormatter(Json(clean) if form == "json" else Text(clean))
    logging.basicConfig(level=level.upper(), handlers=[printed])


def named(name: str) -> logging.Logger:
    """The logger of one module."""
    return logging.getLogger(name)


def one_line(text: str) -> str:
    """A text with whatever could end its line, or show it otherwise than it is, escaped."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Text(logging.Formatter):
    """A line for people: time, level, logger, the request's id where there is one, and the message."""

    def __init__(self, clean: Clean = str) -> None:
        super().__init__()
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        """The line, and indented beneath it the traceback."""
        request_id = _about.get().request_id
        told = f" [{request_id}]" if request_id else ""
        head = f"{self.formatTime(record)} {record.levelname} {record.name}{told}: "
        return head + self._clean("\n    ".join((one_line(record.getMessage()), *self._below(record))))

    def _below(self, record: logging.LogRecord) -> list[str]:
        return [one_line(line) for line in _traceback_of(record).split("\n") if line]


class Json(logging.Formatter):
    """A line for programs: one JSON object, in ASCII."""

    def __init__(self, clean: Clean = str) -> None:
        super().__init__()
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        """The object. Times are in UTC; what is not known is left out."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told: dict[str, Any] = {
            "time": f"{seconds}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._clean(one_line(record.getMessage())),
        }
        about, traceback = _about.get(), _traceback_of(record)
        known = {"request_id": about.request_id, "trace_id": about.trace_id, "exception": self._clean(traceback)}
        told |= {name: value for name, value in known.items() if value}
        values: Mapping[str, Any] = getattr(record, _FIELDS, {})
        told |= {name: self._clean(value) if isinstance(value, str) else value for name, value in values.items()}
        return json.dumps(told)


def _traceback_of(record: logging.LogRecord) -> str:
    found = [_FORMAT.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
    return "\n".join([*found, *([_FORMAT.formatStack(record.stack_info)] if record.stack_info else [])])


_FORMAT = logging.Formatter()


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that was logged: when (unix time in seconds), how severe, by which module, in which words.

    `request_id` is the request that it is about; "" where it is about none.
    """

    number: int
    time_s: float
    level: Level
    logger: str
    message: str
    request_id: str


class Ring(logging.Handler):
    """The last lines, numbered from 1 on; older ones leave. Any thread may log and any may read.

    The lines of requests that were answered are kept apart, so that many of them push nothing else out. `clean` takes
    secrets out of a line before it is kept.
    """

    def __init__(self, *, clean: Clean, most: int = LINES_MOST) -> None:
        super().__init__()
        self._clean = clean
        self._lines: deque[Line] = deque(maxlen=most)
        self._answered: deque[Line] = deque(maxlen=most)
        self._last = 0
        self._guarded = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, with its traceback."""
        try:
            lines = (one_line(record.getMessage()), *map(one_line, filter(None, _traceback_of(record).split("\n"))))
            message = self._clean("\n".join(lines))[:_CHARACTERS_MOST]
        except (TypeError, ValueError):
            # Words and values that do not fit each other; the library says so on stderr.
            self.handleError(record)
            return
        with self._guarded:
            self._last += 1
            (self._answered if record.name == ACCESS else self._lines).append(
                Line(
                    number=self._last,
                    time_s=record.created,
                    level=_level_of(record.levelno),
                    logger=record.name,
                    message=message,
                    request_id=_about.get().request_id,
                )
            )

    @property
    def last(self) -> int:
        """The number of the newest line; 0 before the first."""
        return self._last

    def lines(
        self, *, after: int = 0, level: Level = "debug", contains: str = "", most: int = LINES_MOST
    ) -> list[Line]:
        """The newest lines of at least `level` with a number above `after`, oldest first, that contain a text.

        The id of the request that a line is about is looked at as well.
        """
        with self._guarded:
            every = list(merge(self._lines, self._answered, key=lambda line: line.number))
        wanted, least = contains.casefold(), LEVELS.index(level)
        found = [
            line
            for line in every
            if line.number > after
            and LEVELS.index(line.level) >= least
            and any(wanted in text.casefold() for text in (line.message, line.logger, line.request_id))
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
