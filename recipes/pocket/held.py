"""Owns the held-out prompts that pocket is scored on; knows nothing of models.

Phrasings and words are those that training never sees; half of the calls want tools that training never sees either.
Four tools are offered. `python -m recipes.pocket.held > FILE` prints one JSON object a line: cell, messages, tools, and
what is wanted: calls, text that the answer must hold, or neither.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from typing import Any

from recipes.pocket import rows
from recipes.pocket.rows import Row, Split

SEED = 20261127
TOOLS = 4
CELLS = (
    ("call: known tools", 150),
    ("call: unseen tools", 150),
    ("result used", 120),
    ("no call: no tool fits", 120),
    ("no call: no tools", 40),
)
"""The cells and how many prompts each has."""


def prompts(seed: int = SEED, share: float = 1.0) -> Iterator[dict[str, Any]]:
    """Every cell's prompts, or of each cell the first `share`; another seed makes other prompts."""
    for number, (cell, count) in enumerate(CELLS):
        source = random.Random(f"{seed} {number}")
        for index in range(max(1, round(count * share))):
            yield _prompt(source, cell, index)


def _prompt(source: random.Random, cell: str, index: int) -> dict[str, Any]:
    if cell.startswith("call"):
        split = Split(held_words=True, held_tools="unseen" in cell)
        return _call(cell, rows.tool_row(source, split, turns=1, tools=TOOLS))
    if cell == "result used":
        while True:
            row = rows.tool_row(source, Split(True, index % 2 == 0), turns=1, tools=TOOLS)
            if row["messages"][-2]["role"] == "tool":
                return _result(cell, row)
    row = rows.talk_row(source, Split(held_words=True), tools=TOOLS if "fits" in cell else 0)
    first = next(n for n, message in enumerate(row["messages"]) if message["role"] == "assistant")
    return _row(cell, row, first)


def _call(cell: str, row: Row) -> dict[str, Any]:
    place = next(n for n, message in enumerate(row["messages"]) if message.get("tool_calls"))
    return _row(cell, row, place, calls=[made["function"] for made in row["messages"][place]["tool_calls"]])


def _result(cell: str, row: Row) -> dict[str, Any]:
    content: str = row["messages"][-2]["content"]
    shown = next(iter(json.loads(content).values())) if content.startswith("{") else content
    return _row(cell, row, len(row["messages"]) - 1, text=str(shown))


def _row(
    cell: str, row: Row, length: int, *, calls: list[dict[str, Any]] | None = None, text: str | None = None
) -> dict[str, Any]:
    """The first `length` messages in the shape of a chat request (call ids, arguments as JSON text), and the goal."""
    messages: list[dict[str, Any]] = []
    for number, message in enumerate(row["messages"][:length]):
        if message["role"] == "tool":
            messages.append(
                {"role": "tool", "tool_call_id": messages[-1]["tool_calls"][0]["id"], "content": message["content"]}
            )
        elif message.get("tool_calls"):
            made = [
                {
                    "id": f"call-{number}-{n}",
                    "type": "function",
                    "function": one["function"] | {"arguments": json.dumps(one["function"]["arguments"])},
                }
                for n, one in enumerate(message["tool_calls"])
            ]
            messages.append({"role": "assistant", "content": message["content"], "tool_calls": made})
        else:
            messages.append({"role": message["role"], "content": message["content"]})
    return {"cell": cell, "messages": messages, "tools": row["tools"], "calls": calls, "text": text}


def main() -> None:
    """Print the prompts."""
    for prompt in prompts():
        sys.stdout.write(json.dumps(prompt, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
