"""Owns the recent copy of a table that every request looks into; refuses to know what the rows say."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from paddock.errors import StoreUnusable
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# What another program changed is learnt at the latest after this time.
_FRESH_S = 1.0
_USE_NOTED_S = 60.0
Row = TypeVar("Row")


class Known(Generic[Row]):
    """Rows by their digests, read anew when they are older than a second. Raises StoreUnusable where they cannot be."""

    def __init__(self, database: Database, read: Callable[[Connection], Mapping[str, Row]]) -> None:
        self._database = database
        self._read = read
        self._rows: Mapping[str, Row] = {}
        self._read_s = -math.inf
        self._reading = anyio.Lock()
        self._noted: dict[str, float] = {}

    async def find(self, digest: str) -> Row | None:
        """The row of that digest."""
        if self._is_old():
            async with self._reading:
                if self._is_old():
                    self._rows = await self._database.run(self._read, only_reads=True)
                    self._read_s = time.monotonic()
        return self._rows.get(digest)

    async def used(self, row_id: str, note: Callable[[Connection], None]) -> None:
        """Have `note` write down that a row was used, at most once a minute; no request fails or waits for that."""
        now_s = time.monotonic()
        if now_s - self._noted.get(row_id, -math.inf) >= _USE_NOTED_S:
            self._noted[row_id] = now_s
            with contextlib.suppress(StoreUnusable):
                await self._database.run(note, waits=False)

    def changed(self) -> None:
        """Read them anew at the next look."""
        self._read_s = -math.inf

    def _is_old(self) -> bool:
        return time.monotonic() - self._read_s > _FRESH_S
