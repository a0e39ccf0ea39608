"""Owns `paddock models set` and `paddock models template`; refuses to know what a setting does."""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from paddock.cli import printing
from paddock.config import load
from paddock.errors import BadRequest, SettingInvalid, shown

if TYPE_CHECKING:
    from paddock.models.catalog import Model
    from paddock.models.saved import Saved

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def set_(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An id from `paddock models list`.")],
    values: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="What to set; nothing prints what is set.")
    ] = None,
    clear: Annotated[
        list[str] | None, typer.Option("--clear", metavar="NAME", help="Forget this setting; may be given again.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Set what holds for one model alone: sampling, context, slots, its chat template and more."""
    from paddock.models.catalog import Catalog
    from paddock.models.saved import spec_of

    found, saved = _model(model)
    changes: dict[str, object] = {}
    changes.update(dict.fromkeys(clear or ()))
    changes.update(_pair(text) for text in values or ())
    if isinstance(draft := changes.get("draft_model"), str):
        Catalog.of(load()).find(draft)
    try:
        settings = saved.update(found.id, changes) if changes else saved.get(found.id)
    except BadRequest as error:
        raise SettingInvalid(error.message) from error
    if as_json:
        printing.data({"id": found.id, "settings": settings.given()})
        return
    for name, value in settings.given().items():
        print(f"{name:<22}  {printing.clean(str(value))}")
    if not settings.given():
        print(f"Nothing is set for {printing.clean(found.id)}.")
    if any(spec_of(name).metadata["when"] == "load" for name in changes):
        printing.say("What concerns loading holds from the next load on; sampling holds at once.")


def template(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An id from `paddock models list`, or a GGUF file.")],
    check: Annotated[bool, typer.Option("--check", help="Load the model and say what its template renders.")] = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="URL", help="A running paddock to check with; left out: the usual one, or a new one."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the chat template that a model is asked with, or say what it can render."""
    if check:
        _print_check(_checked(model, url), as_json=as_json)
        return
    found, saved = _model(model)
    override = saved.template_path(saved.get(found.id))
    text = override.read_text("utf-8") if override else _own_template(model)
    if as_json:
        printing.data({"id": found.id, "from": "override" if override else "model", "template": text})
    elif text:
        print(printing.clean(text))
    else:
        printing.say(f"{found.id} has no chat template of its own.")


def told(found: Model) -> dict[str, object]:
    """What `paddock models show` tells of a model beyond its file: what is set for it, and its sampling."""
    from paddock.models.advice import advise
    from paddock.models.catalog import Catalog
    from paddock.models.saved import Saved

    settings = load()
    saved = Saved(settings.home).get(found.id)
    advice = advise(Catalog.of(settings).header(found), found.id, saved)
    return {"settings": saved.given(), "recommended_sampling": advice.told()}


def forget(model_id: str) -> None:
    """Clear all that is set for a model that is gone, so that another of its name does not inherit it."""
    from paddock.models.saved import NAMES, UNSET, Saved

    saved = Saved(load().home)
    if saved.get(model_id) != UNSET:
        saved.update(model_id, dict.fromkeys(NAMES))


def _pair(text: str) -> tuple[str, object]:
    """`NAME=VALUE` as both; a template is read from its file. Raises SettingInvalid."""
    from paddock.models.saved import TEMPLATE_MOST_BYTES
    from paddock.paths import read_small

    name, equals, value = text.partition("=")
    if not equals:
        raise SettingInvalid(f"'{text[:80]}' is no NAME=VALUE. Type it like temperature=0.6.")
    if name != "chat_template" or value == "builtin":
        return name, value
    try:
        return name, read_small(Path(value).expanduser(), most_bytes=TEMPLATE_MOST_BYTES).decode("utf-8")
    except (OSError, RuntimeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SettingInvalid(
            f"The template {shown(value)} cannot be read: {reason}. Give a text file of at most "
            f"{TEMPLATE_MOST_BYTES // 2**20} MiB."
        ) from error


def _model(name: str) -> tuple[Model, Saved]:
    from paddock.models.catalog import Catalog
    from paddock.models.saved import Saved

    settings = load()
    settings.home.ensure()
    return Catalog.of(settings).resolve(name), Saved(settings.home)


def _own_template(name: str) -> str:
    from paddock.models.catalog import Catalog

    catalog = Catalog.of(load())
    return catalog.header(catalog.resolve(name)).chat_template or ""


def _checked(model: str, url: str | None) -> dict[str, Any]:
    from paddock.cli import connection, paddocks

    with paddocks.reached(load({"model": model}), model=model, url=url) as address:
        name = _model(model)[0].id if os.path.isfile(model) else model
        status, body = connection.whole(address, "GET", f"/api/models/{quote(name)}/template")
    report: dict[str, Any] = json.loads(body)
    if status != HTTPStatus.OK:
        raise BadRequest(report["error"]["message"])
    return report


def _print_check(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        printing.data(report)
        return
    for name, does in report["renders"].items():
        print(f"{name.replace('_', ' '):<16}  {'yes' if does else 'no'}")
    for sentence in report["lacks"]:
        print(sentence)
