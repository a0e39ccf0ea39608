"""Owns `paddock knowledge`: collections of documents at a running paddock; reads and finds nothing itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from paddock.cli import connection, printing
from paddock.config import load
from paddock.errors import BadRequest, shown, size

app = typer.Typer(help="Collections of documents that models can look in: add, list, search, sync, remove.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[str | None, typer.Option("--url", help="The paddock to ask; the one of the settings if none.")]
Collection = Annotated[str, typer.Argument(metavar="COLLECTION", help="A collection's name or id.")]
_PATH = "/api/knowledge"
_LOOKED_EVERY_S = 0.5
_AT_WORK = {"waiting", "reading", "embedding"}


@app.callback(invoke_without_command=True)
def knowledge(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def add(
    collection: Collection,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Documents of this machine.")],
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait until they are read.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Add documents to a collection, which is made where there is none of that name."""
    address = _address(url)
    there = _found(address, collection) or connection.asked(address, _PATH, method="POST", body={"name": collection})
    one = f"{_PATH}/{there['id']}"
    for file in files:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise BadRequest(f"{shown(str(file))} cannot be read: {error.strerror or error}.") from error
        path = f"{one}/documents?{urlencode({'name': file.name})}"
        connection.asked(address, path, method="POST", body=data)
    if not detach:
        _waited(address, one)
    _told(connection.asked(address, one), as_json=as_json)


@app.command("list")
def list_(
    collection: Annotated[str | None, typer.Argument(metavar="COLLECTION", help="Its documents.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List the collections, or the documents of one."""
    address = _address(url)
    if collection is not None:
        _told(connection.asked(address, f"{_PATH}/{_known(address, collection)['id']}"), as_json=as_json)
        return
    told = connection.asked(address, _PATH)
    if as_json:
        printing.data(told["data"])
        return
    printing.table(
        ("ID", "NAME", "DOCUMENTS", "PASSAGES", "BY MEANING", "SIZE", "FOLDER"),
        [
            (one["id"], one["name"], str(one["documents"]), str(one["passages"]), str(one["embedded"]),
             size(one["size_bytes"]), one["folder"] or "-")
            for one in told["data"]
        ],
        right=("DOCUMENTS", "PASSAGES", "BY MEANING", "SIZE"),
    )  # fmt: skip
    if told["note"]:
        printing.say(told["note"])


@app.command()
def search(
    collection: Collection,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="How many passages.")] = 5,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Find passages by words and by meaning."""
    address = _address(url)
    body: dict[str, object] = {"collections": [_known(address, collection)["id"]], "query": query, "limit": limit}
    told = connection.asked(address, f"{_PATH}/search", method="POST", body=body)
    if as_json:
        printing.data(told["data"])
        return
    for one in told["data"]:
        page = f", page {one['page']}" if one["page"] else ""
        section = f", {one['section']}" if one["section"] else ""
        print(f"[{one['id']}] {printing.line(one['document'] + page + section)}")
        print(f"{printing.clean(one['text'])}\n")
    if told["note"]:
        printing.say(told["note"])


@app.command()
def sync(
    collection: Collection,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="A folder of paddock's machine, which it follows from now on.")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Take up what changed in a collection's folder; with --folder have a new or empty one follow it."""
    address = _address(url)
    there = _found(address, collection)
    if there is None and folder is not None:
        there = connection.asked(address, _PATH, method="POST", body={"name": collection})
    one = f"{_PATH}/{(there or _known(address, collection))['id']}"
    if folder is None:
        made = connection.asked(address, f"{one}/sync", method="POST")
    else:
        made = connection.asked(address, f"{one}/folder", method="PUT", body={"folder": str(folder.absolute())})
    _waited(address, one)
    if as_json:
        printing.data(made)
        return
    print(", ".join(f"{made[name]} {name}" for name in ("added", "changed", "removed", "same")))
    for name in made["left_out"]:
        printing.say(f"left out: {printing.line(name)}")


@app.command()
def remove(
    collection: Collection,
    document: Annotated[str | None, typer.Option("--document", help="One document by its name or id, alone.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
) -> None:
    """Remove a collection, or a document of it. Files of this machine stay."""
    address = _address(url)
    there = _known(address, collection)
    path, what = f"{_PATH}/{there['id']}", there["name"]
    if document is not None:
        data = connection.asked(address, path)["data"]
        found = next((one for one in data if document in (one["id"], one["name"])), None)
        if found is None:
            raise BadRequest(f"{shown(there['name'])} has no document {shown(document)}.")
        path, what = f"{path}/documents/{found['id']}", found["name"]
    if not yes and not printing.agrees(f"Remove {printing.line(what)}? [y/N]"):
        return
    connection.asked(address, path, method="DELETE")
    print(f"{printing.line(what)} is removed.")


def _address(url: str | None) -> connection.Address:
    settings = load()
    try:
        return connection.parse_url(url) if url else connection.Address(host=settings.host, port=settings.port)
    except ValueError as error:
        raise BadRequest(f"{error}.") from error


def _found(address: connection.Address, name: str) -> dict[str, Any] | None:
    """The collection of that id or name; the newest of a name."""
    data = connection.asked(address, _PATH)["data"]
    return next((one for one in data if name == one["id"]), next((one for one in data if name == one["name"]), None))


def _known(address: connection.Address, name: str) -> dict[str, Any]:
    """As `_found`. Raises BadRequest where there is none."""
    if (found := _found(address, name)) is None:
        raise BadRequest(f"There is no collection {shown(name)}. `paddock knowledge add` makes one.")
    return found


def _waited(address: connection.Address, path: str) -> None:
    """Wait until all is read and embedded; what was done so far stays where that is broken off."""
    said = ""
    while _AT_WORK & set((told := connection.asked(address, path))["states"]):
        now = f"{told['embedded']} of {told['passages']} passages by meaning, {told['states'].get('waiting', 0)} wait"
        if now != said:
            printing.say(now)
            said = now
        time.sleep(_LOOKED_EVERY_S)


def _told(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        printing.data(told)
        return
    printing.table(
        ("ID", "NAME", "STATE", "PASSAGES", "BY MEANING", "SIZE"),
        [
            (one["id"], one["name"], one["state"], str(one["passages"]), str(one["embedded"]), size(one["size_bytes"]))
            for one in told["data"]
        ],
        right=("PASSAGES", "BY MEANING", "SIZE"),
    )
    for one in told["data"]:
        if one["error"]:
            printing.say(f"{printing.line(one['name'])}: {printing.line(one['error'])}")
    if told["note"]:
        printing.say(told["note"])
