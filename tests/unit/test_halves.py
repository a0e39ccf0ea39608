"""Tests finding and replacing halves of surrogate pairs, wherever in a JSON value they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.protocol.halves import first_in, may_be_in, replaced_in

# What holds a half, where it is first, and what becomes of it.
BROKEN: dict[str, tuple[Any, str, Any]] = {
    "the end of a text": ({"a": "x\ud83d"}, "a", {"a": "x\ufffd"}),
    "the beginning": ({"a": "\udd99x"}, "a", {"a": "\ufffdx"}),
    "halves in the wrong order": ({"a": "\udd99\ud83e"}, "a", {"a": "\ufffd\ufffd"}),
    "deep inside": ({"m": [{}, {"c": [1, "\ud800"]}]}, "m.1.c.1", {"m": [{}, {"c": [1, "\ufffd"]}]}),
    "a name": ({"a": {"b\ud800": 1}}, "a.b\ufffd", {"a": {"b\ufffd": 1}}),
    "beside whole ones": (
        {"a": "\U0001f999", "b": "\U0001f999\ud83e"},
        "b",
        {"a": "\U0001f999", "b": "\U0001f999\ufffd"},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_half_is_found_and_replaced(name: str) -> None:
    value, place, mended = BROKEN[name]
    for data in (json.dumps(value), json.dumps(value).replace("ud8", "uD8").replace("udd", "uDD")):
        assert may_be_in(data.encode())
        assert json.loads(data) == value
    assert first_in(value) == place
    assert replaced_in(value) == mended


@pytest.mark.parametrize("value", [{}, {"a": "é\U0001f999"}, {"a": [None, 1, 0.5, True, "\ufffd"]}, {"\\ud800": "u"}])
def test_what_is_whole_stays_as_it_is(value: Any) -> None:
    assert first_in(value) is None
    assert replaced_in(value) == value


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner),
)


@given(ANYTHING)
def test_what_was_replaced_can_be_written_as_utf_8(value: Any) -> None:
    mended = replaced_in(value)
    assert json.dumps(mended, ensure_ascii=False).encode("utf-8")
    assert first_in(mended) is None
    # JSON reads two halves that follow one another as one character.
    read = json.loads(data := json.dumps(value))
    assert first_in(read) is None or may_be_in(data.encode())
