"""Owns the copies of tool definitions that decoding is constrained by; refuses to change what the model reads. Pure.

The original stands in the prompt. Engines turn a schema into a grammar, and refuse a request whose schema they cannot
turn: `relaxed` is a copy without what they refuse, and `bounded` one in which nothing can run on for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from paddock.protocol.schema_faults import Document, mended
from paddock.protocol.shape import as_array, as_object

STRING_CHARACTERS_MOST = 8000
ARRAY_ITEMS_MOST = 256

# Keywords whose value is a schema, a list of schemas, or a mapping of names to schemas.
_INNER = ("items", "additionalProperties", "not")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPPINGS = ("properties", "patternProperties", "$defs", "definitions")
# A string that is bounded by one of these needs no length of ours, and some do not go together with one.
_STRING_BOUNDS = ("maxLength", "enum", "const", "pattern", "format")


def relaxed(tools: list[Any]) -> tuple[list[Any], list[str]]:
    """A copy of the tools whose schemas every engine takes, and what was left out of them.

    Left out: `true`, `false` and null in the place of a schema, and each keyword that `schema_faults.mended` names.

    Returns:
        The tools, the caller's own objects where nothing was changed; and one line for each thing that was left out,
        such as `get_weather: properties.city.minLength 5000`.
    """
    lines: list[str] = []
    made: list[Any] = []
    for tool in tools:
        outer = as_object(tool) or {}
        function = as_object(outer.get("function"))
        if function is None or function.get("parameters") is None:
            made.append(tool)
            continue
        copy, found = relaxed_schema(function["parameters"])
        lines += [f"{str(function.get('name'))[:60]}: {line}" for line in found]
        is_same = copy is function["parameters"]
        made.append(tool if is_same else {**outer, "function": {**function, "parameters": copy}})
    return made, lines


def relaxed_schema(schema: Any) -> tuple[Any, list[str]]:
    """As `relaxed`, for one schema. It may be written otherwise without anything being left out."""
    found: list[str] = []
    copy = _relaxed(schema, Document(as_object(schema) or {}), "", found)
    return (schema if copy == schema and not found else copy), found


def _relaxed(schema: Any, document: Document, path: str, found: list[str]) -> Any:
    """One schema and all within it, without what engines refuse; `found` gathers the paths."""
    read = as_object(schema)
    if read is None:
        found.append(f"{path or 'the schema'} {json.dumps(schema)[:40]}")
        return {} if path else {"type": "object"}
    at = f"{path}." if path else ""
    copy, lines = mended(read, document)
    found += [f"{at}{line}" for line in lines]
    _each_inner(copy, lambda inner, step: _relaxed(inner, document, f"{at}{step}", found))
    return copy


def _each_inner(copy: dict[str, Any], change: Callable[[Any, str], Any]) -> None:
    """Replace every schema directly within one by what `change` makes of it, given its path's last steps."""
    for name in _INNER:
        # `false` for additionalProperties is no schema but a rule, and engines keep it.
        if name in copy and not (name == "additionalProperties" and isinstance(copy[name], bool)):
            copy[name] = change(copy[name], name)
    for name in _LISTS:
        inner = as_array(copy.get(name))
        if inner is not None:
            copy[name] = [change(one, f"{name}.{place}") for place, one in enumerate(inner)]
    for name in _MAPPINGS:
        named = as_object(copy.get(name))
        if named is not None:
            copy[name] = {key: change(one, f"{name}.{key}") for key, one in named.items()}


def bounded(tools: list[Any]) -> list[Any]:
    """A copy of the tools in which no string and no array can run on for ever.

    A string without `maxLength` (or `enum`, `const`, `pattern`, `format`) ends after 8,000 characters and an array
    without `maxItems` after 256 items. Numbers are not bounded, nor are values whose schema has no type.
    """
    return [_tool(tool) for tool in tools]


def _tool(tool: Any) -> Any:
    outer = as_object(tool)
    function = as_object(outer.get("function")) if outer else None
    if outer is None or function is None or as_object(function.get("parameters")) is None:
        return tool
    return {**outer, "function": {**function, "parameters": _schema(function["parameters"])}}


def _schema(schema: Any) -> Any:
    """One schema and all within it. Recursion is bounded by the nesting that a body may have."""
    read = as_object(schema)
    if read is None:
        return schema
    copy = dict(read)
    kinds = as_array(copy.get("type")) or [copy.get("type")]
    if "string" in kinds and not any(bound in copy for bound in _STRING_BOUNDS):
        copy["maxLength"] = max(STRING_CHARACTERS_MOST, _number(copy.get("minLength")))
    if "array" in kinds and "maxItems" not in copy:
        copy["maxItems"] = max(ARRAY_ITEMS_MOST, _number(copy.get("minItems")))
    _each_inner(copy, lambda inner, step: _schema(inner))
    return copy


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
