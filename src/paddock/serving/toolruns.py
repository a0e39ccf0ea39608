"""Owns carrying out the calls of one message by the server's own tools; refuses to know which tools those are."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from paddock.protocol.turns import Call, Outcome

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
        began_s = time.monotonic()
        if self.is_spent:
            spent = f"a message may make {self.use.calls_most} calls, and has"
            outcome = Outcome(text=f"Not carried out: {spent}. Answer with what is known.", is_error=True)
        else:
            self.begun += 1
            outcome = await self._bounded(call, tell)
            if self.use.toolbox.changes_things(call.name):
                self._known.clear()
        self._known[key] = outcome
        event = _ended(call, outcome, time.monotonic() - began_s)
        await tell(event)
        return outcome, event

    async def _bounded(self, call: Call, tell: Tell) -> Outcome:
        async def printed(text: str) -> None:
            await tell({"id": call.call_id, "name": call.name, "state": "output", "output": text})

        with anyio.move_on_after(self.use.call_timeout_s):
            return await self.use.toolbox.call(call.name, call.arguments or "{}", printed)
        took = f"{call.name} took longer than {self.use.call_timeout_s:g} s and was stopped"
        return Outcome(text=f"Error: {took}.", is_error=True)


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
