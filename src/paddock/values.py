"""Owns how what was typed, or read, becomes a value of its kind, within its range."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from paddock.errors import SettingInvalid

Value = str | int | float | bool


def converted(
    kind: type[Value], raw: object, where: str, *, low: float | None = None, high: float | None = None
) -> Value:
    """`raw`, perhaps typed as text, as a bool, int, float or str within a range. `where` names it in an error.

    Raises:
        SettingInvalid: it is not of that kind, or lies outside the range.
    """
    try:
        value = _CONVERTERS[kind](raw)
    except (TypeError, ValueError) as error:
        raise SettingInvalid(f"{where} is {raw!r}, which is not {_KINDS[kind]}.") from error
    if low is not None and high is not None and isinstance(value, (int, float)) and not low <= value <= high:
        raise SettingInvalid(f"{where} is {value}; it must lie between {low} and {high}.")
    return value


def table_in(file: Path) -> dict[str, Any]:
    """The table that a file holds as JSON; {} where it cannot be read, is nested too deeply or holds none. Blocking."""
    try:
        said: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}


def _to_bool(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    word = str(raw).strip().lower()
    if word not in words:
        raise ValueError(word)
    return words[word]


def _to_int(raw: object) -> int:
    if isinstance(raw, (bool, float)):
        raise TypeError(raw)
    return int(str(raw).strip())


def _to_float(raw: object) -> float:
    if isinstance(raw, bool):
        raise TypeError(raw)
    return float(str(raw).strip())


def _to_str(raw: object) -> str:
    if not isinstance(raw, str):
        raise TypeError(raw)
    return raw


_CONVERTERS: dict[type, Callable[[object], Value]] = {bool: _to_bool, int: _to_int, float: _to_float, str: _to_str}
_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
