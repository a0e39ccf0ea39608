"""Owns `paddock mcp`: naming, listing, turning on, trying and forgetting servers of tools; knows not how they run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from paddock.cli import printing
from paddock.config import load
from paddock.errors import BadRequest, ToolServerFault, shown

if TYPE_CHECKING:
    from paddock.toolservers.host import Host
    from paddock.toolservers.records import Record
    from paddock.toolservers.server import Server

app = typer.Typer(help="Servers of tools that speak MCP: add, import, turn on, try, remove.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name in `paddock mcp list`.")]
_TEXT_MOST_BYTES = 2**18
_ASKED_S = 300.0
_T = TypeVar("_T")


@app.callback(invoke_without_command=True)
def mcp(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What its tools' names have, as in mcp__NAME__TOOL.")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="The program and its arguments, after `--`.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Its address, where it is no program here.")
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="VAR[=VALUE]", help="For the program; VAR alone takes what it is here."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header-from-env", metavar="NAME=VAR", help="A header for the address, from a variable here."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="PATH", help="Where the program begins; your own if not given.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="The address may be of this machine or its network, also in the clear.")
    ] = False,
) -> None:
    """Add a server of tools, off. A name that is there already is given anew, secrets and all."""
    from paddock.toolservers.records import Record

    words = list(command or ())
    secrets = _headers(header or []) if url else _environment(env or [])
    record = Record(
        name=name,
        command=words[0] if words else "",
        arguments=tuple(words[1:]),
        folder=str(folder.absolute()) if folder else "",
        url=url or "",
        is_private=private,
    )
    settings = load()
    settings.home.ensure()
    (kept,) = _host().add([(record, secrets)])
    print(f"{printing.clean(_says(kept))} is added, off. `paddock mcp enable {kept.name}` turns it on.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of Claude Desktop, Cursor or VS Code; - reads.")],
    given: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VAR", help="What the file leaves to be asked for, from a variable here."),
    ] = None,
) -> int:
    """Add the servers that another program's file names, off. The exit status is 1 where one was left out."""
    from paddock.toolservers.importing import found_in

    try:
        data = sys.stdin.buffer.read(_TEXT_MOST_BYTES + 1) if str(file) == "-" else _bytes_of(file)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{shown(str(file))} cannot be read as text ({error}).") from error
    if len(data) > _TEXT_MOST_BYTES:
        raise BadRequest(f"{shown(str(file))} has more than {_TEXT_MOST_BYTES} bytes.")
    found = found_in(text, _pairs(given or [], "--input"))
    load().home.ensure()
    for record in _host().add(found.servers):
        print(f"{printing.clean(_says(record))} is added, off.")
    for name, why in found.left_out.items():
        print(printing.clean(f"{name} is left out: {why}"))
    return 1 if found.left_out else 0


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the servers of tools, never their secrets. None of them is begun."""
    records = list(_host().records().values())
    if as_json:
        printing.data([{"name": one.name, "goes_to": _goes_to(one), "is_enabled": one.is_enabled} for one in records])
        return
    printing.table(
        ("NAME", "STATE", "GOES TO"),
        [(one.name, "on" if one.is_enabled else "off", printing.clean(_goes_to(one))) for one in records],
    )
    if not records:
        print("There are no servers of tools. `paddock mcp add NAME -- COMMAND` adds one.")


@app.command()
def enable(name: Name) -> None:
    """Turn a server on: its program runs with your rights while paddock serves. A running paddock begins it soon."""
    record = _host().turn(name, on=True)
    print(printing.clean(f"{_says(record)} is on."))


@app.command()
def disable(name: Name) -> None:
    """Turn a server off. A running paddock ends it."""
    print(f"{_host().turn(name, on=False).name} is off.")


@app.command()
def remove(name: Name) -> None:
    """Forget a server and its secrets."""
    print(f"{_host().remove(name).name} is removed.")


@app.command()
def tools(
    name: Name,
    resources: Annotated[bool, typer.Option("--resources", help="Its resources instead.")] = False,
    prompts: Annotated[bool, typer.Option("--prompts", help="Its prompts instead.")] = False,
    read: Annotated[str | None, typer.Option("--read", metavar="URI", help="What one resource holds instead.")] = None,
    as_json: Json = False,
) -> None:
    """Begin a server that is on, for this command alone, and list what it offers."""

    async def ask(server: Server) -> list[dict[str, Any]]:
        if read is not None:
            return [{"text": (await server.read(read)).text}]
        if resources or prompts:
            return await (server.resources() if resources else server.prompts())
        left_out = [{"name": tool, "left_out": why} for tool, why in server.listing.left_out]
        offered = server.listing.offered
        return [*({"name": one.name, "description": one.description} for one in offered), *left_out]

    found = _with(name, ask)
    if as_json:
        printing.data(found)
        return
    for one in found:
        said = one.get("text") or one.get("description") or one.get("left_out") or one.get("uri") or ""
        lead = f"{one['name']}  " if "name" in one else ""
        why = "left out: " if "left_out" in one else ""
        print("\n".join(printing.clean(line) for line in f"{lead}{why}{said}".splitlines()))


@app.command("try")
def try_(
    name: Name,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="A tool, by its own name or as models call it.")],
    arguments: Annotated[str, typer.Argument(metavar="[JSON]", help="Its arguments, as an object.")] = "{}",
) -> int:
    """Begin a server that is on, for this command alone, and call a tool. The exit status is 1 where that failed."""
    from paddock.protocol.shape import as_object

    try:
        given = as_object(json.loads(arguments))
    except (ValueError, RecursionError):
        given = None
    if given is None:
        raise BadRequest(f'{shown(arguments)} is no JSON object. Write one such as \'{{"path": "notes.txt"}}\'.')

    async def tell(text: str) -> None:
        print(printing.clean(text.rstrip("\n")), file=sys.stderr)

    async def ask(server: Server) -> tuple[str, bool]:
        own = {one.name: one.own_name for one in server.listing.offered}.get(tool, tool)
        found = await server.call(own, given, tell)
        return found.text, found.is_error

    said, is_error = _with(name, ask)
    print("\n".join(printing.clean(line) for line in said.splitlines()))
    return 1 if is_error else 0


def _with(name: str, ask: Callable[[Server], Awaitable[_T]]) -> _T:
    """Ask one server that is on, begun for this alone. Raises ToolServerUnknown, ToolServerFault."""
    import anyio

    from paddock.toolservers.host import running

    async def asked() -> _T:
        async with running(_host(name)) as host:
            await host.settle([name])
            server = host.find(name)
            with anyio.move_on_after(_ASKED_S):
                if server.state != "ready":
                    raise ToolServerFault(name, server.error or "is not there")
                return await ask(server)
            raise ToolServerFault(name, f"did not answer within {_ASKED_S:g} s")

    return anyio.run(asked)


def _host(only: str | None = None) -> Host:
    from paddock.store.db import Database
    from paddock.toolservers.host import Host

    settings = load()
    return Host(settings.home, Database(settings.database_url, settings.home), only=only)


def _environment(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, is_given, value = one.partition("=")
        if not is_given and name not in os.environ:
            raise BadRequest(f"The variable {shown(name)} is not set here. Set it, or write --env NAME=VALUE.")
        found[name] = value if is_given else os.environ[name]
    return found


def _headers(given: Sequence[str]) -> dict[str, str]:
    return _pairs(given, "--header-from-env")


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Each NAME=VAR with what the variable holds. Raises BadRequest."""
    found: dict[str, str] = {}
    for one in given:
        name, is_given, variable = one.rpartition("=")
        if not is_given or variable not in os.environ:
            raise BadRequest(f"{option} takes NAME=VAR, where VAR is a variable that is set here; not {shown(one)}.")
        found[name] = os.environ[variable]
    return found


def _bytes_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_TEXT_MOST_BYTES + 1)


def _says(record: Record) -> str:
    return f"{record.name} ({_goes_to(record)})"


def _goes_to(record: Record) -> str:
    import shlex

    from paddock.masking import masked

    return masked(record.url or shlex.join((record.command, *record.arguments)))
