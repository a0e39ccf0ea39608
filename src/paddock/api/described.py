"""Owns how a route says what it takes and answers, for the API's description; refuses to check any of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

JSON = "application/json"
EVENTS = "text/event-stream"
ID = r"^[A-Za-z0-9_-]{8,64}$"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path. The page's types are made of this.

    Args:
        says: one sentence.
        body: the schema of the request's JSON; None where it has none.
        answer: the schema of the answer's JSON; None where it is no JSON, which `kind` says.
        status: of an answer that went well.
        query: the schema of each parameter of the query, by name; all may be left out but those in `needs`.
        takes: the media type of a body that is no JSON.
    """

    says: str
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    needs: tuple[str, ...] = ()
    kind: str = JSON
    takes: str | None = None


class Asked(BaseModel):
    """A body that holds no other fields than these, and each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """An answer's object: it has no other fields than these."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(BaseModel):
    """What went wrong. `current` is what is there, in a conflict."""

    message: str
    type: str
    param: str | None
    code: str | None
    current: dict[str, Any] | None = None


class Error(BaseModel):
    """Every error of paddock's own routes."""

    error: ErrorDetail


def text(most: int | None = None, pattern: str | None = None, enum: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The schema of a parameter that is text."""
    found = {"maxLength": most, "pattern": pattern, "enum": list(enum) if enum else None}
    return {"type": "string", **{name: value for name, value in found.items() if value is not None}}


def whole(least: int, most: int, usual: int) -> dict[str, Any]:
    """The schema of a parameter that is a whole number."""
    return {"type": "integer", "minimum": least, "maximum": most, "default": usual}
