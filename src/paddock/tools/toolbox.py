"""Owns which tools there are, which of them one message may use, and holding a call to its tool; runs none itself."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import anyio.to_thread

from paddock.caller import current
from paddock.config import Settings
from paddock.errors import BadRequest, NotPermitted, PaddockError, shown
from paddock.log import named
from paddock.protocol.schema_checking import faults_of
from paddock.protocol.shape import as_object
from paddock.protocol.turns import Outcome
from paddock.store.db import Database
from paddock.tools import code, served, web
from paddock.tools.calculator import CALCULATOR
from paddock.tools.files import FILES
from paddock.tools.moment import DATETIME
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
        stack_python: Callable[[], Path | None] = lambda: None,
        database: Database | None = None,
    ) -> None:
        self._settings = settings
        self.files = SessionFiles(settings.home)
        self.host = Host(settings.home, database or Database(settings.database_url, settings.home))
        self._sessions = Sessions(settings=settings, stack_python=stack_python)
        tools = (CALCULATOR, DATETIME, *FILES, *code.tools(self._sessions), *web.tools(settings))
        self._own: dict[str, Tool] = {tool.name: tool for tool in tools}

    @property
    def _tools(self) -> dict[str, Tool]:
        """Those of its own, and those that servers of tools offer at present."""
        return {**self._own, **{tool.name: tool for tool in served.tools(self.host)}}

    async def keep(self, over: anyio.Event) -> None:
        """Take away old workspaces, end idle interpreters, have servers of tools run; end them all when it is over."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._sweep, over)
            group.start_soon(self._sessions.keep, over)
            group.start_soon(self.host.keep, over)

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

    @asynccontextmanager
    async def working(self, session_id: str | None) -> AsyncGenerator[Workspace]:
        """The workspace of a message's tools, for whoever asks now. Raises BadRequest."""
        async with workspace(self._settings.home, current(), checked(session_id or "")) as folder:
            yield folder


class Box:
    """The tools that one message may use, in its workspace."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self.workspace: Workspace | None = None

    def offered(self) -> list[Json]:
        """Their definitions, in chat form."""
        return [tool.definition() for tool in self._tools.values()]

    def changes_things(self, name: str) -> bool:
        """Whether a call of it may make an earlier call of some tool come out otherwise."""
        tool = self._tools.get(name)
        return tool is not None and tool.changes_things

    async def call(self, name: str, arguments: str, tell: Callable[[str], Awaitable[None]]) -> Outcome:
        """Carry one out. Whatever goes wrong becomes words for the model."""
        tool, workspace = self._tools.get(name), self.workspace
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
