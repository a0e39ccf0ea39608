"""Owns `paddock keys`: making, listing and revoking keys; refuses to know how they are kept."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paddock.cli import printing
from paddock.config import load
from paddock.errors import BadRequest

if TYPE_CHECKING:
    from paddock.store.keys import Key, Keys

app = typer.Typer(help="The keys by which other machines are let in: create, list, revoke.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_DAY_S = 86400
_MOST_DAYS = 36500


@app.callback(invoke_without_command=True)
def keys(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="What the key is for, such as the machine that uses it.")] = "",
    expires_days: Annotated[
        float | None, typer.Option("--expires-days", min=0.001, max=_MOST_DAYS, help="Days it is valid.")
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Record every request made with it.")] = False,
    as_json: Json = False,
) -> None:
    """Make a key and show it, once."""
    if expires_days is not None and math.isnan(expires_days):
        raise BadRequest("--expires-days: 'nan' is no number of days. Leave it out for a key without an end.")
    expires_s = time.time() + expires_days * _DAY_S if expires_days else None
    key, text = _keys().create(name, expires_s=expires_s, is_recorded=record)
    if as_json:
        printing.data({**_entry(key), "key": text})
        return
    print(text)
    printing.say(f"This is {key.key_id}. It is shown this once: keep it now. `paddock keys revoke` ends it.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the keys, never their text."""
    found = [_entry(key) for key in _keys().listed()]
    if as_json:
        printing.data(found)
        return
    for entry in found:
        used = f"last used {entry['last_used']}" if entry["last_used"] else "never used"
        print(f"{entry['id']}  …{entry['ends_with']}  {entry['state']:<8}  {used}  {printing.clean(entry['name'])}")
    if not found:
        print("There are no keys. `paddock keys create` makes one.")


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The id in `paddock keys list`.")]) -> None:
    """Let a key in no longer. A running server takes a second to learn of it."""
    _keys().revoke(key_id)
    print(f"{key_id} is revoked.")


def _keys() -> Keys:
    from paddock.store.db import Database
    from paddock.store.keys import Keys

    settings = load()
    settings.home.ensure()
    return Keys(Database(settings.database_url, settings.home), settings.home)


def _entry(key: Key) -> dict[str, Any]:
    state = "revoked" if key.revoked_s else "valid" if key.is_valid(time.time()) else "expired"
    return {
        "id": key.key_id,
        "name": key.name,
        "ends_with": key.hint,
        "state": state,
        "created": _day(key.created_s),
        "expires": _day(key.expires_s),
        "last_used": _day(key.last_used_s),
        "recorded": key.is_recorded,
    }


def _day(time_s: float | None) -> str | None:
    if time_s is None:
        return None
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        # A key made before there was a bound.
        return f"{time_s:g} s after 1970"
