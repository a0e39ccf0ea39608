"""Owns the recorded requests of known clients: what each sends, its prose replaced by filler; refuses to send any.

`recorded/CLIENT.jsonl` holds one client: its name and version, then one request a line. A text that reads
`filler START LENGTH` stands for that many characters of filler, from its word START on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddock.errors import BadRequest, shown
from paddock.protocol.shape import as_array, as_object

_FOLDER = Path(__file__).parent / "recorded"
_WORDS = [
    "hay", "barn", "water", "stall", "bridle", "halter", "oats", "track", "field", "pasture", "llama", "trot", "grass",
    "gate", "fence",
]  # fmt: skip
# Of a client's longest request, written out. Beyond it are agents, whose prompts have many thousand tokens.
QUICK_CHARACTERS = 8192
_FILLER = re.compile(r"filler (\d+) (\d+)")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One recorded request of a client. `number` counts from 1; `follows` is the turn that this one continues."""

    client: str
    version: str
    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any] | None
    follows: int | None

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]


def filler(start: int, length_characters: int) -> str:
    """So many characters of filler, beginning with the word at `start` (0 to 14)."""
    text = " ".join(_WORDS[start:] + _WORDS[:start]) + " "
    return (text * (length_characters // len(text) + 1))[:length_characters]


def clients() -> list[str]:
    """The clients whose requests are recorded."""
    return sorted(path.stem for path in _FOLDER.glob("*.jsonl"))


def quick_clients() -> list[str]:
    """The clients whose requests are all short, so that a small machine answers them within a minute."""
    return [name for name in clients() if all(len(json.dumps(shape.body)) <= QUICK_CHARACTERS for shape in _read(name))]


def shapes_of(names: Sequence[str]) -> list[list[Shape]]:
    """The requests of these clients, in the order they were made; of every client where none is named.

    Raises:
        BadRequest: no client of one of these names is recorded.
    """
    known = clients()
    for name in names:
        if name not in known:
            sentence = f"No requests of a client {shown(name)} are recorded. Recorded are: {', '.join(known)}."
            raise BadRequest(sentence, param="client")
    return [_read(name) for name in known if not names or name in names]


def _read(client: str) -> list[Shape]:
    head, *lines = (_FOLDER / f"{client}.jsonl").read_text("utf-8").splitlines()
    version = json.loads(head)["version"]
    found: list[Shape] = []
    for number, line in enumerate(lines, start=1):
        request = json.loads(line)
        body = expanded(request["body"])
        told = {"method": request["method"], "path": request["path"], "headers": request["headers"]}
        follows = _followed(found, request["path"], body)
        found.append(Shape(client=client, version=version, number=number, **told, body=body, follows=follows))
    return found


def expanded(value: Any) -> Any:
    """A recorded value with its filler written out."""
    held, listed = as_object(value), as_array(value)
    if held is not None:
        return {name: expanded(inner) for name, inner in held.items()}
    if listed is not None:
        return [expanded(inner) for inner in listed]
    mark = _FILLER.fullmatch(value) if isinstance(value, str) else None
    return filler(int(mark[1]), int(mark[2])) if mark else value


def _followed(before: Sequence[Shape], path: str, body: dict[str, Any] | None) -> int | None:
    """The number of the latest request whose conversation this one begins with."""
    said = _turns(body)
    for shape in reversed(before):
        earlier = _turns(shape.body)
        is_same = shape.path == path and (shape.body or {}).get("tools") == (body or {}).get("tools")
        if is_same and 0 < len(earlier) < len(said) and said[: len(earlier)] == earlier:
            return shape.number
    return None


def _turns(body: dict[str, Any] | None) -> list[Any]:
    read = body or {}
    return [_unmarked(turn) for turn in as_array(read.get("messages", read.get("input"))) or []]


def _unmarked(value: Any) -> Any:
    """Without the cache marks, which move on from turn to turn."""
    held, listed = as_object(value), as_array(value)
    if held is not None:
        return {name: _unmarked(inner) for name, inner in held.items() if name != "cache_control"}
    return value if listed is None else [_unmarked(inner) for inner in listed]
