"""Owns `paddock train`: telling a paddock what to train, and watching it; refuses to know how that is done."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer

from paddock.cli import checkpoints, connection, jobs, paddocks, printing
from paddock.cli.connection import Address
from paddock.config import load
from paddock.errors import BadRequest, size
from paddock.paths import typed

app = typer.Typer(help="Fine-tune models: estimate, run, list, show, compare, try, stop, resume, remove.")
_PATH, _KIND = "/api/training", "training"
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An id from `paddock train list`; its beginning is enough.")]
Url = Annotated[str | None, typer.Option("--url", help="The paddock to ask; the one of the settings if none.")]
SpecFile = Annotated[Path | None, typer.Argument(metavar="SPEC", help="A YAML file of options.")]
Options = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An option, over the file's.")]

_COMPARED = (
    "step", "loss", "eval_loss", "reward", "reward_margin", "reward_accuracy", "tokens_per_s", "peak_memory_bytes",
    "estimated_bytes", "took_s",
)  # fmt: skip


_ROOM = {
    "room_waits": "waits for requests to", "room_made": "put down until it ends", "room_back": "loaded again",
}  # fmt: skip


@app.callback(invoke_without_command=True)
def train(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def run(
    spec: SpecFile = None,
    options: Options = None,
    name: Annotated[str, typer.Option("--name", help="What it is called; the data's name if none.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    url: Url = None,
) -> None:
    """Begin a training, and watch it to its end. Ctrl+C leaves it running; `paddock train stop` stops it."""
    settings = load()
    asked: dict[str, object] = {"spec": _spec(spec, options or []), "name": name}
    with contextlib.ExitStack() as stack:
        # Where none runs, one is started for as long as this command watches.
        address = stack.enter_context(paddocks.reached(settings, model=None, url=url))
        job = connection.asked(address, "/api/training", method="POST", body=asked)
        printing.say(f"{job['id']}: {printing.line(job['name'])}, {job['state']}.")
        if detach:
            print(job["id"])
            return
        _watch(address, job["id"])


@app.command()
def estimate(
    spec: SpecFile = None,
    options: Options = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Tell what a training would need: memory, disk, steps, time. Nothing is begun."""
    with paddocks.reached(load(), model=None, url=url) as address:
        asked: dict[str, object] = {"spec": _spec(spec, options or [])}
        found = connection.asked(address, "/api/training/estimate", method="POST", body=asked)
    if as_json:
        printing.data(found)
    elif found["memory"] is None:
        print("The base's weights are in another form than safetensors; what they need cannot be told.")
    else:
        parts = ", ".join(f"{name} {size(value)}" for name, value in found["memory"].items() if name != "all")
        print(f"memory   {size(found['memory']['all'])} of {size(found['free_bytes'])} that are free ({parts})")
        print(f"disk     {size(found['disk_bytes'])}")
        print(f"steps    {found['steps']}, of {found['rows']} rows, {found['tokens_most']} tokens at most")
        took = "unknown" if found["seconds"] is None else f"{found['seconds']:.0f} s"
        print(f"time     {took}: {printing.clean(found['seconds_source'])}")
        if found.get("not_counted"):
            print(printing.clean(found["not_counted"]))


@app.command()
def compare(
    compared: Annotated[list[str], typer.Argument(metavar="ID…", help="Two or more.")], url: Url = None
) -> None:
    """Compare trainings: the options in which they differ, and their newest figures."""
    address = jobs.paddock(url)
    found = [jobs.found(address, _PATH, job, _KIND) for job in compared]
    names = [name for name in found[0]["spec"] if len({str(one["spec"].get(name)) for one in found}) > 1]
    figures = [name for name in _COMPARED if any(name in one["figures"] for one in found)]
    told = [("state", *(one["state"] for one in found))]
    told += [(name, *(printing.clean(str(one["spec"].get(name, ""))) for one in found)) for name in names]
    told += [(name, *(str(one["figures"].get(name, "")) for one in found)) for name in figures]
    printing.table(("", *(f"{printing.line(one['name'])} {one['id']}" for one in found)), told)


@app.command("list")
def list_(url: Url = None, as_json: Json = False) -> None:
    """List the trainings: how far, how good, and what went wrong."""
    found = connection.asked(jobs.paddock(url), "/api/training")["data"]
    if as_json:
        printing.data(found)
        return
    printing.table(
        ("ID", "NAME", "STATE", "STEP", "OF", "LOSS", "EVAL"),
        [(one["id"], one["name"], one["state"], *_shown(one["figures"])) for one in found],
        right=("STEP", "OF", "LOSS", "EVAL"),
    )


@app.command()
def show(job: Id, url: Url = None, as_json: Json = False) -> None:
    """Show one training: its options, its newest figures, what it made."""
    found = jobs.found(jobs.paddock(url), _PATH, job, _KIND)
    if as_json:
        printing.data(found)
        return
    print(f"{found['id']}  {printing.line(found['name'])}  {found['state']}")
    print(printing.clean(found["yaml"]).rstrip())
    for name, value in found["figures"].items():
        print(printing.line(f"{name}: {value}"))
    if found["error"]:
        print(printing.clean(found["error"]["message"]))


