"""Tests which patterns decoding is held to, and that they mean the same when they are written for it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.protocol.decoding_pattern import decodable_pattern

SAME = [
    "^a+$",
    "^wf_[a-z0-9-]{6,}$",
    "^(yes|no)?$",
    "^[A-Z]{2}[0-9]{1,1000}$",
    r"^a\.b\-c\$$",
    "^([a-z]{1,16}:){1,16}$",
    "^[à-ü]{4}$",
    "^(a*)*$",
    "^$",
]
WRITTEN = {
    r"^\d{4}-\d{2}$": "^[0-9]{4}-[0-9]{2}$",
    r"^[\w.-]+$": "^[A-Za-z0-9_.-]+$",
    r"^(?:a|\w)+?$": "^(a|[A-Za-z0-9_])+$",
    "^é{3}$": "^[é]{3}$",
    r"^\@\:$": "^@:$",
}
NONE = [
    # What would break the string around it, or could.
    "^.*$", "^[^@]+@x$", r"^\S+$", r"^\s$", r"^[\s\S]$", '^"$', '^["a]$', "^[ -~]$", "^[!-a]$",
    r"^\\$", "^\t$", r"^[\n]$",
    # What no grammar is made of.
    "a", "^a", "a$", r"^a\$", "^(a$", "^a)$", "^[a$", "^[]$", "^[z-a]$", "^*a$", "^a**$", "^{2}$", "^a{2$", "^a|b$",
    "^(?=a)b$", "^(?<n>a)$", r"^\1$", r"^\bfoo$", r"^\p{L}$", "^a^b$", "^(|*)$", r"^[\d-x]$", "^[[a]$", "", "^", "$",
    # What is never finished with.
    "^a{1001}$", "^a{0,2001}$", "^a{2001,}$", "^a{5,2}$", "^(a{0,100}){0,100}$", "^(a?){500}$", "^((a{1,20}b){1,20})$",
    "^a{99999999999999999999}$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", SAME)
def test_a_pattern_that_engines_take_stays_as_it_is(pattern: str) -> None:
    assert decodable_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", WRITTEN)
def test_what_engines_do_not_know_is_written_out(pattern: str) -> None:
    assert decodable_pattern(pattern) == WRITTEN[pattern]


@pytest.mark.parametrize("pattern", NONE)
def test_decoding_does_without_what_it_cannot_be_held_to(pattern: str) -> None:
    assert decodable_pattern(pattern) is None


PIECES = st.sampled_from(
    [
        *'ab|()[]-{}?*+^$.\\"/: ',
        "[a-c]",
        r"\d",
        r"\w",
        r"\.",
        r"\-",
        "(?:",
        "{2}",
        "{1,3}",
        "{0,40}",
        r"[\d_]",
        "é",
        r"\s",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.lists(st.sampled_from('ab0_-. é"\\/:|'), max_size=8).map("".join))
def test_what_is_taken_means_the_same_and_keeps_a_string_whole(inner: str, text: str) -> None:
    written = decodable_pattern(f"^{inner}$")
    if written is None:
        return
    before = re.fullmatch(inner, text, re.ASCII)
    after = re.fullmatch(written[1:-1], text, re.ASCII)
    assert (before is None) == (after is None)
    if after:
        assert json.loads(f'"{text}"') == text
