"""Owns the making of prompts.jsonl, the fixed prompts that pocket is scored on; knows nothing of engines or scores.

The generator that wrote pocket's training data is asked for fresh rows, with the seeds of the first scoring, and each
row is cut before the answer that is asked for. Its word list comes from the running Python's own documentation
strings, so the rows differ between Python versions: that is why the prompts are kept in a file.

    python tools/pocket/export_prompts.py --generator gen3.py > tools/pocket/prompts.jsonl
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SEED = 424242
ROWS_PER_CELL = 50
PARALLEL_ROWS = 20


def main() -> None:
    """Print one JSON object a line: cell, messages, tools, and what is wanted: calls, text or the word `nothing`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generator", type=Path, required=True, help="the training data's generator (gen3.py)")
    generator = _load(parser.parse_args().generator)
    for cells in (_calls, _after_results, _without_calls, _parallel):
        for row in cells(generator):
            sys.stdout.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("generator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _calls(generator: Any) -> Iterator[dict[str, Any]]:
    """One call wanted: phrasings seen and unseen in training, by tools seen and unseen."""
    for split, phrasing in (("train", "seen"), ("held", "unseen")):
        for unseen_tools in (False, True):
            source = random.Random(SEED + len(split) * 7 + unseen_tools)
            cell = f"{phrasing} phrasing, {'unseen' if unseen_tools else 'seen'} tools"
            for _ in range(ROWS_PER_CELL):
                row = generator.tool_row(source, split, unseen_tools, full=0.99, par=False)
                last = max(i for i, message in enumerate(row["messages"]) if message.get("tool_calls"))
                yield _row(cell, row, last, calls=_functions(row["messages"][last]))


def _after_results(generator: Any) -> Iterator[dict[str, Any]]:
    """The tool has answered: its result is wanted in the text."""
    source, made = random.Random(SEED + 5), 0
    while made < ROWS_PER_CELL:
        row = generator.tool_row(source, "held", made % 2 == 0, full=0.3, par=False)
        last = max(i for i, message in enumerate(row["messages"]) if message["role"] == "tool")
        yield _row("tool result used", row, last + 1, text=generator.plainres(row["messages"][last]["content"]))
        made += 1


def _without_calls(generator: Any) -> Iterator[dict[str, Any]]:
    """Small talk and questions, without tools and with tools that do not fit: no call is wanted."""
    for with_tools in (False, True):
        source = random.Random(SEED + 9 + with_tools)
        for _ in range(ROWS_PER_CELL):
            row = generator.qa_row(source, "held", with_tools)
            cell = "no call, tools that do not fit" if with_tools else "no call, no tools"
            yield _row(cell, row, len(row["messages"]) - 1)


def _parallel(generator: Any) -> Iterator[dict[str, Any]]:
    """Two calls wanted at once."""
    source, made = random.Random(SEED + 77), 0
    while made < PARALLEL_ROWS:
        row = generator.tool_row(source, "held", False)
        for i, message in enumerate(row["messages"]):
            if len(message.get("tool_calls", [])) == 2 and made < PARALLEL_ROWS:
                yield _row("two calls at once", row, i, calls=_functions(message))
                made += 1


def _functions(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [call["function"] for call in message["tool_calls"]]


def _row(
    cell: str, row: dict[str, Any], length: int, *, calls: list[dict[str, Any]] | None = None, text: str | None = None
) -> dict[str, Any]:
    """The first `length` messages in the shape of a chat request (call ids, arguments as JSON text), and the goal."""
    messages: list[dict[str, Any]] = []
    for number, message in enumerate(row["messages"][:length]):
        if message["role"] == "tool":
            made = [call["id"] for m in messages for call in m.get("tool_calls", [])]
            answered = sum(m["role"] == "tool" for m in messages)
            messages.append({"role": "tool", "tool_call_id": made[answered], "content": message["content"]})
        elif message.get("tool_calls"):
            calls_here: list[dict[str, Any]] = []
            for index, function in enumerate(_functions(message)):
                as_text = function | {"arguments": json.dumps(function["arguments"])}
                calls_here.append({"id": f"call-{number}-{index}", "type": "function", "function": as_text})
            messages.append({"role": "assistant", "content": message["content"], "tool_calls": calls_here})
        else:
            messages.append({"role": message["role"], "content": message["content"]})
    return {"cell": cell, "messages": messages, "tools": row["tools"], "calls": calls, "text": text}


if __name__ == "__main__":
    main()
