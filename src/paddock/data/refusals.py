"""Owns how it is said that a row cannot be learnt from."""

from __future__ import annotations

from paddock.errors import FieldInvalid


def wrong(place: str, why: str) -> FieldInvalid:
    """The error of a row that cannot be learnt from."""
    return FieldInvalid(f"{place} cannot be learnt from: {why}.", param="data")
