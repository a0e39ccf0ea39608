"""Owns `paddock downloads`: what a running paddock fetches, and telling it to wait, go on or stop; fetches nothing."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from paddock.cli import connection, printing
from paddock.config import load
from paddock.errors import BadRequest, size

app = typer.Typer(help="The downloads of a running paddock: list, pause, resume, cancel.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An id from `paddock downloads list`, or a model's name.")]
Url = Annotated[str | None, typer.Option("--url", help="The paddock to ask; the one of the settings if none.")]
_OK = 200


@app.callback(invoke_without_command=True)
def downloads(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command("list")
def list_(url: Url = None, as_json: Json = False) -> None:
    """List the downloads: how far, how quick, and what went wrong."""
    found = _asked(url, "GET", "/api/downloads")["data"]
    if as_json:
        printing.data(found)
        return
    printing.table(
        ("ID", "MODEL", "STATE", "DONE", "OF", "RATE", "LEFT"),
        [
            (
                one["id"],
                one["model"],
                one["state"],
                size(one["done_bytes"]),
                size(one["size_bytes"]),
                f"{size(one['bytes_per_s'])}/s" if one["bytes_per_s"] else "-",
                f"{one['seconds_left']} s" if one["seconds_left"] else "-",
            )
            for one in found
        ],
        right=("DONE", "OF", "RATE", "LEFT"),
    )
    for one in found:
        if one["error"]:
            printing.say(f"{one['model']}: {one['error']['message']}")


@app.command()
def pause(download: Id, url: Url = None) -> None:
    """Stop a download and keep what came."""
    _changed(url, download, "pause")


@app.command()
def resume(download: Id, url: Url = None) -> None:
    """Go on with a paused or failed download."""
    _changed(url, download, "resume")


@app.command()
def cancel(download: Id, url: Url = None) -> None:
    """End a download for good, and take away what came."""
    _changed(url, download, "cancel")


def _changed(url: str | None, download: str, change: str) -> None:
    listed = _asked(url, "GET", "/api/downloads")["data"]
    # The newest of a model's downloads is meant.
    by_name = {one["model"]: one["id"] for one in listed}
    after = _asked(url, "POST", f"/api/downloads/{by_name.get(download, download)}/{change}")
    print(f"{printing.line(after['model'])} is {after['state']}.")


def _asked(url: str | None, method: str, path: str) -> dict[str, Any]:
    settings = load()
    try:
        address = connection.parse_url(url) if url else connection.Address(host=settings.host, port=settings.port)
    except ValueError as error:
        raise BadRequest(f"{error}.") from error
    status, body = connection.whole(address, method, path)
    try:
        answer: dict[str, Any] = json.loads(body)
        if status != _OK:
            raise BadRequest(answer["error"]["message"])
    except (ValueError, LookupError, TypeError) as error:
        raise BadRequest(f"{address.url} does not answer as a paddock does. Start it again.") from error
    return answer
