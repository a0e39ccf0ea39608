"""Owns the canary that `paddock engine` sends before a build becomes active: what it composes, and what it says.

It composes what rooms beneath do not know of each other: what paddock relies on of an engine (`install`), the requests
of known clients through a paddock of its own with the bundled model, and the person's models as the shelf would load
them. Everything runs in processes of its own; a paddock that is serving is not asked for anything.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio

from paddock import __version__, hardware
from paddock.cli import connection
from paddock.config import Settings
from paddock.errors import BadRequest, ModelUnusable, PaddockError
from paddock.install.canary import (
    MODELS_MOST,
    Canary,
    Candidate,
    ModelTrial,
    Need,
    Outcome,
    Record,
    choose,
    figures,
    judged,
    skipped,
)
from paddock.install.expectations import meets
from paddock.install.trial import Pair, Patience, compare
from paddock.models.planner import RESERVE_BYTES, TIGHT_SHARE
from paddock.paths import Home
from paddock.rehearsal.shapes import clients, quick_clients

if TYPE_CHECKING:
    from paddock.engine.plan import EnginePlan
    from paddock.models.catalog import Catalog
    from paddock.serving.shelf import Shelf

_MODELS_S = 180.0
# What is named is a person's choice, however long that takes to load.
_NAMED_S = 3600.0
_CLIENTS_S = 300.0
_ANSWER_S = 60.0
_CONTEXT_TOKENS = 2048
_PLANNED_MOST = 4 * MODELS_MOST


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is free beside what runs: of main memory, and of GPUs (0 where nothing is told of them)."""

    memory_bytes: int
    gpu_bytes: int = 0


def canary_of(
    settings: Settings, *, models: Sequence[str], is_skipped: bool, anyway: bool, say: Callable[[str], None]
) -> Canary:
    """The canary as it was asked for: `models` are names, else the smallest that fit are taken.

    Raises:
        ModelUnknown, ModelUnusable, BadRequest: for a name.
    """

    def skip(candidate: Candidate) -> Record:
        say(f"The canary is skipped: '{candidate.build}' was tried by its probe alone.")
        return skipped(candidate, paddock=__version__)

    look = skip if is_skipped else partial(_look, settings, _named(settings, models), say)
    return Canary(look=look, anyway=anyway)


def told(record: Record) -> Iterator[str]:
    """A record in lines: what became of it, and the figures of each model."""
    when = time.strftime("%Y-%m-%d", time.gmtime(record.made_s))
    tried = {"expectation": record.expectations, "client": record.clients, "model": record.models}
    counts = ", ".join(f"{len(found)} {name}{'' if len(found) == 1 else 's'}" for name, found in tried.items())
    about = "the build was tried by its probe alone" if record.status == "skipped" else counts
    yield f"{record.status} on {when}: {about}"
    yield from record.reasons
    yield from (model_line(one) for one in record.models if one.status != "fail")


def model_line(trial: ModelTrial) -> str:
    """One model in one line."""
    words = {"pass": "works", "fail": "fails", "skip": "was not tried"}[trial.status]
    told = [figures(one) for one in trial.repetitions[-1:]] if trial.status != "fail" else []
    told += [trial.reason] if trial.reason else []
    told += ["greedy text differs"] if trial.says_the_same is False and trial.status == "pass" else []
    return f"{trial.model} {words}{': ' if told else ''}{'; '.join(told)}"


def _look(settings: Settings, names: tuple[str, ...], say: Callable[[str], None], candidate: Candidate) -> Record:
    say("Canary, 1 of 3: what paddock relies on of an engine, with the bundled model.")
    found = partial(judged, candidate=candidate, paddock=__version__)
    try:
        expectations = meets(candidate.program)
    except (PaddockError, TimeoutError) as error:
        expectations = (Outcome(name="start", status="fail", reason=str(error) or "no answer in time"),)
    if any(one.status == "fail" for one in expectations):
        return found(expectations=expectations)
    say("Canary, 2 of 3: the requests of known clients, with the bundled model.")
    asked = _clients(candidate, say)
    agents = ", ".join(sorted(set(clients()) - set(quick_clients())))
    notes = [f"Not tried, since their prompts are long: {agents}. `paddock doctor clients` tries them."]
    if any(one.status == "fail" for one in asked):
        return found(expectations=expectations, clients=asked, notes=notes)
    say("Canary, 3 of 3: your models, beside the active build." if candidate.active else "Canary, 3 of 3: your models.")
    trials = _models(settings, names, say, candidate)
    if not trials:
        notes.append("No model of yours was tried: there is none that answers in text and fits beside what is running.")
        say(f"  {notes[-1]}")
    return found(expectations=expectations, clients=asked, models=trials, notes=notes)


def _clients(candidate: Candidate, say: Callable[[str], None]) -> list[Outcome]:
    """The short clients' requests, through a paddock that is theirs alone."""
    wrong: dict[str, list[str]] = {name: [] for name in quick_clients()}
    tried: set[str] = set()
    query = urlencode([("stream", "true"), *(("client", name) for name in wrong)])
    deadline_s = time.monotonic() + _CLIENTS_S
    with tempfile.TemporaryDirectory(prefix="paddock-canary-") as folder:
        settings = Settings(
            home=Home(root=Path(folder)), scan_others=False, answer_timeout_s=_ANSWER_S, load_timeout_s=_ANSWER_S,
            log_level="error",
        )  # fmt: skip
        try:
            with contextlib.ExitStack() as stack:
                address = stack.enter_context(connection.started(settings, engine_program=candidate.program))
                events = connection.told(address, f"/api/doctor/clients?{query}", timeout_s=2 * _ANSWER_S)
                for event in stack.enter_context(contextlib.closing(events)):
                    _note(event, wrong, tried, say)
                    if time.monotonic() > deadline_s:
                        say(f"  The time is over after {_CLIENTS_S:.0f} s.")
                        break
        except PaddockError as error:
            return [Outcome(name="every client", status="fail", reason=error.message)]
    return [_outcome(name, faults, is_tried=name in tried) for name, faults in wrong.items()]


