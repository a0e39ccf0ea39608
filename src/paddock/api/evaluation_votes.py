"""Owns the routes of votes on the answers of two models; refuses to know which side is whose, which no answer tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.described import Asked, Operation, Told, whole
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.errors import BadRequest
from paddock.evaluation.sets import PAIRS_MOST
from paddock.store.pairs import Choice

_DIGITS_MOST = 9


class BallotRequest(Asked):
    """`POST /api/evaluations/{id}/ballot`: which answer of a pair is the better one."""

    number: int = Field(ge=1, le=PAIRS_MOST)
    choice: Choice


class BallotAnswer(Told):
    """One side of a pair. Why a model refused to answer is told with the names."""

    text: str
    is_refused: bool


class PairTold(Told):
    """What was asked, and what was chosen."""

    number: int
    name: str
    asked: list[Any]
    choice: Choice | None
    voted_s: float | None


class BallotPair(PairTold):
    """A pair with both answers."""

    left: BallotAnswer
    right: BallotAnswer


class Ballot(Told):
    """`GET` and `POST /api/evaluations/{id}/ballot`: how far a vote is, and the pair to vote on next."""

    object: Literal["ballot"]
    id: str
    of: int
    ready: int
    voted: int
    shown_s: float | None
    pair: BallotPair | None


class NamedAnswer(BallotAnswer):
    """One side of a pair, with the model that answered; both are told once the names are shown."""

    model: str | None = None
    refused: str | None = None


class VotedPair(PairTold):
    """A pair, as it stands in what is exported."""

    left: NamedAnswer
    right: NamedAnswer


class VoteShare(Told):
    """A share of 1 with the ends of its interval."""

    count: int
    of: int
    share: float
    low: float
    high: float


class VotedModel(VoteShare):
    """How often one model's answer was the better one."""

    model: str


class VoteReport(Told):
    """What was chosen. `preferred` is the first model's share where one was better, `left` that of the left side."""

    models: list[VotedModel]
    tie: VoteShare
    bad: VoteShare
    preferred: VoteShare
    chance: float
    left: VoteShare
    is_whole: bool


class VotesTold(Told):
    """`GET /api/evaluations/{id}/votes`: every pair with two answers; report and names once those are shown."""

    object: Literal["votes"]
    id: str
    name: str
    models: list[str]
    of: int
    ready: int
    voted: int
    shown_s: float | None
    report: VoteReport | None
    data: list[VotedPair]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/evaluations/{id}/ballot": Operation(
        says="The pair to vote on next, or one by its number.", answer=Ballot, query={"number": whole(1, PAIRS_MOST, 1)}
    ),
    "POST /api/evaluations/{id}/ballot": Operation(says="Vote on a pair.", body=BallotRequest, answer=Ballot),
    "GET /api/evaluations/{id}/votes": Operation(says="What was chosen so far.", answer=VotesTold),
    "POST /api/evaluations/{id}/show": Operation(says="Show the names, which ends the vote.", answer=VotesTold),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of votes."""
    evaluations = edge.evaluations

    async def ballot(request: Request) -> Response:
        job = await evaluations.find(request.path_params["id"])
        return JSONResponse(await evaluations.votes.ballot(job, _number(request)))

    async def choose(request: Request) -> Response:
        asked = check(BallotRequest, await edge.body(request))
        job = await evaluations.find(request.path_params["id"])
        return JSONResponse(await evaluations.votes.choose(job, asked.number, asked.choice))

    async def votes(request: Request) -> Response:
        return JSONResponse(await evaluations.votes.whole(await evaluations.find(request.path_params["id"])))

    async def show(request: Request) -> Response:
        job = await evaluations.find(request.path_params["id"])
        told = await evaluations.votes.show(job)
        await edge.note(request, "names of a vote shown", about=f"{job.id} {told['voted']} of {told['of']}")
        return JSONResponse(told)

    return [
        Route("/api/evaluations/{id}/ballot", ballot, methods=["GET"]),
        Route("/api/evaluations/{id}/ballot", choose, methods=["POST"]),
        Route("/api/evaluations/{id}/votes", votes, methods=["GET"]),
        Route("/api/evaluations/{id}/show", show, methods=["POST"]),
    ]


def _number(request: Request) -> int | None:
    """Raises BadRequest."""
    text = request.query_params.get("number")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MOST):
        raise BadRequest(f"number is '{text[:40]}'; it is a whole number from 1.", param="number")
    return int(text)
