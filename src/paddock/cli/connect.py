"""Owns `paddock connect`: printing, writing or starting with what points a client here; knows no client itself."""

from __future__ import annotations

import codecs
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from paddock.cli import connection, printing
from paddock.clients.known import CLIENTS, Client, ConfigFile, Target, client_of, needs
from paddock.config import load
from paddock.errors import BadRequest, EngineUnreachable
from paddock.paths import draft_of, read_small

_LOOK_TIMEOUT_S = 10.0
# Of a client's own file.
_MOST_BYTES = 16 * 2**20
_NAMES = ", ".join(client.name for client in CLIENTS)


def connect(
    context: typer.Context,
    client: Annotated[str, typer.Argument(metavar="CLIENT", help=f"One of {_NAMES}.")],
    model: Annotated[str | None, typer.Option("--model", help="The model to use; the server's first if none.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="The paddock to use; else that of the settings.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the client's file, keeping the old one.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Start the client; words after -- are its own.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Point a client at this paddock: print what it needs, write its file, or start it."""
    found = client_of(client)
    if write + run + as_json > 1:
        raise BadRequest("--write, --run and --json exclude one another: --run writes no file. Say one of them.")
    target = _target(url, model)
    if context.args and not run:
        raise BadRequest(f"'{context.args[0]}' is for the client: say --run before --.")
    if run:
        raise typer.Exit(_start(found, target, context.args))
    if write:
        _write(found, target)
    elif as_json:
        printing.data(needs(found, target))
    else:
        _print(found, target)
    _warn(found, target)


def _target(url: str | None, model: str | None) -> Target:
    """What to point at, as the server itself tells it; from the settings while none runs."""
    settings = load()
    address = connection.Address(host=settings.host, port=settings.port)
    if url is not None:
        try:
            address = connection.parse_url(url)
        except ValueError as error:
            raise BadRequest(f"{error}.") from error
    key = connection.api_key() or "not-needed"
    path = "/v1/models" if model is None else f"/v1/models/{quote(model, safe='')}"
    try:
        status, body = connection.whole(address, "GET", path, timeout_s=_LOOK_TIMEOUT_S)
    except EngineUnreachable:
        printing.say(f"No paddock answers at {address.url}: the model and its context are those of the settings.")
        fallback = model or settings.model
        return Target(url=address.url, model=fallback, context_tokens=settings.context_tokens or 16384, key=key)
    if status == 401:
        raise BadRequest(f"{address.url} asks for a key. Set PADDOCK_API_KEY to one of `paddock keys create`.")
    try:
        told = json.loads(body)
        if status == 200:
            found = told if model else told["data"][0]
            # A name that the server understands is used as it was typed: an alias is meant.
            name, context_tokens = model or str(found["id"]), int(found["context_length"])
            return Target(url=address.url, model=name, context_tokens=context_tokens, key=key)
        reason = str(told["error"]["message"])
    except (ValueError, LookupError, TypeError) as error:
        raise BadRequest(f"{address.url} answers, but not as a paddock does. Name a paddock with --url.") from error
    raise BadRequest(f"{address.url} does not tell of its models: {reason}")


def _print(client: Client, target: Target) -> None:
    for name, value in client.environment(target).items():
        print(f"export {name}={shlex.quote(value)}")
    if client.file:
        print(f"# ~/{client.file.path} (`paddock connect {client.name} --write` writes it, keeping what is there)")
        print(client.file.merged("", target), end="")
    if client.note:
        print(f"# {client.note}")


def _write(client: Client, target: Target) -> None:
    if client.file is None:
        raise BadRequest(f"{client.name} has no file to write. `paddock connect {client.name}` prints what it needs.")
    # Where a link leads: the link itself stays.
    path = Path(os.path.realpath(Path.home() / client.file.path))
    by_hand = f"or add by hand what `paddock connect {client.name}` prints."
    try:
        old = read_small(path, most_bytes=_MOST_BYTES) if path.exists() else None
        new = _changed(client.file, old or b"", target)
        if old == new:
            print(f"{path} says so already.")
        else:
            _replace(path, new)
    except ValueError as error:
        raise BadRequest(f"{path} cannot be changed ({error}), so it is left as it is. Mend it, {by_hand}") from error
    except OSError as error:
        raise BadRequest(f"{path} cannot be written ({error.strerror}). Mend that, {by_hand}") from error
    if warning := client.file.warning(new.decode("utf-8-sig")):
        printing.say(f"{path}: {warning}")
    for name, value in client.environment(target).items() if client.name == "codex" else ():
        print(f"Also: export {name}={shlex.quote(value)}")


def _changed(file: ConfigFile, old: bytes, target: Target) -> bytes:
    """The file's new bytes, with the mark at its beginning and the line ends that it had."""
    text = old.decode("utf-8-sig")
    made = file.merged(text.replace("\r\n", "\n"), target)
    if "\r\n" in text:
        made = made.replace("\n", "\r\n")
    return (codecs.BOM_UTF8 if old.startswith(codecs.BOM_UTF8) else b"") + made.encode()


def _replace(path: Path, new: bytes) -> None:
    """Write a file whole, keeping beside it what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600
    if path.exists():
        mode = path.stat().st_mode & 0o777
        backup = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%d-%H%M%S}.backup")
        shutil.copy2(path, backup)
        print(f"{backup} keeps what was there.")
    draft = draft_of(path)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        file.write(new)
    draft.replace(path)
    print(f"{path} written.")


def _start(client: Client, target: Target, words: list[str]) -> int:
    """Start the client's program and return its exit status."""
    if not client.program:
        raise BadRequest(f"{client.name} is no program to start. `paddock connect {client.name}` prints what it needs.")
    program = shutil.which(client.program)
    if program is None:
        raise BadRequest(f"{client.program} is not installed. Install it with: {client.install}")
    environment = {**os.environ, **client.environment(target)}
    command = [program, *client.arguments(target)]
    with tempfile.TemporaryDirectory(prefix="paddock-") as folder:
        if client.file and client.run_variable:
            path = Path(folder) / Path(client.file.path).name
            path.write_text(client.file.merged("", target), "utf-8")
            if client.run_variable.startswith("-"):
                command += [client.run_variable, str(path)]
            else:
                environment[client.run_variable] = str(path)
        _warn(client, target)
        try:
            return subprocess.run([*command, *words], env=environment, check=False).returncode
        except KeyboardInterrupt:
            return 130


def _warn(client: Client, target: Target) -> None:
    if client.prompt_tokens > target.context_tokens:
        wanted = f"paddock serve --ctx {client.prompt_tokens * 2}"
        printing.say(
            f"{client.name} begins with about {client.prompt_tokens} tokens; the context of {target.model} holds "
            f"{target.context_tokens}. Start paddock with a larger one: `{wanted}`"
        )
