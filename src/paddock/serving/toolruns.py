"""Owns carrying out the calls of one message by the server's own tools; refuses to know which tools those are."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from paddock.protocol.turns import Call, Leave, Outcome

Json = dict[str, Any]
Tell = Callable[[Json], Awaitable[None]]


class Toolbox(Protocol):
    """The tools that one message may use. Whatever goes wrong in one is an outcome, never raised."""

    def offered(self) -> list[Json]:
        """Their definitions, in chat form."""
        ...

    def changes_things(self, name: str) -> bool:
        """Whether a call of it may make an earlier call of some tool come out otherwise."""
        ...

    def at_work(self) -> AbstractAsyncContextManager[None]:
        """The length of the message, in which calls can be carried out."""
        ...

    async def leave(self, name: str, arguments: str, ask: Tell) -> Leave:
        """Whether a call may be carried out. `ask` takes what is told of it while a person is asked."""
        ...

    def note(self, name: str, arguments: str, how: str, outcome: str, duration_s: float) -> None:
        """A call has ended: by what it was let or not, what became of it, and how long it took."""
        ...

    async def call(self, name: str, arguments: str, tell: Callable[[str], Awaitable[None]]) -> Outcome:
        """Carry one out. `tell` takes what it prints as it comes."""
        ...


@dataclass(frozen=True, kw_only=True)
class ToolUse:
    """How one message may use the server's tools.

    `own` are the names of the client's tools: their calls are the client's to carry out. Of the server's, `calls_most`
    are carried out; further ones are refused, with words for the model.
    """

    toolbox: Toolbox
    own: frozenset[str]
    calls_most: int
    call_timeout_s: float


@dataclass(kw_only=True)
class ToolRuns:
    """The calls of one message."""

    use: ToolUse
    begun: int = 0
    _changes: int = 0
    _known: dict[str, Outcome] = field(default_factory=dict[str, Outcome])

    @property
    def is_spent(self) -> bool:
        """Whether no further call will be carried out."""
        return self.begun >= self.use.calls_most

    async def carry_out(self, calls: Sequence[Call], tell: Tell) -> list[tuple[Call, Outcome, Json]]:
        """Carry out the calls of a turn, side by side; (call, what came of it, how that was told), in their order.

        What was asked before, with the same arguments and nothing changed since, is answered from then.
        """
        done: dict[int, tuple[Outcome, Json]] = {}
        # A call that changes things makes known answers be forgotten, also while a call of this turn waits for one.
        shared: dict[str, tuple[int, anyio.Event]] = {}

        async def one(place: int, call: Call) -> None:
            key = _key(call)
            if key in shared:
                first, ended = shared[key]
                await ended.wait()
                done[place] = await self._again(call, done[first][0], tell)
            elif key in self._known:
                done[place] = await self._again(call, self._known[key], tell)
            else:
                _, ended = shared[key] = place, anyio.Event()
                try:
                    done[place] = await self._first(call, key, tell)
                finally:
                    ended.set()

        async with anyio.create_task_group() as group:
            for place, call in enumerate(calls):
                group.start_soon(one, place, call)
        return [(call, *done[place]) for place, call in enumerate(calls)]

    async def _again(self, call: Call, outcome: Outcome, tell: Tell) -> tuple[Outcome, Json]:
        self.begun += 1
        await tell(_begun(call))
        event = {**_ended(call, outcome, 0.0), "is_repeated": True}
        await tell(event)
        return outcome, event

    async def _first(self, call: Call, key: str, tell: Tell) -> tuple[Outcome, Json]:
        await tell(_begun(call))
        took_s, before = 0.0, self._changes
        if self.is_spent:
            spent = f"a message may make {self.use.calls_most} calls, and has"
            outcome = Outcome(text=f"Not carried out: {spent}. Answer with what is known.", is_error=True)
        else:
            self.begun += 1
            outcome, took_s = await self._let(call, tell)
        # What was read while another call changed things may be what was there before.
        if self._changes - before <= self.use.toolbox.changes_things(call.name):
            self._known[key] = outcome
        event = _ended(call, outcome, took_s)
        await tell(event)
        return outcome, event

    async def _let(self, call: Call, tell: Tell) -> tuple[Outcome, float]:
        """A call carried out if it may be, and how long that took; what becomes of it is noted, whatever that is."""
        toolbox, arguments = self.use.toolbox, call.arguments or "{}"

        async def ask(event: Json) -> None:
            await tell({"id": call.call_id, "name": call.name, "arguments": arguments, **event})

        leave, what, began_s, took_s = Leave(how="ask"), "cancelled", time.monotonic(), 0.0
        try:
            leave = await toolbox.leave(call.name, arguments, ask)
            if leave.refusal:
                outcome, what = Outcome(text=leave.refusal, is_error=True), "refused"
            else:
                began_s = time.monotonic()
                outcome, what = await self._bounded(call, tell)
                took_s = time.monotonic() - began_s
                if toolbox.changes_things(call.name):
                    self._changes += 1
                    self._known.clear()
        finally:
            took_s = took_s or (0.0 if leave.refusal else time.monotonic() - began_s)
            toolbox.note(call.name, arguments, leave.how, what, took_s)
        return outcome, took_s

    async def _bounded(self, call: Call, tell: Tell) -> tuple[Outcome, str]:
        async def printed(text: str) -> None:
            await tell({"id": call.call_id, "name": call.name, "state": "output", "output": text})

        with anyio.move_on_after(self.use.call_timeout_s):
            outcome = await self.use.toolbox.call(call.name, call.arguments or "{}", printed)
            return outcome, "failed" if outcome.is_error else "done"
        took = f"{call.name} took longer than {self.use.call_timeout_s:g} s and was stopped"
        return Outcome(text=f"Error: {took}.", is_error=True), "too long"

    async def leave_out(self, calls: Sequence[Call], tell: Tell) -> list[Json]:
        """Tell of calls that are not carried out, since the same turn called what is the client's; how it was told."""
        why = "the same turn called a tool of the client's, which ends the answer. Call it again if it is still needed."
        outcome = Outcome(text=f"Not carried out: {why}", is_error=True)
        told: list[Json] = []
        for call in calls:
            await tell(_begun(call))
            told.append(_ended(call, outcome, 0.0))
            await tell(told[-1])
        return told


def _key(call: Call) -> str:
    """What two calls share that ask for the same, however their arguments are written."""
    try:
        arguments = json.dumps(json.loads(call.arguments or "{}"), sort_keys=True)
    except (ValueError, RecursionError):
        arguments = call.arguments
    return f"{call.name}\0{arguments}"


def _begun(call: Call) -> Json:
    return {"id": call.call_id, "name": call.name, "state": "running", "arguments": call.arguments or "{}"}


def _ended(call: Call, outcome: Outcome, duration_s: float) -> Json:
    files = {"files": list(outcome.files)} if outcome.files else {}
    state = "failed" if outcome.is_error else "done"
    told = {"output": outcome.text, "duration_s": round(duration_s, 3)}
    return {"id": call.call_id, "name": call.name, "state": state, "arguments": call.arguments or "{}", **told, **files}
