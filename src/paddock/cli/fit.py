"""Owns `paddock models fit`: what it prints; refuses to know how a fit is found."""

from __future__ import annotations

from typing import Annotated

import typer

from paddock.cli import printing
from paddock.config import load
from paddock.models.fit import KvType


def fit(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="An id from `paddock models list`, or a GGUF file, or MODEL+ADAPTER.")
    ],
    context_tokens: Annotated[
        int | None, typer.Option("--ctx", metavar="N", min=1, max=2**24, help="Context of each slot in tokens.")
    ] = None,
    slots: Annotated[int | None, typer.Option("--slots", metavar="N", min=1, max=64, help="Requests at once.")] = None,
    kv: Annotated[KvType | None, typer.Option("--kv", help="What keys and values are kept as.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether a model fits on this machine now, how it would be loaded, and why. Ends with 1 if it does not."""
    from paddock.models.catalog import Catalog
    from paddock.serving.fitting import Question, entry, fitting, sentences
    from paddock.serving.tuning import resolved

    settings = load()
    found = resolved(Catalog.of(settings), model)
    answer = fitting(found, settings, Question(context_tokens=context_tokens, slots=slots, kv_type=kv))
    if as_json:
        printing.data(entry(answer))
    else:
        for sentence in sentences(answer):
            print(printing.clean(sentence))
    if answer.plan.verdict == "does not fit":
        raise typer.Exit(1)
