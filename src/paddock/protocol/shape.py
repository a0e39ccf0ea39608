"""Owns looking at parsed JSON with types: what a value is, without changing it. Pure."""

from __future__ import annotations

import json
from typing import Any, cast


def as_object(value: object) -> dict[str, Any] | None:
    """The value itself when it is a JSON object, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_array(value: object) -> list[Any] | None:
    """The value itself when it is a JSON array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def is_json(text: str) -> bool:
    """Whether a text is JSON of any kind."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def objects_in(value: object) -> list[dict[str, Any]]:
    """The JSON objects among an array's items; none when the value is no array."""
    return [found for item in as_array(value) or [] if (found := as_object(item)) is not None]