def _outcome(name: str, faults: list[str], *, is_tried: bool) -> Outcome:
    """A client's. What hangs fails by itself, after an answer's patience; a slow machine is no fault of a build."""
    if faults:
        return Outcome(name=name, status="fail", reason="; ".join(faults))
    late = f"the {_CLIENTS_S:.0f} s for clients were over"
    return Outcome(name=name, status="pass" if is_tried else "skip", reason="" if is_tried else late)


def _note(event: dict[str, Any], wrong: dict[str, list[str]], tried: set[str], say: Callable[[str], None]) -> None:
    if event["kind"] == "progress" and event["number"] == 1:
        say(f"  {event['client']}")
    elif event["kind"] == "verdict":
        tried.add(event["client"])
        if event["status"] == "fail":
            wrong[event["client"]].append(f"{event['rule']}: {event['reason']}")


def _models(
    settings: Settings, names: tuple[str, ...], say: Callable[[str], None], candidate: Candidate
) -> list[ModelTrial]:
    room = room_now(has_devices=candidate.has_devices)
    deadline_s = time.monotonic() + (_NAMED_S if names else _MODELS_S)
    trials: list[ModelTrial] = []
    for one in chosen(settings, names, room):
        left_s = deadline_s - time.monotonic()
        if one.plan is None or left_s <= 0:
            reason = one.reason or f"the {_MODELS_S:.0f} s for models were over"
            trials.append(ModelTrial(model=one.model, status="skip", reason=reason))
        else:
            say(f"  {one.model}")
            pair = Pair(
                model=one.model, flags=one.plan.flags, new=candidate.program, active=candidate.active,
                beside=_fits(one.plan, room, times=2), patience=Patience(active_s=left_s / 2),
            )  # fmt: skip
            trials.append(compare(pair))
        say(f"  {model_line(trials[-1])}")
    return trials


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A model and how it is loaded; without a plan there is a reason why it is not tried."""

    model: str
    plan: EnginePlan | None = None
    reason: str = ""


def chosen(settings: Settings, names: tuple[str, ...], room: Room) -> list[Chosen]:
    """The models that are tried: those that were named, else the smallest that fit."""
    catalog, shelf = _shelf(settings)
    wanted = names
    if not names:
        own = [one for one in catalog.models() if one.origin != "bundled" and one.task == "text"]
        # To plan one reads its header; where there are hundreds, the smallest files are enough to choose from.
        wanted = tuple(one.id for one in sorted(own, key=lambda one: one.size_bytes)[:_PLANNED_MOST])
    found: dict[str, Chosen] = {}
    for name in wanted:
        try:
            plan = shelf.plan_for(name)
        except ModelUnusable as error:
            found[name] = Chosen(model=name, reason=error.message)
            continue
        fits = _fits(plan, room)
        reason = "" if fits else "it does not fit beside what is running"
        found[name] = Chosen(model=name, plan=plan if fits else None, reason=reason)
    if names:
        return list(found.values())
    needs = [Need(model=one.model, needed_bytes=one.plan.memory_bytes) for one in found.values() if one.plan]
    return [found[name] for name in choose(needs, int(room.memory_bytes * TIGHT_SHARE))]


def _named(settings: Settings, names: Sequence[str]) -> tuple[str, ...]:
    """The ids of the models that were named. Raises ModelUnknown, ModelUnusable or BadRequest."""
    if not names:
        return ()
    shelf = _shelf(settings)[1]
    found = [anyio.run(shelf.find, name) for name in names]
    for model in found:
        if model.task != "text":
            raise BadRequest(f"'{model.id}' does not answer in text, and only such models are tried.", param="models")
    return tuple(dict.fromkeys(model.id for model in found))


def _shelf(settings: Settings) -> tuple[Catalog, Shelf]:
    """The models as they would be served, with one slot of a small context where nobody fixed another."""
    from paddock.models.catalog import Catalog
    from paddock.serving.shelf import Shelf

    alone = replace(
        settings, model=Settings.model, slots=1, sources={**settings.sources, "slots": "flag"},
        context_tokens=_CONTEXT_TOKENS, memory_budget_bytes=0,
    )  # fmt: skip
    catalog = Catalog.of(alone)
    return catalog, Shelf(catalog, alone)


def _fits(plan: EnginePlan, room: Room, *, times: int = 1) -> bool:
    needed_bytes = times * plan.memory_bytes
    return needed_bytes <= room.memory_bytes and (not room.gpu_bytes or needed_bytes <= room.gpu_bytes)


def room_now(*, has_devices: bool) -> Room:
    """What is free now. What engines that run hold of their models' files is theirs, although it counts as free."""
    memory = hardware.read_memory()
    free_bytes = memory.available_bytes - RESERVE_BYTES - _files_in_use()
    gpus = hardware.find_accelerators(memory).accelerators if has_devices else ()
    return Room(memory_bytes=max(0, free_bytes), gpu_bytes=sum(gpu.free_bytes or 0 for gpu in gpus))


def _files_in_use() -> int:
    """The bytes of files that running engines have in memory."""
    import psutil

    found = 0
    for process in psutil.process_iter(["cmdline", "memory_info"]):
        words: list[str] = process.info["cmdline"] or []
        if "paddock.engine.embedded" in words or any(Path(word).name == "llama-server" for word in words[:1]):
            found += getattr(process.info["memory_info"], "shared", 0)
    return found
