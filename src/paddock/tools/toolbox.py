"""Owns which tools there are, which of them one message may use, and holding a call to its tool; runs none itself."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import anyio.to_thread

from paddock.caller import current
from paddock.config import Settings
from paddock.errors import BadRequest, EngineUnreachable, NotPermitted, PaddockError, shown
from paddock.log import named
from paddock.protocol.schema_checking import faults_of
from paddock.protocol.shape import as_object
from paddock.protocol.turns import Leave, Outcome
from paddock.store.db import Database
from paddock.tools import code, served, web
from paddock.tools.calculator import CALCULATOR
from paddock.tools.files import FILES
from paddock.tools.moment import DATETIME
from paddock.tools.permits import Ask, Permissions, Permit, permit_of
from paddock.tools.session_files import SessionFiles, checked
from paddock.tools.sessions import Sessions
from paddock.tools.tool import Given, Json, Tool, Unfit
from paddock.tools.workspaces import Workspace, sweep, workspace
from paddock.toolservers.host import Host

_log = named(__name__)
_RESULT_CHARACTERS_MOST = 60_000
_FAULTS_MOST = 4
_SWEPT_EVERY_S = 6 * 3600.0


class Tools:
    """Every tool of one paddock, and the `files` of those who have them used."""

    def __init__(
        self,
        settings: Settings,
        permissions: Permissions,
        stack_python: Callable[[], Path | None] = lambda: None,
        host: Host | None = None,
    ) -> None:
        self._settings = settings
        self.files = SessionFiles(settings.home)
        self.host = host or Host(settings.home, Database(settings.database_url, settings.home))
        self.permissions = permissions
        self._at_work: set[anyio.CancelScope] = set()
        self._idle = anyio.Event()
        self._sessions = Sessions(settings=settings, stack_python=stack_python)
        tools = (CALCULATOR, DATETIME, *FILES, *code.tools(self._sessions), *web.tools(settings))
        self._own: dict[str, Tool] = {tool.name: tool for tool in tools}

    @property
    def _tools(self) -> dict[str, Tool]:
        """Those of its own, and those that servers of tools offer at present."""
        return {**self._own, **{tool.name: tool for tool in served.tools(self.host)}}

    @classmethod
    def of(cls, settings: Settings, database: Database, stack_python: Callable[[], Path | None]) -> Tools:
        """Those of a paddock, with what is decided about them in its database."""
        return cls(settings, Permissions.of(database), stack_python, Host(settings.home, database))

    async def keep(self, over: anyio.Event) -> None:
        """Sweep workspaces, end idle interpreters, run servers of tools, write calls down; all until it is over."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._sweep, over)
            group.start_soon(self.permissions.trail.keep, over)
            group.start_soon(self.host.keep, over)
            await self._sessions.keep(over)
        # Answers end later than that, and what their tools did is written down too.
        while self._at_work:
            self._idle = anyio.Event()
            await self._idle.wait()
        await self.permissions.trail.flush()

    def close(self) -> None:
        """End the messages whose tools are at work, or wait to be: no engine goes on with them."""
        for scope in list(self._at_work):
            scope.cancel()

    async def _sweep(self, over: anyio.Event) -> None:
        while not over.is_set():
            await anyio.to_thread.run_sync(sweep, self._settings.home)
            with anyio.move_on_after(_SWEPT_EVERY_S):
                await over.wait()

    async def look(self, enabled: Sequence[str] = ()) -> None:
        """Find out which tools can be used here; quick once that is known. Servers of those named are waited for."""
        await self._sessions.look()
        if servers := served.servers_in(enabled):
            await self.host.settle(servers)

    def all(self) -> list[Tool]:
        """Every tool, also those that are off."""
        return list(self._tools.values())

    def chosen(self, enabled: Sequence[str] | None, taken: frozenset[str]) -> list[Tool]:
        """The tools that a message asks for, by their names or groups; where it names none, those without any harm.

        `taken` are names of the client's own tools, which keep them.

        Raises:
            BadRequest: a name that no tool has, or one that is off here, and why.
            NotPermitted: it needs a right that whoever asks lacks.
        """
        if enabled is None:
            found = [tool for tool in self._tools.values() if tool.is_harmless and not tool.why_off()]
        else:
            found = [tool for name in dict.fromkeys(enabled) for tool in self._named(name)]
        return list({tool.name: tool for tool in found if tool.name not in taken}.values())

    def _named(self, name: str) -> list[Tool]:
        found = [tool for tool in self._tools.values() if name in (tool.name, tool.group) and name]
        if not found and (why := served.why_none(self.host, name)):
            raise BadRequest(f"enabled_tools names {shown(name)}. {why}", param="enabled_tools")
        if not found:
            names = dict.fromkeys(known for tool in self._tools.values() for known in (tool.group, tool.name) if known)
            raise BadRequest(
                f"enabled_tools names {shown(name)}, and there is no such tool. There are: {', '.join(names)}.",
                param="enabled_tools",
            )
        for tool in found:
            if not tool.is_harmless and not current().may("tools"):
                how = "It needs the right 'tools': `paddock keys create --may ask --may tools` makes a key that has it."
                raise NotPermitted(f"The tool {tool.name}", how)
            if why := tool.why_off():
                raise BadRequest(f"The tool {tool.name} is off: {why}", param="enabled_tools")
        return found

    async def forget_server(self, name: str) -> None:
        """Forget that calls of a server's tools were let for good: another may have its name. Raises StoreUnusable."""
        await self.permissions.store.forget(*served.names_of(name))

    async def box(self, body: Mapping[str, Any], own: frozenset[str], more: Sequence[Tool] = ()) -> Box:
        """The tools that a message with that body may use; `own` are the names of the client's.

        `more` are tools of this message alone, beside those that `enable_tools` turns on.

        Raises:
            BadRequest: it asks for them wrongly.
            NotPermitted: a tool needs a right that whoever asks lacks.
        """
        session_id = checked(str(body.get("session_id") or ""))
        chosen = self.chosen(body.get("enabled_tools"), own) if body.get("enable_tools") else []
        chosen = [*chosen, *more]
        permit = permit_of(self.permissions, [*self.all(), *more], body, session_id)
        return Box(await permit.offered(chosen), permit, lambda: self._working(session_id))

    @asynccontextmanager
    async def _working(self, session_id: str) -> AsyncGenerator[Workspace]:
        """The workspace of a session of whoever asks, for the length of a message. Raises EngineUnreachable."""
        with anyio.CancelScope() as scope:
            self._at_work.add(scope)
            try:
                async with workspace(self._settings.home, current(), session_id) as folder:
                    yield folder
            finally:
                self._at_work.discard(scope)
                if not self._at_work:
                    self._idle.set()
        if scope.cancelled_caught:
            raise EngineUnreachable("paddock is stopping, and with it the tools of this answer. Ask again.")


