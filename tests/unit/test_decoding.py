"""Tests the three copies of a schema: the model's own, the one that decoding is held to, and what is told of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from paddock.protocol.tool_schema import relaxed
from paddock.rehearsal.shapes import shapes_of
from paddock.serving.decoding import decodable
from paddock.serving.prepare import prepare

Json = dict[str, Any]


def tool(schema: Any) -> Json:
    return {"type": "function", "function": {"name": "f", "parameters": schema}}


def of(schema: Any) -> tuple[Any, list[str]]:
    tools, lines = relaxed([tool(schema)])
    return tools[0]["function"]["parameters"], lines


STRING: Json = {"type": "string"}
# A schema that engines refuse, what is left of it, and what is told.
RELAXED: list[tuple[Any, Any, str]] = [
    ({"properties": {"a": {"$ref": "http://x/y"}}}, {"properties": {"a": {}}}, "f: properties.a.$ref http://x/y"),
    ({"properties": {"a": {"$ref": "#/nowhere"}}}, {"properties": {"a": {}}}, "f: properties.a.$ref #/nowhere"),
    ({"properties": {"a": True}}, {"properties": {"a": {}}}, "f: properties.a true"),
    ({"items": None}, {"items": {}}, "f: items null"),
    ({"properties": {"a": {"type": "objekt"}}}, {"properties": {"a": {}}}, 'f: properties.a.type "objekt"'),
    ({"anyOf": [STRING, {"enum": []}]}, {"anyOf": [STRING, {}]}, "f: anyOf.1.enum []"),
    ({"minLength": 5000}, {"minLength": 1000}, "f: minLength 5000"),
    ([], {"type": "object"}, "f: the schema []"),
    ({"minLength": 5, "maxLength": 2}, {}, "f: minLength 5, maxLength 2"),
    ({"minItems": 5, "maxItems": 2}, {}, "f: minItems 5, maxItems 2"),
    ({"minProperties": 5, "maxProperties": 2}, {}, "f: minProperties 5, maxProperties 2"),
    ({"minimum": 5, "maximum": 2}, {}, "f: minimum 5, maximum 2"),
    ({"minimum": 5, "exclusiveMaximum": 5}, {}, "f: minimum 5, exclusiveMaximum 5"),
    ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, {"type": "integer"}, "f: minimum 1.2, maximum 1.8"),
    (
        {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 5},
        {"type": "integer"},
        "f: exclusiveMinimum 4, exclusiveMaximum 5",
    ),
    ({"minimum": -1e30}, {}, "f: minimum -1e+30"),
    ({"minimum": "a"}, {}, 'f: minimum "a"'),
    ({"maxLength": -1}, {}, "f: maxLength -1"),
    ({"maxItems": 2.5}, {}, "f: maxItems 2.5"),
    ({"minLength": True}, {}, "f: minLength true"),
    ({"type": []}, {}, "f: type []"),
    ({"anyOf": []}, {}, "f: anyOf []"),
    ({"oneOf": "a"}, {}, 'f: oneOf "a"'),
    ({"properties": []}, {}, "f: properties []"),
    ({"enum": 5}, {}, "f: enum 5"),
    ({"format": 5}, {}, "f: format 5"),
    ({"pattern": 5}, {}, "f: pattern 5"),
    ({"pattern": "^(a{0,900}){0,900}$"}, {}, 'f: pattern "^(a{0,900}){0,900}$"'),
    (
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": {}}},
        "f: properties.a.$ref #/properties/a",
    ),
    (
        {"properties": {"a": {"anyOf": [STRING, {"anyOf": [{"$ref": "#/properties/a"}]}]}}},
        {"properties": {"a": {"anyOf": [STRING, {"anyOf": [{}]}]}}},
        "f: properties.a.anyOf.1.anyOf.0.$ref #/properties/a",
    ),
]
TAKEN: list[Json] = [
    {"type": "object", "properties": {"a": {"type": "string", "maxLength": 524288, "pattern": "^a+$"}}},
    {"propertyNames": {"pattern": "^a"}, "additionalProperties": False},
    {"$defs": {"a": STRING}, "properties": {"b": {"$ref": "#/$defs/a"}, "c": {"$ref": "#"}}},
    {"anyOf": [STRING, {"type": ["null", "integer"]}]},
    {"$defs": {"a": STRING}, "anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]},
    {"type": "object", "properties": {"child": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
    {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6, "minimum": 5, "maximum": 5},
    {"minLength": 2, "maxLength": 2, "minItems": 0, "maxItems": 0, "minimum": 1.5, "maximum": 1.5},
]


@pytest.mark.rule("schema-decoding")
@pytest.mark.parametrize(("schema", "left", "line"), RELAXED)
def test_what_no_grammar_can_be_made_of_is_left_out_of_the_copy_and_told(schema: Any, left: Any, line: str) -> None:
    before = copy.deepcopy(schema)
    assert of(schema) == (left, [line])
    assert schema == before


@pytest.mark.rule("schema-decoding")
@pytest.mark.parametrize("schema", TAKEN)
def test_what_engines_take_stays_the_very_same(schema: Json) -> None:
    made, lines = of(schema)
    assert made is schema
    assert lines == []


@pytest.mark.rule("schema-decoding")
def test_a_pattern_that_can_be_written_otherwise_is_and_nothing_is_told() -> None:
    made, lines = of({"properties": {"day": {"pattern": r"^\d{4}-\d\d$"}}})
    assert made == {"properties": {"day": {"pattern": "^[0-9]{4}-[0-9][0-9]$"}}}
    assert lines == []


def test_references_that_fork_at_every_step_are_each_followed_once() -> None:
    forks = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    schema = {"$defs": {**forks, "a40": STRING}, "$ref": "#/$defs/a0"}
    assert of(schema)[1] == []


@pytest.mark.rule("schema-prompt")
def test_the_model_reads_the_clients_own_tools_beside_the_copy_for_decoding() -> None:
    tools = [tool({"properties": {"a": True}})]
    made = decodable(prepare("/v1/chat/completions", {"messages": [], "tools": tools}))
    assert made.body["chat_template_kwargs"]["tools"] is tools
    assert made.tools is tools
    assert made.body["tools"] == [tool({"properties": {"a": {}}})]
    assert made.adapted == ("schemas relaxed for decoding: f: properties.a true",)


def test_the_schema_of_an_answer_is_treated_alike() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"items": None}}}
    made = decodable(prepare("/v1/chat/completions", {"messages": [], "response_format": form}))
    assert made.body["response_format"]["json_schema"] == {"name": "x", "schema": {"items": {}}}
    assert made.adapted == ("schemas relaxed for decoding: response_format: items null",)


def test_the_schemas_of_every_recorded_agent_are_left_alone() -> None:
    seen = 0
    for shapes in shapes_of(["opencode", "continue-cli", "llm", "pydantic-ai"]):
        for shape in shapes:
            tools: list[Any] = (shape.body or {}).get("tools") or []
            made, lines = relaxed(tools)
            assert (lines, all(mine is its for mine, its in zip(made, tools, strict=True))) == ([], True)
            seen += len(tools)
    assert seen > 40
