"""Owns a message that the server's own tools help to answer: turn after turn, until the model has said its last word.

Each turn is an exchange as any other, with its own place in the queue, so that a tool that takes long holds no engine.
Its bytes reach the client through the dialect's passage as they come; what it calls is carried out here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock.errors import EngineUnreachable, PaddockError
from paddock.protocol import turns
from paddock.protocol.shape import is_broken_json
from paddock.protocol.turns import Call, Outcome, Turn
from paddock.serving.accounts import Account
from paddock.serving.passage import Passage
from paddock.serving.prepare import Prepared
from paddock.serving.relay import Dialect
from paddock.serving.toolruns import ToolRuns, ToolUse
from paddock.serving.wire import Wire

Json = dict[str, Any]
Ended = Sequence[tuple[Call, Outcome, Json]]
# Makes the exchange of one turn, for a chat body; its passage gets the engine's stream.
NextTurn = Callable[[Json, Dialect, Passage], Awaitable[ASGIApp]]


class ToolLoop:
    """One message's way through its turns. Call it as an ASGI application, once.

    Args:
        prepared: the message's request, the tools in it.
        use: how it may use the server's tools.
        next_turn: makes the exchange of a turn.
        dialect, passage, keepalive_s: as for a `Relay`.
    """

    def __init__(
        self,
        prepared: Prepared,
        use: ToolUse,
        *,
        next_turn: NextTurn,
        dialect: Dialect,
        passage: Passage,
        keepalive_s: float,
    ) -> None:
        self._body: Json = prepared.received or prepared.body
        self._streamed = prepared.streamed
        self._wants_usage = prepared.wants_usage
        self._use = use
        self._next_turn = next_turn
        self._dialect = dialect
        self._passage = passage
        self._keepalive_s = keepalive_s
        self._runs = ToolRuns(use=use)
        self._turns: list[Turn] = []
        self._told: list[list[Json]] = []
        self._ids: set[str] = set()
        self._order = anyio.Lock()
        self._wire: Wire
        self._account: Account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the client; return when its last byte is handed over or when it has left."""
        self._account = scope["paddock.account"] = Account(scope.get("paddock.began_s") or time.perf_counter())
        self._wire = Wire(send=send, headers=[], opens_s=0.0, passage=self._passage)
        async with anyio.create_task_group() as group:

            async def until_left() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                self._wire.has_left = True
                group.cancel_scope.cancel()

            group.start_soon(until_left)
            try:
                async with self._use.toolbox.at_work():
                    await self._answer(scope)
            except PaddockError as error:
                self._account.error = type(error).__name__
                await self._refuse(error)
            group.cancel_scope.cancel()

    async def _answer(self, scope: Scope) -> None:
        body = self._body
        while True:
            turn = await self._one_turn(scope, body)
            calls: Sequence[Call] = [] if _was_cut(turn) else self._named(turn.calls)
            own = [call for call in calls if call.name in self._use.own]
            if own or not calls or turn.error or body.get("tool_choice") == "none":
                if own:
                    await self._leave_out(turn, [call for call in calls if call not in own])
                await self._end(turn, own)
                return
            outcomes = await self._carried_out(turn, calls)
            results = [_result(call, outcome) for call, outcome in outcomes]
            body = {**body, "messages": [*body["messages"], turn.message(calls), *results]}
            # A choice that was forced is made.
            body["tool_choice"] = "none" if self._runs.is_spent else "auto"

    def _named(self, calls: Sequence[Call]) -> Sequence[Call]:
        """The calls, each with an id that no other call of the message has."""
        for place, call in enumerate(calls):
            if not call.call_id or call.call_id in self._ids:
                call.call_id = f"call_{len(self._turns)}_{place}"
            self._ids.add(call.call_id)
        return calls

    async def _one_turn(self, scope: Scope, body: Json) -> Turn:
        """Have the model go on, and hand on what it says. Raises what the exchange would have told its client."""
        is_first = not self._turns
        gap = "" if self._passage.keeps_turns else turns.gap_after(self._turns)
        turn = Turn(head={} if is_first else self._turns[-1].head, gap=gap)
        self._turns.append(turn)
        self._told.append([])
        caught: list[BaseException] = []
        exchange = await self._next_turn(
            {**body, "stream": True, "stream_options": {"include_usage": True}},
            _catching(caught),
            _TurnPassage(self._passage, turn, is_quiet=not self._streamed),
        )
        inner: dict[str, Any] = {**scope}

        async def handed_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                if is_first:
                    self._wire.headers += [pair for pair in message["headers"] if pair[0].startswith(b"x-paddock-")]
                if message["status"] == 200 and self._streamed and not self._wire.is_open:
                    await self._wire.begin(200, [pair for pair in message["headers"] if pair not in self._wire.headers])
            elif self._streamed and not caught and message.get("body"):
                async with self._order:
                    await self._wire.write(message["body"])

        await exchange(inner, _never_left, handed_on)
        if account := inner.get("paddock.account"):
            self._account.spent.add(account.spent)
            self._account.first_s = self._account.first_s or account.first_s
        if caught:
            raise caught[0]
        return turn

    async def _carried_out(self, turn: Turn, calls: Sequence[Call]) -> list[tuple[Call, Outcome]]:
        """The calls of a turn carried out, and told of; the client sees that something goes on meanwhile."""
        names = ", ".join(dict.fromkeys(call.name for call in calls))[:200]

        async def alive() -> None:
            while True:
                await anyio.sleep(self._keepalive_s)
                if time.monotonic() - self._wire.written_s >= self._keepalive_s:
                    await self._write(self._passage.life(f"running {names}"))

        ended: Ended = []
        async with anyio.create_task_group() as group:
            if self._streamed:
                group.start_soon(alive)
            ended = await self._runs.carry_out(calls, self._teller(turn))
            group.cancel_scope.cancel()
        self._told[-1] = [event for _, _, event in ended]
        return [(call, outcome) for call, outcome, _ in ended]

    async def _leave_out(self, turn: Turn, calls: Sequence[Call]) -> None:
        """Of a turn that called the client's tools too: what was asked of the server's, told as not carried out."""
        self._told[-1] = await self._runs.leave_out(calls, self._teller(turn))

    def _teller(self, turn: Turn) -> Callable[[Json], Awaitable[None]]:
        async def tell(event: Json) -> None:
            await self._feed(turns.tool_frame(turn.head, event))

        return tell

    async def _end(self, turn: Turn, own: Sequence[Call]) -> None:
        """The answer's end, or all of it where it is told whole."""
        totals = turns.totals_of(self._turns)
        if not self._streamed:
            if turn.error:
                said = str(turn.error.get("message") or "it failed")[:500]
                raise EngineUnreachable(f"The engine broke the answer off: {said}")
            answer = json.dumps(turns.whole(self._turns, self._told, own), ensure_ascii=False)
            body = self._passage.whole(answer.encode("utf-8", "replace"))
            await self._wire.whole(200, b"application/json", body)
        elif turn.error:
            await self._wire.write(self._passage.fail(turn.error), more=False)
        else:
            data = self._passage.feed(turns.ending(turn, own, totals, wants_usage=self._wants_usage))
            await self._wire.write(data + self._passage.finish(), more=False)

    async def _feed(self, data: bytes) -> None:
        if self._streamed:
            async with self._order:
                if out := self._passage.feed(data):
                    await self._wire.write(out)

    async def _write(self, data: bytes) -> None:
        async with self._order:
            await self._wire.write(data)

    async def _refuse(self, error: PaddockError) -> None:
        if self._wire.is_open:
            await self._wire.write(self._passage.fail(self._dialect.describe(error)), more=False)
            return
        self._wire.headers += [(name.encode(), value.encode()) for name, value in self._dialect.headers(error).items()]
        status, body = self._dialect.refuse(error)
        await self._wire.whole(status, b"application/json", body)


