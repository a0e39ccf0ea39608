"""Tests what counts as a word, and the piece of a text that a search shows."""

from __future__ import annotations

import pytest

from paddock.store.chat_words import Term
from paddock.store.folding import rows_of, snippet, terms_of


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Grüße, CAFÉ-Besuch!", "grusse cafe besuch"),
        ("cafe\u0301 na\u00efve", "cafe naive"),
        ("snake_case v2.5 x==y", "snake case v2 5 x y"),
        ("東京タワー ok", "東 京 タ ワ ー ok"),
        ("\x00 \ud800 'quoted\" (a|b) & c*", "quoted a b c"),
    ],
)
def test_words_are_folded_and_parted(text: str, row: str) -> None:
    assert rows_of(text) == [row]


def test_a_long_text_is_several_rows_and_no_text_is_none() -> None:
    rows = rows_of("word " * 25_000)
    assert [len(row.split()) for row in rows] == [10_000, 10_000, 5_000]
    assert rows_of(" .,! ") == []
    assert len(rows_of("x" * 5000)[0]) == 60


def test_a_query_is_beginnings_of_words_and_characters_in_a_row() -> None:
    assert terms_of('Hel "wor') == [Term(words=("hel",), is_beginning=True), Term(words=("wor",), is_beginning=True)]
    assert terms_of("東京 a") == [Term(words=("東", "京")), Term(words=("a",), is_beginning=True)]
    assert terms_of("'; -- ' & | ! :*") == []
    assert len(terms_of(" ".join(map(str, range(100))))) == 16


def test_a_snippet_is_around_the_first_match_and_says_where_matches_are() -> None:
    text = "x " * 500 + "the Café\nis a cafeteria" + " y" * 500
    piece, matches = snippet(text, terms_of("cafe"))
    assert [piece[first:last] for first, last in matches] == ["Café", "cafeteria"]
    assert "Café is" in piece
    assert len(piece) <= 160
    piece, matches = snippet("行きます 東京タワーへ", terms_of("東京"))
    assert [piece[first:last] for first, last in matches] == ["東京"]
    assert snippet("nothing of it", terms_of("other")) == ("nothing of it", [])
