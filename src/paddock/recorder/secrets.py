"""Owns taking secrets out of what is recorded; refuses to know where it came from.

Covered: headers named like secrets, keys of the well-known forms, private keys, JSON fields named like secrets however
deep their JSON is escaped, and all of these where a stream tells them in pieces. Not covered: secrets without a form,
such as a password within a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from paddock.masking import masked

REMOVED = "[removed]"
_MARK = REMOVED.encode()
_HIDDEN_HEADER = re.compile(r"(?i)key|token|auth|secret|cookie|password")
# A key begins where a word does; the letter of an escaped line break is no part of a word.
_FORMS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    rb"|(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))(?:"
    rb"pd[ksl]-[A-Za-z0-9_-]{16,}"
    rb"|sk-[A-Za-z0-9_-]{16,}"
    rb"|(?:xai|gsk)[_-][A-Za-z0-9_-]{16,}"
    rb"|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"
    rb"|(?:hf|gho|ghp|ghu|ghs|ghr|github_pat|glpat|npm|pypi|xox[abprs])[_-][A-Za-z0-9_-]{16,}"
    rb"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    rb"|AIza[A-Za-z0-9_-]{30,}"
    rb"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    rb")",
    re.DOTALL,
)
_BEARER = re.compile(rb"(?i)bearer\s{1,16}([A-Za-z0-9._~+/=-]{12,})")
# The name of a field up to where its value begins; the backslashes say how deep its JSON is escaped.
_FIELD = re.compile(
    rb'(?i)"[\w-]{0,64}(?:api[_-]?key|apikey|access[_-]?key|private[_-]?key|password|passwd|secret|authorization|(token))'
    rb'(\\{0,31})"\s{0,16}:\s{0,16}\2"'
)
# A stream's fields that add up to a text.
_PIECE = re.compile(
    rb'"(content|delta|text|arguments|partial_json|thinking|reasoning_content|response)":\s{0,4}"((?:[^"\\]|\\.)*)"'
)
Span = tuple[int, int]
_TOKEN_LEAST = re.compile(rb'[^"\\\s]{8,}')


def without_secrets(data: bytes) -> bytes:
    """The bytes with every secret of a known form replaced by `[removed]`."""
    data = _cut(data, _secrets_in(data))
    pieces: dict[bytes, list[Span]] = {}
    for piece in _PIECE.finditer(data):
        pieces.setdefault(piece[1], []).append(piece.span(2))
    return _cut(data, sorted(span for spans in pieces.values() for span in _across(data, spans)))


def text_without_secrets(text: str) -> str:
    """A line of text without them, and without the passwords of addresses in it."""
    return masked(without_secrets(text.encode("utf-8", "replace")).decode("utf-8", "replace"))


def header_shown(name: str, value: str) -> str:
    """A header's value as it may be recorded."""
    if _HIDDEN_HEADER.search(name):
        return REMOVED
    return without_secrets(value.encode("latin-1", "replace")).decode("latin-1")


def _secrets_in(data: bytes) -> list[Span]:
    """Where secrets stand, in order; they may overlap."""
    found = [form.span() for form in _FORMS.finditer(data)]
    found += [bearer.span(1) for bearer in _BEARER.finditer(data)]
    for field in _FIELD.finditer(data):
        end = _end_of_text(data, field.end(), depth=len(field[2]))
        # A list of likely tokens has short ones, or such with a blank: those are pieces of text.
        if not field[1] or _TOKEN_LEAST.fullmatch(data, field.end(), end):
            found.append((field.end(), end))
    return sorted(found)


def _end_of_text(data: bytes, start: int, *, depth: int) -> int:
    """Where a JSON text ends whose quotes stand behind so many backslashes; the end of the data where it was cut."""
    at = data.find(b'"', start)
    while at >= 0:
        end = at
        while end > start and data[end - 1] == 0x5C:
            end -= 1
        if at - end <= depth:
            return end
        at = data.find(b'"', at + 1)
    return len(data)


def _cut(data: bytes, spans: Sequence[Span]) -> bytes:
    kept: list[bytes] = []
    done = 0
    for start, end in spans:
        if end > done and end > start:
            kept += (data[done : max(done, start)], b"" if start < done else _MARK)
            done = end
    return b"".join((*kept, data[done:]))


def _across(data: bytes, pieces: Sequence[Span]) -> Iterator[Span]:
    """What of a text's pieces, each a place in the data, belongs to a secret that is told in several of them."""
    secrets = iter(_secrets_in(b"".join(data[start:end] for start, end in pieces)) if len(pieces) > 1 else ())
    secret, place = next(secrets, None), 0
    for start, end in pieces:
        after = place + end - start
        while secret is not None and secret[0] < after:
            if secret[1] > place:
                yield start + max(secret[0] - place, 0), start + min(secret[1], after) - place
            if secret[1] > after:
                break
            secret = next(secrets, None)
        place = after
