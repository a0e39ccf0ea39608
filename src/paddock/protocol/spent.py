"""Owns counting the tokens of an answer by what its engine says of them; changes nothing. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from paddock.protocol.shape import as_object

_MARKS = (b'"usage"', b'"timings"')
_PIECES = (b"data: {", b"data:{")
# A quote within a text has a backslash before it, so this is never what a model said.
_TOLD = re.compile(rb'"(?:usage|timings)"\s*:\s*(?=\{)')
# More than an engine ever tells there; a body may have megabytes of vectors after it.
_TOLD_MOST_BYTES = 16_384
_REST_MOST_BYTES = 65_536
_DECODER = json.JSONDecoder()


# What a request's prompt is made of, in whatever dialect of the engine's.
_PROMPT = ("messages", "tools", "prompt", "input_prefix", "input_suffix", "input_extra")
_CHARACTERS_OF_A_TOKEN = 4


class Spent:
    """The tokens that one answer cost. Of an answer that broke off, its pieces are counted as written.

    `read` are tokens of the prompt that the engine worked through, `cached` those that it knew already, and `written`
    those of the answer. `prompt_tokens` is about what the prompt of one that broke off has: it cost that too.
    """

    __slots__ = ("_pieces", "_rest", "_total", "_written", "cached", "prompt_tokens", "read")

    def __init__(self, prompt_tokens: int = 0) -> None:
        self.prompt_tokens = prompt_tokens
        self.read = self.cached = self._written = 0
        self._rest: bytes = b""
        self._pieces: int = 0
        self._total: int = 0

    @property
    def written(self) -> int:
        """The tokens of the answer."""
        return self._written if self._total else self._pieces

    @property
    def tokens(self) -> int:
        """What was spent so far, all in all."""
        return self._total or (self._pieces and self._pieces + self.prompt_tokens)

    def add(self, other: Spent) -> None:
        """What another answer cost, of which this one is made too."""
        self._total += other.tokens
        self.read, self.cached, self._written = (
            self.read + other.read, self.cached + other.cached, self._written + other.written
        )  # fmt: skip

    def feed(self, data: bytes) -> None:
        """The next bytes of the engine's stream."""
        is_one = data.endswith(b"\n\n") and data.find(b"\n\n") == len(data) - 2
        if is_one and not self._rest and not any(mark in data for mark in _MARKS):
            # As nearly all are.
            self._pieces += data.startswith(_PIECES)
            return
        data = self._rest + data
        *frames, rest = (data.replace(b"\r\n", b"\n") if b"\r" in data else data).split(b"\n\n")
        self._rest = rest[-_REST_MOST_BYTES:]
        for frame in frames:
            self._pieces += frame.startswith(_PIECES)
            self.whole(frame)

    def whole(self, body: bytes) -> None:
        """A whole answer, or one frame's."""
        if not any(mark in body for mark in _MARKS):
            return
        for told in _TOLD.finditer(body):
            text = body[told.end() : told.end() + _TOLD_MOST_BYTES].decode("utf-8", "replace")
            try:
                counts = as_object(_DECODER.raw_decode(text)[0]) or {}
            except ValueError:
                continue
            self._note(counts)

    def _note(self, counts: dict[str, Any]) -> None:
        """What a `usage`, or llama.cpp's `timings`, tells; the largest is the last."""
        if "prompt_n" in counts or "predicted_n" in counts:
            read, cached, written = (_count(counts.get(name)) for name in ("prompt_n", "cache_n", "predicted_n"))
        else:
            details = as_object(counts.get("prompt_tokens_details")) or {}
            prompt, cached = _count(counts.get("prompt_tokens")), _count(details.get("cached_tokens"))
            read, cached = prompt - min(prompt, cached), min(prompt, cached)
            written = _count(counts.get("completion_tokens"))
        total = max(read + cached + written, _count(counts.get("total_tokens")))
        if total >= self._total:
            self._total, self.read, self.cached, self._written = total, read, cached, written


def about(body: Mapping[str, Any]) -> int:
    """About how many tokens the texts of a request have, without asking an engine; images are left out."""
    characters, left = 0, [body.get(name) for name in _PROMPT]
    while left:
        value: object = left.pop()
        if isinstance(value, str):
            characters += 0 if value.startswith("data:") else len(value)
        elif isinstance(value, dict):
            left += cast("dict[str, object]", value).values()
        elif isinstance(value, list):
            left += cast("list[object]", value)
    return characters // _CHARACTERS_OF_A_TOKEN


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0
