"""Owns `paddock chat`: which paddock is talked to; refuses to know what is said."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paddock.cli import printing
from paddock.config import Settings, describe, load
from paddock.errors import EngineUnreachable

if TYPE_CHECKING:
    from paddock.cli.connection import Address

# An address that was typed may be far away.
_GIVEN_TIMEOUT_S = 5.0


def chat(
    message: Annotated[
        str | None, typer.Argument(help="Say this, print the answer and leave. Without it, lines are read.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help=describe("model"))] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="Instructions for the model.")] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="A running paddock; left out: the usual address, or a new one."),
    ] = None,
) -> None:
    """Talk to a model. Uses the paddock that runs already, or starts one for as long as the chat lasts."""
    from paddock.cli import connection, talk

    settings = load({"model": model})
    with contextlib.ExitStack() as stack:
        address = _given(url) if url is not None else _running_already(settings, model)
        if address is None:
            address = stack.enter_context(connection.started(settings))
        conversation = talk.Talk(address=address, timeout_s=settings.answer_timeout_s, model=model, system=system)
        if message is not None:
            conversation.say_once(message)
        elif sys.stdin.isatty():
            conversation.converse()
        else:
            for line in sys.stdin:
                if line.strip():
                    conversation.say_once(line.strip())


def _given(url: str) -> Address:
    """The address that was typed, if a paddock answers there."""
    from paddock.cli import connection

    try:
        address = connection.parse_url(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error
    if not connection.is_paddock(address, timeout_s=_GIVEN_TIMEOUT_S):
        raise EngineUnreachable(
            f"No paddock answers at {address.url}. Start one with `paddock serve`, or leave --url out."
        )
    return address


def _running_already(settings: Settings, model: str | None) -> Address | None:
    """The paddock at the settings' own address, if there is one and it has the model that was asked for."""
    from paddock.cli import connection

    address = connection.Address(host=settings.host, port=settings.port)
    if settings.port == 0 or not connection.is_paddock(address):
        return None
    if model is not None and (Path(model).is_file() or model not in connection.model_ids(address)):
        return None
    printing.say(f"Talking to the paddock at {address.url}.")
    return address
