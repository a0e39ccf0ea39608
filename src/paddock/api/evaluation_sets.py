"""Owns the routes of sets of one's own that are kept here; refuses to know what a line must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.described import Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.store.sets import OwnSet

_CREATED = 201


class SetLines(Asked):
    """`POST /api/evaluation-sets/check`: a set as it is written, a JSON object on each line."""

    lines: str


class SetRequest(SetLines):
    """`POST /api/evaluation-sets` and `PUT /api/evaluation-sets/{id}`: a set, and what it is called."""

    name: str


class SetFault(Told):
    """What is wrong with a line, which counts from 1."""

    line: int
    says: str


class SetCase(Told):
    """How many tries of a case there are."""

    case: str
    tries: int


class SetLook(Told):
    """What a set holds, and what is wrong with it: the first fifty faults."""

    object: Literal["set_look"]
    tries: int
    cases: list[SetCase]
    has_judged: bool
    faults: list[SetFault]


class SetSummary(Told):
    """One set, without its lines. Times are seconds since 1970."""

    id: str
    name: str
    tries: int
    created_s: float
    changed_s: float


class EvaluationSet(SetSummary):
    """One set, with its lines."""

    object: Literal["evaluation_set"]
    lines: str


class SetList(Told):
    """`GET /api/evaluation-sets`, the newest first."""

    object: Literal["list"]
    data: list[SetSummary]


class SetRemoved(Told):
    """`DELETE /api/evaluation-sets/{id}`; evaluations that were begun with it keep their own copy."""

    id: str
    deleted: Literal[True]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/evaluation-sets": Operation(says="The sets of one's own.", answer=SetList),
    "POST /api/evaluation-sets": Operation(
        says="Keep a set.", body=SetRequest, answer=EvaluationSet, status=_CREATED
    ),
    "POST /api/evaluation-sets/check": Operation(
        says="What a set holds, and what is wrong with it.", body=SetLines, answer=SetLook
    ),
    "GET /api/evaluation-sets/{id}": Operation(says="One set.", answer=EvaluationSet),
    "PUT /api/evaluation-sets/{id}": Operation(says="Change a set.", body=SetRequest, answer=EvaluationSet),
    "DELETE /api/evaluation-sets/{id}": Operation(says="Remove a set.", answer=SetRemoved),
}  # fmt: skip


def routes(edge: Edge) -> list[Route]:
    """The routes of sets."""
    sets = edge.evaluations.sets

    async def listed(request: Request) -> Response:
        data: list[dict[str, Any]] = [asdict(one) for one in await sets.store.listed()]
        for one in data:
            del one["lines"]
        return JSONResponse({"object": "list", "data": data})

    async def keep(request: Request) -> Response:
        asked = check(SetRequest, await edge.body(request))
        return JSONResponse(_told(await sets.keep(asked.name, asked.lines)), status_code=_CREATED)

    async def look(request: Request) -> Response:
        found = await sets.looked_at(check(SetLines, await edge.body(request)).lines)
        return JSONResponse(
            {
                "object": "set_look",
                "tries": found.tries,
                "cases": [{"case": case, "tries": tries} for case, tries in found.cases.items()],
                "has_judged": found.has_judged,
                "faults": [{"line": line, "says": says} for line, says in found.faults],
            }
        )

    async def one(request: Request) -> Response:
        return JSONResponse(_told(await sets.store.find(request.path_params["id"])))

    async def change(request: Request) -> Response:
        asked = check(SetRequest, await edge.body(request))
        await sets.store.find(request.path_params["id"])
        return JSONResponse(_told(await sets.keep(asked.name, asked.lines, set_id=request.path_params["id"])))

    async def remove(request: Request) -> Response:
        await sets.store.remove(request.path_params["id"])
        await edge.note(request, "evaluation set removed", about=request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "deleted": True})

    return [
        Route("/api/evaluation-sets", listed, methods=["GET"]),
        Route("/api/evaluation-sets", keep, methods=["POST"]),
        Route("/api/evaluation-sets/check", look, methods=["POST"]),
        Route("/api/evaluation-sets/{id}", one, methods=["GET"]),
        Route("/api/evaluation-sets/{id}", change, methods=["PUT"]),
        Route("/api/evaluation-sets/{id}", remove, methods=["DELETE"]),
    ]


def _told(found: OwnSet) -> dict[str, Any]:
    return {"object": "evaluation_set", **asdict(found)}
