"""Owns what servers of tools offer, as tools of paddock's own; refuses to know how those are begun or asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio.to_thread

from paddock.protocol.turns import Outcome
from paddock.sandbox import files
from paddock.tools.tool import Given, Json, Tool
from paddock.tools.workspaces import Workspace
from paddock.toolservers.host import Host
from paddock.toolservers.saying import Made, Offered
from paddock.toolservers.server import Server

_GROUP = "mcp:"
_NAME = "mcp__"


def tools(host: Host) -> list[Tool]:
    """The tools of every server that is on, as they were last listed."""
    return [_tool(server, offered) for server, offered in host.offered()]


def servers_in(enabled: Sequence[str]) -> list[str]:
    """The servers that names and groups of tools, as a message has them, have to do with."""
    groups = [name.removeprefix(_GROUP) for name in enabled if name.startswith(_GROUP)]
    return [*groups, *(name.split("__")[1] for name in enabled if name.startswith(_NAME) and name.count("__") > 1)]


def names_of(server: str) -> tuple[str, str]:
    """The group of a server's tools, and what begins the name of each."""
    return f"{_GROUP}{server}", f"{_NAME}{server}__"


def why_none(host: Host, name: str) -> str:
    """Why a name or group of tools has none, where it is of a server that is on; "" where it is of none."""
    for server in host.there():
        if server.record.name in servers_in([name]):
            if name.startswith(_NAME) and server.state == "ready":
                return f"The server of tools {server.record.name} has no such tool."
            state = server.error or ("is being begun" if server.state == "starting" else "offers no tools")
            return f"The server of tools {server.record.name} {state}."
    return ""


def _tool(server: Server, offered: Offered) -> Tool:
    return Tool(
        name=offered.name,
        description=offered.description,
        parameters=offered.parameters,
        carry_out=_calling(server, offered),
        group=f"{_GROUP}{server.record.name}",
        changes_things=not offered.is_read_only,
    )


def _calling(server: Server, offered: Offered) -> Callable[[Given], Awaitable[Outcome]]:
    async def carry_out(given: Given) -> Outcome:
        found = await server.call(offered.own_name, given.arguments, given.tell)
        kept = tuple([await _kept(given.workspace, made) for made in found.files])
        return Outcome(text=found.text, is_error=found.is_error, files=kept)

    return carry_out


async def _kept(workspace: Workspace, made: Made) -> Json:
    """A file that came, in the workspace."""
    root = await workspace.files()
    await anyio.to_thread.run_sync(files.write, root, made.name, made.data)
    media_type = files.media_type(made.name, made.data[:16])
    return {"path": made.name, "size_bytes": len(made.data), "media_type": media_type}
