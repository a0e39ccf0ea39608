"""Owns what is found about a build before it becomes active: what is kept of it, and whether it is good enough.

Pure but for its one file beside the build. Refuses to run a build, and to know models beyond their names and needs.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from paddock.errors import CanaryFailed
from paddock.install.builds import Build
from paddock.paths import write_whole

FILE = "canary.json"
MODELS_MOST = 3
# Runs of one build differ by a fifth on a machine with other work, and builds for other processors by a tenth or two.
# What must be caught (a card that is not used, code without vectors, one thread alone) costs half and more.
SLOW_BELOW = 0.7
_REASONS_TOLD = 3

Status = Literal["pass", "fail", "skip"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One thing that was tried: an expectation, or a client's requests."""

    name: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Tokens in a second; None where the engine did not tell."""

    reading: float | None = None
    generation: float | None = None


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """Both builds on one model, one right after the other."""

    new: Speed
    active: Speed


@dataclass(frozen=True, kw_only=True)
class ModelTrial:
    """What one model showed. `says_the_same` compares greedy texts; None where there was nothing to compare."""

    model: str
    status: Status
    reason: str = ""
    repetitions: tuple[Repetition, ...] = ()
    says_the_same: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a build showed, kept beside it.

    `against` names the build that was active, `made_s` is unix time, `paddock` the version that looked. `identity` is
    that of the program that was tried.
    """

    build: str
    against: str
    status: Literal["passed", "failed", "skipped"]
    paddock: str
    identity: list[int] = field(default_factory=list[int])
    made_s: int = 0
    reasons: tuple[str, ...] = ()
    expectations: tuple[Outcome, ...] = ()
    clients: tuple[Outcome, ...] = ()
    models: tuple[ModelTrial, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A build that is about to become active, and the one that is. `program` are the words that start its engine.

    `active` is None where the active build is damaged, or is this one: then there is nothing to compare with.
    """

    build: str
    program: tuple[str, ...]
    identity: list[int]
    against: str
    active: tuple[str, ...] | None
    has_devices: bool = False


@dataclass(frozen=True, kw_only=True)
class Canary:
    """Who tries a build before it becomes active; `anyway` activates it whatever comes out."""

    look: Callable[[Candidate], Record]
    anyway: bool = False


@dataclass(frozen=True, kw_only=True)
class Need:
    """A model, and the memory that it would take."""

    model: str
    needed_bytes: int


def choose(needs: Sequence[Need], free_bytes: int, *, most: int = MODELS_MOST) -> list[str]:
    """The models that are tried where nobody names any: the smallest that fit beside what is running."""
    fitting = sorted((need for need in needs if need.needed_bytes <= free_bytes), key=lambda need: need.needed_bytes)
    return [need.model for need in fitting[:most]]


def middle(speeds: Sequence[Speed]) -> Speed:
    """The median of several runs, for each kind by itself."""

    def of(found: Sequence[float | None]) -> float | None:
        known = [one for one in found if one is not None]
        return median(known) if known else None

    return Speed(reading=of([one.reading for one in speeds]), generation=of([one.generation for one in speeds]))


def slower_in(repetitions: Sequence[Repetition]) -> list[str]:
    """What was clearly slower in each of the repetitions: "reading", "generation", or nothing."""
    return [kind for kind in _KINDS if repetitions and all(_is_slow(one, kind) for one in repetitions)]


def figures(repetition: Repetition) -> str:
    """Both builds' figures in words, such as "generation 41.2 against 80.1 tokens/s (0.51 x)"."""
    told: list[str] = []
    for kind, (new, active) in _pairs(repetition).items():
        ratio = f" ({new / active:.2f} x)" if new and active else ""
        shown = ["?" if one is None else f"{one:.1f}" for one in (new, active)]
        told.append(f"{kind} {shown[0]} against {shown[1]} tokens/s{ratio}")
    return ", ".join(told)


def judged(
    *,
    candidate: Candidate,
    paddock: str,
    expectations: Sequence[Outcome],
    clients: Sequence[Outcome] = (),
    models: Sequence[ModelTrial] = (),
    notes: Sequence[str] = (),
) -> Record:
    """The record of all that was found: failed where any of it failed."""
    wrong = [f"{one.name}: {one.reason}" for one in expectations if one.status == "fail"]
    wrong += [f"the requests of {one.name}: {one.reason}" for one in clients if one.status == "fail"]
    wrong += [f"the model '{one.model}': {one.reason}" for one in models if one.status == "fail"]
    return Record(
        build=candidate.build,
        against=candidate.against,
        status="failed" if wrong else "passed",
        paddock=paddock,
        identity=candidate.identity,
        made_s=int(time.time()),
        reasons=tuple(wrong),
        expectations=tuple(expectations),
        clients=tuple(clients),
        models=tuple(models),
        notes=tuple(notes),
    )


def skipped(candidate: Candidate, *, paddock: str) -> Record:
    """The record of a build that nobody tried."""
    return Record(
        build=candidate.build, against=candidate.against, status="skipped", paddock=paddock,
        identity=candidate.identity, made_s=int(time.time()),
    )  # fmt: skip


def refuse_failed(record: Record) -> None:
    """Raise CanaryFailed for a build that failed; the message has the reasons and the ways on."""
    if record.status != "failed":
        return
    reasons = "; ".join(reason.rstrip(".") for reason in record.reasons[:_REASONS_TOLD])
    more = len(record.reasons) - _REASONS_TOLD
    wrong = f"{reasons}{f' (and {more} more)' if more > 0 else ''}"
    if record.build == record.against:
        raise CanaryFailed(
            f"'{record.build}', which is active, changed and fails its canary: {wrong}. "
            "`paddock engine use previous` or `paddock engine use embedded` leads away from it."
        )
    raise CanaryFailed(
        f"'{record.build}' is here, but was not activated: {wrong}. '{record.against}' stays active. "
        f"`paddock engine use {record.build} --anyway` uses it all the same."
    )


def keep(record: Record, folder: Path) -> None:
    """Write a record into the folder of its build. Raises OSError."""
    write_whole(folder / FILE, json.dumps(asdict(record), indent=1))


def kept(folder: Path) -> Record | None:
    """The record beside a build; None where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        said: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
        made: dict[str, Any] = {
            **said,
            "reasons": tuple(map(str, said["reasons"])),
            "notes": tuple(map(str, said["notes"])),
            "expectations": tuple(Outcome(**one) for one in said["expectations"]),
            "clients": tuple(Outcome(**one) for one in said["clients"]),
            "models": tuple(map(_trial_of, said["models"])),
        }
        return Record(**made)
    return None


def entry(build: Build, folder: Path) -> dict[str, Any]:
    """A build as lists tell it, with what was found of it in its `folder`; the keys are stable."""
    record = kept(folder)
    return {
        "name": build.name,
        "origin": build.origin,
        "accelerator": build.accelerator,
        "tag": build.tag,
        "version": build.version,
        "devices": list(build.devices),
        "installed_s": build.installed_s,
        "canary": asdict(record) if record else None,
    }


def _trial_of(said: dict[str, Any]) -> ModelTrial:
    pairs = tuple(Repetition(new=Speed(**one["new"]), active=Speed(**one["active"])) for one in said["repetitions"])
    made: dict[str, Any] = {**said, "repetitions": pairs}
    return ModelTrial(**made)


_KINDS = ("reading", "generation")


def _pairs(repetition: Repetition) -> dict[str, tuple[float | None, float | None]]:
    new, active = repetition.new, repetition.active
    return {"reading": (new.reading, active.reading), "generation": (new.generation, active.generation)}


def _is_slow(repetition: Repetition, kind: str) -> bool:
    new, active = _pairs(repetition)[kind]
    return new is not None and active is not None and new < SLOW_BELOW * active
