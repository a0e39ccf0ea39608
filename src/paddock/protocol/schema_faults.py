"""Owns which keywords of one JSON schema no engine makes a grammar of, as tried on the embedded one; looks no deeper.

What is left out is told by the caller. A finished call is held to the whole schema elsewhere.
"""

from __future__ import annotations

import json
import math
from typing import Any

from paddock.protocol.decoding_pattern import REPEATS_MOST, decodable_pattern
from paddock.protocol.shape import as_array, as_object

_TYPES = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_LEASTS = ("minLength", "minItems", "minProperties")
_COUNTS = (*_LEASTS, "maxLength", "maxItems", "maxProperties")
_LIMITS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_MAPPINGS = ("properties", "patternProperties")
# Keywords that are looked at here: a schema with none of them is passed over quickly.
_JUDGED = frozenset(("$ref", "type", "enum", "pattern", "format", *_ALTERNATIVES, *_COUNTS, *_LIMITS, *_MAPPINGS))
# Engines compute in 64 bits.
_NUMBER_MOST = 2**63
# References that name references: no schema of a person's needs so many steps.
_STEPS_MOST = 50


class Document:
    """One JSON document, and which references within it are sound. Each is followed once."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, bool] = {}

    def leads_somewhere(self, reference: object) -> bool:
        """Whether a reference names a schema of this document and does not come back to itself unread."""
        return isinstance(reference, str) and self._place(reference) is not None and self._is_sound(reference, ())

    def _is_sound(self, reference: str, path: tuple[str, ...]) -> bool:
        """Whether following it ends. One further on that leads nowhere is judged where it stands."""
        if reference not in self._known:
            if reference in path or len(path) > _STEPS_MOST:
                return False
            further = _references(self._place(reference) or {})
            self._known[reference] = all(self._is_sound(one, (*path, reference)) for one in further)
        return self._known[reference]

    def _place(self, reference: str) -> dict[str, Any] | None:
        """The schema that a reference names, if it is one of this document."""
        if not reference.startswith("#"):
            return None
        place: Any = self._root
        for step in reference[1:].strip("/").split("/") if reference not in ("#", "#/") else ():
            name = step.replace("~1", "/").replace("~0", "~")
            inner, listed = as_object(place), as_array(place)
            if inner is not None and name in inner:
                place = inner[name]
            elif listed is not None and name.isdecimal() and int(name) < len(listed):
                place = listed[int(name)]
            else:
                return None
        return as_object(place)


def mended(schema: dict[str, Any], document: Document) -> tuple[dict[str, Any], list[str]]:
    """A copy of one schema without the keywords that engines refuse or never finish with.

    Left out: references that lead out of the document, nowhere or back to themselves; unknown types; lists of
    alternatives and enums that are empty or no lists; lengths, counts and limits that are no such numbers, or whose
    least is above their most; patterns that decoding cannot be held to (`decoding_pattern`). A least count above 1,000
    becomes 1,000.

    Args:
        schema: one schema; what is within its keywords is not looked into.
        document: what its references are about.

    Returns:
        The copy, and one line for each keyword that was left out, such as `minLength 5000`.
    """
    copy = dict(schema)
    lines: list[str] = []
    judged = [name for name in schema if name in _JUDGED]
    for name in judged:
        if _is_unreadable(name, schema[name], document):
            shown = schema[name] if name == "$ref" else json.dumps(schema[name])
            lines.append(f"{name} {str(shown)[:60]}")
            del copy[name]
        elif name in _LEASTS and schema[name] > REPEATS_MOST:
            lines.append(f"{name} {schema[name]}")
            copy[name] = REPEATS_MOST
        elif name == "pattern":
            copy[name] = decodable_pattern(schema[name])
    clashes = _contradictions(copy) if len(judged) > 1 else []
    lines += [", ".join(f"{name} {copy.pop(name)}" for name in names) for names in clashes]
    return copy, lines


def _is_unreadable(name: str, value: Any, document: Document) -> bool:
    if name == "$ref":
        return not document.leads_somewhere(value)
    if name == "type":
        kinds = as_array(value)
        kinds = [value] if kinds is None else kinds
        return not kinds or not all(isinstance(kind, str) and kind in _TYPES for kind in kinds)
    if name == "enum" or name in _ALTERNATIVES:
        return not as_array(value)
    if name in _COUNTS:
        return isinstance(value, bool) or not isinstance(value, int) or value < 0
    if name in _LIMITS:
        return isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= _NUMBER_MOST
    if name == "pattern":
        return not isinstance(value, str) or decodable_pattern(value) is None
    return not isinstance(value, str) if name == "format" else as_object(value) is None


def _contradictions(schema: dict[str, Any]) -> list[list[str]]:
    """The keywords that cannot hold together, in groups to be left out."""
    found = [
        [least, most]
        for least in _LEASTS
        if (most := least.replace("min", "max")) in schema and schema.get(least, 0) > schema[most]
    ]
    limits = [name for name in _LIMITS if name in schema]
    low, high = _bounds(schema, is_whole=schema.get("type") == "integer")
    return [*found, limits] if low > high else found


def _bounds(schema: dict[str, Any], *, is_whole: bool) -> tuple[float, float]:
    """The least and the most that a number can be."""
    step = 1 if is_whole else 0
    lows = [schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf) + step]
    highs = [schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf) - step]
    low, high = max(lows), min(highs)
    if is_whole and low > -math.inf and high < math.inf:
        return math.ceil(low), math.floor(high)
    is_open = low == high and (low == schema.get("exclusiveMinimum") or high == schema.get("exclusiveMaximum"))
    return (1, 0) if is_open else (low, high)


def _references(schema: dict[str, Any]) -> list[str]:
    """The references that a decoder follows before it reads a character: the schema's own, and its alternatives'."""
    found = [reference] if isinstance(reference := schema.get("$ref"), str) else []
    for name in _ALTERNATIVES:
        for one in as_array(schema.get(name)) or ():
            found += _references(as_object(one) or {})
    return found
