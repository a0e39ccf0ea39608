"""Tests how the bytes of a request become a JSON object, and which of them are refused in one sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from paddock.api.body import MOST_NESTING, MOST_VALUES, Room, parse_object, read_bytes, read_object
from paddock.errors import BadRequest, BodyTooLarge, FieldInvalid

BOM = b"\xef\xbb\xbf"


def refused(data: bytes) -> str:
    with pytest.raises(BadRequest) as caught:
        parse_object(data)
    message = caught.value.message
    assert len(message) < 300
    assert "sys." not in message
    return message


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """An object of so many levels, the object itself being one."""
    return b'{"x":' + opening * (levels - 1) + b"1" + closing * (levels - 1) + b"}"


@pytest.mark.parametrize("data", [b"{}", b" \n{} ", BOM + b"{}", b'{"a": [1, "\xc3\xbc", null, true, 1.5, {}]}'])
def test_an_object_is_read(data: bytes) -> None:
    assert parse_object(data) == json.loads(data.decode("utf-8-sig"))


@pytest.mark.parametrize(
    "data", [b"", b" ", BOM, b"hello", b"{", b"{'a': 1}", b"{} {}", b'{"a": 1,}', b"{} // x", b"\x1f\x8b"]
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    assert refused(data).startswith("The body is not ")


def test_the_place_of_the_fault_is_told() -> None:
    assert "line 2, column 1" in refused(b'{"a":\n}')


@pytest.mark.parametrize(
    "data", [b'{"a": "\xff"}', b'{"a": "\xe9"}', b'{"a": "\xed\xa0\x80"}', b"\xff\xfe{\x00}\x00", b'{"a": "\xc3']
)
def test_what_is_not_utf_8_is_refused_with_the_byte(data: bytes) -> None:
    assert "UTF-8 (byte " in refused(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"[]", "an array"),
        (b'[{"messages": []}]', "an array"),
        (b'"hello"', "a string"),
        (b"5", "a number"),
        (b"1.5", "a number"),
        (b"true", "true or false"),
        (b"null", "null"),
    ],
)
def test_what_is_no_object_is_refused_by_its_kind(data: bytes, kind: str) -> None:
    assert refused(data) == f"The body must be a JSON object, not {kind}."


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 400 + b".0"])
@pytest.mark.parametrize("place", [b'{"a": %s}', b'{"a": {"b": [1, %s]}}', b"%s"])
def test_numbers_that_are_not_finite_are_refused(number: bytes, place: bytes) -> None:
    refused(place % number)


def test_numbers_of_any_size_that_an_engine_could_read_are_kept() -> None:
    assert parse_object(b'{"a": 18446744073709551616, "b": 1e308, "c": 5e-324}') == {
        "a": 2**64,
        "b": 1e308,
        "c": 5e-324,
    }


def test_a_number_of_too_many_digits_is_refused() -> None:
    refused(b'{"seed": ' + b"9" * 5000 + b"}")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_nesting_is_read_to_its_limit_and_no_further(opening: bytes, closing: bytes) -> None:
    step = 2 if opening.startswith(b"[{") else 1
    most = (MOST_NESTING - 1) // step + 1
    assert parse_object(nested(most, opening, closing))
    assert "nested too deeply" in refused(nested(most + 1, opening, closing))


@pytest.mark.attack("bombs")
@pytest.mark.parametrize("levels", [101, 1000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_of_any_depth_is_one_sentence(levels: int, opening: bytes, closing: bytes) -> None:
    assert "at most 100 levels" in refused(nested(levels, opening, closing))


@pytest.mark.attack("bombs")
def test_nesting_that_is_never_closed_is_one_sentence() -> None:
    for levels in (50, 101, 100_000):
        refused(b'{"x":' + b"[" * levels)


def test_the_depth_is_found_behind_many_shallow_values() -> None:
    deep = nested(101).decode()
    assert "nested too deeply" in refused(f'{{"a": [{", ".join(["[]"] * 500)}], "b": {deep}}}'.encode())


def test_of_a_key_that_comes_twice_the_last_value_counts() -> None:
    assert parse_object(b'{"a": 1, "b": 2, "a": 3}') == {"b": 2, "a": 3}


def test_half_a_character_is_replaced_or_refused_by_name() -> None:
    for size in (0, 2**21):
        data = b'{"a": {"b": ["\\ud800"]}, "c": "' + b"x" * size + b'"}'
        body, repairs = asyncio.run(read_object(data))
        assert (body["a"], len(body["c"]), repairs) == ({"b": ["\ufffd"]}, size, ("half-characters-replaced",))
        with pytest.raises(FieldInvalid, match=r"a\.b\.0: holds half of a surrogate pair") as caught:
            asyncio.run(read_object(data, strict=True))
        assert caught.value.param == "a.b.0"


def test_a_lone_surrogate_is_read_as_json_allows() -> None:
    assert parse_object(rb'{"a": "\ud800", "\udfff": "\ud83e\udd99"}') == {"a": "\ud800", "\udfff": "\U0001f999"}


@given(data=st.binary(max_size=30) | st.text(alphabet='{}[]",:1eE+-. \\u\nNatrul', max_size=30).map(str.encode))
@settings(max_examples=80, deadline=None)
def test_any_bytes_are_an_object_or_one_sentence(data: bytes) -> None:
    try:
        body: Any = parse_object(data)
    except BadRequest as error:
        body = error
    assert isinstance(body, (dict, BadRequest))


def request(chunks: Sequence[bytes], *, length: str | None = None, leaves: bool = False) -> Request:
    """A request whose body arrives in `chunks`, over plain ASGI."""
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    headers = [] if length is None else [(b"content-length", length.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


def read(chunks: Sequence[bytes], *, limit_bytes: int = 100, **how: Any) -> Any:
    async def read() -> dict[str, Any]:
        body, repairs = await read_object(
            await read_bytes(request(chunks, **how), limit_bytes=limit_bytes, timeout_s=20.0, room=Room(0))
        )
        assert repairs == ()
        return body

    return asyncio.run(read())


def test_a_body_is_read_however_it_arrives() -> None:
    whole = '{"a": "Zürich \U0001f999"}'.encode()
    for chunks in ([whole], [whole[i : i + 1] for i in range(len(whole))], [b"", whole, b""]):
        assert read(chunks) == {"a": "Zürich \U0001f999"}
    assert read([whole], length="30") == read([whole], length="x") == read([whole])


@pytest.mark.attack("bombs")
def test_a_body_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    body = b'{"a": "' + b"x" * 91 + b'"}'
    assert len(body) == 100
    assert read([body[:50], body[50:]], length="100")
    for length in ("101", "9" * 30, None):
        with pytest.raises(BodyTooLarge) as caught:
            read([body[:50], body[50:], b" "], length=length)
        assert caught.value.limit_bytes == 100


@pytest.mark.attack("bombs")
def test_a_body_that_is_announced_too_large_is_not_waited_for() -> None:
    with pytest.raises(BodyTooLarge):
        read([], length="101", leaves=True)


@pytest.mark.parametrize("chunks", [[], [b'{"a": 1']])
def test_a_body_that_breaks_off_is_told_as_such(chunks: list[bytes]) -> None:
    with pytest.raises(BadRequest, match="closed before the body was whole"):
        read(chunks, leaves=True)


MANY = MOST_VALUES + 10


@pytest.mark.attack("bombs")
@pytest.mark.parametrize(
    "data",
    [
        b'{"a": [' + b"{}," * MANY + b"{}]}",
        b'{"a": [' + b"[]," * MANY + b"1]}",
        b'{"a": [' + b"1," * MANY + b"1]}",
        b'{"a": [' + b'"",' * MANY + b"1]}",
        b'{"a": [' + b'"\\"",' * MANY + b"1]}",
        b'{"a": [' + b'"\\\\",' * MANY + b"1]}",
        b"{" + b",".join(b'"%d":0' % number for number in range(MANY)) + b"}",
        b"[" * MANY,
    ],
    ids=["objects", "arrays", "numbers", "texts", "quotes", "backslashes", "names", "depth"],
)
def test_a_body_of_too_many_values_is_refused_before_it_is_read(data: bytes) -> None:
    with pytest.raises(BadRequest, match="too many values"):
        parse_object(data)


@pytest.mark.parametrize("sign", [",", "[", "{", '\\"', "\\\\", "\\\\,", '\\",'])
def test_signs_within_texts_are_no_values(sign: str) -> None:
    text = sign * MANY
    assert len(parse_object(f'{{"a": "{text}", "b": ["{text}"]}}'.encode())["a"]) >= MANY


def test_as_many_values_as_are_allowed_are_read() -> None:
    assert len(parse_object(b'{"a":[' + b"1," * (MOST_VALUES - 3) + b"1]}")["a"]) == MOST_VALUES - 2
