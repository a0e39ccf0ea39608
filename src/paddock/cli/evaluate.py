"""Owns `paddock eval`: telling a paddock what to evaluate, watching it, and printing what was found; judges nothing."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from paddock.cli import connection, evaluated, jobs, paddocks, printing
from paddock.cli.connection import Address
from paddock.config import describe, load
from paddock.errors import BadRequest

app = typer.Typer(help="Evaluate models: tools, run, pocket, vote, compare, list, show, stop, cancel, resume, remove.")
_PATH = "/api/evaluations"
# Behind every event: only the end is waited for.
_ALL, _END_S = 10**9, 10.0
_SET_MOST_BYTES = 64 * 2**20
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An id from `paddock eval list`; its beginning is enough.")]
Url = Annotated[str | None, typer.Option("--url", help="The paddock to ask; the usual address, or a new one, if none.")]
Model = Annotated[str | None, typer.Argument(metavar="MODEL", help=describe("model"))]
Tokens = Annotated[int, typer.Option("--answer-tokens", help="The most tokens of an answer.")]
Anew = Annotated[bool, typer.Option("--anew", help="Begin from the first try, also where some were tried before.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")]


@app.callback(invoke_without_command=True)
def evaluate(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def tools(
    model: Model = None,
    answer_tokens: Tokens = 512,
    anew: Anew = False,
    detach: Detach = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Score how a model calls tools: twelve cases of several tries each. Ends with 0 whatever the score is."""
    _run(model, {"suite": "tools", "answer_tokens": answer_tokens, "anew": anew}, url, detach=detach, as_json=as_json)


@app.command()
def pocket(
    model: Model = None, anew: Anew = False, detach: Detach = False, url: Url = None, as_json: Json = False
) -> None:
    """Score a model on the held-out prompts of the bundled one, and print its table."""
    _run(model, {"suite": "pocket", "anew": anew}, url, detach=detach, as_json=as_json)


