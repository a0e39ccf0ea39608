"""Owns `paddock train checkpoints` and `paddock train try`: a training's checkpoints, asked beside their base."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from paddock.cli import connection, jobs, printing
from paddock.cli.connection import Address
from paddock.errors import BadRequest, size

_PATH, _KIND = "/api/training", "training"
_LOOK_EVERY_S = 0.3
_ANSWER_TOKENS = 512
Id = Annotated[str, typer.Argument(metavar="ID", help="An id from `paddock train list`; its beginning is enough.")]
Url = Annotated[str | None, typer.Option("--url", help="The paddock to ask; the one of the settings if none.")]


def checkpoints(
    job: Id, url: Url = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the checkpoints of a training, and the names by which those that were tried are asked."""
    address = jobs.paddock(url)
    found = connection.asked(address, f"{_path(address, job)}/checkpoints")["data"]
    if as_json:
        printing.data(found)
        return
    rows = [(str(one["step"]), size(one["size_bytes"]) if one["is_kept"] else "gone", *_tried(one)) for one in found]
    printing.table(("STEP", "SIZE", "TRIED", "MODEL", "BASE"), rows, right=("STEP", "SIZE"))


def try_(
    job: Id,
    step: Annotated[int | None, typer.Option("--step", metavar="N", help="Which checkpoint; the last if none.")] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="A model of the same base to compare with, if there is one.")
    ] = "",
    ask: Annotated[
        str | None, typer.Option("--ask", metavar="TEXT", help="Ask the checkpoint and its base this, and print both.")
    ] = None,
    scale: Annotated[
        float, typer.Option("--scale", metavar="N", help="How much of what was learnt is asked: 0 is the base.")
    ] = 1.0,
    forget: Annotated[bool, typer.Option("--forget", help="Remove what was made to try it.")] = False,
    url: Url = None,
) -> None:
    """Have a checkpoint made ready to be chatted with, beside its base. Its training goes on undisturbed."""
    address = jobs.paddock(url)
    path = _path(address, job)
    place = f"{path}/checkpoints/{'last' if step is None else step}/try"
    if forget:
        print(f"What was made of step {connection.asked(address, place, method='DELETE')['step']} is removed.")
        return
    begun = connection.asked(address, place, method="POST", body={"model": model})
    tried = _made(address, path, begun)
    name = tried["model"]
    if scale != 1.0:
        if not tried["takes_scale"]:
            raise BadRequest(f"{name} is a whole model, of which there is no part to ask. Leave out --scale.")
        name = f"{name}:{scale:g}"
    if ask is None:
        print(f"{name} answers as step {begun['step']}, {tried['base']} as what it began as.")
        print(f'paddock chat --model "{name}"')
        return
    for one in (tried["base"], name):
        print(f"{one}:\n{printing.clean(_answer(address, one, ask))}\n")


def _path(address: Address, job: str) -> str:
    return f"{_PATH}/{jobs.found(address, _PATH, job, _KIND)['id']}"


def _made(address: Address, path: str, begun: dict[str, Any]) -> dict[str, Any]:
    """What is tried, once it is ready. Raises BadRequest where it cannot be made."""
    tried: dict[str, Any] = begun["tried"]
    while tried["state"] in ("queued", "running", "stopping"):
        time.sleep(_LOOK_EVERY_S)
        found = connection.asked(address, f"{path}/checkpoints")["data"]
        there = next((one["tried"] for one in found if one["step"] == begun["step"] and one["tried"]), None)
        if there is None:
            raise BadRequest(f"What was being made of step {begun['step']} was removed meanwhile.")
        tried = there
    if tried["state"] != "done":
        said = tried["error"]["message"] if tried["error"] else f"It was {tried['state']}."
        raise BadRequest(f"Step {begun['step']} cannot be tried: {said}")
    return tried


def _answer(address: Address, model: str, text: str) -> str:
    body: dict[str, object] = {
        "model": model, "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": _ANSWER_TOKENS,
    }  # fmt: skip
    message = connection.asked(address, "/v1/chat/completions", method="POST", body=body)["choices"][0]["message"]
    return str(message.get("content") or message.get("tool_calls") or "")


def _tried(one: dict[str, Any]) -> tuple[str, str, str]:
    tried = one["tried"]
    if tried is None:
        return "-", "-", "-"
    return (tried["state"], tried["model"], tried["base"]) if tried["state"] == "done" else (tried["state"], "-", "-")
