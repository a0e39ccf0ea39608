"""Owns `paddock models loaded` and `unload`: what a running paddock has loaded; refuses to know how it decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from paddock.cli import printing
from paddock.config import Settings, load
from paddock.errors import BadRequest, EngineUnreachable, size

if TYPE_CHECKING:
    from paddock.cli.connection import Address

Url = Annotated[str | None, typer.Option("--url", help="The paddock to ask; the one of the settings if none.")]


def loaded(
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that a running paddock has loaded."""
    from paddock.cli import connection, paddocks

    found = connection.asked(paddocks.running(load(), url=url), "/api/models/loaded")
    if as_json:
        printing.data(found)
        return
    printing.table(
        ("MODEL", "STATE", "MEMORY", "CONTEXT", "LIVE", "WAITING", "IDLE", "PINNED"),
        [_row(model) for model in found["models"]],
        right=("MEMORY", "CONTEXT", "LIVE", "WAITING", "IDLE"),
    )
    for model_id, count in found["waiting"].items():
        print(f"{count} waiting for {printing.line(model_id)}")
    if not found["models"]:
        print("Nothing is loaded. The first request for a model loads it.")


def unload(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An id from `paddock models loaded`.")],
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let a running paddock give a model's memory back, once its requests have ended; a load is ended at once."""
    from paddock.cli import connection, paddocks

    address = paddocks.running(load(), url=url)
    done = connection.asked(address, f"/api/models/{quote(model, safe='')}/unload", method="POST")
    if as_json:
        printing.data(done)
    else:
        print(f"{printing.line(done['id'])} is not loaded any more.")


def holder(settings: Settings) -> Address | None:
    """The paddock that serves on this data home, if one does and answers."""
    from paddock.cli import connection
    from paddock.ownership import Ownership

    said = Ownership(settings.home.serving).holder().get("url")
    try:
        address = connection.parse_url(said) if isinstance(said, str) else None
    except ValueError:
        return None
    # The note stays when its writer has gone.
    return address if address and connection.is_paddock(address) else None


def warning(address: Address, model_id: str) -> str:
    """What removing a model means for a running paddock; "" where that has not loaded it."""
    from paddock.cli import connection

    try:
        models = connection.asked(address, "/api/models/loaded")["models"]
    except (BadRequest, EngineUnreachable) as error:
        return f"The paddock at {address.url} may have it loaded; it does not tell: {error.message}"
    if model_id not in [one["id"] for one in models]:
        return ""
    return (
        f"The paddock at {address.url} has it loaded: what is being answered goes on, its memory stays taken until "
        f"`paddock models unload {model_id}`, and it cannot be loaded again."
    )


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    idle_s = model["idle_s"]
    return (
        model["id"],
        model["state"],
        size(model["memory_bytes"]),
        str(model["context_length"] or "-"),
        f"{model['live_requests']}/{model['slots']}",
        str(model["waiting_requests"]),
        "-" if idle_s is None else f"{idle_s:.0f} s",
        "yes" if model["pinned"] else "no",
    )
