"""Owns the routes of servers of tools: which there are, adding, turning on, what they offer; knows not how they run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

import anyio.to_thread
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.described import Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.caller import current
from paddock.masking import masked
from paddock.recorder.secrets import text_without_secrets
from paddock.toolservers.host import Host
from paddock.toolservers.importing import Found, found_in
from paddock.toolservers.records import Record
from paddock.toolservers.server import Server

_CREATED = 201
_TEXT_MOST = 2**18
_SHOWN_MOST_CHARACTERS = 200_000
Text = Annotated[str, Field(max_length=4000)]
Texts = dict[Text, Annotated[str, Field(max_length=8000)]]
State = Literal["off", "starting", "ready", "failed", "ended"]


class ToolServerRequest(Asked):
    """`POST /api/mcp`: a program (`command`, `args`, `env`, `cwd`) or an address (`url`, `headers`, `is_private`)."""

    name: Text
    command: Text = ""
    args: Annotated[list[Text], Field(max_length=100, default_factory=list)]
    env: Texts = Field(default_factory=dict)
    cwd: Text = ""
    url: Text = ""
    headers: Texts = Field(default_factory=dict)
    is_private: bool = False


class ToolServersText(Asked):
    """`POST /api/mcp/import`: the text of another program's file, and what it leaves to be asked for."""

    text: Annotated[str, Field(max_length=_TEXT_MOST)]
    inputs: Texts = Field(default_factory=dict)


class ServedTool(Told):
    """One tool of a server: how models call it, and what it says of itself."""

    name: str
    description: str


class ToolServer(Told):
    """One server of tools. `goes_to` is its command or address, for those alone who may turn it on; never secrets."""

    object: Literal["mcp_server"]
    name: str
    kind: Literal["stdio", "http"]
    is_enabled: bool
    state: State
    error: str
    title: str
    goes_to: str | None
    secrets: list[str] | None
    is_private: bool
    tools: list[ServedTool]
    left_out: dict[str, str]


class ToolServerList(Told):
    """The servers of tools."""

    object: Literal["list"]
    data: list[ToolServer]


class ToolServersFound(Told):
    """What an import came to: what was added, off; and why the others were not, by their names."""

    added: list[ToolServer]
    left_out: dict[str, str]


class ToolServerRemoved(Told):
    """`DELETE /api/mcp/{name}`."""

    name: str
    deleted: Literal[True]


class ServedList(Told):
    """Resources or prompts, as their server lists them."""

    object: Literal["list"]
    data: list[dict[str, Any]]


