"""Owns what is recorded and for how long: when a recording begins, where it lies, which ones make room for others."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from paddock.clock import lived_s, stamp_s
from paddock.config import Settings
from paddock.errors import HomeUnusable, RequestUnknown
from paddock.log import named
from paddock.paths import draft_of
from paddock.recorder.recording import Recording
from paddock.scratch import take_left

_log = named(__name__)
_SUFFIX = ".json.gz"
# Looking at every recording takes long where there are many.
_LOOK_EVERY_S = 60.0
_KEPT_WHEN_FULL = 0.9
_WRITTEN_WITHIN_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One recording as a list shows it."""

    record_id: str
    path: Path
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """A recording that is not written yet."""

    head: dict[str, Any]
    written: anyio.Event = field(default_factory=anyio.Event)


class Recorder:
    """The recordings of one data home.

    Args:
        folder: where they lie; made at the first need, for its owner alone.
        is_on: whether requests are recorded that do not ask for it.
        most_bytes: the space for all of them; the oldest leave first.
        most_age_s: how long one is kept.
    """

    def __init__(self, *, folder: Path, is_on: bool, most_bytes: int, most_age_s: float) -> None:
        self._folder = folder
        self._is_on = is_on
        self._most_bytes = most_bytes
        self._most_age_s = most_age_s
        # What the recordings hold together, as far as is known, and when they were last looked at.
        self._held_bytes = 0
        self._looked_s = -math.inf
        self._begun: dict[str, _Begun] = {}
        # A recording never changes: what a list shows of one is read once.
        self._shown: dict[str, dict[str, Any]] = {}

    @property
    def is_on(self) -> bool:
        """Whether requests are recorded that do not ask for it."""
        return self._is_on

    def turn(self, *, on: bool) -> None:
        """Record every request from now on, or only those that ask for it."""
        self._is_on = on

    @classmethod
    def of(cls, settings: Settings) -> Recorder:
        """The recorder under these settings."""
        return cls(
            folder=settings.home.requests,
            is_on=settings.record,
            most_bytes=settings.record_most_bytes,
            most_age_s=settings.record_days * 86400,
        )

    def begin(
        self, *, request_id: str, method: str, path: str, headers: list[tuple[bytes, bytes]], asked: bool | None
    ) -> Recording | None:
        """A recording, where one is asked for or all are recorded; else None, which costs nothing."""
        if not (self._is_on if asked is None else asked):
            return None
        record_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(3)}"
        head = {"id": record_id, "request_id": request_id, "created_s": time.time(), "method": method, "path": path}
        self._begun[record_id] = _Begun(head=head)
        return Recording(record_id, head, headers, self._keep)

    async def written(self, record_id: str) -> None:
        """Wait until the recordings whose ids begin so are written: each is after its answer's last byte.

        Those of requests that still go on are not waited for longer than 10 s.
        """
        with anyio.move_on_after(_WRITTEN_WITHIN_S):
            for begun in [begun for known, begun in self._begun.items() if known.startswith(record_id)]:
                await begun.written.wait()

    def open(self) -> list[dict[str, Any]]:
        """What is known of the requests that are being answered, newest first."""
        return [dict(self._begun[record_id].head) for record_id in sorted(self._begun, reverse=True)]

    def entries(self) -> list[Entry]:
        """Every recording, newest first. Raises HomeUnusable."""
        try:
            files = [path for path in self._folder.iterdir() if path.name.endswith(_SUFFIX)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise HomeUnusable(
                f"The recorded requests in {self._folder} cannot be listed ({error.strerror}). "
                "Check its rights, or set PADDOCK_HOME to a folder that is yours."
            ) from error
        found: list[Entry] = []
        for path in files:
            # Another request may just be making room.
            with contextlib.suppress(FileNotFoundError):
                size_bytes = path.stat().st_size
                found.append(Entry(record_id=path.name.removesuffix(_SUFFIX), path=path, size_bytes=size_bytes))
        return sorted(found, key=lambda entry: entry.record_id, reverse=True)

    def read(self, record_id: str) -> dict[str, Any]:
        """The recording whose id begins so. Raises RequestUnknown where there is none, several, or a damaged one."""
        found = [entry for entry in self.entries() if entry.record_id.startswith(record_id)]
        if len(found) != 1 or not record_id:
            is_begun = any(begun.startswith(record_id) for begun in self._begun)
            reason = "it is written once its answer has ended" if is_begun else ""
            raise RequestUnknown(record_id, matches=len(found), reason=reason)
        try:
            return dict(json.loads(gzip.decompress(found[0].path.read_bytes())))
        except (OSError, EOFError, ValueError) as error:
            raise RequestUnknown(record_id, reason="its file is damaged") from error

    def summaries(self, limit: int) -> list[dict[str, Any]]:
        """The newest recordings without their sections; a damaged one is left out."""
        shown: dict[str, dict[str, Any]] = {}
        for entry in self.entries()[:limit]:
            known = self._shown.get(entry.record_id)
            if known is None:
                try:
                    record = self.read(entry.record_id)
                except RequestUnknown:
                    continue
                known = {name: value for name, value in record.items() if name not in ("sections", "headers")}
            shown[entry.record_id] = known
        self._shown = shown
        return list(shown.values())

    def clear(self) -> int:
        """Remove every recording; how many there were."""
        entries = self.entries()
        for entry in entries:
            entry.path.unlink(missing_ok=True)
        return len(entries)

    async def _keep(self, record_id: str, record: Callable[[], dict[str, Any]]) -> None:
        try:
            await anyio.to_thread.run_sync(self._write, record_id, record)
        except (OSError, HomeUnusable) as error:
            # A recording is a convenience: that it cannot be written must not break the answer.
            _log.warning("the request %s could not be recorded: %s", record_id, error)
        finally:
            self._begun.pop(record_id).written.set()

    def _write(self, record_id: str, record: Callable[[], dict[str, Any]]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = draft_of(self._folder / record_id)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(gzip.compress(json.dumps(record()).encode(), compresslevel=5))
        # What it was written at is by the clock of the machine, which may be behind.
        os.utime(draft, (stamp_s(), stamp_s()))
        self._held_bytes += draft.stat().st_size
        draft.replace(self._folder / f"{record_id}{_SUFFIX}")
        if self._held_bytes > self._most_bytes or time.monotonic() - self._looked_s > _LOOK_EVERY_S:
            self._make_room()

    def _make_room(self) -> None:
        """Remove what is too old or too much; where there was too much, some more, so that it is not always so."""
        oldest_s = lived_s() - self._most_age_s
        entries = self.entries()
        is_full = sum(entry.size_bytes for entry in entries) > self._most_bytes
        limit_bytes = self._most_bytes * _KEPT_WHEN_FULL if is_full else self._most_bytes
        held_bytes = 0
        for entry in entries:
            try:
                if held_bytes + entry.size_bytes > limit_bytes or entry.path.stat().st_mtime < oldest_s:
                    entry.path.unlink(missing_ok=True)
                else:
                    held_bytes += entry.size_bytes
            except FileNotFoundError:
                continue
        self._held_bytes, self._looked_s = held_bytes, time.monotonic()
        take_left(self._folder.glob(".*.draft"))
