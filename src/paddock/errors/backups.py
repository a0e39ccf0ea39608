"""Owns the errors about backups; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from paddock.errors.base import PaddockError


class BackupFailed(PaddockError):
    """A backup cannot be made or restored; the data home is as it was, and no half backup lies about."""


class BackupRefused(BackupFailed):
    """What is to be restored is no backup, is damaged or unsafe, or is of a newer paddock."""


class HomeBusy(PaddockError):
    """Another process works on the data home, and what was asked needs it alone."""
