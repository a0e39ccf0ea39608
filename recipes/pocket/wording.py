"""Owns which words of pocket's data are authored: what training reads in requests, and what it says by heart.

All other words are strangers: they differ by their codes alone, so a word that training never met is no stranger than
one that it met often, and what is learned of copying holds for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transformers import PreTrainedTokenizerFast

from recipes.pocket import concepts, inventions, questions
from recipes.pocket import tokenizer as pieces
from recipes.pocket.lists import LISTS


def read() -> str:
    """What stands in requests and in lists of tools, as one text."""
    return " ".join((*_requests(), *_tools(), *said().split())).replace("_", " ")


def said() -> str:
    """What the assistant says by heart, as one text."""
    return " ".join((*(one.answer for one in questions.QUESTIONS), questions.UNKNOWN, questions.NO_TOOL, "true false"))


def _requests() -> Iterator[str]:
    for concept in concepts.SEEN:
        yield from concept.seen
    for question in questions.QUESTIONS:
        yield from question.seen
    yield from questions.UNKNOWN_SEEN
    for name in ("clauses", "loose", "frames", "before", "after", "joints", "days", "months"):
        yield from LISTS[name]
    for parameter in inventions.PARAMETERS:
        yield from parameter.seen


def _tools() -> Iterator[str]:
    for concept in concepts.SEEN:
        yield from (*concept.names, *concept.descriptions)
        for names, _ in concept.parameters:
            yield from names
    for parameter in inventions.PARAMETERS:
        yield from parameter.names
    yield from LISTS["file_ends"]


def strangers(tokenizer: PreTrainedTokenizerFast, authored: str) -> list[list[int]]:
    """Pieces of letters that an authored text has not: four lists, by space and capital, of pieces that are alike."""
    encoded: Any = tokenizer(authored.lower(), add_special_tokens=False)
    listed: list[str] = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    words = {pieces.twin(listed[number]).word for number in encoded["input_ids"]}
    kinds: dict[tuple[bool, bool], list[int]] = {}
    for number, piece in enumerate(listed):
        own = pieces.twin(piece)
        if own.word.isascii() and own.word.isalpha() and own.word not in words:
            kinds.setdefault((own.spaced, own.capital), []).append(number)
    return list(kinds.values())
