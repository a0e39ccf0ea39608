"""Owns letting the calls of a message pass, refusing them or asking a person first, and noting what became of each.

Covered: what the request states, what its caller decided for good or for one chat, and the answer of a person while the
message waits. Not covered: what a call does once it was let; that is the sandbox's, the workspace's and the fetcher's.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from paddock.caller import Caller, current
from paddock.clock import stamp_s
from paddock.errors import BadRequest, StoreUnusable, shown
from paddock.log import named
from paddock.protocol.turns import Leave
from paddock.store.db import Database
from paddock.store.tool_calls import ToolCall, ToolCallStore
from paddock.store.tool_permissions import Decided, ToolPermissionStore
from paddock.tools.approvals import Approval, Approvals
from paddock.tools.deciding import ALL, Answer, Word, decide
from paddock.tools.tool import Tool
from paddock.tools.trail import Trail

_log = named(__name__)
Ask = Callable[[dict[str, Any]], Awaitable[None]]
APPROVAL_S = 600.0
# What an answer that is to hold on is kept as; in a chat alone for the first.
_KEPT: Mapping[Answer, Word] = {"chat": "always", "always": "always", "never": "never"}
_REFUSED: Mapping[str, str] = {
    "never": "the tool {name} is set to never here. Go on without it.",
    "no": "the user said no to this call. Do not make it again; go on without it, or ask what is wanted instead.",
    "unanswered": "nobody answered within {wait_s:g} s whether it may be. Go on without it, and say what it was for.",
    "unasked": "it must be allowed by a person first, and nobody can be asked in an answer that is not streamed. "
    "Go on without it.",
    "unknown": "whether it is allowed cannot be looked up: {why} Go on without it.",
}


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """What is decided, waited for and noted in one paddock."""

    store: ToolPermissionStore
    calls: ToolCallStore
    approvals: Approvals
    trail: Trail

    @classmethod
    def of(cls, database: Database) -> Permissions:
        """Those of a database."""
        calls = ToolCallStore(database)
        return cls(store=ToolPermissionStore(database), calls=calls, approvals=Approvals(), trail=Trail(calls))

    async def answer(self, approval_id: str, answer: Answer) -> Approval:
        """Answer a call that waits, and keep what is to hold on. Raises ApprovalUnknown, BadRequest, StoreUnusable."""
        approval = self.approvals.take(approval_id)
        is_kept = False
        try:
            if answer not in approval.answers:
                raise BadRequest(
                    "It was asked without a session_id, so there is no chat to allow it for. Answer once or always.",
                    param="answer",
                )
            if word := _KEPT.get(answer):
                session_id = approval.session_id if answer == "chat" else ""
                await self.store.decide(approval.caller, {approval.tool: word}, session_id)
            is_kept = True
        finally:
            if not is_kept:
                # It waits on: whoever could not be heard may answer otherwise, or again.
                self.approvals.begin(approval)
        self.approvals.settle(approval, answer)
        return approval


def checked(stated: Mapping[str, Word], tools: Sequence[Tool]) -> Mapping[str, Word]:
    """What a request states of tools, all of which are there. Raises BadRequest."""
    names = {name for tool in tools for name in (tool.name, tool.group) if name}
    for name in stated:
        if name != ALL and name not in names and ":" not in name:
            raise BadRequest(
                f"tool_permissions names {shown(name)}, and there is no such tool. There are: "
                f"{', '.join([ALL, *sorted(names)])}.",
                param="tool_permissions",
            )
    return stated


@dataclass(frozen=True, kw_only=True)
class Permit:
    """How the calls of one message are let.

    Attributes:
        permissions: those of this paddock.
        caller: who asked for the message.
        session_id: its chat; "" for none.
        stated: what its request says of tools.
        can_ask: whether whoever reads its answer hears of a call before that is over.
        wait_s: how long a call waits for a person's answer.
    """

    permissions: Permissions
    caller: Caller
    session_id: str
    stated: Mapping[str, Word]
    can_ask: bool
    wait_s: float

    async def offered(self, tools: Sequence[Tool]) -> list[Tool]:
        """Those of the tools that may be called at all: a model that is shown others only tries in vain."""
        try:
            decided = await self._decided()
        except StoreUnusable as error:
            _log.error("what was decided about tools cannot be read: %s", error.message)
            decided = Decided()
        return [tool for tool in tools if decide(tool, self.stated, decided) != "never"]

    async def leave(self, tool: Tool, arguments: str, ask: Ask) -> Leave:
        """Whether a call may be carried out; `ask` tells whoever reads the answer that a person must say so."""
        try:
            how = decide(tool, self.stated, await self._decided())
        except StoreUnusable as error:
            # A "never" may stand there.
            return self._refused("unknown", tool, why=error.message)
        if how == "never":
            return self._refused("never", tool)
        if how != "ask":
            return Leave(how=how)
        return await self._asked(tool, arguments, ask) if self.can_ask else self._refused("unasked", tool)

    def note(self, tool: Tool, arguments: str, how: str, outcome: str, duration_s: float) -> None:
        """Write a call down."""
        caller = self.caller
        call = ToolCall(
            at_s=stamp_s(),
            account_id=caller.account_id or "",
            key_id=caller.key_id or "",
            who=caller.name,
            session_id=self.session_id,
            tool=tool.name,
            arguments=arguments,
            allowed=how,
            outcome=outcome,
            duration_s=round(duration_s, 3),
        )
        self.permissions.trail.note(call)

    async def _asked(self, tool: Tool, arguments: str, ask: Ask) -> Leave:
        approval = Approval(
            caller=self.caller,
            session_id=self.session_id,
            tool=tool.name,
            arguments=arguments,
            wait_s=self.wait_s,
        )
        approvals = self.permissions.approvals
        approvals.begin(approval)
        try:
            began_s = time.monotonic()
            await ask({"state": "asking", "approval": approval.told()})
            with anyio.move_on_after(self.wait_s - (time.monotonic() - began_s)):
                await approval.settled()
        finally:
            approvals.end(approval)
        answer = approval.answer
        await ask({"state": "answered", "approval": {"id": approval.approval_id, "answer": answer}})
        if answer is None:
            return self._refused("unanswered", tool)
        return Leave(how=answer) if answer not in ("no", "never") else self._refused(answer, tool)

    async def _decided(self) -> Decided:
        return await self.permissions.store.decided(self.caller, self.session_id)

    def _refused(self, how: str, tool: Tool, why: str = "") -> Leave:
        words = _REFUSED[how].format(name=tool.name, wait_s=self.wait_s, why=why)
        return Leave(how=how, refusal=f"Not carried out: {words}")


def permit_of(permissions: Permissions, tools: Sequence[Tool], body: Mapping[str, Any], session_id: str) -> Permit:
    """How the calls of a message with that body are let. Raises BadRequest."""
    wait_s = body.get("tool_approval_timeout")
    return Permit(
        permissions=permissions,
        caller=current(),
        session_id=session_id,
        stated=checked(body.get("tool_permissions") or {}, tools),
        can_ask=body.get("stream") is True,
        wait_s=APPROVAL_S if wait_s is None else wait_s,
    )
