"""Owns how paddock's tools are told and called in MCP; refuses to know which there are. Imported when first asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import ASGIApp, Receive, Scope, Send

from paddock import __version__
from paddock.api.mcp_tools import Refused, answer_of, open_to, request_of
from paddock.caller import current

Context = ServerRequestContext[Any]
Ask = Callable[[str, str, dict[str, str], bytes], Awaitable[tuple[int, bytes]]]
_INSTRUCTIONS = "A studio for language models on one machine: asks its models, and tells of its data sets and jobs."
_TOLD_CHARACTERS_MOST = 200_000
# The body was bounded when it was read.
_BODY_MOST_BYTES = 2**40


def answer(ask: Ask) -> ASGIApp:
    """What answers one request. `ask` asks a route of paddock's on behalf of whoever sent it."""

    async def listed(context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=deed.name,
                    description=deed.description,
                    input_schema=deed.parameters,
                    annotations=types.ToolAnnotations(read_only_hint=not deed.changes_things),
                )
                for deed in open_to(current())
            ]
        )

    async def called(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            deed, method, path, body = request_of(params.name, params.arguments or {})
        except Refused as error:
            return _result(str(error), is_error=True)
        kind = {"Content-Type": "application/json"} if body else {}
        said, is_error = answer_of(deed, *await ask(method, path, kind, body))
        return _result(said, is_error=is_error)

    async def exchange(scope: Scope, receive: Receive, send: Send) -> None:
        server = Server[Any](
            "paddock", version=__version__, instructions=_INSTRUCTIONS, on_list_tools=listed, on_call_tool=called
        )
        manager = StreamableHTTPSessionManager(
            app=server, stateless=True, json_response=True, max_request_body_size=_BODY_MOST_BYTES
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    return exchange


def _result(said: str, *, is_error: bool) -> types.CallToolResult:
    text = types.TextContent(type="text", text=said[:_TOLD_CHARACTERS_MOST])
    return types.CallToolResult(content=[text], is_error=is_error)