class _TurnPassage:
    """One turn's bytes on their way to the answer's passage, which it opens once and never ends."""

    def __init__(self, outer: Passage, turn: Turn, *, is_quiet: bool) -> None:
        self._outer = outer
        self._turn = turn
        self._is_quiet = is_quiet
        self._is_first = not turn.head
        self.content_type = outer.content_type
        self.keeps_turns = outer.keeps_turns

    def opening(self) -> bytes:
        """What the answer's dialect opens with, before its first turn."""
        return self._outer.opening() if self._is_first and not self._is_quiet else b""

    def life(self, note: str) -> bytes:
        """As the answer's."""
        return b"" if self._is_quiet else self._outer.life(note)

    def feed(self, data: bytes) -> bytes:
        """What of the turn goes on."""
        return self._on(self._turn.feed(data))

    def finish(self) -> bytes:
        """What is left of the turn; the answer goes on."""
        return self._on(self._turn.finish())

    def fail(self, error: dict[str, Any]) -> bytes:
        """Nothing: the loop tells of it."""
        return b""

    def whole(self, body: bytes) -> bytes:
        """A turn always comes as a stream."""
        return body

    def _on(self, data: bytes) -> bytes:
        return self._outer.feed(data) if data and not self._is_quiet else b""


def _catching(caught: list[BaseException]) -> Dialect:
    """A dialect in which an error is told to nobody but the loop."""

    def refuse(error: BaseException) -> tuple[int, bytes]:
        caught.append(error)
        return 500, b""

    def describe(error: BaseException) -> dict[str, Any]:
        caught.append(error)
        return {}

    return Dialect(refuse=refuse, describe=describe, headers=lambda error: {})


async def _never_left() -> Message:
    """The loop watches its client, and ends a turn with all else."""
    await anyio.sleep_forever()
    raise AssertionError


def _was_cut(turn: Turn) -> bool:
    """Whether the token limit ended a turn. What is written wrongly is taken for cut by who sees its bytes alone."""
    return turn.reason == "length" and not any(is_broken_json(call.arguments) for call in turn.calls)


def _result(call: Call, outcome: Outcome) -> Json:
    return {"role": "tool", "tool_call_id": call.call_id, "content": outcome.text or "(nothing)"}
