"""Owns `paddock requests`: listing, showing and repeating what the flight recorder kept; refuses to know how."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from paddock.cli import printing
from paddock.config import load
from paddock.errors import BadRequest

if TYPE_CHECKING:
    from paddock.cli.connection import Address
    from paddock.recorder.recorder import Recorder

app = typer.Typer(help="What the flight recorder kept: list, show, replay, curl, clear.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An id from `paddock requests list`, or its beginning.")]
Url = Annotated[str | None, typer.Option("--url", help="The paddock to ask; the one of the settings if none.")]
_SECTIONS = ("inbound", "upstream", "prompt", "engine", "events", "outbound")


@app.callback(invoke_without_command=True)
def requests(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the recorded requests."""
    found = _recorder().summaries(limit)
    if as_json:
        printing.data(found)
        return
    for record in found:
        asked = f"{record['method']} {printing.line(record['path'])}"
        print(f"{record['id']}  {record['status']}  {record['times_ms'].get('end', 0):8.0f} ms  {asked}")
    if not found:
        print("Nothing is recorded. `paddock serve --record`, or the header `x-paddock-record: 1`, records requests.")


@app.command()
def show(
    record_id: Id,
    section: Annotated[
        Literal["all", "inbound", "upstream", "prompt", "engine", "events", "outbound"],
        typer.Option("--section", help="Only one part."),
    ] = "all",
    as_json: Json = False,
) -> None:
    """Show a recorded request: what came, what the engine got, read and said, what went out."""
    record = _recorder().read(record_id)
    if as_json:
        printing.data(record if section == "all" else record["sections"].get(section, ""))
        return
    if section == "all":
        head = {name: value for name, value in record.items() if name != "sections"}
        print(json.dumps(head, indent=2, ensure_ascii=False))
    for name in sorted(record["sections"], key=_SECTIONS.index):
        text = record["sections"][name]
        if section in ("all", name):
            if section == "all":
                print(f"\n── {name} ({record['size_bytes'].get(name, 0)} bytes)")
            print(_pretty(text))


@app.command()
def curl(record_id: Id, url: Url = None) -> None:
    """Print a command that sends a recorded request again. A removed key is taken from PADDOCK_API_KEY."""
    from paddock.recorder.again import curl_text

    print(curl_text(_recorder().read(record_id), _address(url).url))


@app.command()
def replay(
    record_id: Id,
    model: Annotated[str | None, typer.Option("--model", help="Ask this model instead.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Send a recorded request again, perhaps to another model, and show how the answers differ."""
    from paddock.cli import connection
    from paddock.recorder.again import body_of

    record = _recorder().read(record_id)
    body = body_of(record)
    if model:
        body["model"] = model
    status, answer = connection.whole(_address(url), record["method"], record["path"], body)
    before = _said(record["sections"].get("outbound", ""))
    after = _said(answer.decode("utf-8", "replace"))
    lines = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), "recorded", "replayed", lineterm="", n=2)
    )
    if as_json:
        both: dict[str, Any] = {"recorded": before, "replayed": after}
        printing.data({"status": {"recorded": record["status"], "replayed": status}, **both, "differ": bool(lines)})
        return
    if record["status"] != status:
        print(f"status: {record['status']} when recorded, {status} now")
    print("\n".join(printing.clean(line) for line in lines) if lines else "The answers say the same.")


@app.command()
def clear() -> None:
    """Remove every recorded request."""
    print(f"{_recorder().clear()} recorded requests removed.")


def _recorder() -> Recorder:
    from paddock.recorder.recorder import Recorder

    return Recorder.of(load())


def _address(url: str | None) -> Address:
    from paddock.cli import connection

    if url is None:
        settings = load()
        return connection.Address(host=settings.host, port=settings.port)
    try:
        return connection.parse_url(url)
    except ValueError as error:
        raise BadRequest(f"{error}.") from error


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return "\n".join(printing.clean(line) for line in text.splitlines())


def _said(answer: str) -> str:
    """What an answer of any dialect says: its words, joined, and everything else that is not an id or a time."""
    texts: list[str] = []
    others: list[str] = []
    for line in answer.splitlines():
        if line.startswith(("event:", ":", "data: [DONE]")) or not line.strip():
            continue
        try:
            _gather(json.loads(line.removeprefix("data:")), "", texts, others)
        except ValueError:
            others.append(line)
    return "".join(texts) + "\n" + "\n".join(dict.fromkeys(others))


_WORDS = ("content", "text", "delta", "arguments", "partial_json", "thinking", "reasoning_content", "response")
_KEPT = ("finish_reason", "stop_reason", "name", "code", "message", "done_reason", "type", "error")


def _gather(value: Any, name: str, texts: list[str], others: list[str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            _gather(inner, str(key), texts, others)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for inner in value:  # pyright: ignore[reportUnknownVariableType]
            _gather(inner, name, texts, others)
    elif isinstance(value, str) and name in _WORDS:
        texts.append(value)
    elif isinstance(value, str) and name in _KEPT:
        others.append(f"{name}: {value}")
