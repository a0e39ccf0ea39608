"""Owns how a long transfer shows on stderr: a bar on a terminal, a line now and then elsewhere; knows no transfer."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from paddock.cli import printing
from paddock.errors import size

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_LINE_EVERY_S = 5.0


class Progress:
    """The progress of one file, as a context. Quiet for what is over before the first line would be due.

    `is_percent`: what is counted are percent and no bytes.
    """

    def __init__(self, title: str, *, is_percent: bool = False) -> None:
        self._title = printing.clean(title)
        self._is_percent = is_percent
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._last_line_s = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar(is_percent=self._is_percent)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance_to(self, done_bytes: int, total_bytes: int) -> None:
        """Show that `done_bytes` of `total_bytes` are there."""
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task(self._title, total=total_bytes)
            self._bar.update(self._task, completed=done_bytes, total=total_bytes)
            return
        now_s = time.monotonic()
        if now_s - self._last_line_s >= _LINE_EVERY_S:
            self._last_line_s = now_s
            percent = 100 * done_bytes // max(1, total_bytes)
            sizes = "" if self._is_percent else f"{size(done_bytes)} of {size(total_bytes)}, "
            printing.say(f"{self._title}: {sizes}{percent} %")


def _bar(*, is_percent: bool) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *([TextColumn("{task.percentage:>3.0f} %")] if is_percent else [DownloadColumn(), TransferSpeedColumn()]),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False),
    )
