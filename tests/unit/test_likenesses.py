"""Tests rows of texts that belong together: what is read, and that what is none is refused with place and reason."""

from __future__ import annotations

from typing import Any

import pytest

from paddock.data.likenesses import Likeness, likeness_of
from paddock.errors import FieldInvalid


@pytest.mark.parametrize("name", ["anchor", "query"])
def test_two_texts_or_three_are_read(name: str) -> None:
    assert likeness_of({name: "a", "positive": "b"}, "Row 1") == Likeness(anchor="a", positive="b")
    assert likeness_of({name: "a", "positive": "b", "negative": "c"}, "Row 1").texts == ("a", "b", "c")
    assert likeness_of({name: "a", "positive": "b", "negative": None}, "Row 1").texts == ("a", "b")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([1], "it is list, not a table of anchor and positive"),
        ({"text": "x"}, "it has no anchor and no positive; its fields are text"),
        ({"anchor": "a"}, "it has no positive"),
        ({"anchor": 1, "positive": "b"}, "its anchor is int, not text"),
        ({"query": "a", "positive": "a"}, "its query and positive are the same"),
        ({"anchor": "a", "positive": "b", "negative": "b"}, "its negative and positive are the same"),
    ],
)
def test_what_is_none_is_refused_with_its_place_and_reason(row: Any, words: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        likeness_of(row, "Row 7 of rows.jsonl")
    assert refused.value.param == "data"
    assert refused.value.message.startswith("Row 7 of rows.jsonl cannot be learnt from")
    assert words in refused.value.message
