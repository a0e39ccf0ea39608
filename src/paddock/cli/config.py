"""Owns `paddock config`: what is set, and by whom; refuses to change it."""

from __future__ import annotations

from typing import Annotated

import typer

from paddock.cli import printing
from paddock.config import NAMES, Settings, describe, load, shown_value
from paddock.values import Value

app = typer.Typer(help="Look at the settings.")


@app.callback(invoke_without_command=True)
def config(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command("show")
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every setting, its value and where the value came from."""
    settings = load()
    if as_json:
        entries = [_entry(settings, name) for name in NAMES]
        printing.data(
            {"home": str(settings.home.root), "file": str(settings.home.config_file), "settings": entries},
        )
        return
    print(f"Data home: {settings.home.root}")
    print(f"File:      {settings.home.config_file}{'' if settings.home.config_file.exists() else ' (not there)'}")
    print("Taken from a flag, else the environment (PADDOCK_ and the name), else the file, else the default.")
    print()
    printing.table(
        ("SETTING", "VALUE", "FROM", "HELP"),
        [(name, _written(_shown(settings, name)), settings.sources[name], describe(name)) for name in NAMES],
    )


def _entry(settings: Settings, name: str) -> dict[str, object]:
    return {
        "name": name,
        "value": _shown(settings, name),
        "source": settings.sources[name],
        "default": getattr(Settings, name),
        "variable": f"PADDOCK_{name.upper()}",
        "help": describe(name),
    }


def _shown(settings: Settings, name: str) -> Value:
    return shown_value(name, getattr(settings, name))


def _written(value: object) -> str:
    """The value as the file would hold it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value}"
