"""Owns the specification of a pocket: sizes, stages, rates and seeds, read from `recipe.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RECIPE = Path(__file__).with_name("recipe.yaml")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of the model; `width` is a multiple of 64, the width of a head."""

    vocabulary: int
    width: int
    feed_forward: int
    layers: int
    rope_theta: float
    context_tokens: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training."""

    name: str
    steps: int
    batch_tokens: int
    """Tokens of one step, padding included."""
    row_tokens: int
    """Conversations that do not fit any more are left out of a row."""
    rate: float
    """Learning rate of AdamW after 30 steps of warm-up; falls in a straight line to `last_rate`."""
    last_rate: float
    circuit_rate: float
    """Share of the rate that the hand-set circuit gets: 0 is frozen."""
    pointer_rate: float
    """The same for the pointers to values and names, and for what the output layer reads of the circuit."""
    embedding_rate: float
    """Share of the rate that the free part of the embeddings gets."""
    talk: float
    """Share of rows without calls, 0 to 1."""
    tools: int
    """Most tools offered in a row."""
    known: float
    """Share of requests for tools that are known by heart, 0 to 1; the others are invented."""
    conversations: int
    """Most conversations over the same tools, trained as one row."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that makes a pocket: the same recipe on the same machine makes the same weights."""

    seed: int
    tokenizer_rows: int
    shape: Shape
    stages: tuple[Stage, ...]


def read(path: Path = RECIPE) -> Recipe:
    """The recipe in a YAML file; unknown or missing keys raise TypeError."""
    raw: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    stages = tuple(Stage(**stage) for stage in raw.pop("stages"))
    return Recipe(shape=Shape(**raw.pop("shape")), stages=stages, **raw)
