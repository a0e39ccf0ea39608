"""Owns one server of tools through its life: begun when it is wanted, asked, begun anew after it ended; knows no other.

Its task `own` alone opens and closes connections; whoever asks waits for what that task made.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import anyio
import anyio.to_thread

from paddock.errors import PaddockError, ToolServerFault
from paddock.log import named
from paddock.toolservers.flood import Heard
from paddock.toolservers.records import Record
from paddock.toolservers.saying import Json, Listing, Said, ToolFault, contents, listing, said

if TYPE_CHECKING:
    from paddock.toolservers.speaking import Connection

_log = named(__name__)
State = Literal["starting", "ready", "failed", "ended"]
_BEGUN_WITHIN_S = 30.0
_BACK_OFF_S, _BACK_OFF_MOST_S = 0.5, 30.0
_LISTED_EVERY_S = 1.0
# One that lasted so long had been well; its next failure is a first one.
_WELL_S = 60.0

Reach = Callable[[str], Awaitable[Any]]
Secrets = Callable[[], Awaitable[Mapping[str, str]]]


class Server:
    """One server that is on.

    Args:
        record: which it is.
        secrets: reads its environment or headers.
        reach: the addresses of a URL's host that may be connected to; raises ValueError where there are none.
    """

    def __init__(self, record: Record, secrets: Secrets, reach: Reach, *, within_s: float = _BEGUN_WITHIN_S) -> None:
        self.record = record
        self.state: State = "starting"
        self.error = ""
        self.title = ""
        self.listing = Listing()
        self._secrets = secrets
        self._reach = reach
        self._within_s = within_s
        self._connection: Connection | None = None
        self._changed = anyio.Event()
        self._stirred = anyio.Event()
        self._is_over = False
        self._is_stale = False
        self._is_wanted = False
        self._retry_at_s = 0.0

    def end(self) -> None:
        """Have `own` return, soon."""
        self._is_over = True
        self._stir()

    async def own(self) -> None:
        """Keep the server, until it is to end: begin it, and once it ended, anew when it is wanted."""
        failures = 0
        while not self._is_over:
            self._be("starting")
            self._is_wanted = False
            began_s = anyio.current_time()
            try:
                await self._live()
                why = "was ended"
            except Exception as error:  # a server breaks its library in ways of its own, and ends nothing else
                why = _reason(error)
                _log.info("the server of tools %s %s", self.record.name, why, exc_info=not isinstance(error, ToolFault))
            if self._is_over:
                break
            failures = 1 if anyio.current_time() - began_s > _WELL_S else failures + 1
            self._retry_at_s = anyio.current_time() + min(_BACK_OFF_S * 2 ** (failures - 1), _BACK_OFF_MOST_S)
            self._be("failed", why)
            await self._until_wanted()
        self._be("ended", "is off")

    async def settled(self) -> None:
        """Wait while it is being begun; one that failed, and whose time has come, is begun anew."""
        self._want()
        while self.state == "starting":
            await self._changed.wait()

    async def call(self, own_name: str, arguments: Json, tell: Callable[[str], Awaitable[None]]) -> Said:
        """Have a tool carried out. Raises ToolServerFault."""
        result = await self._with(lambda connection: connection.call(own_name, arguments, tell))
        return said(self.record.name, result)

    async def read(self, uri: str) -> Said:
        """What a resource holds. Raises ToolServerFault."""
        return contents(self.record.name, await self._with(lambda connection: connection.read(uri)))

    async def resources(self) -> list[Json]:
        """Its resources. Raises ToolServerFault."""
        return await self._with(lambda connection: connection.resources())

    async def prompts(self) -> list[Json]:
        """Its prompts. Raises ToolServerFault."""
        return await self._with(lambda connection: connection.prompts())

    async def _with(self, ask: Callable[[Connection], Awaitable[Any]]) -> Any:
        await self.settled()
        connection = self._connection
        if connection is None:
            raise ToolServerFault(self.record.name, self.error or "is not there")
        try:
            return await ask(connection)
        except ToolFault as fault:
            why = fault.why
            if fault.has_ended:
                # How a program ended, it tells itself.
                connection.heard.over(why if self.record.url else "")
                with anyio.move_on_after(_LISTED_EVERY_S):
                    # How its program ended is known a moment later, and tells more.
                    while self.state == "ready":
                        await self._changed.wait()
                why = self.error or connection.heard.why or why
            raise ToolServerFault(self.record.name, why) from fault

    async def _live(self) -> None:
        """Begin it, and stay while it is there. Raises ToolFault, and what its library raises."""
        speaking = await anyio.to_thread.run_sync(importlib.import_module, "paddock.toolservers.speaking")
        heard = Heard(self._stir)
        try:
            async with speaking.connected(
                self.record, await self._secrets(), self._reach, heard, self._changes, within_s=self._within_s
            ) as connection:
                await self._list(cast("Connection", connection))
                self._connection = connection
                self.title = connection.title
                self._be("ready")
                try:
                    await self._until_over(connection, heard)
                finally:
                    # From here on it is not asked; how it ended is told below.
                    self._connection = None
        except Exception as error:
            # What its own program or stream told is nearer to the cause than what broke of it.
            raise ToolFault(heard.why or _reason(error)) from error
        if not self._is_over:
            raise ToolFault(heard.why or "closed the connection")

    async def _until_over(self, connection: Connection, heard: Heard) -> None:
        while True:
            await self._stirred.wait()
            self._stirred = anyio.Event()
            if self._is_over or heard.has_ended:
                return
            if self._is_stale:
                self._is_stale = False
                await self._list(connection)
                # However often it says that they changed.
                with anyio.move_on_after(_LISTED_EVERY_S):
                    while not (self._is_over or heard.has_ended):
                        await self._stirred.wait()
                        self._stirred = anyio.Event()
                if self._is_stale or self._is_over or heard.has_ended:
                    self._stir()

    async def _list(self, connection: Connection) -> None:
        found = await connection.tools()
        self.listing = await anyio.to_thread.run_sync(listing, self.record.name, found)

    async def _until_wanted(self) -> None:
        while not self._is_over and not self._is_wanted:
            await self._stirred.wait()
            self._stirred = anyio.Event()

    def _want(self) -> None:
        if self.state == "failed" and anyio.current_time() >= self._retry_at_s and not self._is_wanted:
            self._is_wanted = True
            self._be("starting")
            self._stir()

    def _changes(self) -> None:
        self._is_stale = True
        self._stir()

    def _stir(self) -> None:
        self._stirred.set()

    def _be(self, state: State, error: str = "") -> None:
        self.state, self.error = state, error
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


def _reason(error: BaseException) -> str:
    """Why it broke, of a group its first."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    if isinstance(error, ToolFault):
        return error.why
    if isinstance(error, PaddockError):
        return f"cannot be begun: {error.message}"
    if isinstance(error, OSError):
        return f"cannot be started: {error.strerror or error}"
    return f"broke ({type(error).__name__})"