@app.command()
def run(
    model: Model = None,
    set_: Annotated[
        Path | None, typer.Option("--set", metavar="FILE", help="The tries, a JSON object on each line.")
    ] = None,
    judge: Annotated[str, typer.Option("--judge", metavar="MODEL", help="The model that judges where one must.")] = "",
    name: Annotated[str, typer.Option("--name", help="What it is called; the file's name if none.")] = "",
    answer_tokens: Tokens = 512,
    anew: Anew = False,
    detach: Detach = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Try a model on a set of your own: texts, patterns, JSON, calls, a judge, choices, perplexity."""
    if set_ is None:
        raise typer.BadParameter("Say which file holds the tries: --set FILE.jsonl.", param_hint="--set")
    asked: dict[str, object] = {
        "suite": "set", "set": _rows(set_), "name": name or printing.clean(set_.stem)[:100], "judge": judge,
        "answer_tokens": answer_tokens, "anew": anew,
    }  # fmt: skip
    _run(model, asked, url, detach=detach, as_json=as_json)


@app.command()
def vote(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The one model.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The model whose answers stand beside its own.")],
    set_: Annotated[
        Path | None, typer.Option("--set", metavar="FILE", help="The prompts, a JSON object on each line.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What it is called; the file's name if none.")] = "",
    answer_tokens: Tokens = 512,
    anew: Anew = False,
    detach: Detach = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Have two models answer the same, for a vote on the page that is blind until its names are shown."""
    if set_ is None:
        raise typer.BadParameter("Say which file holds the prompts: --set FILE.jsonl.", param_hint="--set")
    asked: dict[str, object] = {
        "suite": "vote", "against": other, "set": _rows(set_), "name": name or printing.clean(set_.stem)[:100],
        "answer_tokens": answer_tokens, "anew": anew,
    }  # fmt: skip
    _run(model, asked, url, detach=detach, as_json=as_json)


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The id of an evaluation; its beginning is enough.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The id of another one of the same tries.")],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Put two evaluations of the same tries side by side, with the paired difference and its interval."""
    with _asked(url) as address:
        one = jobs.found(address, _PATH, before, "evaluation")
        two = jobs.found(address, _PATH, after, "evaluation")
        found = connection.asked(address, f"{_PATH}/{one['id']}/against/{two['id']}")
    if as_json:
        printing.data(found)
    else:
        evaluated.print_compared(one, two, found)


@app.command("list")
def list_(url: Url = None, as_json: Json = False) -> None:
    """List the evaluations: of which model, how far, and the share that passed."""
    with _asked(url) as address:
        found = connection.asked(address, _PATH)["data"]
    if as_json:
        printing.data(found)
        return
    printing.table(
        ("ID", "NAME", "MODEL", "STATE", "TRIED", "OF", "PASSED"),
        [(one["id"], one["name"], one["spec"]["model"], one["state"], *evaluated.shown(one)) for one in found],
        right=("TRIED", "OF"),
    )


@app.command()
def show(
    evaluation_id: Id,
    fails: Annotated[int, typer.Option("--fails", min=0, help="So many failing tries of each case are shown.")] = 3,
    names: Annotated[bool, typer.Option("--names", help="Show the names of a vote, which ends it.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show one evaluation: its figures, and failing tries with what was asked and answered; or what was voted."""
    with _asked(url) as address:
        found = jobs.found(address, _PATH, evaluation_id, "evaluation")
        if names:
            connection.asked(address, f"{_PATH}/{found['id']}/show", method="POST")
        if found["vote"]:
            voted = connection.asked(address, f"{_PATH}/{found['id']}/votes")
            if as_json:
                printing.data(voted)
            else:
                evaluated.print_head(found)
                evaluated.print_votes(voted)
            return
        failed = connection.asked(address, f"{_PATH}/{found['id']}/results?failed=true")["data"]
    if as_json:
        printing.data({**found, "failed": failed})
        return
    evaluated.print_head(found)
    evaluated.print_report(found)
    evaluated.print_failed(failed, fails)


@app.command()
def stop(evaluation_id: Id, url: Url = None) -> None:
    """Have it stop behind the try under way."""
    jobs.change(url, _PATH, evaluation_id, "stop", "evaluation")


@app.command()
def cancel(evaluation_id: Id, url: Url = None) -> None:
    """Have it stop at once; the results so far stay."""
    jobs.change(url, _PATH, evaluation_id, "cancel", "evaluation")


@app.command()
def resume(evaluation_id: Id, detach: Detach = False, url: Url = None, as_json: Json = False) -> None:
    """Go on with what was not tried yet."""
    with _asked(url) as address:
        found = jobs.found(address, _PATH, evaluation_id, "evaluation")
        _refuse_to_leave(address, detach=detach)
        job = connection.asked(address, f"{_PATH}/{found['id']}/resume", method="POST")
        _watch(address, job, detach=detach, as_json=as_json)


@app.command()
def remove(
    evaluation_id: Id, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, url: Url = None
) -> None:
    """Remove an evaluation with its results."""
    jobs.remove(url, _PATH, evaluation_id, "evaluation", "with its results", is_agreed=yes)


def _asked(url: str | None) -> contextlib.AbstractContextManager[Address]:
    """The paddock that is asked: one that runs, or a new one for as long as the block lasts."""
    return paddocks.reached(load(), model=None, url=url)


def _run(model: str | None, asked: dict[str, object], url: str | None, *, detach: bool, as_json: bool) -> None:
    with paddocks.reached(load({"model": model}), model=model, url=url) as address:
        _refuse_to_leave(address, detach=detach)
        if model and not os.path.isfile(model):
            asked["model"] = model
        job = connection.asked(address, _PATH, method="POST", body=asked)
        _watch(address, job, detach=detach, as_json=as_json)


def _refuse_to_leave(address: Address, *, detach: bool) -> None:
    """Raises BadRequest where a paddock that ends with this command was to go on with an evaluation."""
    if detach and address.own_word:
        raise BadRequest(
            "No paddock runs that would go on with it. Start one by `paddock serve`, or leave --detach out."
        )


def _watch(address: Address, job: dict[str, Any], *, detach: bool, as_json: bool) -> None:
    printing.say(f"{job['id']}: {job['name']} with {job['spec']['model']}, {job['state']}.")
    if detach:
        print(job["id"])
        return
    found = _watched(address, job, is_quiet=as_json)
    if as_json:
        printing.data(found)
    elif found["state"] == "done" and found["vote"]:
        place = "the page of `paddock serve`" if address.own_word else address.url
        print(f"Vote on {place}, at /evaluations/{found['id']}; `paddock eval show {found['id']}` shows the result.")
    elif found["state"] == "done":
        evaluated.print_report(found)
        print(f"`paddock eval show {found['id']}` shows what failed.")
    else:
        print(f"{found['id']} is {found['state']}. `paddock eval resume {found['id']}` goes on.")
    if found["error"]:
        print(printing.clean(found["error"]["message"]), file=sys.stderr)
    if found["state"] != "done":
        raise typer.Exit(1)


def _watched(address: Address, job: dict[str, Any], *, is_quiet: bool) -> dict[str, Any]:
    """Print how far it is until it is at rest; with Ctrl+C it stops where it would end with this command."""
    path, tried = f"{_PATH}/{job['id']}", int(job["figures"].get("tried", 0))
    after = int(job["figures"].get("events", 0))
    progress = evaluated.Progress(of=int(job["figures"]["of"]), is_quiet=is_quiet)
    try:
        with contextlib.closing(connection.told(address, f"{path}/events?after={after}", timeout_s=600.0)) as told:
            for event in told:
                if event["kind"] in ("result", "answered"):
                    tried += 1
                    progress.tell(tried, event)
    except KeyboardInterrupt:
        if address.own_word:
            # It may have come to its end meanwhile.
            with contextlib.suppress(BadRequest):
                connection.asked(address, f"{path}/cancel", method="POST")
            for _ in connection.told(address, f"{path}/events?after={_ALL}", timeout_s=_END_S):
                pass
            printing.say(f"It stops. `paddock eval resume {job['id']}` goes on.")
        else:
            printing.say(f"It goes on. `paddock eval stop {job['id']}` stops it.")
        raise
    return connection.asked(address, path)


def _rows(file: Path) -> list[Any]:
    """The tries in a file. Raises BadRequest or FieldInvalid."""
    from paddock.evaluation.sets import rows_in

    try:
        if file.stat().st_size > _SET_MOST_BYTES:
            raise BadRequest(f"'{file.name}' has more than {_SET_MOST_BYTES // 2**20} MiB. Split it.")
        return rows_in(file.read_text("utf-8-sig"))
    except OSError as error:
        raise BadRequest(f"'{file}' cannot be read ({error.strerror}). Name a file that holds a set.") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"'{file.name}' is no UTF-8 text. Name a file that holds a set.") from error
