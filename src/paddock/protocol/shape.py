"""Owns looking at parsed JSON with types: what a value is, without changing it. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, cast


def as_object(value: object) -> dict[str, Any] | None:
    """The value itself when it is a JSON object, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_array(value: object) -> list[Any] | None:
    """The value itself when it is a JSON array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


# A word or a number that a cut ended within.
_BEGUN = re.compile(r"\s*(?:t|tr|tru|f|fa|fal|fals|n|nu|nul|-|\.|[eE][+-]?)?")
_ESCAPE_CHARACTERS = len("\\u0000")


def is_json(text: str) -> bool:
    """Whether a text is JSON of any kind."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def is_broken_json(text: str) -> bool:
    """Whether a text is no JSON, and would be none however it went on: it was not cut, it was written wrongly."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        is_open = error.msg.startswith("Unterminated string") or len(text) - error.pos < _ESCAPE_CHARACTERS
        return not (is_open or _BEGUN.fullmatch(text, error.pos))
    except RecursionError:
        return True
    return False


def objects_in(value: object) -> list[dict[str, Any]]:
    """The JSON objects among an array's items; none when the value is no array."""
    return [found for item in as_array(value) or [] if (found := as_object(item)) is not None]
