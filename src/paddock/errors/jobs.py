"""Owns the errors about trainings; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from paddock.errors.base import PaddockError, shown


class JobUnknown(PaddockError):
    """No training has that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no training {shown(job_id)}. `paddock train list` shows what there is.")
        self.job_id = job_id


class NoTrainingStack(PaddockError):
    """The libraries that train are not installed."""

    def __init__(self) -> None:
        super().__init__("There is no training stack here. `paddock setup python-stack` installs it.")
