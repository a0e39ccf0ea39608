"""Owns the scoring of a pocket GGUF through the engine's own HTTP server; knows nothing of how the model was made.

    python tools/pocket/score.py MODEL.gguf [--prompts FILE] [--temperature T] [--repeats N] [--fails N]

Prints a Markdown table: of each cell's prompts, how many answers had the shape of a call, named the right tools, and
were right as a whole; and for the prompts of the recipe a second one, of what is reached of the goals.
Without --temperature nothing about sampling is sent: the file's own recommended values apply.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PROMPTS = Path(__file__).with_name("prompts.jsonl")
ANSWER_TIMEOUT_S = 60

_CHILD = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.hostnames = sys.argv[1], 0, ["127.0.0.1"]
params.n_parallel, params.n_ctx, params.n_batch, params.n_ubatch = 1, 8192, 128, 128
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.ui = params.fit_params = False
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


class Verdict(NamedTuple):
    """Of one answer: has it the wanted shape, names it the right tools, is it right as a whole."""

    shape: bool
    names: bool
    exact: bool


class Goal(NamedTuple):
    """What a pocket that is shipped should reach."""

    name: str
    cells: str
    """How the names of the cells begin that it is counted over."""
    column: int
    """Which part of a verdict counts."""
    share: float


GOALS = (
    Goal("valid call", "call: ", 0, 0.99),
    Goal("right tool among 4", "call: ", 1, 0.97),
    Goal("exact arguments", "call: ", 2, 0.90),
    Goal("tool result used in the answer", "result used", 2, 0.95),
    Goal("no call where none fits", "no call: no tool fits", 0, 0.95),
)


def main() -> None:
    """Score every prompt and print the table; exit status 0 whatever the scores are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="GGUF file")
    parser.add_argument("--prompts", type=Path, default=PROMPTS, help="file of prompts, one JSON object a line")
    parser.add_argument("--temperature", type=float, help="sent with each request; 0 is greedy")
    parser.add_argument("--repeats", type=int, default=1, help="times each prompt is asked; counts are summed")
    parser.add_argument("--fails", type=int, default=0, help="wrong answers shown per cell")
    options = parser.parse_args()
    sampling = {} if options.temperature is None else {"temperature": options.temperature}
    rows = [json.loads(line) for line in options.prompts.read_text("utf-8").splitlines()] * options.repeats
    with _engine(options.model) as address:
        verdicts = [(row, *_judge(row, _ask(address, row, sampling))) for row in rows]
    sys.stdout.write(report([(row["cell"], verdict) for row, verdict, _ in verdicts]))
    for cell in dict.fromkeys(row["cell"] for row in rows):
        wrong = [(row, said) for row, verdict, said in verdicts if row["cell"] == cell and not verdict.exact]
        for row, said in wrong[: options.fails]:
            asked, wanted = row["messages"][-1]["content"], row["calls"] or row["text"]
            sys.stderr.write(f"  {asked!r} wants {wanted!r}, got {said}\n")


def report(judged: list[tuple[str, Verdict]]) -> str:
    """Two Markdown tables of answers, each with its cell: the counts, and the goals for which there are cells."""
    said = ["| prompts | of | shape | right tools | exact |\n|---|---|---|---|---|\n"]
    for cell in dict.fromkeys(cell for cell, _ in judged):
        own = [verdict for other, verdict in judged if other == cell]
        counts = " | ".join(str(sum(column)) for column in zip(*own, strict=True))
        said.append(f"| {cell} | {len(own)} | {counts} |\n")
    reached: list[str] = []
    for goal in GOALS:
        own = [verdict[goal.column] for cell, verdict in judged if cell.startswith(goal.cells)]
        if own:
            reached.append(
                f"| {goal.name} | {sum(own)} of {len(own)} | {sum(own) / len(own):.1%} | {goal.share:.0%} |\n"
            )
    if len(reached) == len(GOALS):
        said += ["\n| goal | right | share | wanted |\n|---|---|---|---|\n", *reached]
    return "".join(said)


@contextmanager
def _engine(model: Path) -> Generator[str]:
    """The model served by a child process; gives its address. The child ends with the block."""
    command = [sys.executable, "-c", _CHILD, str(model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        try:
            assert child.stdout is not None
            address = child.stdout.readline().decode().strip()
            if not address:
                raise SystemExit(f"The engine could not load {model.name}.")
            yield address
        finally:
            child.kill()


def _ask(address: str, row: dict[str, Any], sampling: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": row["messages"], "max_tokens": 120, **sampling}
    if row["tools"]:
        body |= {"tools": row["tools"], "parallel_tool_calls": row["calls"] is not None and len(row["calls"]) > 1}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as response:
        return json.load(response)["choices"][0]["message"]


def _judge(row: dict[str, Any], message: dict[str, Any]) -> tuple[Verdict, str]:
    """The verdict, and the answer as one line."""
    said = json.dumps({"content": message.get("content"), "tool_calls": message.get("tool_calls")})
    made: list[dict[str, Any]] = message.get("tool_calls") or []
    calls = [_call(call["function"]) for call in made]
    if row["calls"] is None:
        text = message.get("content") or ""
        silent = not calls and "<tool_call>" not in text
        return Verdict(silent, silent, silent and (row["text"] or "") in text), said
    shape = bool(calls) and all(call is not None for call in calls)
    names = shape and [call["name"] for call in calls if call] == [call["name"] for call in row["calls"]]
    return Verdict(shape, names, names and calls == row["calls"]), said


def _call(function: dict[str, str]) -> dict[str, Any] | None:
    try:
        return {"name": function["name"], "arguments": json.loads(function["arguments"])}
    except json.JSONDecodeError:
        return None


if __name__ == "__main__":
    main()
