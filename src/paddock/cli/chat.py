"""Owns `paddock chat`: how its lines are read; refuses to know what is said."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from paddock.config import describe, load


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
    from paddock.cli import paddocks, talk

    settings = load({"model": model})
    with paddocks.reached(settings, model=model, url=url) as address:
        conversation = talk.Talk(address=address, timeout_s=settings.answer_timeout_s, model=model, system=system)
        if message is not None:
            conversation.say_once(message)
        elif sys.stdin.isatty():
            conversation.converse()
        else:
            for line in sys.stdin:
                if line.strip():
                    conversation.say_once(line.strip())
