"""Owns the tools that run what a model writes, within the sandbox: Python, commands, SQL; knows nothing of walls."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from paddock.protocol.turns import Outcome
from paddock.sandbox.box import OnOutput
from paddock.sandbox.workspace import Result
from paddock.tools.sessions import Sessions
from paddock.tools.tool import Given, Tell, Tool, Unfit, takes, text, whole_number

# Pieces of output that wait to be told; what more comes then is told with the result alone.
_WAITING_MOST = 256
# The message's own time for a call ends it first.
_FOREVER_S = 86400.0
_ROWS_MOST, _ROWS_USUAL = 500, 50
# A command is one word for the shell, and the kernel takes no longer ones.
_QUERY_CHARACTERS_MOST = 10_000
_QUERY = Path(__file__).with_name("query.py")


def tools(sessions: Sessions) -> tuple[Tool, ...]:
    """The tools that run code, in the interpreters and workspaces of these sessions."""

    async def python(given: Given) -> Outcome:
        code = given.arguments["code"]
        async with sessions.using(given.workspace) as session:
            return await _told(given.tell, lambda on: session.python(code, timeout_s=_FOREVER_S, on_output=on))

    async def terminal(given: Given) -> Outcome:
        command = given.arguments["command"]
        async with sessions.using(given.workspace) as session:
            return await _told(given.tell, lambda on: session.terminal(command, timeout_s=_FOREVER_S, on_output=on))

    async def sql(given: Given) -> Outcome:
        rows = int(given.arguments.get("rows", _ROWS_USUAL))
        command = _asking(given.arguments["query"], rows)
        async with sessions.using(given.workspace) as session:
            return await _told(given.tell, lambda on: session.terminal(command, timeout_s=_FOREVER_S, on_output=on))

    return (
        Tool(
            name="python",
            description="Runs Python in an interpreter that keeps its variables. Figures of matplotlib are shown.",
            parameters=takes({"code": text("The code. The value of its last expression is shown, as in a notebook.")}),
            carry_out=python,
            changes_things=True,
            why_off=sessions.why_off,
        ),
        Tool(
            name="terminal",
            description="Runs a shell command in the workspace, without network.",
            parameters=takes({"command": text("The command, such as ls -la or wc -l notes.txt.")}),
            carry_out=terminal,
            changes_things=True,
            why_off=sessions.why_off,
        ),
        Tool(
            name="sql",
            description="Asks CSV, JSON and Parquet files of the workspace by SQL (DuckDB). A file is a table by its"
            " name without ending, or by its path in quotes. COPY (...) TO 'new.csv' keeps a result.",
            parameters=takes(
                {"query": text("The SQL.") | {"maxLength": _QUERY_CHARACTERS_MOST}},
                rows=whole_number("How many rows to show.", minimum=1, maximum=_ROWS_MOST),
            ),
            carry_out=sql,
            changes_things=True,
            why_off=sessions.why_off,
        ),
    )


def _asking(sql: str, rows: int) -> str:
    """The command that carries out a query. It is run by paddock's own interpreter, which has DuckDB."""
    order = json.dumps({"query": sql, "rows": rows}, ensure_ascii=False)
    return shlex.join([sys.executable, "-I", "-c", _QUERY.read_text("utf-8"), order])


async def _told(tell: Tell, work: Callable[[OnOutput], Awaitable[Result]]) -> Outcome:
    """Do some work, and tell what it prints while it is at it."""
    sender, receiver = anyio.create_memory_object_stream[str](_WAITING_MOST)

    def printed(piece: str) -> None:
        try:
            sender.send_nowait(piece)
        except anyio.WouldBlock:
            # Whoever listens is slower than the program; the result has all of it.
            return

    async def hand_on() -> None:
        async with receiver:
            async for piece in receiver:
                await tell(piece)

    result, why = None, ""
    async with anyio.create_task_group() as group:
        group.start_soon(hand_on)
        with sender:
            try:
                result = await work(printed)
            except OSError as error:
                why = str(error.strerror or error)
    if result is None:
        raise Unfit(f"nothing could be run: {why}")
    return _outcome(result)


def _outcome(result: Result) -> Outcome:
    """A result in words, with the files that it left."""
    said = result.text.rstrip("\n")
    notes = [result.note] if result.note else []
    if result.exit:
        notes.append(f"It ended with status {result.exit}.")
    if result.files:
        notes.append(f"Files made or changed: {', '.join(file.name for file in result.files)}.")
    files = tuple(
        {"path": file.name, "size_bytes": file.size_bytes, "media_type": file.media_type} for file in result.files
    )
    told = "\n".join([*([said] if said else []), *(f"[{note}]" for note in notes)])
    return Outcome(text=told or "(no output)", is_error=result.exit != 0, files=files)
