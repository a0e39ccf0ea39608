"""Owns the routes by which calls of the server's tools are let, and looked at afterwards; decides nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paddock.api.chat_asking import read, told, whole
from paddock.api.described import Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.caller import current
from paddock.errors import BadRequest, shown
from paddock.store.tool_calls import ToolCall
from paddock.tools.approvals import Approval
from paddock.tools.deciding import Answer, Word

_PAGE = 50
_PAGE_MOST = 500
# Before which names of groups stands what they are groups of, such as the tools of an MCP server.
_PREFIX = ":"


class PermissionChange(Asked):
    """`PUT /api/tools/permissions`: what is decided from now on, by names of tools or groups; null takes it back."""

    permissions: dict[str, Word | None] = Field(max_length=500)


class PermissionTable(Told):
    """What whoever asks has decided about tools, by names of tools or groups."""

    object: Literal["tool_permissions"]
    permissions: dict[str, Word]


class AnswerGiven(Asked):
    """`POST /api/tools/approvals/{id}`."""

    answer: Answer


class ApprovalEntry(Told):
    """A call that waits for an answer. `asked` is seconds since 1970."""

    id: str
    session_id: str
    tool: str
    arguments: str
    asked: float
    expires_in_s: float
    answers: list[Answer]


class ApprovalList(Told):
    """The calls that wait for an answer of whoever asks."""

    object: Literal["list"]
    data: list[ApprovalEntry]


class ApprovalAnswered(Told):
    """An answer that was heard."""

    id: str
    tool: str
    answer: Answer


class CallEntry(Told):
    """One call of a tool. `at` is seconds since 1970."""

    id: int
    at: float
    who: str
    session_id: str
    tool: str
    arguments: str
    allowed: str
    outcome: str
    duration_s: float


class CallList(Told):
    """`GET /api/tools/calls`, the newest first; `before` of the next page is the last `id`."""

    object: Literal["list"]
    data: list[CallEntry]
    has_more: bool


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/tools/permissions": Operation(says="What the caller has decided about tools.", answer=PermissionTable),
    "PUT /api/tools/permissions": Operation(
        says="Decide about tools, or take that back.", body=PermissionChange, answer=PermissionTable
    ),
    "GET /api/tools/approvals": Operation(
        says="The calls of tools that wait for an answer of the caller.",
        answer=ApprovalList,
        query={"session_id": {"type": "string"}},
    ),
    "POST /api/tools/approvals/{id}": Operation(
        says="Let a call that waits be carried out, or not.", body=AnswerGiven, answer=ApprovalAnswered
    ),
    "GET /api/tools/calls": Operation(
        says="The calls of tools that were made for the caller; for an admin, of everybody.",
        answer=CallList,
        query={
            "limit": {"type": "integer"},
            "before": {"type": "integer"},
            "session_id": {"type": "string"},
        },
    ),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of permissions, approvals and calls."""
    permissions = edge.tools.permissions

    async def decided(request: Request) -> Response:
        return told(await _table(edge))

    async def decide(request: Request) -> Response:
        asked = await read(edge, request, PermissionChange)
        names = {name for tool in edge.tools.all() for name in (tool.name, tool.group) if name}
        # What was decided can be taken back when a tool has gone, and decided before a server of tools has come.
        for name, word in asked.permissions.items():
            if word is not None and name not in names and (_PREFIX not in name or len(name) > 200):
                there = ", ".join(sorted(names))
                sentence = f"permissions names {shown(name)}, and there is no such tool. There are: {there}."
                raise BadRequest(sentence, param="permissions")
        await permissions.store.decide(current(), asked.permissions)
        return told(await _table(edge))

    async def waiting(request: Request) -> Response:
        found = permissions.approvals.mine(request.query_params.get("session_id"))
        return told({"object": "list", "data": [_waiting(one) for one in found]})

    async def answer(request: Request) -> Response:
        asked = await read(edge, request, AnswerGiven)
        approval = await permissions.answer(request.path_params["id"], asked.answer)
        return told({"id": approval.approval_id, "tool": approval.tool, "answer": asked.answer})

    async def calls(request: Request) -> Response:
        return told(await _calls(edge, request))

    return [
        Route("/api/tools/permissions", decided, methods=["GET"]),
        Route("/api/tools/permissions", decide, methods=["PUT"]),
        Route("/api/tools/approvals", waiting, methods=["GET"]),
        Route("/api/tools/approvals/{id}", answer, methods=["POST"]),
        Route("/api/tools/calls", calls, methods=["GET"]),
    ]


async def _table(edge: Edge) -> dict[str, Any]:
    decided = await edge.tools.permissions.store.decided(current())
    return {"object": "tool_permissions", "permissions": dict(sorted(decided.everywhere.items()))}


async def _calls(edge: Edge, request: Request) -> dict[str, Any]:
    permissions = edge.tools.permissions
    limit = whole(request, "limit", _PAGE, 1, _PAGE_MOST)
    before = whole(request, "before", 0, 1, 10**9 - 1) if "before" in request.query_params else None
    # What has just ended is there too.
    await permissions.trail.flush()
    found = await permissions.calls.latest(
        current(),
        limit=limit + 1,
        before=before,
        session_id=request.query_params.get("session_id"),
        is_all=current().may("manage"),
    )
    return {"object": "list", "data": [_call(one) for one in found[:limit]], "has_more": len(found) > limit}


def _waiting(approval: Approval) -> dict[str, Any]:
    return {
        **approval.told(),
        "session_id": approval.session_id,
        "tool": approval.tool,
        "arguments": approval.arguments,
        "asked": approval.asked_s,
    }


def _call(call: ToolCall) -> dict[str, Any]:
    names = ("who", "session_id", "tool", "arguments", "allowed", "outcome", "duration_s")
    return {"id": call.number, "at": call.at_s, **{name: getattr(call, name) for name in names}}
