"""Owns the routes of pushes to the hub, and what a model's card is told by other rooms; refuses to know how it is sent.

Pushing shows the hub this server's own token, so that it is an admin's to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock import __version__
from paddock.api.described import EVENTS, Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.jobs import told_job
from paddock.api.numbered import after, frames
from paddock.api.schemas import check
from paddock.errors import JobUnknown
from paddock.export.card import CardEvaluation, CardTraining
from paddock.export.parcel import Known, PushSpec, own_name
from paddock.serving.runs import Replay
from paddock.store.jobs import Job, State
from paddock.training.spec import TrainSpec

_ACCEPTED = 202
# Options by which a machine is used or watched, which say nothing of what was learned; some name other machines.
_NOT_TOLD = frozenset((
    "base", "data", "eval_data", "cluster", "dry_run", "eval_every_steps", "judge_model", "keep_checkpoints",
    "log_every_steps", "makes_gguf", "makes_room", "runs_code", "sample_prompts", "sample_tokens", "save_every_steps",
    "saves_memory", "threads", "trackers",
))  # fmt: skip
_FILES = {"data": "learned from", "eval_data": "held out"}


class PushRequest(Asked):
    """`POST /api/exports/{id}/push`: where to, and what of it; no types are all that have a certificate that passes."""

    repo: Annotated[str, Field(max_length=200)]
    is_public: bool = False
    types: list[str] | None = None
    uncertified: bool = False
    card: bool = True


class PushFault(Told):
    """Why a push failed."""

    kind: str
    message: str


class Push(Told):
    """One push. `figures` are how far it is (`file`, `done_bytes`, `size_bytes`); in the end also where it is.

    That is `url`, `commit`, `is_private`, and which files were `sent` or `there`.
    """

    object: Literal["push"]
    id: str
    name: str
    state: State
    spec: dict[str, Any]
    figures: dict[str, Any]
    error: PushFault | None
    created_s: float
    started_s: float | None
    ended_s: float | None


class PushList(Told):
    """`GET /api/pushes`, the newest first; of one export, where `export` names it."""

    object: Literal["list"]
    data: list[Push]


class PushFile(Told):
    """A file that would be sent."""

    name: str
    size_bytes: int


class PushCard(Told):
    """What a push would send; `left_out` tells why by the type of a file."""

    card: str
    files: list[PushFile]
    left_out: dict[str, str]


class PushRemoved(Told):
    """`DELETE /api/pushes/{id}`: it is forgotten; what is on the hub stays there."""

    id: str
    deleted: Literal[True]


OPERATIONS: Mapping[str, Operation] = {
    "POST /api/exports/{id}/card": Operation(
        says="Tell what a push would send, and ask nobody.", body=PushRequest, answer=PushCard
    ),
    "POST /api/exports/{id}/push": Operation(
        says="Push an export's files to the hub.", body=PushRequest, answer=Push, status=_ACCEPTED
    ),
    "GET /api/pushes": Operation(says="The pushes.", answer=PushList),
    "GET /api/pushes/{id}": Operation(says="One push.", answer=Push),
    "DELETE /api/pushes/{id}": Operation(says="Forget a push.", answer=PushRemoved),
    "GET /api/pushes/{id}/events": Operation(says="How far it is, until it is at rest.", kind=EVENTS),
    "POST /api/pushes/{id}/cancel": Operation(says="Stop at once.", answer=Push),
    "POST /api/pushes/{id}/resume": Operation(says="Push again what the hub does not have.", answer=Push),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of pushes."""
    pushes = edge.pushes

    async def listed(request: Request) -> Response:
        export = request.query_params.get("export")
        found = [one for one in await pushes.listed() if export in (None, one.spec["export"])]
        return JSONResponse({"object": "list", "data": [_told(one) for one in found]})

    async def one(request: Request) -> Response:
        return JSONResponse(_told(await pushes.find(request.path_params["id"])))

    async def remove(request: Request) -> Response:
        await pushes.remove(request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "deleted": True})

    async def events(request: Request) -> ASGIApp:
        job = await pushes.find(request.path_params["id"])
        return Replay(frames(pushes.events(job.id, after(request))), keepalive_s=edge.settings.keepalive_s)

    async def cancel(request: Request) -> Response:
        return JSONResponse(_told(await pushes.cancel(request.path_params["id"])))

    async def resume(request: Request) -> Response:
        job = await pushes.resume(request.path_params["id"])
        await edge.note(request, "push resumed", about=f"{job.id} {job.name}")
        return JSONResponse(_told(job))

    return [
        *_of_exports(edge),
        Route("/api/pushes", listed, methods=["GET"]),
        Route("/api/pushes/{id}", one, methods=["GET"]),
        Route("/api/pushes/{id}", remove, methods=["DELETE"]),
        Route("/api/pushes/{id}/events", events, methods=["GET"]),
        Route("/api/pushes/{id}/cancel", cancel, methods=["POST"]),
        Route("/api/pushes/{id}/resume", resume, methods=["POST"]),
    ]


