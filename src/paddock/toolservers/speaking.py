"""Owns one connection to a server of tools, and what is asked over it; refuses to know when one is begun or ended.

All that imports the SDK is here and in what this imports, so that a paddock without such servers is without it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import mcp_types as types
from mcp.client._probe import negotiate_auto
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from paddock import __version__
from paddock.toolservers.flood import Counted, Heard
from paddock.toolservers.guarded import ANSWER_MOST_BYTES, FAULT, Reach, client
from paddock.toolservers.piped import LastWords, piped
from paddock.toolservers.records import Record, environment_of
from paddock.toolservers.saying import Json, ToolFault, shortened

_PAGES_MOST = 50
_LISTED_MOST = 1000
_ASKED_S = 30.0
_BYE_S = 2.0
_NAME = types.Implementation(name="paddock", version=__version__)
_NO_SUCH = (types.METHOD_NOT_FOUND, types.UNSUPPORTED_PROTOCOL_VERSION)
_Result = TypeVar("_Result")
_Listed = TypeVar("_Listed", bound=BaseModel)
_CALLED: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)
_READ: TypeAdapter[types.ReadResourceResult | types.InputRequiredResult] = TypeAdapter(
    types.ReadResourceResult | types.InputRequiredResult
)


class _Page(BaseModel):
    """A page of tools, each of them as it is."""

    model_config = ConfigDict(alias_generator=to_camel)
    tools: list[dict[str, Any]]
    next_cursor: str | None = None


@dataclass(kw_only=True)
class Connection:
    """A connection that is open, and the server's name and version where it told them."""

    session: ClientSession
    dispatcher: JSONRPCDispatcher[Any]
    heard: Heard
    title: str = ""
    can: frozenset[str] = field(default=frozenset())

    async def tools(self) -> list[Json]:
        """Every tool that it lists, as it wrote them: one that is wrong takes no other with it. Raises ToolFault."""
        if "tools" not in self.can:
            return []
        if self.session.initialize_result is None:
            # What the newer protocol puts beside each request, the session alone knows.
            return await self._listed(self.session.list_tools, "tools")

        async def ask(params: types.PaginatedRequestParams | None) -> _Page:
            given = {"cursor": params.cursor} if params else None
            return _Page.model_validate(await self.dispatcher.send_raw_request("tools/list", given, {}))

        return await self._listed(ask, "tools")

    async def resources(self) -> list[Json]:
        """Every resource that it lists. Raises ToolFault."""
        return await self._listed(self.session.list_resources, "resources") if "resources" in self.can else []

    async def prompts(self) -> list[Json]:
        """Every prompt that it lists. Raises ToolFault."""
        return await self._listed(self.session.list_prompts, "prompts") if "prompts" in self.can else []

    async def call(self, name: str, arguments: Json, tell: Callable[[str], Awaitable[None]]) -> Json:
        """Have a tool carried out; who asks bounds the time, and the server is told of the end. Raises ToolFault."""

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            if message:
                await tell(f"{shortened(message)}\n")

        params = types.CallToolRequestParams(name=name, arguments=arguments)
        request = types.CallToolRequest(params=params)
        found = await self._asked(lambda: self.session.send_request(request, _CALLED, progress_callback=progressed))
        if isinstance(found, types.InputRequiredResult):
            raise ToolFault("asks for more than its arguments in the midst of a call, which paddock does not give")
        return _plain(found)

    async def read(self, uri: str) -> Json:
        """A resource's contents. Raises ToolFault."""
        request = types.ReadResourceRequest(params=types.ReadResourceRequestParams(uri=uri))
        with anyio.move_on_after(_ASKED_S):
            found = await self._asked(lambda: self.session.send_request(request, _READ))
            if isinstance(found, types.InputRequiredResult):
                raise ToolFault("asks for more than the resource's address, which paddock does not give")
            return _plain(found)
        raise ToolFault(f"did not answer within {_ASKED_S:g} s")

    async def _listed(self, ask: Callable[..., Awaitable[_Listed]], member: str) -> list[Json]:
        found: list[Json] = []
        cursor: str | None = None
        with anyio.move_on_after(_ASKED_S):
            for _ in range(_PAGES_MOST):
                params = types.PaginatedRequestParams(cursor=cursor) if cursor else None
                page = _plain(await self._asked(lambda given=params: ask(params=given)))
                found += page[member]
                cursor = page.get("nextCursor")
                if not cursor or len(found) >= _LISTED_MOST:
                    return found[:_LISTED_MOST]
            return found
        raise ToolFault(f"did not list its {member} within {_ASKED_S:g} s")

    async def _asked(self, ask: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            return await ask()
        except MCPError as error:
            if error.code == types.CONNECTION_CLOSED:
                raise ToolFault(self.heard.why or "ended before it answered", has_ended=True) from error
            if error.code == FAULT:
                raise ToolFault(shortened(error.message)) from error
            is_lost = error.message == "Session terminated"
            raise ToolFault(f"refused: {shortened(error.message)}", has_ended=is_lost) from error
        except ValidationError as error:
            raise ToolFault(f"answered what cannot be read: {shortened(str(error.errors()[0]['msg']))}") from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise ToolFault(self.heard.why or "has ended", has_ended=True) from error


@asynccontextmanager
async def connected(
    record: Record,
    secrets: Mapping[str, str],
    reach: Reach,
    heard: Heard,
    on_change: Callable[[], None],
    *,
    within_s: float,
) -> AsyncGenerator[Connection]:
    """A connection for the length of the block. Raises ToolFault, OSError."""

    async def came(message: object) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            on_change()

    said = LastWords()
    async with contextlib.AsyncExitStack() as stack:
        if record.url:
            http = await stack.enter_async_context(client(secrets, reach))
            streams = await stack.enter_async_context(
                streamable_http_client(
                    record.url, http_client=http, max_sse_event_size=ANSWER_MOST_BYTES, terminate_on_close=False
                )
            )
        else:
            words, env = record.words(secrets), environment_of(secrets)
            streams = await stack.enter_async_context(
                piped(words, env=env, folder=record.folder, heard=heard, said=said)
            )
        dispatcher = JSONRPCDispatcher[Any](Counted(streams[0], heard), streams[1])
        session = ClientSession(dispatcher=dispatcher, message_handler=came, client_info=_NAME)
        await stack.enter_async_context(session)
        connection = Connection(session=session, dispatcher=dispatcher, heard=heard)
        with anyio.move_on_after(within_s) as scope:
            await connection._asked(lambda: _greet(session))  # pyright: ignore[reportPrivateUsage]
        if scope.cancelled_caught:
            raise ToolFault(heard.why or f"did not answer `initialize` within {within_s:g} s")
        info, can = session.server_info, session.server_capabilities
        connection.title = shortened(f"{info.name} {info.version}") if info else ""
        connection.can = frozenset(can.model_dump(exclude_none=True)) if can else frozenset()
        yield connection


async def _greet(session: ClientSession) -> None:
    """Agree on a version: by the handshake, which every server knows, and where one refuses it, by the newer way."""
    try:
        await session.initialize()
    except MCPError as error:
        if error.code not in _NO_SUCH:
            raise
        await negotiate_auto(session)


def _plain(found: BaseModel) -> Json:
    return found.model_dump(by_alias=True, mode="json", exclude_none=True)
