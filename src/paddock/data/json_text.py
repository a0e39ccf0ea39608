"""Owns reading JSON that rows are written in, strictly; refuses to know what a row is.

Python takes more than JSON has, and says nothing where a name stands twice: what would be learnt then is not what the
file seems to say.
"""

from __future__ import annotations

import json
from typing import Any


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, which says what is wrong, also where it is nested too deeply."""
    try:
        value = json.loads(text, parse_constant=_no_number, object_pairs_hook=_table)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half of a character (a lone surrogate)") from None
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"the name {twice[:60]!r} stands twice in one table")
    return made
