"""Owns `paddock hub`: keeping the hub's token and forgetting it; refuses to know how it is sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paddock.cli import given, printing
from paddock.config import load
from paddock.masking import masked

if TYPE_CHECKING:
    from paddock.config import Settings
    from paddock.models.hub_token import HubToken

app = typer.Typer(help="The token by which the hub knows you: keep it sealed, or forget it.")


@app.callback(invoke_without_command=True)
def hub(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def token(
    token_from_env: Annotated[
        str | None, typer.Option("--token-from-env", metavar="VAR", help="The environment variable that holds it.")
    ] = None,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read it from the standard input.")] = False,
) -> None:
    """Keep the hub's token, sealed, for `paddock pull`. Without an option it tells whether one is kept."""
    text = given.secret("token", token_from_env, from_stdin=token_stdin)
    settings = load()
    settings.home.ensure()
    kept = kept_token(settings)
    if text:
        kept.keep(text)
    address = masked(kept.hub)
    if text or kept.kept() is not None:
        print(f"A token for {address} is kept, and shown to no other hub. `paddock hub forget` forgets it.")
    else:
        print(f"No token for {address} is kept. `paddock hub token --token-stdin` keeps one.")


@app.command()
def forget() -> None:
    """Forget the hub's token. A running server knows it at once."""
    kept = kept_token(load())
    kept.forget()
    print(f"No token for {masked(kept.hub)} is kept any more.")


def kept_token(settings: Settings) -> HubToken:
    """The hub's token as these settings keep it."""
    from paddock.models.hub_token import HubToken
    from paddock.store.db import Database

    return HubToken(Database(settings.database_url, settings.home), settings.home)
