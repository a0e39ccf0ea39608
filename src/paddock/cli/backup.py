"""Owns `paddock backup`: making a copy of the data home, looking at one, and putting one back; refuses to know how."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paddock.cli import printing
from paddock.cli.progress import Progress
from paddock.config import load
from paddock.errors import shown, size
from paddock.paths import typed

if TYPE_CHECKING:
    from paddock.backup.manifest import Manifest
    from paddock.backup.restoring import Plan
    from paddock.paths import Home

app = typer.Typer(help="The data home in one file: make it, look at it, check it, put it back.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")]
_SHOWN_MOST = 10
_PLAIN = re.compile(r"\w[\w.:/@+-]{0,399}")


@app.callback(invoke_without_command=True)
def backup(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def make(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="What to write: a new file, or one with the date in a folder. Left out: here."
        ),
    ] = None,
    secrets: Annotated[
        bool, typer.Option("--secrets/--without-secrets", help="Take the files that open keys and stored secrets.")
    ] = True,
    models: Annotated[bool, typer.Option("--with-models", help="Take imported models and adapters too.")] = False,
    recordings: Annotated[bool, typer.Option("--with-recordings", help="Take the flight recorder's requests.")] = False,
    trainings: Annotated[bool, typer.Option("--with-trainings", help="Take what trainings made.")] = False,
    as_json: Json = False,
) -> None:
    """Copy chats, settings, keys and accounts into one file, also while paddock serves."""
    from paddock.backup import making

    settings = load()
    target = typed(str(file), "FILE") if file else Path()
    if target.is_dir():
        target = target / making.usual_name(time.time())
    settings.home.ensure()
    choice = making.Choice(secrets=secrets, models=models, recordings=recordings, trainings=trainings)
    with Progress(f"backup {target.name}") as progress:
        said = making.make(settings, target, choice, progress.advance_to)
    _say_what_is_not_in_it(said)
    if secrets:
        printing.say(
            "It holds secrets: whoever has it can read the chats and use the keys. Keep it where only you can."
        )
    if as_json:
        printing.data(_table(said, target))
        return
    print(target)


@app.command()
def show(file: File, as_json: Json = False) -> None:
    """Tell what a backup holds, by its own word; `check` sees whether it is true."""
    from paddock.backup.archive import opened

    with opened(file) as archive:
        said = archive.manifest
    if as_json:
        printing.data(_table(said, file))
        return
    print(f"made {said.made_at} by paddock {said.made_by}, tables {said.schema or 'none'}, {_sum(said)}")
    printing.table(("file", "size"), [(one.path, size(one.size_bytes)) for one in said.files], right=("size",))
    _say_what_is_not_in_it(said)


@app.command()
def check(file: File, as_json: Json = False) -> None:
    """Read all of a backup, and see that it is whole and could be restored here. Nothing is written."""
    from paddock.backup import restoring

    with Progress(f"check {file.name}") as progress:
        said = restoring.check(file, progress.advance_to)
    if as_json:
        printing.data(_table(said, file))
        return
    print(f"{file} is whole: {_sum(said)}, made {said.made_at}.")


@app.command()
def restore(
    file: File,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Agree beforehand to what is told.")] = False,
    trusts_settings: Annotated[
        bool, typer.Option("--trust-settings", help="Take settings that name programs to be run, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a backup into the data home. What it takes the place of is kept. No paddock may serve meanwhile."""
    from paddock.backup import restoring
    from paddock.paths import Home, default_root

    # Settings that cannot be read may be why one restores.
    home = Home(root=default_root())

    def agree(plan: Plan) -> bool:
        printing.say(_told(home, plan))
        return yes or not plan.replaced or printing.agrees("Do it? Type y to do it.")

    with Progress(f"restore {file.name}") as progress:
        done = restoring.restore(
            home, file, os.environ, agree=agree, advance=progress.advance_to, trusts_settings=trusts_settings
        )
    for note in done.notes:
        printing.say(note)
    _say_what_is_not_in_it(done.manifest)
    if as_json:
        more = {"kept": str(done.kept) if done.kept else None, "settings_left_out": dict(done.withheld)}
        more["settings_unread"] = done.unread or None
        printing.data({**_table(done.manifest, file), **more})
        return
    kept = f" What was there lies in {done.kept}." if done.kept else ""
    print(f"{file} is restored into {home.root}.{kept}")


def _told(home: Home, plan: Plan) -> str:
    said, there = plan.manifest, plan.replaced
    lines = [f"Restores {_sum(said)}, made {said.made_at} by paddock {said.made_by}, into {home.root}."]
    if there:
        more = f" and {len(there) - _SHOWN_MOST} more" if len(there) > _SHOWN_MOST else ""
        lines.append(f"Takes the place of {', '.join(there[:_SHOWN_MOST])}{more}; these are kept.")
    if plan.withheld:
        settings = ", ".join(f"{name} = {value!r}" for name, value in plan.withheld.items())
        lines.append(
            f"Leaves out of config.toml what names programs to be run: {settings}. --trust-settings takes it, too."
        )
    if plan.unread:
        lines.append(
            f"Leaves out all of config.toml, which cannot be read: {plan.unread}. Yours stays as it is. "
            "--trust-settings takes it, too."
        )
    return "\n".join(lines)


def _say_what_is_not_in_it(said: Manifest) -> None:
    from paddock.backup import parts

    if said.database == "elsewhere":
        printing.say("The database is PostgreSQL's, and not in the backup: copy it with `pg_dump`.")
    if not set(parts.single_files(with_secrets=True)) <= set(said.speaks_of):
        printing.say("Keys, sign-ins and stored secrets of the backup work only beside the secrets that it leaves out.")
    for file in said.left_out[:_SHOWN_MOST]:
        printing.say(f"Not in the backup: {file.path!r}, which {file.why}. Mend that to have it in the next one.")
    if len(said.left_out) > _SHOWN_MOST:
        printing.say(f"Not in the backup: {len(said.left_out) - _SHOWN_MOST} more such files; --json lists them.")
    for one in said.absent_models:
        # What is shown to be copied into a shell is a name, whoever wrote it.
        is_plain = bool(_PLAIN.fullmatch(one.id))
        pulls = f"`paddock pull {one.id}` fetches it" if is_plain else "no model that can be pulled has that name"
        again = pulls if one.origin == "pulled" else "--with-models takes it"
        name = one.id if is_plain else shown(one.id)
        printing.say(f"Not in the backup: the model {name} ({size(one.size_bytes)}); {again}.")


def _sum(said: Manifest) -> str:
    return f"{len(said.files)} files, {size(sum(one.size_bytes for one in said.files))}"


def _table(said: Manifest, file: Path) -> dict[str, Any]:
    from dataclasses import asdict

    return {"file": str(file), **asdict(said)}
