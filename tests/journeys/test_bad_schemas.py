"""Tests that no schema of a tool or an answer is a fault on the real engine, or holds it up."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from paddock.app import Studio

pytestmark = pytest.mark.anyio
STRING = {"type": "string"}
SCHEMAS: dict[str, dict[str, Any]] = {
    "lengths that clash": {"type": "string", "minLength": 5, "maxLength": 2},
    "counts that clash": {"type": "array", "items": STRING, "minItems": 5, "maxItems": 2},
    "limits that clash": {"type": "integer", "minimum": 5, "maximum": 2},
    "limits beyond 64 bits": {"type": "integer", "minimum": -1e30, "maximum": 1e30},
    "a limit that is no number": {"type": "integer", "minimum": "a"},
    "a reference to itself": {"$ref": "#/properties/x"},
    "an alternative that is itself": {"anyOf": [{"$ref": "#/properties/x"}, STRING]},
    "references in a circle": {"$ref": "#/$defs/a"},
    "a reference to nowhere": {"$ref": "#/nowhere"},
    "no alternative": {"anyOf": []},
    "no type": {"type": []},
    "an unknown type": {"type": "text"},
    "a length below zero": {"type": "string", "maxLength": -1},
    "a length that is no whole number": {"type": "string", "maxLength": 2.5},
    "properties that are a list": {"type": "object", "properties": []},
    "an enum that is none": {"enum": 5},
    "a pattern that is none": {"type": "string", "pattern": 5},
    "a pattern with an open bracket": {"type": "string", "pattern": "^(a$"},
    "a pattern of repeats in repeats": {"type": "string", "pattern": "^(a{0,900}){0,900}$"},
    "a pattern that repeats too often": {"type": "string", "pattern": "^a{100000}$"},
    "a pattern that lets a quote through": {"type": "string", "pattern": "^.{3,9}$"},
    "a pattern with classes": {"type": "string", "pattern": r"^\d{4}-\d{2}$"},
    "a large length": {"type": "string", "maxLength": 524288},
    "names that follow a pattern": {"type": "object", "propertyNames": {"pattern": "^a"}},
    "a boolean": {"type": "object", "properties": {"y": True}},
}


def request(schema: dict[str, Any], mode: str) -> dict[str, Any]:
    circle = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"], "$defs": circle}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 12}
    if mode == "answer":
        return {**body, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": whole}}}
    tool = {"type": "function", "function": {"name": "add", "parameters": whole}}
    return {**body, "tools": [tool], "tool_choice": mode}


@pytest.mark.rule("schema-decoding")
@pytest.mark.parametrize("mode", ["auto", "required", "answer"])
@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_schema_of_any_kind_is_answered(studio: Studio, schema: str, mode: str) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        answer = await http.post(f"{studio.url}/v1/chat/completions", json=request(SCHEMAS[schema], mode))
    assert answer.status_code == 200, answer.text


@pytest.mark.rule("schema-decoding")
async def test_an_answer_follows_a_pattern_with_classes(studio: Studio) -> None:
    body = {**request(SCHEMAS["a pattern with classes"], "answer"), "max_tokens": 60}
    async with httpx.AsyncClient(timeout=60) as http:
        answer = await http.post(f"{studio.url}/v1/chat/completions", json=body)
    day = httpx.Response(200, text=answer.json()["choices"][0]["message"]["content"]).json()["x"]
    assert [len(part) for part in day.split("-")] == [4, 2], day
    assert day.replace("-", "").isdigit()