@app.command()
def watch(job: Id, url: Url = None) -> None:
    """Watch a training to its end."""
    address = jobs.paddock(url)
    _watch(address, jobs.found(address, _PATH, job, _KIND)["id"])


@app.command()
def stop(job: Id, url: Url = None) -> None:
    """Have it write a checkpoint, and stop."""
    jobs.change(url, _PATH, job, "stop", _KIND)


@app.command()
def cancel(job: Id, url: Url = None) -> None:
    """Have it stop as soon as it can, without a checkpoint."""
    jobs.change(url, _PATH, job, "cancel", _KIND)


@app.command()
def resume(job: Id, url: Url = None) -> None:
    """Go on from the last checkpoint."""
    jobs.change(url, _PATH, job, "resume", _KIND)


@app.command()
def remove(job: Id, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, url: Url = None) -> None:
    """Remove a training with all that it made."""
    jobs.remove(url, _PATH, job, _KIND, "with its checkpoints and what it made", is_agreed=yes)


app.command("checkpoints")(checkpoints.checkpoints)
app.command("try")(checkpoints.try_)


def _spec(path: Path | None, options: list[str]) -> dict[str, Any]:
    """Every option, by a file and by what was typed. Raises FieldInvalid or BadRequest."""
    from paddock.data.files import EXAMPLES
    from paddock.training.spec import as_table, options_in, spec_of

    given: dict[str, Any] = {}
    if path is not None:
        try:
            given = options_in(path.read_text("utf-8"))
        except OSError as error:
            raise BadRequest(f"{path} cannot be read: {error.strerror}. Check the path, or say --set alone.") from error
        except UnicodeDecodeError as error:
            raise BadRequest(f"{path} is no UTF-8 text (byte {error.start}). Write it as YAML.") from error
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise BadRequest(f"--set {option!r}: say NAME=VALUE, such as learning_rate=0.0002.")
        given[key.strip()] = value.strip()
    for key in ("data", "eval_data"):
        if given.get(key) and given[key] not in EXAMPLES:
            # The server may have been started in another folder.
            given[key] = str(typed(str(given[key]), key).absolute())
    if given.get("base") and (base := typed(str(given["base"]), "base")).is_dir():
        given["base"] = str(base.absolute())
    return as_table(spec_of(given))


def _watch(address: Address, job_id: str) -> None:
    words = f"`paddock train watch {job_id}` shows it, `paddock train stop {job_id}` stops it."
    found = jobs.watched(address, _PATH, job_id, _line, words)
    for name, path in found["figures"].get("artifacts", {}).items():
        print(printing.line(f"{name}: {path}"))
    if found["state"] == "failed":
        raise typer.Exit(1)


def _line(event: dict[str, Any]) -> str:
    kind = event["kind"]
    if kind == "dry_run":
        line = _line({**event, "kind": event["of"]})
        return f"dry run: {line}" if line else ""
    if kind == "tried":
        return f"dry run: the engine loads what was made, and answers: {printing.clean(event['answer'])!r}"
    if kind == "sample":
        return f"step {event['step']}  {printing.clean(event['prompt'])!r}: {printing.clean(event['text'])!r}"
    if kind == "data":
        # Where a model learns from its own answers, no token of the rows is learnt.
        learnt = f"{event.get('trained_tokens', 0)} of {event['tokens']} tokens are learnt"
        long = f"{event['too_long']} rows are too long ({event['too_long_are']})"
        images = f" with {event['images']} images" if event.get("images") else ""
        return f"{event['rows']} rows{images}, {event['held_out']} held out; {learnt}; {long}"
    if kind in ("tracked", "tracker_failed"):
        return f"{event['tracker']}: {printing.clean(event.get('where') or event['message'])}"
    if kind in _ROOM:
        return f"{_ROOM[kind]}: {printing.clean(', '.join(event['models'])) or 'none'}"
    if kind == "model":
        return f"{event['trained_parameters']} of {event['parameters']} parameters are trained"
    if kind == "step":
        rate = f"  {event['tokens_per_s']:.0f} tokens/s" if event["tokens_per_s"] else ""
        return f"step {event['step']}  loss {event['loss']}{_more(event)}{rate}  {size(event['memory_bytes'])}"
    if kind == "eval":
        return f"step {event['step']}  held out {event['loss']}{_more(event)}"
    return f"checkpoint at step {event['step']}" if kind == "checkpoint" else ""


def _more(event: dict[str, Any]) -> str:
    """What is told of some methods beside the loss."""
    names = {
        "reward_margin": "margin", "reward_accuracy": "right", "reward": "reward", "kl": "kl",
        "nearest_share": "nearest",
    }  # fmt: skip
    return "".join(f"  {word} {event[name]}" for name, word in names.items() if event.get(name) is not None)


def _shown(figures: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(figures.get(name, "-")) for name in ("step", "steps", "loss", "eval_loss"))
