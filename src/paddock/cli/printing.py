"""Owns how words reach the terminal: JSON, tables, sizes, notices; refuses to know what they are about.

Answers go to stdout, everything else to stderr. Names and texts that come out of model files or models are shown
without their control characters: those could otherwise steer the terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence

import typer

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """`text` without control characters but newline and tab, and without marks that reverse the writing."""
    return _CONTROL.sub("", text)


def line(text: str) -> str:
    """The same on one line, so that a name cannot look like a line of paddock's own."""
    return " ".join(clean(text).split())


def data(value: object) -> None:
    """Print `value` as JSON on stdout. Escaped to ASCII, so that no locale can spoil it."""
    print(json.dumps(value, indent=2))


def say(text: str) -> None:
    """A notice for the person, on stderr."""
    print(clean(text), file=sys.stderr, flush=True)


def agrees(question: str) -> bool:
    """Whether the person says yes; who is not there does not."""
    say(question)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print rows under headings on stdout: fitted to a terminal, whole lines otherwise.

    `right` are the headings of columns that hold figures.
    """
    cells = [[line(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
        for row in [headings, *cells]:
            aligned = [
                cell.rjust(width) if heading in right else cell.ljust(width)
                for cell, heading, width in zip(row, headings, widths, strict=True)
            ]
            print("  ".join(aligned).rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        grid.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in cells:
        grid.add_row(*map(Text, row))
    Console(highlight=False).print(grid)


def count(number: int) -> str:
    """A count for people: 4800000 is "4.8M", 7241732096 is "7.2B"."""
    for limit, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if number >= limit:
            return f"{number / limit:.1f}{letter}"
    return str(number)


def help_when_bare(context: typer.Context) -> None:
    """Print the group's help when it was called without a command, and leave."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit
