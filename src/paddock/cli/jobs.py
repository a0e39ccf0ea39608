"""Owns what the commands of every kind of job share: watching one, finding one by its beginning, changing one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import typer

from paddock.cli import connection, paddocks, printing
from paddock.cli.connection import Address
from paddock.config import load
from paddock.errors import BadRequest

_WAIT_S = 600.0


def watched(
    address: Address, path: str, job_id: str, line: Callable[[dict[str, Any]], str], leaving: str, after: int = 0
) -> dict[str, Any]:
    """Print what a job tells behind an event until it is at rest, and how it ended; the job.

    `leaving` is said with Ctrl+C.
    """
    events = f"{path}/{job_id}/events?after={after}"
    try:
        with contextlib.closing(connection.told(address, events, timeout_s=_WAIT_S)) as told:
            for event in told:
                if said := line(event):
                    print(said, flush=True)
    except KeyboardInterrupt:
        printing.say(f"It goes on. {leaving}")
        raise
    job: dict[str, Any] = connection.asked(address, f"{path}/{job_id}")
    print(f"{job_id} is {job['state']}.")
    if job["error"]:
        print(job["error"]["message"], file=sys.stderr)
    return job


def found(address: Address, path: str, job: str, kind: str) -> dict[str, Any]:
    """The job whose id is that, or begins so. Raises BadRequest."""
    listed: list[dict[str, Any]] = connection.asked(address, path)["data"]
    meant = [one for one in listed if one["id"] == job] or [one for one in listed if one["id"].startswith(job)]
    if len(meant) != 1:
        words = {"training": "train", "evaluation": "eval"}.get(kind, kind)
        raise BadRequest(f"{len(meant)} {kind}s begin with {job!r}. `paddock {words} list` shows what there is.")
    return meant[0]


def change(url: str | None, path: str, job: str, deed: str, kind: str) -> None:
    """Do to a job what the route of that name does, and print its state."""
    address = paddock(url)
    told = connection.asked(address, f"{path}/{found(address, path, job, kind)['id']}/{deed}", method="POST")
    print(f"{told['id']} is {told['state']}.")


def remove(url: str | None, path: str, job: str, kind: str, made: str, *, is_agreed: bool) -> None:
    """Remove a job with what it made, once that is agreed to."""
    address = paddock(url)
    one = found(address, path, job, kind)
    what = f"{one['id']} {printing.line(one['name'])}, {made}"
    if not is_agreed and not printing.agrees(f"Remove {what}? Type y to do it."):
        raise typer.Exit(1)
    connection.asked(address, f"{path}/{one['id']}", method="DELETE")
    print(f"{one['id']} is removed.")


def paddock(url: str | None) -> Address:
    """The paddock that is asked. Raises EngineUnreachable."""
    return paddocks.running(load(), url=url)
