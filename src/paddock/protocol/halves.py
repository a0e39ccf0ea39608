r"""Owns halves of surrogate pairs in JSON's texts: whether there are any, where, and texts without them. Pure.

Programs that cut a text within a character (an emoji, as JavaScript counts it) send such a half as `\ud83d`. JSON
allows that, UTF-8 does not, and so engines refuse it; in a conversation it would come back with each request.
"""

from __future__ import annotations

import re
from typing import Any

from paddock.protocol.shape import as_array, as_object

# The name under which the repair is told.
REPAIR = "half-characters-replaced"

_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def may_be_in(data: bytes) -> bool:
    """Whether JSON bytes in UTF-8 hold what may be a half: pairs look alike, and most bodies hold neither."""
    return _ESCAPE.search(data) is not None


def first_in(value: Any, *names: str) -> str | None:
    """Where the first half is, as `messages.0.content`; None where there is none. `names` lead to the value."""
    if isinstance(value, str):
        return ".".join(names) if _is_broken(value) else None
    found = as_object(value)
    items = found.items() if found is not None else enumerate(as_array(value) or [])
    for name, inner in items:
        if _is_broken(str(name)):
            return ".".join((*names, _mended(str(name))))
        if (place := first_in(inner, *names, str(name))) is not None:
            return place
    return None


def replaced_in(value: Any) -> Any:
    """The same JSON value, with U+FFFD in place of each half."""
    if isinstance(value, str):
        return _mended(value)
    if (found := as_object(value)) is not None:
        return {_mended(name): replaced_in(inner) for name, inner in found.items()}
    if (items := as_array(value)) is not None:
        return [replaced_in(inner) for inner in items]
    return value


def _is_broken(text: str) -> bool:
    return not text.isascii() and _HALF.search(text) is not None


def _mended(text: str) -> str:
    return _HALF.sub(_REPLACEMENT, text) if _is_broken(text) else text
