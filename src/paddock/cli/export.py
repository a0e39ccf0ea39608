"""Owns `paddock export`: telling a paddock what to export, and watching it; refuses to know how that is done."""

from __future__ import annotations

import contextlib
import re
from typing import Annotated, Any

import typer

from paddock.cli import connection, evaluated, jobs, paddocks, printing
from paddock.config import load
from paddock.errors import size
from paddock.paths import typed

app = typer.Typer(
    help="Export models as GGUF that is proved: run, list, show, verify, push, pushes, cancel, resume, remove."
)
_PATH, _PUSHES = "/api/exports", "/api/pushes"
# Which weights an adapter is made part of, where that is not what everybody expects.
_INTO = {
    "dequantised": "The base's weights are kept in 4 bits: exported are the 16-bit numbers that these stand for, which "
    "is what an adapter was trained beside.",
    "as_on_disk": "The base was held in 4 bits only while this was trained: exported are its weights as they lie on "
    "the disk, with the adapter merged into these, and compared beside these.",
}
_SIZE = re.compile(r"(\d{1,9})([MG])B?")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Either = Annotated[str, typer.Argument(metavar="ID", help="An id from `paddock export list` or `pushes`.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An id from `paddock export list`; its beginning is enough.")]
Url = Annotated[str | None, typer.Option("--url", help="The paddock to ask; the one of the settings if none.")]


