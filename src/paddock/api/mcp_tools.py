"""Owns which of paddock's own deeds clients of MCP see as tools, and the route behind each; refuses to speak with them.

Each tool is a route of paddock's, asked on behalf of whoever called: who may call it, and what comes of it, is the
route's to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from paddock.api.rights import needed
from paddock.caller import Caller
from paddock.protocol.schema_checking import faults_of
from paddock.protocol.shape import as_array, as_object, objects_in
from paddock.tools.tool import Json, takes, text, whole_number

_JOBS = {"training": "/api/training", "export": "/api/exports", "evaluation": "/api/evaluations"}
_SETS = "/api/evaluation-sets"
_FAULTS_MOST = 4
# What a model is shown of a job; all else is told by `show_job`.
_OF_JOB = ("id", "name", "state", "created_s", "ended_s", "error")
_OF_MODEL = ("id", "owned_by", "context_length", "capabilities")
_KIND: Json = {"type": "string", "enum": list(_JOBS), "description": "What the job does."}
_JOB_ID = text("Its id, as list_jobs tells it.")


class Refused(Exception):
    """A call that no route is asked for. Its text tells why."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One tool.

    Args:
        asks: the method, the route's pattern, its path and its body for a call's arguments.
        tells: what is told of the route's answer; all of it, where it is left out.
        changes_things: whether anything is other than before.
    """

    name: str
    description: str
    parameters: Json
    asks: Callable[[Json], tuple[str, str, str, Json | None]]
    tells: Callable[[Any], Any] = field(default=lambda told: told)
    changes_things: bool = False

    @property
    def right(self) -> str | None:
        """The right that its route needs."""
        method, pattern, _, _ = self.asks({"kind": "training", "id": "x", "prompt": "x"})
        return needed(method, pattern)


def _ask(given: Json) -> tuple[str, str, str, Json | None]:
    messages = [{"role": "system", "content": given["system"]}] if given.get("system") else []
    messages.append({"role": "user", "content": given["prompt"]})
    more = {name: given[name] for name in ("model", "max_tokens", "temperature") if name in given}
    return "POST", "/v1/chat/completions", "/v1/chat/completions", {"messages": messages, **more}


def _said(told: Any) -> Any:
    said = [as_object(choice.get("message")) or {} for choice in objects_in((as_object(told) or {}).get("choices"))]
    return said[0].get("content") or "" if said else ""


def _of(names: tuple[str, ...]) -> Callable[[Any], Any]:
    def tells(told: Any) -> Any:
        found = objects_in(as_array((as_object(told) or {}).get("data")))
        return [{name: one[name] for name in names if one.get(name) is not None} for one in found]

    return tells


def _listing(path: str) -> Callable[[Json], tuple[str, str, str, Json | None]]:
    return lambda given: ("GET", path, path, None)


def _of_job(method: str, deed: str = "") -> Callable[[Json], tuple[str, str, str, Json | None]]:
    def asks(given: Json) -> tuple[str, str, str, Json | None]:
        base = _JOBS[given["kind"]]
        body: Json | None = None if method == "GET" else {}
        return method, f"{base}/{{id}}{deed}", f"{base}/{quote(given['id'], safe='')}{deed}", body

    return asks


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="ask_model",
        description="Asks a local model, and tells its answer.",
        parameters=takes(
            {"prompt": text("What to ask.")},
            model=text("Its id, as list_models tells it; left out, the usual one."),
            system=text("Who it is to be, and how it is to answer."),
            max_tokens=whole_number("The most tokens of the answer.", minimum=1),
            temperature={"type": "number", "minimum": 0, "maximum": 2, "description": "How much is left to chance."},
        ),
        asks=_ask,
        tells=_said,
    ),
    Deed(
        name="list_models",
        description="Lists the local models that can be asked.",
        parameters=takes({}),
        asks=_listing("/v1/models"),
        tells=_of(_OF_MODEL),
    ),
    Deed(
        name="list_datasets",
        description="Lists the data sets that are kept here: sets of cases for evaluations, each with its id and name.",
        parameters=takes({}),
        asks=_listing(_SETS),
        tells=lambda told: (as_object(told) or {}).get("data"),
    ),
    Deed(
        name="show_dataset",
        description="Shows one data set, with its cases.",
        parameters=takes({"id": text("Its id, as list_datasets tells it.")}),
        asks=lambda given: ("GET", f"{_SETS}/{{id}}", f"{_SETS}/{quote(given['id'], safe='')}", None),
    ),
    Deed(
        name="list_jobs",
        description="Lists trainings, exports or evaluations, the newest first.",
        parameters=takes({"kind": _KIND}),
        asks=lambda given: ("GET", _JOBS[given["kind"]], _JOBS[given["kind"]], None),
        tells=_of(_OF_JOB),
    ),
    Deed(
        name="show_job",
        description="Shows one job: its options, how far it is, and what came of it.",
        parameters=takes({"kind": _KIND, "id": _JOB_ID}),
        asks=_of_job("GET"),
    ),
    Deed(
        name="cancel_job",
        description="Stops a job at once.",
        parameters=takes({"kind": _KIND, "id": _JOB_ID}),
        asks=_of_job("POST", "/cancel"),
        changes_things=True,
    ),
)  # fmt: skip


def open_to(caller: Caller) -> list[Deed]:
    """The tools that a caller may use."""
    return [deed for deed in DEEDS if deed.right is None or deed.right in caller.rights]


def request_of(name: str, arguments: Json) -> tuple[Deed, str, str, bytes]:
    """The tool of a call, and the method, path and body of its route. Raises Refused."""
    deed = next((one for one in DEEDS if one.name == name), None)
    if deed is None:
        raise Refused(f"There is no tool {name[:60]!r}. There are: {', '.join(one.name for one in DEEDS)}.")
    if faults := faults_of(json.dumps(arguments), deed.parameters):
        raise Refused(f"The arguments do not fit: {'; '.join(faults[:_FAULTS_MOST])}.")
    method, _, path, body = deed.asks(arguments)
    return deed, method, path, b"" if body is None else json.dumps(body).encode()


def answer_of(deed: Deed, status: int, body: bytes) -> tuple[str, bool]:
    """What is told of a route's answer, and whether it failed."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        return f"paddock answered with status {status}.", True
    if status >= 400 or not status:
        error = as_object((as_object(told) or {}).get("error")) or {}
        return str(error.get("message") or f"paddock answered with status {status}."), True
    found = deed.tells(told)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False), False
