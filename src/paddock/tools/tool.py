"""Owns what a tool of the server is, and what one message's calls share; refuses to know any particular tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from paddock.protocol.turns import Outcome
from paddock.tools.workspaces import Workspace

Json = dict[str, Any]
Tell = Callable[[str], Awaitable[None]]


class Unfit(Exception):
    """A call that cannot be carried out as it was asked for. Its text tells the model what is wrong, and how to ask."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a call has to work with: its arguments, held to the tool's schema, the chat's workspace, and who listens."""

    arguments: Json
    workspace: Workspace
    tell: Tell


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool.

    `group` is another name by which it is turned on, with others. One that `is_harmless` reaches nothing beyond the
    message: it is on wherever tools are. One that `only_looks` changes nothing, and reaches nothing beyond the chat's
    workspace. `changes_things` says that an earlier call of some tool may come out otherwise after one of it. `why_off`
    tells why it cannot be used here and what helps; "" where it can.
    """

    name: str
    description: str
    parameters: Json
    carry_out: Callable[[Given], Awaitable[Outcome]]
    group: str = ""
    is_harmless: bool = False
    only_looks: bool = False
    changes_things: bool = False
    why_off: Callable[[], str] = field(default=lambda: "")

    @property
    def wants_asking(self) -> bool:
        """Whether a person is asked before a call, where nothing else was decided."""
        return not (self.is_harmless or self.only_looks)

    def definition(self) -> Json:
        """The tool as a model is shown it, in chat form."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


def takes(required: Json, **optional: Json) -> Json:
    """A schema of arguments: those that must be there, and those that may."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def text(described: str) -> Json:
    """A text among a tool's arguments."""
    return {"type": "string", "description": described}


def whole_number(described: str, **bounds: int) -> Json:
    """A whole number among a tool's arguments."""
    return {"type": "integer", "description": described, **bounds}