@app.callback(invoke_without_command=True)
def export(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command()
def run(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The id of a training, or a folder with an adapter or a model.")
    ],
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="A type of file, such as Q8_0; again for more.")
    ] = None,
    base: Annotated[
        str, typer.Option("--base", help="The model that an adapter was trained on, if it does not say.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="What the files are called; the source's name if none.")] = "",
    certifies: Annotated[
        bool, typer.Option("--certificate/--no-certificate", help="Compare each file with what it was made of.")
    ] = True,
    importance: Annotated[
        str, typer.Option("--importance", metavar="ROWS", help="Rows by which it is measured which weights matter.")
    ] = "",
    split: Annotated[
        str, typer.Option("--split-max-size", metavar="SIZE", help="Split files that are larger, such as 2G or 500M.")
    ] = "",
    evaluate: Annotated[
        list[str] | None,
        typer.Option("--evaluate", metavar="SUITE", help="Evaluate each model by it: tools or pocket; again for both."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    url: Url = None,
) -> None:
    """Begin an export, and watch it to its end. Ctrl+C leaves it running; `paddock export cancel` stops it."""
    asked: dict[str, object] = {
        "source": _placed(source, "source"), "base": _placed(base, "base"), "name": name, "types": types,
        "certifies": certifies, "importance": _placed(importance, "importance"), "split_bytes": _bytes_of(split),
        "evaluates": evaluate or [],
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        # Where none runs, one is started for as long as this command watches.
        address = stack.enter_context(paddocks.reached(load(), model=None, url=url))
        job = connection.asked(address, _PATH, method="POST", body=asked)
        printing.say(f"{job['id']}: {printing.line(job['name'])}, {job['state']}.{_needed(job['figures'])}")
        if into := _INTO.get(str(job["figures"].get("into"))):
            printing.say(into)
        if detach:
            print(job["id"])
            return
        found = jobs.watched(address, _PATH, job["id"], _line, f"`paddock export cancel {job['id']}` stops it.")
        _print_made(found)
        _print_evaluated(address, found)
    if _has_failed(found):
        raise typer.Exit(1)


@app.command("list")
def list_(url: Url = None, as_json: Json = False) -> None:
    """List the exports: how far, what they made, and what their certificates say."""
    found = connection.asked(jobs.paddock(url), _PATH)["data"]
    if as_json:
        printing.data(found)
        return
    printing.table(
        ("ID", "NAME", "STATE", "STEP", "OF", "FILES"),
        [(one["id"], one["name"], one["state"], *_shown(one)) for one in found],
        right=("STEP", "OF"),
    )


@app.command()
def show(export_id: Id, url: Url = None, as_json: Json = False) -> None:
    """Show one export: its files, and each link of their certificates."""
    address = jobs.paddock(url)
    found = jobs.found(address, _PATH, export_id, "export")
    if as_json:
        printing.data(found)
        return
    print(f"{found['id']}  {printing.line(found['name'])}  {found['state']}")
    print(f"source: {printing.line(found['spec']['source'])}")
    if into := _INTO.get(str(found["figures"].get("into"))):
        print(into)
    _print_made(found)
    _print_evaluated(address, found)
    if found["error"]:
        print(printing.clean(found["error"]["message"]))


@app.command()
def verify(export_id: Id, url: Url = None) -> None:
    """Compare its files anew with what they were made of, as they are now. Ends with 1 if one fails."""
    address = jobs.paddock(url)
    found = jobs.found(address, _PATH, export_id, "export")
    connection.asked(address, f"{_PATH}/{found['id']}/verify", method="POST")
    leaving = f"`paddock export cancel {found['id']}` stops it."
    found = jobs.watched(address, _PATH, found["id"], _line, leaving, after=found["figures"].get("events", 0))
    _print_made(found)
    if _has_failed(found):
        raise typer.Exit(1)


@app.command()
def push(
    export_id: Id,
    repo: Annotated[str, typer.Argument(metavar="REPO", help="The repository on the hub, OWNER/NAME.")],
    is_public: Annotated[
        bool, typer.Option("--public/--private", help="Whether a repository that is made is open to all.")
    ] = False,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="A type of file that is sent; again for more.")
    ] = None,
    uncertified: Annotated[
        bool, typer.Option("--uncertified/--certified", help="Send files too whose certificate does not pass.")
    ] = False,
    card: Annotated[bool, typer.Option("--card/--no-card", help="Send a README.md that tells what is known.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, with the card, and send nothing.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    url: Url = None,
) -> None:
    """Push an export's files to the hub, and watch that. Ctrl+C leaves it running; `paddock export cancel` stops it."""
    address = jobs.paddock(url)
    found = jobs.found(address, _PATH, export_id, "export")
    asked: dict[str, object] = {
        "repo": repo,
        "is_public": is_public,
        "types": types,
        "uncertified": uncertified,
        "card": card,
    }
    if dry_run:
        _print_foreseen(connection.asked(address, f"{_PATH}/{found['id']}/card", method="POST", body=asked))
        return
    job = connection.asked(address, f"{_PATH}/{found['id']}/push", method="POST", body=asked)
    printing.say(f"{job['id']}: {', '.join(job['spec']['types'])} to {printing.clean(repo)}, {job['state']}.")
    if detach:
        print(job["id"])
        return
    leaving = f"`paddock export cancel {job['id']}` stops it."
    done = jobs.watched(address, _PUSHES, job["id"], _push_line, leaving, after=job["figures"].get("events", 0))
    if done["state"] != "done":
        raise typer.Exit(1)
    figures = done["figures"]
    kind = "private" if figures["is_private"] else "open to all"
    print(
        f"{printing.clean(figures['url'])} is {kind}: {len(figures['sent'])} files sent, {len(figures['there'])} there."
    )


@app.command()
def pushes(url: Url = None, as_json: Json = False) -> None:
    """List the pushes: where to, and how far."""
    found = connection.asked(jobs.paddock(url), _PUSHES)["data"]
    if as_json:
        printing.data(found)
        return
    rows = [(one["id"], one["spec"]["repo"], one["state"], _share(one["figures"])) for one in found]
    printing.table(("ID", "REPO", "STATE", "SENT"), rows, right=("SENT",))


@app.command()
def cancel(export_id: Either, url: Url = None) -> None:
    """Have an export or a push stop as soon as it can; what is whole stays."""
    jobs.change(url, _path_of(url, export_id), export_id, "cancel", "export")


@app.command()
def resume(export_id: Either, url: Url = None) -> None:
    """Go on with an export behind its last step that is whole, or with a push by what the hub does not have."""
    jobs.change(url, _path_of(url, export_id), export_id, "resume", "export")


@app.command()
def remove(
    export_id: Id, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, url: Url = None
) -> None:
    """Remove an export with all that it made."""
    jobs.remove(url, _PATH, export_id, "export", "with the files that it made", is_agreed=yes)


def _path_of(url: str | None, job: str) -> str:
    """Where a job is asked for by the beginning of its id: among the pushes, or among the exports."""
    address = jobs.paddock(url)
    if any(one["id"].startswith(job) for one in connection.asked(address, _PATH)["data"]):
        return _PATH
    return _PUSHES if any(one["id"].startswith(job) for one in connection.asked(address, _PUSHES)["data"]) else _PATH


def _push_line(event: dict[str, Any]) -> str:
    is_new = event["kind"] == "progress" and event["file"]
    return f"  {_share(event):>5}  {printing.clean(event['file'])}" if is_new else ""


def _share(figures: dict[str, Any]) -> str:
    return f"{100 * figures['done_bytes'] / max(1, figures['size_bytes']):.0f} %"


def _print_foreseen(found: dict[str, Any]) -> None:
    for one in found["files"]:
        print(f"{printing.clean(one['name'])}  {size(one['size_bytes'])}")
    for kind, why in found["left_out"].items():
        print(f"{kind} is left out: {why}.")
    print()
    print(printing.clean(found["card"]))


def _placed(text: str, param: str) -> str:
    """A folder or file by its whole path: the server may have been started in another folder. Raises FieldInvalid."""
    path = typed(text, param)
    return str(path.absolute()) if text and path.exists() else text


def _bytes_of(text: str) -> int:
    """Raises BadParameter."""
    found = _SIZE.fullmatch(text.strip().upper())
    if text and found is None:
        raise typer.BadParameter(f"{text!r} is no size. Write a number with M or G, such as 2G or 500M.")
    return int(found[1]) * {"M": 10**6, "G": 10**9}[found[2]] if found else 0


def _needed(figures: dict[str, Any]) -> str:
    if not figures.get("estimated_bytes"):
        return ""
    memory, disk = size(figures["estimated_memory_bytes"]), size(figures["estimated_bytes"])
    return f" It will take about {disk} of disk, and hold about {memory} of memory."


def _line(event: dict[str, Any]) -> str:
    kind = event["kind"]
    if kind == "step":
        return f"step {event['step']} of {event['steps']}: {event['doing']}"
    if kind == "progress":
        return f"  {event['progress']}"
    if kind == "artifact":
        return f"  {printing.line(event['path'])}  {size(event['size_bytes'])}"
    if kind == "certificate":
        return "\n".join(
            [f"{event['name']}: {event['verdict']}", *(f"  {printing.clean(one)}" for one in event["faults"])]
        )
    return ""


def _print_made(found: dict[str, Any]) -> None:
    figures = found["figures"]
    for name, made in figures.get("artifacts", {}).items():
        print(f"{name}: {printing.line(made['path'])}  {size(made['size_bytes'])}")
    for name, made in figures.get("certificates", {}).items():
        links = ", ".join(f"{link} {verdict}" for link, verdict in made["links"].items())
        print(f"{name}: {made['verdict']} ({links})  {printing.line(made['path'])}")
        if changed := made.get("changed"):
            print(f"{name}: other bytes than were compared before: {printing.clean(', '.join(changed))}")


def _print_evaluated(address: connection.Address, found: dict[str, Any]) -> None:
    """What became of the evaluations that followed: how far, or the share that passed."""
    told = found["figures"].get("evaluations", {})
    if not any("jobs" in one for one in told.values()):
        known: dict[str, Any] = {}
    else:
        known = {one["id"]: one for one in connection.asked(address, "/api/evaluations")["data"]}
    for kind, one in told.items():
        if "refused" in one:
            print(f"{kind}: not evaluated. {printing.clean(one['refused'])}")
        for suite, job_id in one.get("jobs", {}).items():
            said = evaluated.standing(known[job_id]) if job_id in known else "removed"
            print(f"{kind}: {suite} of {printing.clean(one['model'])}: {said}  {job_id}")


def _has_failed(found: dict[str, Any]) -> bool:
    verdicts = [made["verdict"] for made in found["figures"].get("certificates", {}).values()]
    return found["state"] == "failed" or "fail" in verdicts


def _shown(job: dict[str, Any]) -> tuple[str, ...]:
    figures = job["figures"]
    certificates = figures.get("certificates", {})
    files = [
        f"{name} {certificates[name]['verdict']}" if name in certificates else name
        for name in figures.get("artifacts", {})
        if name != "merged"
    ]
    return str(figures.get("step", "-")), str(figures.get("steps", "-")), ", ".join(files)
