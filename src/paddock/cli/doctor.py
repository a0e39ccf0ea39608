"""Owns `paddock doctor`: what it prints and how it ends; refuses to know how a thing is checked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from paddock import __version__
from paddock.cli import printing

if TYPE_CHECKING:
    from paddock.cli.checks import Check

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at this machine and try the engine. Says what works and what to do; ends with 1 if something fails."""
    from paddock.cli import checks

    done: list[Check] = []
    for check in checks.all_checks():
        done.append(check)
        if not as_json:
            _print(check)
    ok = all(check.status != "fail" for check in done)
    if as_json:
        printing.data({"ok": ok, "version": __version__, "checks": [_entry(check) for check in done]})
    elif ok:
        print("Paddock works here.")
    else:
        print("Something fails: see the lines marked fail.")
    if not ok:
        raise typer.Exit(1)


def _print(check: Check) -> None:
    mark = f"{check.status:<4}"
    if sys.stdout.isatty():
        # Rich decides about NO_COLOR and plain terminals.
        from rich.console import Console
        from rich.text import Text

        Console(highlight=False).print(Text(mark, style=_COLOURS[check.status]), end="")
    else:
        print(mark, end="")
    print(f"  {check.name:<8}  {printing.clean(check.detail)}")
    if check.advice:
        print(f"{'':16}→ {printing.clean(check.advice)}", flush=True)
    sys.stdout.flush()


def _entry(check: Check) -> dict[str, str]:
    return {"name": check.name, "status": check.status, "detail": check.detail, "advice": check.advice}
