"""Owns `paddock doctor` and `doctor clients`: what they print, how they end; refuses to know how things are checked."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from paddock import __version__
from paddock.cli import printing
from paddock.config import describe, load

if TYPE_CHECKING:
    from paddock.cli.checks import Check

_COLOURS = {"ok": "green", "pass": "green", "warn": "yellow", "skip": "dim", "fail": "red"}

app = typer.Typer(help="Look at this machine and try the engine, or the requests of known clients.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look at this machine and try the engine. Says what works and what to do; ends with 1 if something fails."""
    if context.invoked_subcommand is not None:
        return
    from paddock.cli import checks

    show(checks.all_checks(), as_json=as_json, well="Paddock works here.")


def show(found: Iterator[Check], *, as_json: bool, well: str) -> None:
    """Print checks as they come, and `well` where none fails; otherwise end with 1."""
    done: list[Check] = []
    for check in found:
        done.append(check)
        if not as_json:
            _print(check)
    ok = all(check.status != "fail" for check in done)
    if as_json:
        printing.data({"ok": ok, "version": __version__, "checks": [_entry(check) for check in done]})
    elif ok:
        print(well)
    else:
        print("Something fails: see the lines marked fail.")
    if not ok:
        raise typer.Exit(1)


@app.command()
def clients(
    names: Annotated[list[str] | None, typer.Argument(metavar="CLIENT", help="Only these clients.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help=describe("model"))] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="A running paddock; left out: the usual address, or a new one."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send the recorded requests of known clients, and say by which rules the answers fail them.

    Takes minutes on a small machine: agents begin with prompts of many thousand tokens. Ends with 1 if a rule fails.
    """
    from paddock.cli import connection, paddocks

    settings = load({"model": model})
    done: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(paddocks.reached(settings, model=model, url=url))
        asked = [("stream", "true"), *(("client", name) for name in names or [])]
        if model and not os.path.isfile(model):
            asked.append(("model", model))
        path = f"/api/doctor/clients?{urlencode(asked)}"
        told = connection.told(address, path, timeout_s=settings.answer_timeout_s)
        for event in stack.enter_context(contextlib.closing(told)):
            if event["kind"] == "done":
                done = event
            elif not as_json:
                _print_tried(event)
    if as_json:
        printing.data({name: value for name, value in done.items() if name != "kind"})
    elif done["ok"]:
        print(f"Every client works with {done['model']}.")
    else:
        failed = [entry["client"] for entry in done["clients"] if not entry["ok"]]
        print(f"{len(failed)} of {len(done['clients'])} clients fail with {done['model']}: {', '.join(failed)}.")
    if not done["ok"]:
        raise typer.Exit(1)


def _print_tried(event: dict[str, Any]) -> None:
    if event["kind"] == "progress":
        line = f"{event['client']}: request {event['number']} of {event['of']}"
        if sys.stdout.isatty():
            print(f"\r{line}", end="\n" if event["number"] == event["of"] else "", flush=True)
        elif event["number"] == event["of"]:
            print(line, flush=True)
    elif event["status"] != "skip":
        tried = f"{event['tried']} {'answer' if event['tried'] == 1 else 'answers'}"
        _mark(event["status"])
        print(f"  {event['rule']:<10}{printing.clean(event['reason']) or tried}", flush=True)


def _mark(status: str) -> None:
    mark = f"{status:<4}"
    if sys.stdout.isatty():
        # Rich decides about NO_COLOR and plain terminals.
        from rich.console import Console
        from rich.text import Text

        Console(highlight=False).print(Text(mark, style=_COLOURS[status]), end="")
    else:
        print(mark, end="")


def _print(check: Check) -> None:
    _mark(check.status)
    print(f"  {check.name:<8}  {printing.clean(check.detail)}")
    if check.advice:
        print(f"{'':16}→ {printing.clean(check.advice)}", flush=True)
    sys.stdout.flush()


def _entry(check: Check) -> dict[str, str]:
    return {"name": check.name, "status": check.status, "detail": check.detail, "advice": check.advice}
