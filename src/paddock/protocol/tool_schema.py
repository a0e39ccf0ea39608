"""Owns the copy of tool definitions that decoding is constrained by; refuses to change what the model reads. Pure."""

from __future__ import annotations

from typing import Any

from paddock.protocol.shape import as_array, as_object

STRING_CHARACTERS_MOST = 8000
ARRAY_ITEMS_MOST = 256

# Keywords whose value is a schema, a list of schemas, or a mapping of names to schemas.
_INNER = ("items", "additionalProperties", "not")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPPINGS = ("properties", "patternProperties", "$defs", "definitions")
# A string that is bounded by one of these needs no length of ours, and some do not go together with one.
_STRING_BOUNDS = ("maxLength", "enum", "const", "pattern", "format")


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
    for name in _INNER:
        if name in copy:
            copy[name] = _schema(copy[name])
    for name in _LISTS:
        inner = as_array(copy.get(name))
        if inner is not None:
            copy[name] = [_schema(one) for one in inner]
    for name in _MAPPINGS:
        named = as_object(copy.get(name))
        if named is not None:
            copy[name] = {key: _schema(one) for key, one in named.items()}
    return copy


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
