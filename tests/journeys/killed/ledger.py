"""Owns what a server that may die at any moment has acknowledged, and what was asked of it when it died.

Knows no route: a thing is a name such as "chat/ID", and its value whatever can be compared; None is not there.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

Values = dict[str, Any]


class Refused(Exception):
    """The server answered, and did not do it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text[:500]}")
        self.status = status


class Ledger:
    """What is certain of every thing, and the changes whose outcome is not known. Each thing has one hand at a time."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.in_doubt = 0
        self._sure: Values = {}
        self._open: list[Values] = []
        self._lock = threading.Lock()

    def of(self, kind: str) -> Values:
        """The things of a kind that are there for certain, by the rest of their names."""
        with self._lock:
            return {
                name.removeprefix(f"{kind}/"): one for name, one in self._sure.items() if name.startswith(f"{kind}/")
            }

    @contextmanager
    def change(self, changes: Values) -> Generator[None]:
        """Ask the server for this within the block: all of it is done when that ends, nothing where it was refused."""
        with self._lock:
            self._open.append(changes)
        try:
            yield
        except Refused:
            self._close(changes)
            raise
        self._close(changes)
        self.note(changes)

    def note(self, changes: Values) -> None:
        """The server said that this is so."""
        with self._lock:
            self._sure |= changes
            self._sure = {name: value for name, value in self._sure.items() if value is not None}
            self.acknowledged += 1

    def judge(self, seen: Mapping[str, Any]) -> list[str]:
        """What a server that was started anew has got wrong; what it shows is certain from now on."""
        faults: list[str] = []
        self.in_doubt += len(self._open)
        for changes in self._open:
            found = {name: seen.get(name) for name in changes}
            if found == changes:
                self._sure |= changes
            elif found != {name: self._sure.get(name) for name in changes}:
                faults.append(f"half done: {changes} became {found}")
        self._open.clear()
        for name in sorted(self._sure.keys() | seen.keys()):
            wanted, found = self._sure.get(name), seen.get(name)
            if wanted != found and not any(name in fault for fault in faults):
                faults.append(f"{name} should be {wanted!r:.500} and is {found!r:.500}")
        self._sure = {name: value for name, value in seen.items() if value is not None}
        return faults

    def _close(self, changes: Values) -> None:
        with self._lock:
            self._open = [one for one in self._open if one is not changes]
