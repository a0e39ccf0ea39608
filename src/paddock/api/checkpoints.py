"""Owns the routes of a training's checkpoints, and of trying them; refuses to know how one is made ready."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio.to_thread
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.described import Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.errors import FieldInvalid, shown
from paddock.export.tries import try_of
from paddock.store.jobs import Job, State
from paddock.training.checkpoints import sizes

_ACCEPTED = 202
_LAST = "last"


class TryRequest(Asked):
    """`POST /api/training/{id}/checkpoints/{step}/try`: what to compare it with; "" finds or makes its base."""

    model: Annotated[str, Field(max_length=300)] = ""


class TryFault(Told):
    """Why a checkpoint could not be made ready."""

    kind: str
    message: str


class CheckpointTry(Told):
    """A checkpoint that is tried: once `state` is done, `model` answers as it, and `base` as what it began as.

    `takes_scale`: it is an adapter, so that `model` with `:0.5` behind it is half of what was learnt.
    """

    id: str
    state: State
    model: str
    base: str
    takes_scale: bool
    size_bytes: int | None
    error: TryFault | None


class Checkpoint(Told):
    """A checkpoint; `is_kept`: its own files are there yet, which a training removes as newer ones come."""

    step: int
    is_kept: bool
    size_bytes: int | None
    tried: CheckpointTry | None


class CheckpointList(Told):
    """`GET /api/training/{id}/checkpoints`, the last first."""

    object: Literal["list"]
    data: list[Checkpoint]


class TryRemoved(Told):
    """`DELETE /api/training/{id}/checkpoints/{step}/try`: what was made to try it is gone, the checkpoint is not."""

    step: int
    deleted: Literal[True]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/training/{id}/checkpoints": Operation(
        says="A training's checkpoints, and which can be chatted with.", answer=CheckpointList
    ),
    "POST /api/training/{id}/checkpoints/{step}/try": Operation(
        says="Have one made ready to be chatted with.", body=TryRequest, answer=Checkpoint, status=_ACCEPTED
    ),
    "DELETE /api/training/{id}/checkpoints/{step}/try": Operation(
        says="Remove what was made to try one.", answer=TryRemoved
    ),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of checkpoints."""
    trainings, tries = edge.trainings, edge.tries

    async def listed(request: Request) -> Response:
        kept = await trainings.checkpoints(request.path_params["id"])
        made = await tries.of(request.path_params["id"])
        steps = sorted({*kept, *made}, reverse=True)
        data = [await anyio.to_thread.run_sync(_told, step, kept.get(step), made.get(step)) for step in steps]
        return JSONResponse({"object": "list", "data": data})

    async def begin(request: Request) -> Response:
        asked = check(TryRequest, await edge.body(request))
        training = await trainings.find(request.path_params["id"])
        kept = await trainings.checkpoints(training.id)
        step = _step(request.path_params["step"], kept)
        job = await tries.start(training, step, kept[step], asked.model)
        await edge.note(request, "checkpoint tried", about=f"{training.id} {training.name}, step {step}")
        told = await anyio.to_thread.run_sync(_told, step, kept[step], job)
        return JSONResponse(told, status_code=_ACCEPTED)

    async def remove(request: Request) -> Response:
        training = await trainings.find(request.path_params["id"])
        step = _step(request.path_params["step"], await tries.of(training.id))
        await tries.forget(training.id, step)
        return JSONResponse({"step": step, "deleted": True})

    return [
        Route("/api/training/{id}/checkpoints", listed, methods=["GET"]),
        Route("/api/training/{id}/checkpoints/{step}/try", begin, methods=["POST"]),
        Route("/api/training/{id}/checkpoints/{step}/try", remove, methods=["DELETE"]),
    ]


def _step(said: str, there: Mapping[int, object]) -> int:
    """Raises FieldInvalid."""
    step = max(there, default=-1) if said == _LAST else int(said) if said.isdecimal() else -1
    if step in there:
        return step
    steps = ", ".join(str(one) for one in sorted(there))
    raise FieldInvalid(
        f"There is no checkpoint {shown(said)}. "
        + (f"There are: {steps}." if steps else "There is none yet: the first is written after `save_every_steps`."),
        param="step",
    )


def _told(step: int, kept: Path | None, job: Job | None) -> dict[str, Any]:
    size_bytes = sum(sizes(kept).values()) if kept else None
    return {"step": step, "is_kept": kept is not None, "size_bytes": size_bytes, "tried": _try(job) if job else None}


def _try(job: Job) -> dict[str, Any]:
    made = try_of(job)
    artifact = job.figures.get("artifacts", {}).get("checkpoint", {})
    return {
        "id": job.id,
        "state": job.state,
        "model": made.model,
        "base": made.compared,
        "takes_scale": made.form == "adapter",
        "size_bytes": artifact.get("size_bytes"),
        "error": dict(job.error) if job.error else None,
    }
