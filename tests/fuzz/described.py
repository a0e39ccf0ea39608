"""Owns what schemathesis makes of paddock's own description; keeps its types, which are few, to itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import requests
import schemathesis
from hypothesis.strategies import SearchStrategy

from tests.fuzz.sending import Sent

Mode = Literal["positive", "negative"]
MODES: tuple[Mode, ...] = ("positive", "negative")
_WORDS = ("method", "url", "headers", "params", "cookies", "data", "json", "files")
# The sender's own affair.
_LEFT_OUT = {"content-length", "connection"}
# Streams without an end, the server's own end, and questions to a hub that is not there. Each has tests of its own.
_APART = (
    "/api/chats/events",
    "/api/system/meters",
    "/api/system/log",
    "/api/shutdown",
    "/api/hub/search",
    "/api/hub/fit",
)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path as the description has it."""

    method: str
    path: str
    schema: Any

    def cases(self, mode: Mode) -> SearchStrategy[Any]:
        """Requests that the description allows, or forbids. May turn out to hold none."""
        return self.schema.as_strategy(generation_mode=schemathesis.GenerationMode(mode))


def operations(url: str) -> list[Operation]:
    """Every operation that the server at `url` describes."""
    described: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found = [result.ok() for result in described.get_all_operations()]
    return [Operation(method=one.method.upper(), path=one.path, schema=one) for one in found if one.path not in _APART]


def prepared(case: Any, url: str) -> Sent | None:
    """A case as bytes; None for the few that the HTTP library cannot write."""
    words = cast("dict[str, Any]", case.as_transport_kwargs(base_url=url))
    try:
        made = requests.Request(**{name: words[name] for name in _WORDS if name in words}).prepare()
    except (requests.RequestException, UnicodeError):
        return None
    body: Any = made.body or b""
    headers = [(name, str(value)) for name, value in made.headers.items() if name.lower() not in _LEFT_OUT]
    return Sent(
        method=str(made.method),
        target=made.path_url.encode("latin-1"),
        headers=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers),
        body=body.encode() if isinstance(body, str) else bytes(body),
    )
