"""Tests carrying out the calls of one message: side by side, bounded, remembered, ended with their message."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from paddock.protocol.turns import Call, Leave, Outcome
from paddock.serving.toolruns import ToolRuns, ToolUse

pytestmark = pytest.mark.anyio
Json = dict[str, Any]


class Shelf:
    """A toolbox whose tools wait, print and count."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.ended: list[str] = []
        self.noted: list[tuple[str, str, str]] = []
        self.all_here = anyio.Event()

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        yield

    async def leave(self, name: str, arguments: str, ask: Callable[[Json], Awaitable[None]]) -> Leave:
        if name == "wait":
            await ask({"state": "asking"})
            await anyio.sleep_forever()
        return Leave(how="no", refusal="Not carried out.") if name == "refused" else Leave(how="usual")

    def note(self, name: str, arguments: str, how: str, outcome: str, duration_s: float) -> None:
        self.noted.append((name, how, outcome))

    def offered(self) -> list[Json]:
        return []

    def changes_things(self, name: str) -> bool:
        return name == "write"

    async def call(self, name: str, arguments: str, tell: Callable[[str], Awaitable[None]]) -> Outcome:
        self.calls.append(name)
        try:
            if name == "hang":
                await anyio.sleep_forever()
            if name == "meet":
                if self.calls.count("meet") == 2:
                    self.all_here.set()
                await self.all_here.wait()
            if name == "print":
                await tell("half")
                await tell(" and half")
        finally:
            self.ended.append(name)
        return Outcome(text=f"{name} {len(self.calls)}")


def runs(shelf: Shelf, *, most: int = 9, timeout_s: float = 60.0) -> ToolRuns:
    return ToolRuns(use=ToolUse(toolbox=shelf, own=frozenset(), calls_most=most, call_timeout_s=timeout_s))


def call(name: str, arguments: str = "{}", call_id: str = "c") -> Call:
    return Call(call_id=call_id, name=name, arguments=arguments)


async def carried(one: ToolRuns, *calls: Call) -> tuple[list[str], list[Json]]:
    told: list[Json] = []

    async def tell(event: Json) -> None:
        told.append(event)

    ended = await one.carry_out(calls, tell)
    return [outcome.text for _, outcome, _ in ended], told


async def test_calls_of_a_turn_are_at_work_at_once() -> None:
    with anyio.fail_after(10):
        texts, _ = await carried(runs(Shelf()), call("meet", '{"a": 1}'), call("meet", '{"a": 2}'))
    assert len(texts) == 2


async def test_two_of_one_turn_that_ask_for_the_same_are_one() -> None:
    shelf = Shelf()
    texts, told = await carried(runs(shelf), call("read", '{"a":1}', "x"), call("read", '{ "a": 1 }', "y"))
    assert (shelf.calls, texts) == (["read"], ["read 1", "read 1"])
    assert [one.get("is_repeated", False) for one in told if one["state"] == "done"] == [False, True]


async def test_two_that_ask_for_the_same_are_one_while_another_changes_things() -> None:
    read, written = anyio.Event(), anyio.Event()

    class Slow(Shelf):
        async def call(self, name: str, arguments: str, tell: Callable[[str], Awaitable[None]]) -> Outcome:
            if name == "write":
                await read.wait()
            return await super().call(name, arguments, tell)

    async def tell(event: Json) -> None:
        # Between the end of the first and its being told, the other changes things.
        if event["state"] == "done" and event["name"] == "write":
            written.set()
        elif event["state"] == "done":
            read.set()
            await written.wait()

    with anyio.fail_after(10):
        ended = await runs(Slow()).carry_out([call("read"), call("read", call_id="d"), call("write")], tell)
    assert [outcome.text for _, outcome, _ in ended] == ["read 1", "read 1", "write 2"]


async def test_what_may_have_changed_is_asked_anew() -> None:
    shelf = Shelf()
    told: list[str] = []
    one = runs(shelf)
    for name in ("read", "read", "write", "read"):
        told += (await carried(one, call(name)))[0]
    assert told == ["read 1", "read 1", "write 2", "read 3"]


async def test_what_was_read_while_another_changed_things_is_no_answer_later() -> None:
    changed = anyio.Event()

    class Slow(Shelf):
        async def call(self, name: str, arguments: str, tell: Callable[[str], Awaitable[None]]) -> Outcome:
            outcome = await super().call(name, arguments, tell)
            if name == "read" and not changed.is_set():
                await changed.wait()
            return outcome

    async def tell(event: Json) -> None:
        if event["state"] == "done" and event["name"] == "write":
            changed.set()

    one = runs(shelf := Slow())
    with anyio.fail_after(10):
        await one.carry_out([call("read", call_id="r"), call("write", call_id="w")], tell)
        await carried(one, call("read"), call("write"))
    # What changed things is still answered from the first.
    assert shelf.calls.count("read") == 2
    assert shelf.calls.count("write") == 1


async def test_one_that_hangs_is_stopped_and_told() -> None:
    shelf = Shelf()
    texts, told = await carried(runs(shelf, timeout_s=0.05), call("hang"), call("read"))
    assert texts[0] == "Error: hang took longer than 0.05 s and was stopped."
    assert shelf.ended.count("hang") == 1
    assert [one["state"] for one in told if one["name"] == "hang"] == ["running", "failed"]


async def test_what_is_printed_is_told_as_it_comes() -> None:
    _, told = await carried(runs(Shelf()), call("print"))
    assert [one.get("output") for one in told] == [None, "half", " and half", "print 1"]


async def test_a_cancelled_message_ends_what_is_at_work() -> None:
    shelf = Shelf()
    async with anyio.create_task_group() as group:
        group.start_soon(carried, runs(shelf), call("hang"))
        while not shelf.calls:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert shelf.ended == ["hang"]


async def test_none_is_carried_out_past_the_most() -> None:
    shelf = Shelf()
    texts, _ = await carried(runs(shelf, most=0), call("read"))
    assert texts == ["Not carried out: a message may make 0 calls, and has. Answer with what is known."]
    assert shelf.calls == []


async def test_a_refused_call_is_not_carried_out_and_each_is_noted_with_what_became_of_it() -> None:
    shelf = Shelf()
    texts, told = await carried(
        runs(shelf, timeout_s=0.05), call("refused"), call("print"), call("hang"), call("refused", "{ }")
    )
    assert texts[0] == texts[3] == "Not carried out."
    assert "refused" not in shelf.calls
    assert [one.get("is_repeated", False) for one in told if one["state"] == "failed" and one["name"] == "refused"] == [
        False, True,
    ]  # fmt: skip
    assert sorted(shelf.noted) == [
        ("hang", "usual", "too long"), ("print", "usual", "done"), ("refused", "no", "refused"),
    ]  # fmt: skip


async def test_a_call_that_waits_for_leave_ends_with_its_message_and_is_noted() -> None:
    shelf = Shelf()
    with anyio.move_on_after(0.05):
        await carried(runs(shelf, timeout_s=0.01), call("wait"))
    assert (shelf.noted, shelf.calls) == ([("wait", "ask", "cancelled")], [])
