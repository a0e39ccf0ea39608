"""Owns what follows an export that is done: which of its files are evaluated; refuses to know how, and by what name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from paddock.errors import BadRequest
from paddock.export.spec import ExportSpec

# Where the figures of an export tell it, by type of file.
EVALUATIONS = "evaluations"


class Evaluating(Protocol):
    """Has files evaluated, as models of the names that their files have."""

    async def refuse(self, names: Sequence[str]) -> None:
        """Raises FieldInvalid where a model of one of these names is there already."""
        ...

    async def begun(self, file: Path, suites: Sequence[str]) -> Mapping[str, Any]:
        """Begin evaluations of a file, or go on with them: `model`, and `jobs` by suite.

        Asked twice for the same, it does it once. Raises PaddockError.
        """
        ...


def awaiting(spec: ExportSpec, figures: Mapping[str, Any]) -> list[str]:
    """The types of files whose evaluation is asked for, and was neither begun nor refused yet."""
    told = figures.get(EVALUATIONS, {})
    return [one for one in spec.whole if one not in told] if spec.evaluates else []


def name_in(figures: Mapping[str, Any], kind: str) -> str:
    """The name of the file that is evaluated. Raises BadRequest where it is none that may be called right."""
    if figures.get("certificates", {}).get(kind, {}).get("verdict") == "fail":
        raise BadRequest("Its certificate failed, so that it was not put among the models.")
    path = str(figures.get("artifacts", {}).get(kind, {}).get("path", ""))
    return path.replace("\\", "/").rpartition("/")[2]


def with_told(figures: Mapping[str, Any], kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """The figures, with what became of the evaluation of one type."""
    return {**figures, EVALUATIONS: {**figures.get(EVALUATIONS, {}), kind: dict(told)}}
