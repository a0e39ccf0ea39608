"""Tests by what a call of a tool is let: what is decided, what the request says, and what else is usual."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paddock.protocol.turns import Outcome
from paddock.store.tool_permissions import Decided
from paddock.tools.deciding import decide
from paddock.tools.tool import Given, Tool


async def nothing(given: Given) -> Outcome:
    return Outcome(text=given.workspace.session_id)


RUNS = Tool(name="run", description="", parameters={}, carry_out=nothing, group="mcp:box")
LOOKS = replace(RUNS, name="look", only_looks=True)
HARMLESS = replace(RUNS, name="sum", group="", is_harmless=True)


@pytest.mark.parametrize(
    ("tool", "stated", "decided", "how"),
    [
        (RUNS, {}, {}, "request"),
        (HARMLESS, {}, {}, "usual"),
        (LOOKS, {}, {}, "usual"),
        (RUNS, {"*": "ask"}, {}, "ask"),
        (LOOKS, {"*": "ask"}, {}, "usual"),
        (LOOKS, {"look": "ask"}, {}, "ask"),
        (LOOKS, {"*": "ask"}, {"everywhere": {"mcp:box": "ask"}}, "ask"),
        (RUNS, {"*": "ask", "mcp:box": "always"}, {}, "request"),
        (RUNS, {"run": "ask", "mcp:box": "always"}, {}, "ask"),
        (RUNS, {"*": "ask"}, {"everywhere": {"run": "always"}}, "always"),
        (RUNS, {"*": "ask"}, {"everywhere": {"mcp:box": "always"}}, "always"),
        (RUNS, {"*": "ask"}, {"everywhere": {"run": "ask", "mcp:box": "always"}}, "ask"),
        (RUNS, {"*": "ask"}, {"chat": {"run": "always"}}, "chat"),
        (RUNS, {"*": "ask"}, {"chat": {"run": "always"}, "everywhere": {"run": "ask"}}, "chat"),
        (RUNS, {"*": "ask"}, {"chat": {"run": "always"}, "everywhere": {"run": "never"}}, "never"),
        (RUNS, {"run": "always"}, {"everywhere": {"mcp:box": "never"}}, "never"),
        (RUNS, {"run": "always"}, {"account": {"run": "never"}}, "never"),
        (RUNS, {"*": "ask"}, {"everywhere": {"run": "always", "mcp:box": "never"}}, "never"),
        (RUNS, {}, {"account": {"run": "always", "mcp:box": "never"}}, "never"),
        (RUNS, {"*": "ask"}, {"account": {"run": "always"}}, "ask"),
        (RUNS, {"run": "never"}, {"everywhere": {"run": "always"}}, "never"),
        (RUNS, {"*": "never"}, {}, "never"),
        (LOOKS, {"*": "never"}, {}, "usual"),
        (LOOKS, {"mcp:box": "never"}, {}, "never"),
        (RUNS, {"mcp:box": "never", "run": "always"}, {}, "request"),
        (HARMLESS, {}, {"everywhere": {"sum": "never"}}, "never"),
        # What an API caller does not ask for, it is not asked.
        (RUNS, {}, {"everywhere": {"run": "ask"}}, "request"),
    ],
)
def test_a_call_is_let_by_the_strictest_and_nearest_word(
    tool: Tool, stated: dict[str, str], decided: dict[str, dict[str, str]], how: str
) -> None:
    assert decide(tool, stated, Decided(**decided)) == how