class ServedText(Told):
    """What a resource holds."""

    text: str


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/mcp": Operation(says="The servers of tools, also those that are off.", answer=ToolServerList),
    "POST /api/mcp": Operation(
        says="Add a server of tools, off.", body=ToolServerRequest, answer=ToolServer, status=_CREATED
    ),
    "POST /api/mcp/import": Operation(
        says="Add those that another program's file names, off.", body=ToolServersText, answer=ToolServersFound
    ),
    "DELETE /api/mcp/{name}": Operation(says="Forget a server and its secrets.", answer=ToolServerRemoved),
    "POST /api/mcp/{name}/enable": Operation(says="Have it run: its program, or asking it.", answer=ToolServer),
    "POST /api/mcp/{name}/disable": Operation(says="End it.", answer=ToolServer),
    "GET /api/mcp/{name}/resources": Operation(says="Its resources.", answer=ServedList),
    "GET /api/mcp/{name}/prompts": Operation(says="Its prompts.", answer=ServedList),
    "GET /api/mcp/{name}/resource": Operation(
        says="What a resource holds, as text.", answer=ServedText, query={"uri": {"type": "string"}}, needs=("uri",)
    ),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of servers of tools."""
    host = edge.tools.host

    def told(record: Record) -> dict[str, Any]:
        return entry(record, {server.record.name: server for server in host.there()}.get(record.name))

    async def listed(request: Request) -> Response:
        await host.look()
        records = await anyio.to_thread.run_sync(host.records)
        return JSONResponse({"object": "list", "data": [told(one) for one in records.values()]})

    async def added(request: Request) -> Response:
        asked = check(ToolServerRequest, await edge.body(request))
        await edge.tools.forget_server(asked.name)
        (record,) = await anyio.to_thread.run_sync(host.add, [record_of(asked)])
        await edge.note(request, "mcp server added", about=record.name)
        await host.look()
        return JSONResponse(told(record), status_code=_CREATED)

    async def imported(request: Request) -> Response:
        asked = check(ToolServersText, await edge.body(request))
        found: Found = await anyio.to_thread.run_sync(found_in, asked.text, asked.inputs)
        for record, _ in found.servers:
            await edge.tools.forget_server(record.name)
        kept = await anyio.to_thread.run_sync(host.add, found.servers)
        for record in kept:
            await edge.note(request, "mcp server added", about=record.name)
        await host.look()
        return JSONResponse({"added": [told(one) for one in kept], "left_out": found.left_out})

    def turning(*, on: bool) -> Callable[[Request], Awaitable[Response]]:
        async def turned(request: Request) -> Response:
            record = await anyio.to_thread.run_sync(lambda: host.turn(request.path_params["name"], on=on))
            await edge.note(request, f"mcp server {'enabled' if on else 'disabled'}", about=record.name)
            if on:
                await host.settle([record.name])
            else:
                await host.look()
            return JSONResponse(told(record))

        return turned

    async def removed(request: Request) -> Response:
        record = await anyio.to_thread.run_sync(host.remove, request.path_params["name"])
        await edge.tools.forget_server(record.name)
        await edge.note(request, "mcp server removed", about=record.name)
        await host.look()
        return JSONResponse({"name": record.name, "deleted": True})

    return [
        Route("/api/mcp", listed, methods=["GET"]),
        Route("/api/mcp", added, methods=["POST"]),
        Route("/api/mcp/import", imported, methods=["POST"]),
        Route("/api/mcp/{name}", removed, methods=["DELETE"]),
        Route("/api/mcp/{name}/enable", turning(on=True), methods=["POST"]),
        Route("/api/mcp/{name}/disable", turning(on=False), methods=["POST"]),
        *_asking(host),
    ]


def _asking(host: Host) -> list[Route]:
    """The routes that ask a server."""

    async def resources(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": await host.find(request.path_params["name"]).resources()})

    async def prompts(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": await host.find(request.path_params["name"]).prompts()})

    async def resource(request: Request) -> Response:
        found = await host.find(request.path_params["name"]).read(request.query_params.get("uri", ""))
        return JSONResponse({"text": found.text[:_SHOWN_MOST_CHARACTERS]})

    return [
        Route("/api/mcp/{name}/resources", resources, methods=["GET"]),
        Route("/api/mcp/{name}/prompts", prompts, methods=["GET"]),
        Route("/api/mcp/{name}/resource", resource, methods=["GET"]),
    ]


def record_of(asked: ToolServerRequest) -> tuple[Record, Mapping[str, str]]:
    """What a request names, and its secrets; those of the other kind are what `checked` refuses."""
    record = Record(
        name=asked.name,
        command=asked.command,
        arguments=tuple(asked.args),
        folder=asked.cwd,
        url=asked.url,
        is_private=asked.is_private,
    )
    return record, asked.headers if asked.url else asked.env


def entry(record: Record, server: Server | None) -> dict[str, Any]:
    """One server as it is told, to whoever asks now."""
    is_shown = current().may("manage")
    goes_to = record.url or " ".join((record.command, *record.arguments))
    return {
        "object": "mcp_server",
        "name": record.name,
        "kind": "http" if record.url else "stdio",
        "is_enabled": record.is_enabled,
        "state": server.state if server else "starting" if record.is_enabled else "off",
        # It may be a line that the program printed, with whatever it was given.
        "error": text_without_secrets(masked(server.error)) if server and is_shown else "",
        "title": server.title if server else "",
        "goes_to": text_without_secrets(masked(goes_to)) if is_shown else None,
        "secrets": list(record.secrets) if is_shown else None,
        "is_private": record.is_private,
        "tools": [
            {"name": tool.name, "description": tool.description} for tool in (server.listing.offered if server else ())
        ],
        "left_out": dict(server.listing.left_out) if server else {},
    }
