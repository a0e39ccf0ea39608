"""Owns what counts as a word of a text, and how words are folded so that they are found; pure, asks no database.

Covered: letter case, accents, compatibility forms. Characters of scripts that set no blanks are words of their own, so
that what they spell is found anywhere. Not covered: the forms that a word takes in a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from paddock.store.chat_words import Term

# Kana, Han, Hangul: written without blanks, or with endings joined on.
_JOINED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
_WORD = re.compile(rf"[{_JOINED}]|(?:(?![{_JOINED}])[^\W_]|[\u0300-\u036f])+")
_RUN = re.compile(rf"[{_JOINED}]+|(?:(?![{_JOINED}])[^\W_]|[\u0300-\u036f])+")
# Beyond it a word is no word of a language; PostgreSQL takes lexemes of 2 KB, and 1 MB of them in one row.
_WORD_CHARACTERS_MOST = 60
_ROW_WORDS_MOST = 10_000
_TERMS_MOST = 16
_BEFORE_CHARACTERS = 40
_SNIPPET_CHARACTERS = 160


def fold(word: str) -> str:
    """A word as it is kept and looked for."""
    parted = unicodedata.normalize("NFKD", word)
    return "".join(c for c in parted.casefold() if c.isalnum())[:_WORD_CHARACTERS_MOST]


def rows_of(text: str) -> list[str]:
    """The folded words of a text with blanks between them, in rows that both databases can hold."""
    found = [folded for _, _, folded in _words(text)]
    return [" ".join(found[at : at + _ROW_WORDS_MOST]) for at in range(0, len(found), _ROW_WORDS_MOST)]


def terms_of(query: str) -> list[Term]:
    """What a query looks for, all of which must be found: the beginnings of words, or characters in a row."""
    terms: list[Term] = []
    for run in _RUN.finditer(query):
        words = tuple(folded for _, _, folded in _words(run[0]))
        if words:
            terms.append(Term(words=words, is_beginning=not _is_joined(run[0])))
    return list(dict.fromkeys(terms))[:_TERMS_MOST]


def snippet(text: str, terms: Sequence[Term]) -> tuple[str, list[tuple[int, int]]]:
    """A piece of a text around its first match, on one line, and the places of the matches in it."""
    start = next((found for found, _, _ in _matches(text, terms)), 0)
    begin = max(0, start - _BEFORE_CHARACTERS)
    if begin and (blank := text.find(" ", begin, start)) >= 0:
        begin = blank + 1
    # Every blank is one character still, so that places stay what they are.
    piece = re.sub(r"\s", " ", text[begin : begin + _SNIPPET_CHARACTERS]).rstrip()
    return piece, [(first, last) for first, last, _ in _matches(piece, terms)]


def _matches(text: str, terms: Sequence[Term]) -> Iterator[tuple[int, int, str]]:
    beginnings = tuple(term.words[0] for term in terms if term.is_beginning)
    runs = [term.words for term in terms if not term.is_beginning]
    window: list[tuple[int, int, str]] = []
    longest = max((len(run) for run in runs), default=1)
    for word in _words(text):
        window = [*window, word][-longest:]
        if beginnings and word[2].startswith(beginnings):
            yield word
        for run in runs:
            if tuple(one[2] for one in window[-len(run) :]) == run:
                yield (window[-len(run)][0], word[1], word[2])


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _WORD.finditer(text):
        if folded := fold(found[0]):
            yield found.start(), found.end(), folded


def _is_joined(run: str) -> bool:
    return re.match(f"[{_JOINED}]", run) is not None
