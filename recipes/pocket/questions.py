"""Owns what pocket can say without a tool, as `questions.yaml` lists it, and what it says to all other questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Question(NamedTuple):
    """Ways to ask, of training and of the evaluation, and the one answer."""

    seen: tuple[str, ...]
    held: tuple[str, ...]
    answer: str


_RAW: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text("utf-8"))
QUESTIONS = tuple(Question(tuple(raw["seen"]), tuple(raw["held"]), raw["answer"]) for raw in _RAW["questions"])
UNKNOWN_SEEN: tuple[str, ...] = tuple(_RAW["unknown"]["seen"])
UNKNOWN_HELD: tuple[str, ...] = tuple(_RAW["unknown"]["held"])
UNKNOWN: str = _RAW["unknown_answer"]
NO_TOOL: str = _RAW["no_tool_answer"]
