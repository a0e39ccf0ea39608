"""Owns rows of texts that belong together: one, another that is like it, and perhaps one that is not; no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from paddock.data.refusals import wrong
from paddock.data.rows import has, text_of


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """A text, one that must come to lie near it, and one that must not; "" where no such is named."""

    anchor: str
    positive: str
    negative: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them."""
        return (self.anchor, self.positive, self.negative) if self.negative else (self.anchor, self.positive)


def likeness_of(raw: object, place: str) -> Likeness:
    """The texts that a file holds at `place`, which errors name. Raises FieldInvalid."""
    if not isinstance(raw, dict):
        raise wrong(place, f"it is {type(raw).__name__}, not a table of anchor and positive")
    row = cast("dict[str, Any]", raw)
    first = "anchor" if has(row, "anchor") else "query"
    lacks = [name for name in (first, "positive") if not has(row, name)]
    if lacks:
        named = " and no ".join("anchor" if name == "query" else name for name in lacks)
        raise wrong(place, f"it has no {named}; its fields are {', '.join(map(str, row)) or 'none'}")
    anchor, positive = text_of(row, first, place), text_of(row, "positive", place)
    negative = text_of(row, "negative", place) if has(row, "negative") else ""
    if positive in (anchor, negative):
        other = first if positive == anchor else "negative"
        raise wrong(place, f"its {other} and positive are the same, so there is nothing to learn")
    return Likeness(anchor=anchor, positive=positive, negative=negative)
