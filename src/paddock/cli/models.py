"""Owns `paddock models`: listing, showing, importing and removing; refuses to know how models are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from paddock.cli import aliases, fit, loaded, model_settings, printing, remotes
from paddock.config import load
from paddock.errors import BadRequest, size

if TYPE_CHECKING:
    from paddock.models.catalog import BrokenModel, Catalog, Model
    from paddock.models.removal import Removal

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
    usable, broken, elsewhere = catalog.models(), catalog.broken(), remotes.looked(load(), spares_told=True)
    adapters = _adapters_of(catalog, usable)
    if as_json:
        printing.data(
            {
                "models": [entry(model) for model in usable],
                "adapters": adapters,
                "broken": [_broken_entry(file) for file in broken],
                "remotes": [remotes.entry(remote) for remote in elsewhere],
            }
        )
        return
    printing.table(
        ("MODEL", "SIZE", "PARAMETERS", "ARCHITECTURE", "QUANTISATION", "CONTEXT", "CERTIFICATE", "ORIGIN"),
        [
            (
                model.id,
                size(model.size_bytes),
                printing.count(model.parameter_count),
                model.architecture,
                model.quantisation,
                str(model.trained_context_tokens or "-"),
                _standing(model),
                model.origin,
            )
            for model in usable
        ]
        + [
            (model.id, "-", "-", "-", "-", str(model.context_tokens or "-"), "-", f"remote {model.remote}")
            for remote in elsewhere
            for model in remote.models
        ],
        right=("SIZE", "PARAMETERS", "CONTEXT"),
    )
    if adapters:
        printing.table(
            ("ADAPTER", "SIZE", "ARCHITECTURE", "FITS", "ORIGIN"),
            [
                (
                    one["id"],
                    size(one["size_bytes"]),
                    one["architecture"],
                    _written("fits", one["fits"]),
                    one["origin"],
                )
                for one in adapters
            ],
            right=("SIZE",),
        )
    for file in broken:
        printing.say(f"Not usable: {file.id}: {file.reason}")
    for remote in elsewhere:
        if remote.health.reason:
            printing.say(f"The remote {remote.record.name}: {remote.health.state}: {remote.health.reason}")


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
    copy: Annotated[
        bool, typer.Option("--copy/--link", help="Copy the bytes, so that no edit of the original changes the model.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a GGUF file into the data home, so that it can be served by its id; its bytes are linked, not copied."""
    from paddock.cli.progress import Progress
    from paddock.models.importing import kept_as

    catalog = _catalog()
    how: Literal["link", "copy"] = "copy" if copy else "link"
    if catalog.is_adapter(file):
        with Progress(file.name) as progress:
            adapter = catalog.import_adapter(file, name=name, progress=progress.advance_to, how=how)
        told = next(one for one in _adapters_of(catalog, catalog.models()) if one["id"] == adapter.id)
        kept = kept_as(adapter.path)
        if as_json:
            printing.data({**told, "kept_as": kept})
        else:
            print(f"{adapter.id} is here, as a {kept}. Models that it fits: {_written('fits', told['fits'])}.")
        return
    with Progress(file.name) as progress:
        model = catalog.import_file(file, name=name, progress=progress.advance_to, how=how)
    kept = kept_as(model.path)
    if as_json:
        printing.data({**entry(model), "kept_as": kept})
    else:
        print(f"{model.id} is here, as a {kept}. Serve it: paddock serve --model {model.id}")


@app.command("rm")
def remove(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Ids from `paddock models list`.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove models that were pulled or imported: tell what goes and what stays, ask, and free their space."""
    catalog, holder = _catalog(), loaded.holder(load())
    for model in models:
        _tell(catalog.removal(model))
        if holder and (warning := loaded.warning(holder, model)):
            printing.say(f"  {warning}")
        if not yes and not printing.agrees(f"Remove {model}? Type y to do it."):
            raise BadRequest(f"Not confirmed: '{model}' is not removed. Type y when asked, or say --yes.")
        catalog.remove(model)
        model_settings.forget(model)
        print(f"{printing.clean(model)} is removed.")


def _tell(removal: Removal) -> None:
    """What a removal will do, on stderr."""
    printing.say(f"{removal.id}: {size(removal.frees_bytes)} will be free.")
    for one in removal.going:
        told = f"removed, {one.note}" if one.note else f"removed, {size(one.frees_bytes)}"
        printing.say(f"  {one.path.name}: {told}")
    for one in removal.staying:
        printing.say(f"  {one.path.name}: stays ({size(one.size_bytes)}), since {one.reason}")


def entry(model: Model) -> dict[str, object]:
    """One model as `--json` prints it; the keys are stable."""
    from paddock.models.certificates import certificate_of

    certificate = certificate_of(model.path, model.origin)
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
        "copies": [{"id": copy.id, "origin": copy.origin, "path": str(copy.path)} for copy in model.copies],
        "certificate": certificate.told() if certificate else None,
    }


def _standing(model: Model) -> str:
    from paddock.models.certificates import certificate_of

    certificate = certificate_of(model.path, model.origin)
    return certificate.standing if certificate else "-"


def _broken_entry(file: BrokenModel) -> dict[str, object]:
    return {"id": file.id, "origin": file.origin, "reason": file.reason}


def _adapters_of(catalog: Catalog, models: list[Model]) -> list[dict[str, Any]]:
    """The adapters as `--json` prints them, with the ids of the models that each fits."""
    return [
        {
            "id": one.id,
            "size_bytes": one.facts.size_bytes,
            "architecture": one.facts.architecture,
            "fits": [model.id for model in models if catalog.fitting(model, [one])],
            "origin": one.origin,
            "path": str(one.path),
        }
        for one in catalog.adapters()
    ]


def _catalog() -> Catalog:
    from paddock.models.catalog import Catalog

    return Catalog.of(load())


def _written(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "size_bytes" and isinstance(value, int):
        return f"{value} ({size(value)})"
    if key in ("projector", "certificate") and value is None:
        return "none"
    if key == "copies":
        found = cast("list[dict[str, str]]", value)
        return ", ".join(f"{copy['id']} ({copy['origin']}, {copy['path']})" for copy in found) or "none"
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
app.command("unload")(loaded.unload)
app.command("fit")(fit.fit)
app.command("alias")(aliases.alias)
app.command("aliases")(aliases.aliases)
app.command("unalias")(aliases.unalias)
app.command("set")(model_settings.set_)
app.command("template")(model_settings.template)