class Box:
    """The tools that one message may use, in the workspace that `working` gives it while it lasts."""

    def __init__(
        self, tools: Sequence[Tool], permit: Permit, working: Callable[[], AbstractAsyncContextManager[Workspace]]
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._permit = permit
        self._working = working
        self._workspace: Workspace | None = None

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """The length of the message, in which calls can be carried out."""
        async with self._working() as self._workspace:
            yield

    def offered(self) -> list[Json]:
        """Their definitions, in chat form."""
        return [tool.definition() for tool in self._tools.values()]

    def changes_things(self, name: str) -> bool:
        """Whether a call of it may make an earlier call of some tool come out otherwise."""
        tool = self._tools.get(name)
        return tool is not None and tool.changes_things

    async def leave(self, name: str, arguments: str, ask: Ask) -> Leave:
        """Whether a call may be carried out. Nobody is asked about one that cannot be; `call` says why."""
        tool = self._tools.get(name)
        if tool is None:
            return Leave(how="usual")
        try:
            _arguments(tool, arguments)
        except Unfit:
            return Leave(how="usual")
        return await self._permit.leave(tool, arguments, ask)

    def note(self, name: str, arguments: str, how: str, outcome: str, duration_s: float) -> None:
        """A call has ended: by what it was let or not, and what became of it."""
        if tool := self._tools.get(name):
            self._permit.note(tool, arguments, how, outcome, duration_s)

    async def call(self, name: str, arguments: str, tell: Callable[[str], Awaitable[None]]) -> Outcome:
        """Carry one out. Whatever goes wrong becomes words for the model."""
        tool, workspace = self._tools.get(name), self._workspace
        if tool is None or workspace is None:
            there = ", ".join(self._tools) or "none"
            return _failed(f"there is no tool {name[:60]!r}. There are: {there}.")
        try:
            given = _arguments(tool, arguments)
            outcome = await tool.carry_out(Given(arguments=given, workspace=workspace, tell=tell))
            return _bounded(replace(outcome, files=tuple(_found_at(workspace, file) for file in outcome.files)))
        except Unfit as error:
            return _failed(f"{name}: {error}.")
        except PaddockError as error:
            return _failed(f"{name}: {error.message}")
        except Exception:  # what nobody foresaw in a tool is no reason to end a chat
            _log.exception("the tool %s broke", name)
            return _failed(f"{name} broke. paddock's log tells why.")


def _arguments(tool: Tool, arguments: str) -> dict[str, Any]:
    """A call's arguments, which are as its tool wants them. Raises Unfit."""
    try:
        read = as_object(json.loads(arguments))
    except (ValueError, RecursionError):
        raise Unfit(f"its arguments are no JSON: {arguments[:100]}") from None
    if read is None:
        raise Unfit(f"its arguments must be an object, not {arguments[:100]}")
    if faults := faults_of(arguments, tool.parameters):
        raise Unfit(f"its arguments do not fit: {'; '.join(faults[:_FAULTS_MOST])}")
    return read


def _found_at(workspace: Workspace, file: Json) -> Json:
    """A file that a tool made, with the address at which it can be fetched while its session lasts."""
    if not workspace.session_id:
        return file
    return {**file, "url": f"/api/tools/file?{urlencode({'session_id': workspace.session_id, 'path': file['path']})}"}


def _failed(text: str) -> Outcome:
    return Outcome(text=f"Error: {text}", is_error=True)


def _bounded(outcome: Outcome) -> Outcome:
    """An outcome that a context can hold: of a long text its beginning and its end."""
    text = outcome.text
    if len(text) <= _RESULT_CHARACTERS_MOST:
        return outcome
    half = _RESULT_CHARACTERS_MOST // 2
    cut = f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
    return Outcome(text=cut, is_error=outcome.is_error, files=outcome.files)
