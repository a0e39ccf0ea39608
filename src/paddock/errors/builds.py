"""Owns the errors about builds of the engine, and about paddock's own set-up; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from paddock.errors.base import PaddockError


class BuildError(PaddockError):
    """Something about a build of llama.cpp that is, or is to be, installed. The active build stays as it was."""


class BuildUnknown(BuildError):
    """No build of that name is installed, or nothing lies where it was said to."""


class BuildUnfit(BuildError):
    """No build suits this machine, or what building one from source needs is missing."""


class BuildUnavailable(BuildError):
    """A build cannot be fetched: no connection, no such release or file, or too many questions at present."""


class BuildRefused(BuildError):
    """What came has another size or checksum than promised, is no archive, or is not safe to unpack."""


class BuildBroken(BuildError):
    """A build could not be made from source, or failed its probe."""


class CanaryFailed(BuildError):
    """A build passed its probe, but not the canary. It is installed, and not active."""


class InstallBusy(BuildError):
    """Another paddock is installing a build into this data home."""


class SetupFailed(PaddockError):
    """Paddock itself, or its training stack, cannot be installed, changed or removed; what was there is as it was."""


class NotInstalled(SetupFailed):
    """There is no installation of paddock, or none before it, where one was meant."""
