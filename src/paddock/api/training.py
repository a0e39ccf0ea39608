"""Owns the routes of trainings; refuses to know how anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import anyio.to_thread
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.described import EVENTS, Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.jobs import told_job
from paddock.api.numbered import after, frames
from paddock.api.schemas import check
from paddock.serving.runs import Replay
from paddock.store.jobs import Job, State
from paddock.training.estimate import memory_of_device
from paddock.training.spec import TrainSpec, as_table, as_yaml, described, from_yaml, spec_of

_ACCEPTED = 202


class OptionsRequest(Asked):
    """The options, or a YAML file of them."""

    spec: dict[str, Any] | None = None
    yaml: Annotated[str, Field(max_length=100_000)] | None = None


class TrainingRequest(OptionsRequest):
    """`POST /api/training`: the options, or a YAML file of them."""

    name: Annotated[str, Field(max_length=200)] = ""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0


class TrainingEstimate(Told):
    """What a training would need; null throughout where its base has weights of an unknown form.

    `memory` has its parts and `all`, in bytes; `seconds` is null where nothing like it ever ran here; `not_counted`
    says what is not reckoned with, "" where nothing is known to be missing.
    """

    memory: dict[str, int] | None
    free_bytes: int
    disk_bytes: int | None
    rows: int | None
    tokens_most: int | None
    steps: int | None
    seconds: float | None
    seconds_source: str | None
    not_counted: str | None


class Fault(Told):
    """Why a training failed."""

    kind: str
    message: str


class Training(Told):
    """One training. Times are seconds since 1970; `figures` are the newest that its worker told."""

    object: Literal["training"]
    id: str
    name: str
    state: State
    priority: int
    spec: dict[str, Any]
    yaml: str
    figures: dict[str, Any]
    error: Fault | None
    created_s: float
    started_s: float | None
    ended_s: float | None


class TrainingList(Told):
    """`GET /api/training`, the newest first; `has_stack`: there are the libraries that train."""

    object: Literal["list"]
    data: list[Training]
    has_stack: bool


class TrainingOptions(Told):
    """Every option: its name, group, default, kind, help, range and choices."""

    object: Literal["list"]
    data: list[dict[str, Any]]


class TrainingSpecification(Told):
    """Options that were checked: all of them, and as YAML those that are not at their defaults."""

    spec: dict[str, Any]
    yaml: str


class TrainingRemoved(Told):
    """`DELETE /api/training/{id}`: what it made went with it."""

    id: str
    deleted: Literal[True]


_ONE = Operation(says="One training.", answer=Training)
OPERATIONS: Mapping[str, Operation] = {
    "GET /api/training": Operation(says="The trainings.", answer=TrainingList),
    "POST /api/training": Operation(says="Queue a training.", body=TrainingRequest, answer=Training, status=_ACCEPTED),
    "GET /api/training/options": Operation(says="What a training can be told.", answer=TrainingOptions),
    "POST /api/training/options": Operation(
        says="Check options, and tell them all and as YAML.", body=OptionsRequest, answer=TrainingSpecification
    ),
    "POST /api/training/estimate": Operation(
        says="Tell what a training would need, and begin nothing.", body=OptionsRequest, answer=TrainingEstimate
    ),
    "GET /api/training/{id}": _ONE,
    "DELETE /api/training/{id}": Operation(says="Remove a training with what it made.", answer=TrainingRemoved),
    "GET /api/training/{id}/events": Operation(says="What its worker tells, until it is at rest.", kind=EVENTS),
    "POST /api/training/{id}/stop": Operation(says="Write a checkpoint, and stop.", answer=Training),
    "POST /api/training/{id}/cancel": Operation(says="Stop as soon as it can.", answer=Training),
    "POST /api/training/{id}/resume": Operation(says="Go on from the last checkpoint.", answer=Training),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of trainings."""
    trainings = edge.trainings

    async def listed(request: Request) -> Response:
        data = [_told(one) for one in await trainings.listed()]
        has_stack = await anyio.to_thread.run_sync(trainings.has_stack)
        return JSONResponse({"object": "list", "data": data, "has_stack": has_stack})

    async def start(request: Request) -> Response:
        asked = check(TrainingRequest, await edge.body(request))
        job = await trainings.start(_spec(asked), name=asked.name, priority=asked.priority)
        await edge.note(request, "training begun", about=f"{job.id} {job.name}")
        return JSONResponse(_told(job), status_code=_ACCEPTED)

    async def options(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": described()})

    async def checked(request: Request) -> Response:
        spec = _spec(check(OptionsRequest, await edge.body(request)))
        return JSONResponse({"spec": as_table(spec), "yaml": as_yaml(as_table(spec))})

    async def estimate(request: Request) -> Response:
        spec = _spec(check(OptionsRequest, await edge.body(request)))
        needed = await trainings.estimate(spec)
        free_bytes = (await anyio.to_thread.run_sync(memory_of_device, spec.processes))[0]
        names = [name for name in TrainingEstimate.model_fields if name != "free_bytes"]
        return JSONResponse((needed.as_table() if needed else dict.fromkeys(names)) | {"free_bytes": free_bytes})

    async def one(request: Request) -> Response:
        return JSONResponse(_told(await trainings.find(request.path_params["id"])))

    async def remove(request: Request) -> Response:
        await _remove(edge, request.path_params["id"])
        await edge.note(request, "training removed", about=request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "deleted": True})

    async def events(request: Request) -> ASGIApp:
        job = await trainings.find(request.path_params["id"])
        told = frames(trainings.events(job.id, after(request)))
        return Replay(told, keepalive_s=edge.settings.keepalive_s)

    async def change(request: Request) -> Response:
        deeds = {"stop": trainings.stop, "cancel": trainings.cancel, "resume": trainings.resume}
        job = await deeds[request.url.path.rpartition("/")[2]](request.path_params["id"])
        return JSONResponse(_told(job))

    return [
        Route("/api/training", listed, methods=["GET"]),
        Route("/api/training", start, methods=["POST"]),
        Route("/api/training/options", options, methods=["GET"]),
        Route("/api/training/options", checked, methods=["POST"]),
        Route("/api/training/estimate", estimate, methods=["POST"]),
        Route("/api/training/{id}", one, methods=["GET"]),
        Route("/api/training/{id}", remove, methods=["DELETE"]),
        Route("/api/training/{id}/events", events, methods=["GET"]),
        Route("/api/training/{id}/stop", change, methods=["POST"]),
        Route("/api/training/{id}/cancel", change, methods=["POST"]),
        Route("/api/training/{id}/resume", change, methods=["POST"]),
    ]


async def _remove(edge: Edge, job_id: str) -> None:
    """One with what was made to try its checkpoints; one that is live keeps that, and is refused."""
    if not (await edge.trainings.find(job_id)).is_live:
        await edge.tries.forget(job_id)
    await edge.trainings.remove(job_id)


def _spec(asked: OptionsRequest) -> TrainSpec:
    return from_yaml(asked.yaml) if asked.yaml is not None else spec_of(asked.spec or {})


def _told(job: Job) -> dict[str, Any]:
    return told_job(job, "training", priority=job.priority, yaml=as_yaml(job.spec))
