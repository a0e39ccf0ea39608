"""Owns the errors about keeping things, in files and in the database; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from typing import ClassVar

from paddock.errors.base import PaddockError


class StoreUnusable(PaddockError):
    """The database cannot be opened, read or written. The message names it, `told` does not."""

    TOLD: ClassVar[str] = "The database cannot be used. paddock's log tells why, and what to do."

    def __init__(self, message: str, *, told: str = "") -> None:
        super().__init__(message, told=told or self.TOLD)


class StoreBusy(StoreUnusable):
    """Somebody holds the database, or it cannot be reached just now: ask again. `retry_after_s` says when."""

    TOLD = "Another program holds the database. Nothing of this was written. Ask again."

    def __init__(self, message: str, *, told: str = "", retry_after_s: int = 5) -> None:
        super().__init__(message, told=told)
        self.retry_after_s = retry_after_s


class StoreFull(StoreUnusable):
    """The database's disk is full: nothing was written, and what was written before is whole."""

    TOLD = "The database's disk is full. Nothing of this was written. Free space, and ask again."


class StoreDamaged(StoreUnusable):
    """The database's file is no database any more, in part or as a whole. It is left as it is."""

    TOLD = (
        "The database is damaged, and left as it is. `paddock backup restore` brings a backup back; paddock's log "
        "tells what was found."
    )


class HomeUnusable(PaddockError):
    """The data home cannot be made or written."""


class DiskTooFull(HomeUnusable):
    """The disk cannot hold what is to be fetched; the message says how much is missing."""
