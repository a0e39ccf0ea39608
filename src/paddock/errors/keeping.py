"""Owns the errors about keeping things, in files and in the database; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from paddock.errors.base import PaddockError


class StoreUnusable(PaddockError):
    """The database cannot be opened, read or written."""


class StoreBusy(StoreUnusable):
    """Another program holds the database, or it is just being started: ask again. `retry_after_s` says when."""

    def __init__(self, message: str, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreFull(StoreUnusable):
    """The database's disk is full: nothing was written, and what was written before is whole."""


class StoreDamaged(StoreUnusable):
    """The database's file is no database any more, in part or as a whole. It is left as it is."""


class HomeUnusable(PaddockError):
    """The data home cannot be made or written."""


class DiskTooFull(HomeUnusable):
    """The disk cannot hold what is to be fetched; the message says how much is missing."""
