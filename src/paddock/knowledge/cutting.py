"""Owns cutting the parts of a document into passages, each with its place in the document's text; pure.

A passage ends where a paragraph, a line, a sentence or at least a word does, and begins a little before the last one's
end, so that what stands at a cut is whole in one of them. None reaches over a page's end, nor over a section's, but
that tiny sections of one page share a passage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

CHARACTERS_MOST = 1000
_LEAST = 400
_OVERLAP = 120
# A passage of a part of fewer characters takes the next part in.
_TINY = 200
_BETWEEN = "\n\n"
_ENDS = ("\n\n", "\n", ". ", "! ", "? ", "。", "; ", ", ", " ")


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A piece of a document's text, from character `first` to `last` (which is no longer of it)."""

    text: str
    first: int
    last: int
    page: int | None
    section: str


def whole_text(parts: Sequence[dict[str, Any]]) -> str:
    """The text of a document of these parts, in which passages have their places."""
    return _BETWEEN.join(part["text"] for part in parts)


def cut(parts: Sequence[dict[str, Any]]) -> list[Passage]:
    """The passages of a document; of parts that are blank there are none."""
    found: list[Passage] = []
    start = 0
    for part in parts:
        for first, last in _spans(part["text"]):
            text = part["text"][first:last]
            lead = len(text) - len(text.lstrip())
            if text := text.strip():
                at = start + first + lead
                found.append(
                    Passage(text=text, first=at, last=at + len(text), page=part["page"], section=part["section"])
                )
        start += len(part["text"]) + len(_BETWEEN)
    return list(_joined(found, whole_text(parts)))


def _joined(passages: Sequence[Passage], whole: str) -> Iterator[Passage]:
    """Passages, of which tiny ones took in what follows on their page; the section is that of the longest."""
    held: Passage | None = None
    longest = 0
    for one in passages:
        if held is None or one.page != held.page or len(held.text) >= _TINY or one.last - held.first > CHARACTERS_MOST:
            if held is not None:
                yield held
            held, longest = one, len(one.text)
            continue
        section = one.section if len(one.text) > longest else held.section
        held = replace(held, text=whole[held.first : one.last], last=one.last, section=section)
        longest = max(longest, len(one.text))
    if held is not None:
        yield held


def _spans(text: str) -> Iterator[tuple[int, int]]:
    first = 0
    while len(text) - first > CHARACTERS_MOST:
        last = _end(text, first)
        yield first, last
        # Where a word begins, or at least further on than before.
        begin = text.find(" ", last - _OVERLAP, last)
        first = begin + 1 if first < begin else last
    yield first, len(text)


def _end(text: str, first: int) -> int:
    most = first + CHARACTERS_MOST
    for mark in _ENDS:
        if (found := text.rfind(mark, first + _LEAST, most - len(mark) + 1)) >= 0:
            return found + len(mark)
    return most
