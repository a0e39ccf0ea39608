"""Owns the folder by which a job's worker and its server speak: what lies in it, and its line protocol.

The worker outlives the server, and the server the worker; neither waits for the other. Everything is in files:

order.json      what is to be done, written before the worker starts
events.jsonl    what the worker tells, a line each, numbered from 1 on; only whole lines count
keeper.lock     held by the worker's keeper for as long as that lives
worker.lock     held by the worker for as long as it lives, however it ends
first.lock      held by the first of several processes that work together, which the worker started
faults.jsonl    why one of these failed, a line each
ranks/          what starts them works on
exit.json       how the worker ended, as its keeper saw it
dry-run/        what a dry run makes
stop            what is wished of it: "save" or "cancel"
output.log      whatever its libraries print

Python's standard library alone: the worker's environment has little of paddock's.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from paddock.ownership import Ownership
from paddock.paths import write_whole

# A worker's own program, before the module that does its work.
WORKER = str(Path(__file__).with_name("worker.py"))
Wish = Literal["save", "cancel"]
_EXIT_BYTES = 64
_WISHES: tuple[Wish, ...] = ("save", "cancel")


@dataclass(frozen=True, kw_only=True)
class JobFolder:
    """The folder of one job."""

    root: Path

    @property
    def order_file(self) -> Path:
        """What is to be done."""
        return self.root / "order.json"

    @property
    def events_file(self) -> Path:
        """What was told."""
        return self.root / "events.jsonl"

    @property
    def output(self) -> Path:
        """What was printed."""
        return self.root / "output.log"

    @property
    def exit_file(self) -> Path:
        """How the worker ended."""
        return self.root / "exit.json"

    @property
    def dry_run(self) -> Path:
        """What a dry run makes; it is of no use afterwards."""
        return self.root / "dry-run"

    @property
    def ranks(self) -> Path:
        """What the launcher of several processes works on; it is of no use afterwards."""
        return self.root / "ranks"

    @property
    def _faults(self) -> Path:
        return self.root / "faults.jsonl"

    @property
    def _first(self) -> Path:
        return self.root / "first.lock"

    @property
    def _stop(self) -> Path:
        return self.root / "stop"

    def write_order(self, order: Mapping[str, Any]) -> None:
        """Write what is to be done. Raises OSError."""
        write_whole(self.order_file, json.dumps(order, indent=1))

    def order(self) -> dict[str, Any]:
        """What is to be done. Raises OSError or ValueError."""
        return cast("dict[str, Any]", json.loads(self.order_file.read_text("utf-8")))

    def ask(self, wish: Wish) -> None:
        """Have the worker stop: after a checkpoint, or without. Raises OSError."""
        write_whole(self._stop, wish)

    def wish(self) -> Wish | None:
        """What is wished of the worker."""
        try:
            said = self._stop.read_text("utf-8")
        except OSError:
            return None
        return next((one for one in _WISHES if one == said), None)

    def forget_wish(self) -> None:
        """Nothing is wished any more. Raises OSError."""
        self._stop.unlink(missing_ok=True)

    def worker_lock(self) -> Ownership:
        """What the worker holds while it lives."""
        return Ownership(self.root / "worker.lock")

    def keeper_lock(self) -> Ownership:
        """What its keeper holds."""
        return Ownership(self.root / "keeper.lock")

    def first_lock(self) -> Ownership:
        """What the first of several processes holds: it may outlive the worker that started it for a moment."""
        return Ownership(self._first)

    def is_alive(self) -> bool:
        """Whether a worker is at it, or about to be. Raises OSError."""
        if _is_held(self.keeper_lock()) or _is_held(self.worker_lock()):
            return True
        return self._first.exists() and _is_held(self.first_lock())

    def note_fault(self, error: Mapping[str, str]) -> None:
        """Write why one of several processes failed. Raises OSError."""
        line = json.dumps(dict(error)).encode() + b"\n"
        with self._faults.open("ab", buffering=0) as file:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def faults(self) -> list[dict[str, str]]:
        """Why some of them failed, the first fault first."""
        try:
            data = self._faults.read_bytes()
        except OSError:
            return []
        return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]

    def forget_faults(self) -> None:
        """Nothing failed any more. Raises OSError."""
        self._faults.unlink(missing_ok=True)

    def exit_code(self) -> int | None:
        """How the worker ended: negative for the signal that ended it; None where nobody saw that."""
        try:
            said: object = json.loads(self.exit_file.read_text("utf-8"))["code"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return said if isinstance(said, int) else None

    def begin_exit(self) -> None:
        """Make room for how the worker will end, so that a full disk leaves it. Raises OSError."""
        write_whole(self.exit_file, " " * _EXIT_BYTES)

    def note_exit(self, code: int) -> None:
        """Write how the worker ended, in the room that `begin_exit` made. Raises OSError."""
        with self.exit_file.open("r+b", buffering=0) as file:
            file.write(json.dumps({"code": code, "at_s": round(time.time(), 3)}).encode().ljust(_EXIT_BYTES))

    def events(self, offset_bytes: int = 0) -> tuple[list[dict[str, Any]], int]:
        """What was told behind an offset, and the offset behind that; a line that is not whole is left for later."""
        try:
            with self.events_file.open("rb") as file:
                file.seek(offset_bytes)
                data = file.read()
        except FileNotFoundError:
            return [], offset_bytes
        whole = data[: data.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines()], offset_bytes + len(whole)


def _is_held(lock: Ownership) -> bool:
    if not lock.take():
        return True
    lock.release()
    return False


class Report:
    """The worker's voice: each `tell` is one line that survives whatever happens to it next."""

    def __init__(self, folder: JobFolder) -> None:
        events, end_bytes = folder.events()
        self._number = events[-1]["number"] if events else 0
        self._file = folder.events_file.open("ab", buffering=0)
        # A line that a killed worker left half is taken away.
        self._file.truncate(end_bytes)
        self._end_bytes = end_bytes

    def tell(self, kind: str, **told: Any) -> dict[str, Any]:
        """Tell something, whole or not at all, and return it as it is told. Raises OSError."""
        told = {"number": self._number + 1, "at_s": round(time.time(), 3), "kind": kind, **told}
        line = json.dumps(told, allow_nan=False).encode() + b"\n"
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._file.truncate(self._end_bytes)
            raise
        self._number += 1
        self._end_bytes += len(line)
        return told

    @property
    def number(self) -> int:
        """Of what was told last."""
        return self._number

    def close(self) -> None:
        """Tell no more."""
        self._file.close()
