"""Owns the errors about trainings, exports and pushes; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from paddock.errors.base import PaddockError, shown


class JobUnknown(PaddockError):
    """No training, export or evaluation has that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"There is no job {shown(job_id)}. `paddock train list`, `paddock export list` and `paddock eval list` "
            "show what there is."
        )
        self.job_id = job_id


class SetUnknown(PaddockError):
    """No set of one's own has that id."""

    def __init__(self, set_id: str) -> None:
        super().__init__(f"There is no set {shown(set_id)}. GET /api/evaluation-sets shows what there is.")


class ExportFileUnknown(PaddockError):
    """An export has made no file of that name, or none that is there yet."""

    def __init__(self, name: str, known: list[str]) -> None:
        there = ", ".join(shown(one) for one in known[:20]) or "none yet"
        super().__init__(f"This export has no file {shown(name)}. There are: {there}.")


class HubTokenMissing(PaddockError):
    """There is no token by which the hub would let anybody write; the message says how to set one."""


class PushRefused(PaddockError):
    """What is on the hub, or in a file, is other than what a push may write to or send; the message says what to do."""


class NoTrainingStack(PaddockError):
    """The libraries that train and export are not installed."""

    def __init__(self) -> None:
        super().__init__("There is no training stack here. `paddock setup python-stack` installs it.")
