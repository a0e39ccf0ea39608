"""Tests holding finished calls to the full schemas of their tools, where decoding could not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paddock.protocol.schema_checking import faults_of
from paddock.serving.checking import Checker

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
CITY: Json = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 5}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}


def tool(name: str = "get_weather", parameters: Any = CITY) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def whole(*calls: tuple[str, str]) -> bytes:
    made = [{"id": "c", "function": {"name": name, "arguments": arguments}} for name, arguments in calls]
    return json.dumps({"choices": [{"message": {"tool_calls": made}}]}, separators=(",", ":")).encode()


def frame(index: int, arguments: str, name: str | None = None, choice: int = 0) -> bytes:
    call: Json = {"index": index, "function": {"arguments": arguments, **({"name": name} if name else {})}}
    chunk = {"choices": [{"index": choice, "delta": {"tool_calls": [call]}}]}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


FAULTY: list[tuple[Json, str]] = [
    ({}, '/ "city" is a required property'),
    ({"city": 1}, '/city 1 is not of type "string"'),
    ({"city": "Lisbon"}, '/city "Lisbon" is longer than 5 characters'),
    ({"city": "Rome", "days": 0}, "/days 0 is less than the minimum of 1"),
    ({"city": "Rome", "year": 1}, "/ Additional properties are not allowed ('year' was unexpected)"),
]


@pytest.mark.rule("schema-checking")
@pytest.mark.parametrize(("arguments", "fault"), FAULTY)
def test_each_fault_of_the_arguments_is_told_with_its_place(arguments: Json, fault: str) -> None:
    assert faults_of(json.dumps(arguments), CITY) == [fault]


def test_arguments_that_fit_have_no_fault() -> None:
    assert faults_of('{"city": "Rome", "days": 2}', CITY) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/passwd"},
        {"type": "objekt"},
        {"properties": {"city": None}},
        {"properties": {"city": {"pattern": "("}}},
        {"$schema": "http://nowhere.invalid/schema"},
        None,
        [1],
    ],
)
def test_a_schema_that_cannot_be_used_is_told_and_nothing_is_fetched(schema: Any) -> None:
    told = faults_of("{}", schema)
    assert len(told) == 1
    assert told[0].startswith("not checked, its schema cannot be used: ")


def test_a_pattern_that_blows_up_elsewhere_is_matched_at_once() -> None:
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    assert len(faults_of(json.dumps({"a": "a" * 50_000 + "!"}), schema)) == 1


def test_a_schema_nested_beyond_reason_is_told() -> None:
    schema: Json = {"type": "object"}
    for _ in range(3000):
        schema = {"properties": {"a": schema}}
    assert faults_of("{}", schema)[0].startswith("not checked")


async def test_the_calls_of_a_whole_answer_are_checked_each_by_its_own_tool() -> None:
    checker = Checker([tool(), tool("free", None), tool("loose", {})])
    body = whole(("get_weather", '{"city": 1}'), ("free", "[1]"), ("loose", '{"x": 1}'), ("other", "{}"))
    assert await checker.unfit_in(body) == [
        'get_weather: /city 1 is not of type "string"',
        "other: no such tool was offered",
    ]


async def test_a_streams_calls_are_put_together_however_it_was_split() -> None:
    checker = Checker([tool(), tool("add", {"required": ["a"]})])
    for data in (
        b'data: {"choices":[]}\n\n',
        frame(0, '{"ci', "get_weather"),
        frame(1, "", "add") + frame(0, 'ty": "Lisbon"}'),
        frame(0, "{}", "add", choice=1),
    ):
        checker.watch(data)
    assert await checker.unfit() == [
        'get_weather: /city "Lisbon" is longer than 5 characters',
        'add: / "a" is a required property',
        'add: / "a" is a required property',
    ]


async def test_a_call_that_was_cut_is_left_to_its_finish_reason() -> None:
    assert await Checker([tool()]).unfit_in(whole(("get_weather", '{"city": "Ro'))) == []


async def test_many_faults_are_told_in_few_lines() -> None:
    checker = Checker([tool()])
    told = await checker.unfit_in(whole(*[("get_weather", '{"city": 1}')] * 20))
    assert len(told) == 9
    assert told[-1] == "and 12 more"


@pytest.mark.parametrize("body", [b"", b'"tool_calls"', b'{"choices":[{"message":{"tool_calls":[1,{}]}}]}'])
async def test_an_answer_of_another_form_is_no_fault_of_ours(body: bytes) -> None:
    assert [line for line in await Checker([tool()]).unfit_in(body) if "offered" not in line] == []
