"""Owns `paddock remotes`: naming, listing, checking and forgetting engines elsewhere; knows not how they are asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paddock.cli import given, printing
from paddock.config import Settings, load
from paddock.errors import BadRequest, shown

if TYPE_CHECKING:
    from paddock.engine.remotes import Remote
    from paddock.store.secrets import Secrets

app = typer.Typer(help="Engines elsewhere, with an OpenAI-compatible API: add, list, check, remove.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def remotes(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What its models' names begin with, as in NAME/MODEL.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Its API's address, such as https://host/v1.")],
    key_from_env: Annotated[
        str | None, typer.Option("--key-from-env", metavar="VAR", help="The environment variable that holds its key.")
    ] = None,
    key_stdin: Annotated[bool, typer.Option("--key-stdin", help="Read its key from the standard input.")] = False,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="ID", help="A model it has; it is asked for its list if none."),
    ] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Let key and prompts go in the clear over a network.")
    ] = False,
) -> None:
    """Name an engine elsewhere. A name that is there already is given anew, key and all. Nothing is asked yet."""
    from paddock.engine.remote_records import Record, Records, checked

    key = given.secret("key", key_from_env, from_stdin=key_stdin)
    record = checked(
        Record(name=name, url=url, models=tuple(model or ()), is_plain_http=plain_http, added_s=time.time())
    )
    settings = load()
    settings.home.ensure()
    _refuse_taken(settings, name)
    records = Records(settings.home)
    former = records.all().get(name)
    secrets = _secrets(settings)
    if key:
        secrets.put(record.secret, key)
    records.put(record)
    if former and not (key and former.secret == record.secret):
        secrets.remove(former.secret)
    with_key = "with its key" if key else "without a key"
    print(f"{name} is {record.url}, {with_key}. `paddock remotes check {name}` asks for its models.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the remotes, never their keys. None of them is asked."""
    from paddock.engine.remote_records import Records

    found = Records(load().home).all()
    if as_json:
        printing.data([{"name": one.name, "url": one.url, "models": list(one.models)} for one in found.values()])
        return
    printing.table(
        ("NAME", "URL", "MODELS"),
        [(one.name, one.url, ", ".join(one.models) or "those it lists") for one in found.values()],
    )
    if not found:
        print("There are no remotes. `paddock remotes add NAME URL` names one.")


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="A name in `paddock remotes list`.")]) -> None:
    """Forget a remote and its key. A running server knows it at once."""
    from paddock.engine.remote_records import Records

    settings = load()
    records = Records(settings.home)
    record = records.find(name)
    records.remove(name)
    _secrets(settings).remove(record.secret)
    print(f"{name} is removed.")


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The one to ask; all if none is given.")] = None,
    as_json: Json = False,
) -> int:
    """Ask the remotes for their models. The exit status is 1 where one does not answer or refuses its key."""
    settings = load()
    if name is not None:
        from paddock.engine.remote_records import Records

        Records(settings.home).find(name)
    found = looked(settings, *([name] if name else []))
    if as_json:
        printing.data([entry(remote) for remote in found])
    else:
        for remote in found:
            reason = f": {remote.health.reason}" if remote.health.reason else f", {len(remote.models)} models"
            print(printing.clean(f"{remote.record.name}  {remote.record.url}  {remote.health.state}{reason}"))
            for model in remote.models:
                print(f"  {printing.clean(model.id)}")
    return 0 if all(remote.health.state == "ok" for remote in found) else 1


def looked(settings: Settings, *names: str, spares_told: bool = False) -> list[Remote]:
    """The remotes of these names, or all, each asked for its models now. Raises HomeUnusable.

    `spares_told` asks none whose models were named with it.
    """
    import anyio

    from paddock.engine.client import EngineClient
    from paddock.engine.remote_records import Records
    from paddock.engine.remotes import Remotes

    if not Records(settings.home).all():
        return []

    async def look() -> list[Remote]:
        client = EngineClient()

        async def connect() -> EngineClient:
            return client

        try:
            remotes = Remotes(settings.home, _secrets(settings), connect)
            if not spares_told:
                return await remotes.look(*names, fresh_s=0.0)
            await remotes.models()
            return list(remotes.all().values())
        finally:
            await client.close()

    return anyio.run(look)


def entry(remote: Remote) -> dict[str, Any]:
    """One remote as `--json` prints it; the keys are stable."""
    return {
        "name": remote.record.name,
        "url": remote.record.url,
        "state": remote.health.state,
        "reason": remote.health.reason or None,
        "models": [{"id": model.id, "context_length": model.context_tokens} for model in remote.models],
    }


def _refuse_taken(settings: Settings, name: str) -> None:
    """A remote's name goes before: models here whose names begin with it could not be asked for. Raises BadRequest."""
    from paddock.models.catalog import Catalog

    hidden = [model.id for model in Catalog.of(settings).models() if model.id.startswith(f"{name}/")]
    if hidden:
        raise BadRequest(f"{shown(name)} would hide the model {shown(hidden[0])} of this machine. Choose another name.")


def _secrets(settings: Settings) -> Secrets:
    from paddock.store.db import Database
    from paddock.store.secrets import Secrets

    return Secrets(Database(settings.database_url, settings.home), settings.home)
