"""Owns the calls that wait until a person has said whether they may be carried out; refuses to know what they do.

They live with the answer that waits for them, in this process: one that is begun anew asks anew.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import anyio

from paddock.caller import Caller, current
from paddock.clock import stamp_s
from paddock.errors import ApprovalUnknown
from paddock.tools.deciding import ANSWERS, Answer

# What is answered for good, or for the chat, holds for all calls of that tool that wait.
_FOR_ALL: tuple[Answer, ...] = ("chat", "always", "never")


@dataclass(kw_only=True)
class Approval:
    """One call that waits. `arguments` is all that it would be carried out with."""

    caller: Caller
    session_id: str
    tool: str
    arguments: str
    wait_s: float
    approval_id: str = field(default_factory=lambda: f"apr_{secrets.token_hex(16)}")
    asked_s: float = field(default_factory=stamp_s)
    answer: Answer | None = None
    _settled: anyio.Event = field(default_factory=anyio.Event)

    @property
    def answers(self) -> list[Answer]:
        """What may be answered: something for the chat only where there is one."""
        return [one for one in ANSWERS if one != "chat" or self.session_id]

    def told(self) -> dict[str, Any]:
        """What is told of it to whoever may answer."""
        return {"id": self.approval_id, "expires_in_s": self.wait_s, "answers": self.answers}

    def settle(self, answer: Answer) -> None:
        """Let the call go on, or refuse it."""
        self.answer = answer
        self._settled.set()

    async def settled(self) -> None:
        """Wait for the answer."""
        await self._settled.wait()


class Approvals:
    """All calls that wait in this process."""

    def __init__(self) -> None:
        self._waiting: dict[str, Approval] = {}

    def begin(self, approval: Approval) -> None:
        """From now on it can be answered."""
        self._waiting[approval.approval_id] = approval

    def end(self, approval: Approval) -> None:
        """It can be answered no more."""
        self._waiting.pop(approval.approval_id, None)

    def mine(self, session_id: str | None = None) -> list[Approval]:
        """Those that whoever asks may answer, the oldest first; of one chat, or of all."""
        return [
            one
            for one in self._waiting.values()
            if _is_same(one.caller, current()) and session_id in (None, one.session_id)
        ]

    def take(self, approval_id: str) -> Approval:
        """The one of that id, which nobody else can answer from now on. Raises ApprovalUnknown.

        Only whoever asked may answer: the same account, or the same key.
        """
        found = self._waiting.get(approval_id)
        if found is None or not _is_same(found.caller, current()):
            raise ApprovalUnknown(approval_id)
        del self._waiting[approval_id]
        return found

    def settle(self, approval: Approval, answer: Answer) -> None:
        """Answer one that was taken, and with it those of the same caller and tool for which the answer holds too."""
        approval.settle(answer)
        if answer not in _FOR_ALL:
            return
        for other in list(self._waiting.values()):
            is_there = answer != "chat" or other.session_id == approval.session_id
            if other.tool == approval.tool and is_there and _is_same(other.caller, approval.caller):
                self.end(other)
                other.settle(answer)


def _is_same(one: Caller, other: Caller) -> bool:
    """Whether two callers are one account, one key, or both the machine. What paddock does of its own is nobody's."""
    return one.owner is not None and _identity(one) == _identity(other)


def _identity(caller: Caller) -> tuple[str | None, str | None, str | None]:
    return caller.owner, caller.account_id, caller.key_id
