"""Owns `paddock models alias`, `aliases` and `unalias`; refuses to know how aliases are kept."""

from __future__ import annotations

from typing import Annotated

import typer

from paddock.cli import printing
from paddock.config import Settings, load

Pattern = Annotated[str, typer.Argument(metavar="PATTERN", help="A name, or a glob such as 'claude-*'.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def alias(
    pattern: Pattern,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An id from `paddock models list`, a remote's too.")],
) -> None:
    """Let a name, or all names that match a glob, stand for a model. A running server knows it at once."""
    from paddock.models.aliases import Aliases, check_pattern
    from paddock.models.catalog import Catalog

    check_pattern(pattern)
    settings = load()
    settings.home.ensure()
    model_id = model if _is_elsewhere(settings, model) else Catalog.of(settings).find(model).id
    Aliases(settings.home).set(pattern, model_id)
    print(f"{printing.line(pattern)} is answered by {printing.line(model_id)}.")


def aliases(as_json: Json = False) -> None:
    """List what other names stand for."""
    from paddock.models.aliases import Aliases

    found = Aliases(load().home).all()
    if as_json:
        printing.data(found)
        return
    for pattern, model in sorted(found.items()):
        print(f"{printing.line(pattern)}  {model}")
    if not found:
        print("There are no aliases. `paddock models alias PATTERN MODEL` sets one.")


def unalias(pattern: Pattern) -> None:
    """Forget a name or glob."""
    from paddock.models.aliases import Aliases

    Aliases(load().home).remove(pattern)
    print(f"{printing.line(pattern)} stands for nothing now.")


def _is_elsewhere(settings: Settings, model: str) -> bool:
    """Whether a name is that of a remote's model, as requests would read it; which models it has, only it knows."""
    from paddock.engine.remote_records import Records

    first, _, rest = model.partition("/")
    return bool(rest) and rest.isprintable() and first in Records(settings.home).all()
