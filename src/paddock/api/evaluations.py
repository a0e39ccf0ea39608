"""Owns the routes of evaluations; refuses to know what is tried, and how it is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.described import EVENTS, Asked, Operation, Told, text
from paddock.api.edge import Edge
from paddock.api.evaluated import refuse_silent
from paddock.api.jobs import told_job
from paddock.api.numbered import after, frames
from paddock.api.schemas import check
from paddock.errors import BadRequest, FieldInvalid
from paddock.evaluation.spec import ANSWER_TOKENS
from paddock.serving.runs import Replay
from paddock.store.jobs import Job, State
from paddock.store.pairs import Tally

_ACCEPTED = 202


class EvaluationRequest(Asked):
    """`POST /api/evaluations`: which tries of which model.

    `set` is one's own tries, of the suites "set" and "vote"; `set_id` is one that is kept here, in its place. `against`
    is the other model of a vote.
    """

    suite: Literal["tools", "pocket", "set", "vote"]
    model: str | None = None
    name: str = ""
    set: list[Any] | None = None
    set_id: str = ""
    against: str = ""
    judge: str = ""
    answer_tokens: int = Field(default=ANSWER_TOKENS)
    anew: bool = False


class EvaluationFault(Told):
    """Why an evaluation failed."""

    kind: str
    message: str


class EvaluationVote(Told):
    """How far a vote is."""

    of: int
    ready: int
    voted: int
    shown_s: float | None


class Evaluation(Told):
    """One evaluation. Times are seconds since 1970; `figures` hold the report once it is done.

    `vote` is how far a vote is: its pairs, those with two answers, those that were voted on, and when the names were
    shown.
    """

    object: Literal["evaluation"]
    id: str
    name: str
    state: State
    spec: dict[str, Any]
    figures: dict[str, Any]
    error: EvaluationFault | None
    created_s: float
    started_s: float | None
    ended_s: float | None
    vote: EvaluationVote | None


class EvaluationList(Told):
    """`GET /api/evaluations`, the newest first."""

    object: Literal["list"]
    data: list[Evaluation]


class EvaluationResults(Told):
    """`GET /api/evaluations/{id}/results`: what became of each try, in order."""

    object: Literal["list"]
    data: list[dict[str, Any]]


class EvaluationsCompared(Told):
    """`GET /api/evaluations/{id}/against/{other}`: on the tries that both have, the other beside the first."""

    tries: int
    left_out: int
    cases: list[dict[str, Any]]
    total: dict[str, Any] | None
    text: dict[str, Any] | None
    gained: list[dict[str, Any]]
    lost: list[dict[str, Any]]


class EvaluationRemoved(Told):
    """`DELETE /api/evaluations/{id}`: its results went with it."""

    id: str
    deleted: Literal[True]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/evaluations": Operation(says="The evaluations.", answer=EvaluationList),
    "POST /api/evaluations": Operation(
        says="Queue an evaluation, or go on with one of the same.",
        body=EvaluationRequest, answer=Evaluation, status=_ACCEPTED,
    ),
    "GET /api/evaluations/{id}": Operation(says="One evaluation.", answer=Evaluation),
    "DELETE /api/evaluations/{id}": Operation(says="Remove an evaluation with its results.", answer=EvaluationRemoved),
    "GET /api/evaluations/{id}/events": Operation(says="What becomes of each try, until it is at rest.", kind=EVENTS),
    "GET /api/evaluations/{id}/results": Operation(
        says="What became of each try.", answer=EvaluationResults, query={"failed": text(enum=("true", "false"))}
    ),
    "GET /api/evaluations/{id}/against/{other}": Operation(says="Two, side by side.", answer=EvaluationsCompared),
    "POST /api/evaluations/{id}/stop": Operation(says="Stop behind the try under way.", answer=Evaluation),
    "POST /api/evaluations/{id}/cancel": Operation(says="Stop at once.", answer=Evaluation),
    "POST /api/evaluations/{id}/resume": Operation(says="Go on with what was not tried yet.", answer=Evaluation),
}  # fmt: skip


def routes(edge: Edge) -> list[Route]:
    """The routes of evaluations."""
    evaluations = edge.evaluations

    async def listed(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": await told(edge, *await evaluations.listed())})

    async def start(request: Request) -> Response:
        asked = check(EvaluationRequest, await edge.body(request))
        given, rows = await _given(edge, asked)
        job = await evaluations.start(given, rows, anew=asked.anew)
        await edge.note(request, "evaluation begun", about=f"{job.id} {job.name}")
        return JSONResponse((await told(edge, job))[0], status_code=_ACCEPTED)

    async def one(request: Request) -> Response:
        return JSONResponse((await told(edge, await evaluations.find(request.path_params["id"])))[0])

    async def remove(request: Request) -> Response:
        await evaluations.remove(request.path_params["id"])
        await edge.note(request, "evaluation removed", about=request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "deleted": True})

    async def events(request: Request) -> ASGIApp:
        job = await evaluations.find(request.path_params["id"])
        return Replay(frames(evaluations.events(job.id, after(request))), keepalive_s=edge.settings.keepalive_s)

    async def results(request: Request) -> Response:
        failed = request.query_params.get("failed", "false")
        if failed not in ("true", "false"):
            raise BadRequest(f"failed is '{failed[:40]}'; say true or false.", param="failed")
        found = await evaluations.results(request.path_params["id"])
        data = [one for one in found if failed == "false" or not one["passed"]]
        return JSONResponse({"object": "list", "data": data})

    async def against(request: Request) -> Response:
        return JSONResponse(await evaluations.against(request.path_params["id"], request.path_params["other"]))

    async def change(request: Request) -> Response:
        deeds = {"stop": evaluations.stop, "cancel": evaluations.cancel, "resume": evaluations.resume}
        job = await deeds[request.url.path.rpartition("/")[2]](request.path_params["id"])
        return JSONResponse((await told(edge, job))[0])

    return [
        Route("/api/evaluations", listed, methods=["GET"]),
        Route("/api/evaluations", start, methods=["POST"]),
        Route("/api/evaluations/{id}", one, methods=["GET"]),
        Route("/api/evaluations/{id}", remove, methods=["DELETE"]),
        Route("/api/evaluations/{id}/events", events, methods=["GET"]),
        Route("/api/evaluations/{id}/results", results, methods=["GET"]),
        Route("/api/evaluations/{id}/against/{other}", against, methods=["GET"]),
        Route("/api/evaluations/{id}/stop", change, methods=["POST"]),
        Route("/api/evaluations/{id}/cancel", change, methods=["POST"]),
        Route("/api/evaluations/{id}/resume", change, methods=["POST"]),
    ]


async def _given(edge: Edge, asked: EvaluationRequest) -> tuple[dict[str, Any], Sequence[Any] | None]:
    """What an evaluation is begun of: its models by their own names, and its set. Raises PaddockError."""
    model = await edge.local(asked.model)
    refuse_silent(model)
    judge = (await edge.find(asked.judge)).id if asked.judge else ""
    given = {**asked.model_dump(exclude={"set", "set_id", "anew"}), "model": model.tuned_id, "judge": judge}
    if asked.against:
        other = await edge.local(asked.against)
        refuse_silent(other)
        given["against"] = other.tuned_id
    if not asked.set_id:
        return given, asked.set
    if asked.set is not None:
        raise FieldInvalid("Give either set or set_id, not both.", param="set_id")
    name, rows = await edge.evaluations.sets.rows(asked.set_id)
    return {**given, "name": asked.name or name}, rows


async def told(edge: Edge, *jobs: Job) -> list[dict[str, Any]]:
    """Evaluations as they are told. Raises StoreUnusable."""
    tallies: Mapping[str, Tally] = {}
    if any(job.spec.get("suite") == "vote" for job in jobs):
        tallies = await edge.evaluations.votes.tallies()
    return [
        {**told_job(job, "evaluation"), "vote": asdict(tallies[job.id]) if job.id in tallies else None} for job in jobs
    ]
