"""Owns giving the engine schemas that it can decode by, while the model reads the client's own; knows no grammar."""

from __future__ import annotations

from dataclasses import replace

from paddock.protocol.shape import as_object
from paddock.protocol.tool_schema import relaxed, relaxed_schema
from paddock.serving.prepare import Prepared

_TOLD_MOST = 8


def decodable(prepared: Prepared) -> Prepared:
    """The request with a copy of its schemas in place of those that engines refuse; itself where there are none.

    The template is given the original tools, so that the prompt stays the client's. What was left out is told in
    `x-paddock-adapted`.
    """
    body = prepared.body
    lines: list[str] = []
    original = body.get("tools")
    if original:
        tools, lines = relaxed(original)
        if lines:
            kwargs = as_object(body.get("chat_template_kwargs")) or {}
            body = {**body, "tools": tools, "chat_template_kwargs": {**kwargs, "tools": original}}
    shape = as_object(body.get("response_format")) or {}
    named = as_object(shape.get("json_schema"))
    if named is not None and "schema" in named:
        schema, found = relaxed_schema(named["schema"])
        if found:
            body = {**body, "response_format": {**shape, "json_schema": {**named, "schema": schema}}}
            lines += [f"response_format: {line}" for line in found]
    if "json_schema" in body:
        schema, found = relaxed_schema(body["json_schema"])
        body = {**body, "json_schema": schema} if found else body
        lines += [f"json_schema: {line}" for line in found]
    if not lines:
        return prepared
    more = [f"and {len(lines) - _TOLD_MOST} more"] if len(lines) > _TOLD_MOST else []
    told = f"schemas relaxed for decoding: {', '.join([*lines[:_TOLD_MOST], *more])}"
    return replace(prepared, body=body, tools=original, adapted=(*prepared.adapted, told))