def _of_exports(edge: Edge) -> list[Route]:
    """The routes by which an export is pushed."""
    pushes = edge.pushes

    async def asked(request: Request) -> tuple[PushSpec, Known]:
        body = check(PushRequest, await edge.body(request))
        spec = PushSpec(
            export=request.path_params["id"],
            repo=body.repo,
            is_public=body.is_public,
            types=tuple(dict.fromkeys(one.upper() for one in body.types or ())),
            uncertified=body.uncertified,
            card=body.card,
        )
        return spec, await _known(edge, await edge.exports.find(spec.export))

    async def card(request: Request) -> Response:
        parcel, text = await pushes.foresee(*await asked(request))
        files = [{"name": one.name, "size_bytes": one.size_bytes} for one in parcel.uploads]
        return JSONResponse({"card": text, "files": files, "left_out": dict(parcel.left_out)})

    async def start(request: Request) -> Response:
        spec, known = await asked(request)
        job = await pushes.start(spec, known)
        kind = "public" if spec.is_public else "private"
        await edge.note(request, "push begun", about=f"{job.id} {spec.export} {spec.repo} {kind}")
        return JSONResponse(_told(job), status_code=_ACCEPTED)

    return [
        Route("/api/exports/{id}/card", card, methods=["POST"]),
        Route("/api/exports/{id}/push", start, methods=["POST"]),
    ]


def _told(job: Job) -> dict[str, Any]:
    return told_job(job, "push")


async def _known(edge: Edge, export: Job) -> Known:
    """What trainings and evaluations know of an export. Raises StoreUnusable."""
    training = await _training(edge, str(export.spec["source"]))
    base = str(export.spec.get("base") or (training.spec["base"] if training else export.spec["source"]))
    return Known(
        training=_trained(training) if training else None,
        data={use: str(training.spec[name]) for name, use in _FILES.items() if training.spec.get(name)}
        if training
        else {},
        learned_s=(training.started_s or training.created_s) if training else None,
        evaluations=await _evaluations(edge),
        base=own_name(base),
        version=__version__,
    )


async def _training(edge: Edge, source: str) -> Job | None:
    try:
        return await edge.trainings.find(source)
    except JobUnknown:
        return None


def _trained(training: Job) -> CardTraining:
    """What is told of a training: the options that say something to its method, without folders of this machine."""
    method = training.spec.get("method")
    told = [one.name for one in fields(TrainSpec) if method in one.metadata["methods"] and one.name not in _NOT_TOLD]
    options = {name: training.spec[name] for name in told if training.spec.get(name) not in (None, "")}
    if "reward_code" in options:
        options["reward_code"] = own_name(str(options["reward_code"]))
    return CardTraining(name=training.name, state=training.state, options=options, figures=training.figures)


async def _evaluations(edge: Edge) -> dict[str, list[CardEvaluation]]:
    """What whole evaluations found, by the digest of the file that they asked."""
    found: dict[str, list[CardEvaluation]] = defaultdict(list)
    for job in await edge.evaluations.listed():
        subject, report = job.figures.get("subject"), job.figures.get("report")
        if job.state == "done" and subject and report:
            found[subject["file_digest"]].append(
                CardEvaluation(
                    file="", name=job.name, engine=subject["engine"], at_s=job.ended_s or job.created_s, report=report
                )
            )
    return dict(found)
