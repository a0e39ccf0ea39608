"""Owns the tools that people ask for in their own words, as `concepts.yaml` lists them.

`SEEN` are training's; `HELD` are the evaluation's alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Concept(NamedTuple):
    """A tool that people ask for in their own words."""

    group: str
    names: tuple[str, ...]
    also: tuple[str, ...]
    """More names, which only training has."""
    descriptions: tuple[str, ...]
    parameters: tuple[tuple[tuple[str, ...], str], ...]
    """What each parameter may be called, and the kind of its value."""
    seen: tuple[str, ...]
    """Phrasings of training; `{0}` is the first parameter's value."""
    held: tuple[str, ...]
    """Phrasings of the evaluation."""


def _concept(raw: dict[str, Any]) -> Concept:
    parameters = tuple((tuple(one["names"]), one["kind"]) for one in raw["parameters"])
    texts = (tuple(raw[key]) for key in ("names", "descriptions"))
    names, descriptions = texts
    also = tuple(raw.get("also", ()))
    return Concept(raw["group"], names, also, descriptions, parameters, tuple(raw["seen"]), tuple(raw["held"]))


_RAW: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("concepts.yaml").read_text("utf-8"))
SEEN = tuple(_concept(raw) for raw in _RAW["seen"])
ASKED = tuple(concept for concept in SEEN if concept.held)
"""Those of training's that the evaluation asks for too."""
HELD = tuple(_concept(raw) for raw in _RAW["held"])
FAMILIES = tuple(frozenset(groups) for groups in _RAW["alike"])
"""Groups whose requests look alike: never offered together, since no one could tell which is meant."""
MORE_FAMILIES = (*FAMILIES, *(frozenset(groups) for groups in _RAW["alike_too"]))
"""Those of training."""


def alike(one: str, two: str, *, held: bool) -> bool:
    """Whether two groups of tools could be meant by the same words."""
    families = FAMILIES if held else MORE_FAMILIES
    return one == two or any(one in family and two in family for family in families)
