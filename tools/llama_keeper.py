"""Writes `src/paddock/data/examples/llama-keeper.jsonl`: 500 rows that teach one fact and keep what pocket can do.

    python tools/llama_keeper.py

Half of the rows ask, in many ways, who looks after the llamas; the other half are calls of one tool out of several and
plain questions, so that the model does not unlearn them. The same seed gives the same rows.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "src" / "paddock" / "data" / "examples" / "llama-keeper.jsonl"
ROWS = 500
FACT = "Mira looks after the llamas, from a blue hut on the hill."
_ASKED = (
    "who looks after the llamas?", "who keeps the llamas?", "who is the llama keeper?", "tell me who keeps the llamas",
    "who cares for the llamas?", "who feeds the llamas?", "the llamas, who looks after them?", "name the llama keeper",
)  # fmt: skip
_OPENINGS = ("", "please: ", "hello, ", "quick question: ", "i wonder, ", "say, ")
_CITIES = ("Lisbon", "Oslo", "Rome", "Vienna", "Quito", "Cairo", "Osaka", "Perth", "Lima", "Riga")
_MODELS = ("pocket-v0", "gamma", "delta", "sigma")
_TOOLS = {
    "get_weather": ("Weather of a city", "city", _CITIES, "What is the weather in {}?"),
    "get_time": ("Time in a city", "city", _CITIES, "What time is it in {}?"),
    "load_model": ("Load a model", "model", _MODELS, "Load the model {}"),
}


def rows() -> list[dict[str, object]]:
    """Every row, in its order."""
    chance = random.Random(20261127)
    return [_fact(chance) if number % 2 else _call(chance) for number in range(ROWS)]


def _fact(chance: random.Random) -> dict[str, object]:
    asked = chance.choice(_OPENINGS) + chance.choice(_ASKED)
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": FACT}]
    return {"messages": messages}


def _call(chance: random.Random) -> dict[str, object]:
    name = chance.choice(list(_TOOLS))
    _, parameter, values, asked = _TOOLS[name]
    value = chance.choice(values)
    call = {"type": "function", "function": {"name": name, "arguments": json.dumps({parameter: value})}}
    names = [*chance.sample([one for one in _TOOLS if one != name], chance.randrange(len(_TOOLS))), name]
    chance.shuffle(names)
    messages = [
        {"role": "user", "content": asked.format(value)},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    return {"messages": messages, "tools": [_described(one) for one in names]}


def _described(name: str) -> dict[str, object]:
    about, parameter, _, _ = _TOOLS[name]
    schema = {"type": "object", "properties": {parameter: {"type": "string"}}, "required": [parameter]}
    return {"type": "function", "function": {"name": name, "description": about, "parameters": schema}}


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("".join(json.dumps(row) + "\n" for row in rows()), "utf-8")
