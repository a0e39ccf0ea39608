"""Owns `paddock keys`: making, listing and revoking keys; refuses to know how they are kept."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from paddock.caller import RIGHTS, Right
from paddock.cli import printing
from paddock.cli.access import WHO, opened
from paddock.clock import stamp_s
from paddock.errors import BadRequest, shown

if TYPE_CHECKING:
    from paddock.store.keys import Key

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
    may: Annotated[str, typer.Option("--may", help=f"What it may do, between commas: {', '.join(RIGHTS)}.")] = "ask",
    models: Annotated[
        str | None, typer.Option("--models", help="The models it may use, between commas; * is anything.")
    ] = None,
    paths: Annotated[
        str | None, typer.Option("--paths", help="The paths it may call, between commas; * is anything.")
    ] = None,
    requests_per_minute: Annotated[int, typer.Option(min=0, max=10**6, help="At most; 0 is no limit.")] = 0,
    requests_per_day: Annotated[int, typer.Option(min=0, max=10**9, help="At most; 0 is no limit.")] = 0,
    tokens_per_day: Annotated[int, typer.Option(min=0, max=10**9, help="At most; 0 is no limit.")] = 0,
    user: Annotated[
        str | None, typer.Option("--user", help="The account whose it is; it never may more than that.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, once."""
    if expires_days is not None and math.isnan(expires_days):
        raise BadRequest("--expires-days: 'nan' is no number of days. Leave it out for a key without an end.")
    from paddock.store.keys import Terms, checked

    terms = checked(
        Terms(
            rights=_rights(may),
            models=_bound("--models", models),
            paths=_bound("--paths", paths),
            requests_per_minute=requests_per_minute,
            requests_per_day=requests_per_day,
            tokens_per_day=tokens_per_day,
        )
    )
    if user is not None and not user.strip():
        raise BadRequest("--user is empty. Leave it out for a key of the machine itself.")
    access = opened()
    expires_s = stamp_s() + expires_days * _DAY_S if expires_days else None
    account_id = access.accounts.find(user).account_id if user is not None else None
    key, text = access.keys.create(name, expires_s=expires_s, is_recorded=record, terms=terms, account_id=account_id)
    access.audit.note("key made", who=WHO, about=f"{key.key_id} {name} ({may})")
    if as_json:
        printing.data({**_entry(key), "key": text})
        return
    print(text)
    printing.say(f"This is {key.key_id}. It is shown this once: keep it now. `paddock keys revoke` ends it.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the keys, never their text."""
    found = [_entry(key) for key in opened().keys.listed()]
    if as_json:
        printing.data(found)
        return
    for entry in found:
        used = f"last used {entry['last_used']}" if entry["last_used"] else "never used"
        may = ",".join(entry["may"])
        print(
            f"{entry['id']}  …{entry['ends_with']}  {entry['state']:<8}  {used}  {may}  {printing.line(entry['name'])}"
        )
    if not found:
        print("There are no keys. `paddock keys create` makes one.")


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The id in `paddock keys list`.")]) -> None:
    """Let a key in no longer. A running server takes a second to learn of it."""
    access = opened()
    access.keys.revoke(key_id)
    access.audit.note("key revoked", who=WHO, about=key_id)
    print(f"{key_id} is revoked.")


def _rights(text: str) -> frozenset[Right]:
    """The rights of a list of words. Raises BadRequest."""
    words = _parts(text)
    if unknown := [word for word in words if word not in RIGHTS]:
        raise BadRequest(f"--may: {shown(unknown[0])} is no right. Rights: {', '.join(RIGHTS)}.")
    if not words:
        raise BadRequest(f"--may is empty: such a key lets nobody do anything. Rights: {', '.join(RIGHTS)}.")
    return cast("frozenset[Right]", frozenset(words))


def _bound(option: str, text: str | None) -> tuple[str, ...]:
    """What a key is bound to, and nothing where the option was left out. Raises BadRequest."""
    parts = _parts(text or "")
    if text is not None and not parts:
        raise BadRequest(
            f"{option} is empty, and would bind the key to nothing. Leave it out for a key without a bound."
        )
    return parts


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _entry(key: Key) -> dict[str, Any]:
    state = "revoked" if key.revoked_s else "valid" if key.is_valid(stamp_s()) else "expired"
    return {
        "id": key.key_id,
        "name": key.name,
        "ends_with": key.hint,
        "state": state,
        "created": day(key.created_s),
        "expires": day(key.expires_s),
        "last_used": day(key.last_used_s),
        "recorded": key.is_recorded,
        "may": sorted(key.caller.rights),
        "models": list(key.terms.models),
        "paths": list(key.terms.paths),
        "requests_per_minute": key.terms.requests_per_minute,
        "requests_per_day": key.terms.requests_per_day,
        "tokens_per_day": key.terms.tokens_per_day,
    }


def day(time_s: float | None) -> str | None:
    """A moment as lists show it, in UTC."""
    if time_s is None:
        return None
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        # A key made before there was a bound.
        return f"{time_s:g} s after 1970"
