"""Owns the long answer that the page is measured with: Markdown of every kind, token by token; knows no page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_PARAGRAPH = (
    "The **quick** engine reads a prompt once and keeps what it read, so that the *next* turn begins where the last "
    "one ended; see `cached_tokens` in the usage of an answer, and [the page on slots](https://example.org/slots).\n\n"
)
_LIST = "- first, the header is read\n- then the weights are mapped\n- last, the context is laid out\n\n"
_CODE = (
    "```python\ndef fit(size_bytes: int, free_bytes: int) -> bool:\n"
    '    """Whether it fits."""\n    for layer in range(32):\n        size_bytes -= layer * 1024\n'
    "    return size_bytes < free_bytes\n```\n\n"
)
_TABLE = "| layers | memory | speed |\n|---|---|---|\n| 16 | 2 GiB | 12 |\n| 32 | 4 GiB | 31 |\n\n"
_MATH = "It holds that $a^2 + b^2 = c^2$, and further\n\n$$\\sum_{i=1}^{n} i = \\frac{n(n+1)}{2}$$\n\n"
_KINDS = (_PARAGRAPH, _PARAGRAPH, _LIST, _PARAGRAPH, _CODE, _PARAGRAPH, _TABLE, _PARAGRAPH, _MATH, _PARAGRAPH)
_TOKEN_CHARACTERS = 4


def long_text(tokens: int) -> list[str]:
    """So many pieces of a few characters each, as a model writes them."""
    text = "".join(f"### Part {turn + 1}\n\n{''.join(_KINDS)}" for turn in range(1 + tokens // 300))
    pieces = [text[at : at + _TOKEN_CHARACTERS] for at in range(0, len(text), _TOKEN_CHARACTERS)]
    return pieces[:tokens]


def frames(pieces: Sequence[str], per_s: float) -> list[dict[str, Any]]:
    """The engine's stream of such pieces, as its script has it; `per_s` 0 is at once."""
    delay_s = 1 / per_s if per_s else 0.0
    deltas: list[tuple[dict[str, Any], str | None]] = [({"content": piece}, None) for piece in pieces]
    told: list[dict[str, Any]] = []
    for delta, finish in [*deltas, ({}, "stop")]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        told.append({"text": f"data: {json.dumps(chunk)}\n\n", "delay_s": delay_s})
    return [*told, {"text": "data: [DONE]\n\n"}]
