"""Owns `paddock users`: the accounts by which people sign in; refuses to know how they are kept."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from paddock.caller import Role
from paddock.cli import printing
from paddock.cli.access import WHO, opened
from paddock.cli.keys import day
from paddock.config import load
from paddock.errors import BadRequest
from paddock.ownership import Ownership

if TYPE_CHECKING:
    from paddock.store.access import Access
    from paddock.store.accounts import Account

app = typer.Typer(help="The accounts by which people sign in: make, list, change, remove.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]


@app.callback(invoke_without_command=True)
def users(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def add(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="Let it change settings, engines, keys and accounts.")] = False,
    link: Annotated[bool, typer.Option("--link", help="Print a link instead of asking for a password.")] = False,
) -> None:
    """Make an account. Its password is asked for here, or chosen by whoever opens the link."""
    from paddock.store import passwords

    password = None if link else passwords.checked(_asked_twice(name), name)
    access = opened()
    role: Role = "admin" if admin else "user"
    made = access.accounts.create(name, role)
    access.audit.note("account made", who=WHO, about=f"{made.name} ({role})")
    if password is None:
        _print_link(access, made)
    else:
        access.accounts.set_password(made.name, password)
    print(f"{made.name} is made.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the accounts."""
    found = [_entry(one) for one in opened().accounts.listed()]
    if as_json:
        printing.data(found)
        return
    for one in found:
        seen = one["last_signed_in"] or "never"
        print(f"{one['name']:<20}  {one['role']:<5}  {one['state']:<12}  last signed in {seen}")
    if not found:
        print("There are no accounts. `paddock users add NAME --admin` makes one.")


@app.command()
def link(name: Name) -> None:
    """Print a link by which the account's password is chosen, once and within an hour."""
    access = opened()
    found = access.accounts.find(name)
    access.audit.note("link made", who=WHO, about=found.name)
    _print_link(access, found)


@app.command()
def password(name: Name) -> None:
    """Give an account another password; it is signed out everywhere. Its keys stay."""
    access = opened()
    found = access.accounts.find(name)
    access.accounts.set_password(found.name, _asked_twice(found.name))
    access.audit.note("password set", who=WHO, about=found.name)
    print(f"{found.name} has a new password, and is signed out everywhere.")


@app.command()
def change(
    name: Name,
    admin: Annotated[bool | None, typer.Option("--admin/--user", help="Make it an admin, or a user.")] = None,
    disable: Annotated[bool | None, typer.Option("--disable/--enable", help="Let it in no longer, or again.")] = None,
) -> None:
    """Change what an account may do, or whether it may sign in. A running server takes a second to learn of it."""
    if admin is None and disable is None:
        raise BadRequest("Nothing is to be changed: say --admin, --user, --disable or --enable.")
    access = opened()
    role: Role | None = None if admin is None else "admin" if admin else "user"
    made = access.accounts.change(name, role=role, is_disabled=disable)
    entry = _entry(made)
    access.audit.note("account changed", who=WHO, about=f"{made.name} ({made.role}, {entry['state']})")
    print(f"{made.name} is {entry['role']}, {entry['state']}.")


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove an account with its chats, and revoke its keys. `change --disable` keeps them."""
    access = opened()
    found = access.accounts.find(name)
    if not yes:
        typer.confirm(f"Remove {found.name} with all of its chats?", abort=True)
    access.accounts.remove(found.name)
    access.audit.note("account removed", who=WHO, about=found.name)
    print(f"{found.name} is removed.")


@app.command()
def audit(
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many.")] = 50, as_json: Json = False
) -> None:
    """Print what was done that an owner may want to know, the newest first."""
    found = opened().audit.latest(limit=limit)
    if as_json:
        printing.data([{**vars(one)} for one in found])
        return
    for one in found:
        print(
            f"{day(one.at_s)}  {printing.line(one.who)}  {one.address or '-'}  {one.deed}  {printing.line(one.about)}"
        )


def _print_link(access: Access, account: Account) -> None:
    print(f"{_reached()}/welcome#{access.accounts.link(account.name)}")
    printing.say("The link is good for an hour, and once. Whoever opens it chooses the password.")


def _reached() -> str:
    """Where the page is: of the paddock that serves this home, whatever it was told when it was started."""
    import psutil

    from paddock.api.credentials import is_loopback
    from paddock.listening import reached_at

    settings = load()
    serving = Ownership(settings.home.serving).holder()
    url, pid = serving.get("url"), serving.get("pid")
    if not isinstance(url, str) or not isinstance(pid, int) or not psutil.pid_exists(pid):
        return reached_at(settings, settings.port)
    return url if is_loopback(settings.host) else reached_at(settings, urlsplit(url).port or settings.port)


def _asked_twice(name: str) -> str:
    """A password from the terminal, typed twice and not shown; from a pipe, its first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"Password for {name}: ")
    if getpass.getpass("Again: ") != first:
        raise BadRequest("The two passwords differ. Nothing was changed.")
    return first


def _entry(account: Account) -> dict[str, Any]:
    state = "disabled" if account.disabled_s else "enabled" if account.has_password else "no password"
    return {
        "name": account.name,
        "role": account.role,
        "state": state,
        "created": day(account.created_s),
        "last_signed_in": day(account.seen_s),
    }
