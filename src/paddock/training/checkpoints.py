"""Owns which checkpoints of a training are whole, by the seal of its worker; refuses to write or remove."""

from __future__ import annotations

import json
from pathlib import Path

# In a checkpoint: the size of each of its files.
SEAL = "paddock.json"


def whole(folder: Path) -> dict[int, Path]:
    """The whole checkpoints by their steps, the last first. One that is being written, or was cut short, is none."""
    found = sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True)
    return {step_of(one): one for one in found if step_of(one) >= 0 and is_whole(one)}


def is_whole(checkpoint: Path) -> bool:
    """Whether each file is there, in the size that it had."""
    return bool(sizes(checkpoint))


def sizes(checkpoint: Path) -> dict[str, int]:
    """The sizes of its files by their names; {} where it is not whole."""
    try:
        said: dict[str, int] = json.loads((checkpoint / SEAL).read_text("utf-8"))
        return said if all((checkpoint / name).stat().st_size == size for name, size in said.items()) else {}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def step_of(checkpoint: Path) -> int:
    """After which step it was written; -1 where its name does not say."""
    word = checkpoint.name.rpartition("-")[2]
    return int(word) if word.isdecimal() else -1
