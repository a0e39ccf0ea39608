"""Owns `paddock models`: listing, showing, importing and removing; refuses to know how models are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from paddock.cli import aliases, fit, loaded, model_settings, printing
from paddock.config import load

if TYPE_CHECKING:
    from paddock.models.catalog import BrokenModel, Catalog, Model

app = typer.Typer(help="The models on this machine: list, show, import, remove.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models that can be served, and name the files that cannot."""
    catalog = _catalog()
    usable, broken = catalog.models(), catalog.broken()
    if as_json:
        printing.data(
            {"models": [entry(model) for model in usable], "broken": [_broken_entry(file) for file in broken]}
        )
        return
    printing.table(
        ("MODEL", "SIZE", "PARAMETERS", "ARCHITECTURE", "QUANTISATION", "CONTEXT", "ORIGIN"),
        [
            (
                model.id,
                printing.size(model.size_bytes),
                printing.count(model.parameter_count),
                model.architecture,
                model.quantisation,
                str(model.trained_context_tokens or "-"),
                model.origin,
            )
            for model in usable
        ],
        right=("SIZE", "PARAMETERS", "CONTEXT"),
    )
    for file in broken:
        printing.say(f"Not usable: {file.id}: {file.reason}")


@app.command("show")
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An id from `paddock models list`, or a GGUF file.")],
    as_json: Json = False,
) -> None:
    """Print what is known about one model."""
    found = _catalog().resolve(model)
    known = {**entry(found), **model_settings.told(found)}
    if as_json:
        printing.data(known)
        return
    for key, value in known.items():
        print(f"{key.replace('_', ' '):<22}  {printing.clean(_written(key, value))}")


@app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The id it gets; its file name if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy a GGUF file into the data home, so that it can be served by its id."""
    from paddock.cli.progress import Progress

    with Progress(file.name) as progress:
        model = _catalog().import_file(file, name=name, progress=progress.advance_to)
    if as_json:
        printing.data(entry(model))
    else:
        print(f"{model.id} is here. Serve it: paddock serve --model {model.id}")


@app.command("rm")
def remove(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Ids from `paddock models list`.")],
) -> None:
    """Remove models that were pulled or imported, and free their space."""
    catalog = _catalog()
    for model in models:
        catalog.remove(model)
        model_settings.forget(model)
        print(f"{printing.clean(model)} is removed.")


def entry(model: Model) -> dict[str, object]:
    """One model as `--json` prints it; the keys are stable."""
    return {
        "id": model.id,
        "size_bytes": model.size_bytes,
        "parameter_count": model.parameter_count,
        "architecture": model.architecture,
        "quantisation": model.quantisation,
        "trained_context_tokens": model.trained_context_tokens,
        "has_chat_template": model.has_chat_template,
        "task": model.task,
        "origin": model.origin,
        "path": str(model.path),
        "projector": model.projector_path.name if model.projector_path else None,
        "doubtful_projectors": list(model.doubtful_projectors),
    }


def _broken_entry(file: BrokenModel) -> dict[str, object]:
    return {"id": file.id, "origin": file.origin, "reason": file.reason}


def _catalog() -> Catalog:
    from paddock.models.catalog import Catalog

    return Catalog(load().home)


def _written(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "size_bytes" and isinstance(value, int):
        return f"{value} ({printing.size(value)})"
    if key == "projector" and value is None:
        return "none"
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value)
        return (
            ", ".join(f"{name} {_written(name, one)}" for name, one in pairs.items() if one not in (None, {}, []))
            or "none"
        )
    if isinstance(value, list):
        return ", ".join(str(item) for item in cast("list[object]", value)) or "none"
    return "not told" if value is None else str(value)


app.command("loaded")(loaded.loaded)
app.command("fit")(fit.fit)
app.command("alias")(aliases.alias)
app.command("aliases")(aliases.aliases)
app.command("unalias")(aliases.unalias)
app.command("set")(model_settings.set_)
app.command("template")(model_settings.template)
