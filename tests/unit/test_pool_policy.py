"""Tests the pool's decisions as tables: who gets a model, who has to go, who waits, who is refused; no process runs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from paddock.engine.policy import Decision, Held, Limits, Waiter, decide, is_admitted, retry_after_s

NOW_S = 100.0


def limits(budget: int = 10, **fields: Any) -> Limits:
    common: dict[str, Any] = {"models_most": 0, "queue_most": 4, "queue_patience_s": 5.0, "idle_unload_s": 0.0}
    return Limits(memory_budget_bytes=budget, **{**common, **fields})


def held(model_id: str, size: int = 4, **fields: Any) -> Held:
    common: dict[str, Any] = {"slots": 2, "state": "ready"}
    return Held(model_id=model_id, memory_bytes=size, **{**common, **fields})


def waiters(*models: str | tuple[str, int], arrived_s: float = NOW_S) -> list[Waiter]:
    """Requests with the tickets 0, 1, …; a model takes 4 unless its size is given."""
    sized = [(model, 4) if isinstance(model, str) else model for model in models]
    return [
        Waiter(ticket=ticket, model_id=model_id, memory_bytes=size, arrived_s=arrived_s)
        for ticket, (model_id, size) in enumerate(sized)
    ]


def decided(here: list[Held], waiting: list[Waiter], **fields: Any) -> Decision:
    return decide(here, waiting, limits(**fields), NOW_S)


BUSY = {"leases": 1}
LATE = {"arrived_s": NOW_S - 6}

# What is held, who waits, limits → granted, refused, evicted, drained.
TABLE: dict[str, tuple[list[Held], list[Waiter], dict[str, Any], tuple[Any, ...]]] = {
    "nothing to do": ([held("a")], [], {}, ((), (), (), ())),
    "a first model is loaded": ([], waiters("a"), {}, ((0,), (), (), ())),
    "requests for one cold model share its load": ([], waiters("a", "a"), {}, ((0, 1), (), (), ())),
    "a model that is there is given out": ([held("a")], waiters("a"), {}, ((0,), (), (), ())),
    "also while it loads": ([held("a", state="loading")], waiters("a"), {}, ((0,), (), (), ())),
    "also beyond its slots": ([held("a", leases=9)], waiters("a"), {}, ((0,), (), (), ())),
    "also where its engine crashed": ([held("a", state="down")], waiters("a"), {}, ((0,), (), (), ())),
    "models that fit together load together": ([], waiters("a", "b"), {}, ((0, 1), (), (), ())),
    "what does not fit waits for a load to end": (
        [held("a", state="loading"), held("b", state="loading")], waiters("c"), {}, ((), (), (), ()),
    ),
    "what nobody has used for longest goes": (
        [held("a", last_used_s=2), held("b", last_used_s=1)], waiters("c"), {}, ((), (), ("b",), ()),
    ),
    "an engine that crashed goes first": (
        [held("a", last_used_s=1), held("b", last_used_s=9, state="down")], waiters("c"), {}, ((), (), ("b",), ()),
    ),
    "as many go as are needed": (
        [held("a", last_used_s=1), held("b", last_used_s=2)], waiters(("c", 9)), {}, ((), (), ("a", "b"), ()),
    ),
    "room is made once for all who want one model": (
        [held("a", last_used_s=1), held("b", last_used_s=2)], waiters("c", "c"), {}, ((), (), ("a",), ()),
    ),
    "none goes in vain": (
        [held("a", 1, last_used_s=1), held("b", 8, last_used_s=2)], waiters(("c", 9)), {}, ((), (), ("b",), ()),
    ),
    "none goes where all that may go are not enough": (
        [held("a"), held("b", **BUSY)], waiters(("c", 9)), {}, ((), (), (), ()),
    ),
    "a model in use stays": ([held("a", 8, **BUSY)], waiters("b"), {}, ((), (), (), ())),
    "a model that loads stays": ([held("a", 8, state="loading")], waiters("b"), {}, ((), (), (), ())),
    "a pinned model stays": (
        [held("a", last_used_s=1, is_pinned=True), held("b", last_used_s=2)], waiters("c"), {}, ((), (), ("b",), ()),
    ),
    "what is stopping still takes its memory": ([held("a", 8, state="stopping")], waiters("b"), {}, ((), (), (), ())),
    "what becomes free is enough, so nobody else goes": (
        [held("a", 4, state="stopping"), held("b", 5)], waiters("c"), {}, ((), (), (), ()),
    ),
    "room on its way to one is not given to another": (
        [held("a", 5, state="stopping"), held("b", 2, **BUSY)], waiters(("c", 8), ("d", 3)), {}, ((), (), (), ()),
    ),
    "room beside what is on its way is": (
        [held("a", 5, state="stopping")], waiters(("c", 6), "d"), {}, ((1,), (), (), ()),
    ),
    "a model that is stopping is not started beside itself": (
        [held("a", 2, state="stopping")], waiters(("a", 2)), {}, ((), (), (), ()),
    ),
    "a request for a model that is there goes ahead of a switch": (
        [held("a", 8, **BUSY)], waiters("b", "a"), {}, ((1,), (), (), ()),
    ),
    "but not once the switch is due": ([held("a", 8, **BUSY)], waiters("b", "a", **LATE), {}, ((), (), (), ("a",))),
    "a due switch drains no more than it must": (
        [held("a", **BUSY), held("b", **BUSY, last_used_s=9)], waiters("c", "b", **LATE), {}, ((1,), (), (), ("a",)),
    ),
    "a due switch waits for all, then takes them at once": (
        [held("a", 4), held("b", 4, **BUSY)], waiters(("c", 9), **LATE), {}, ((), (), (), ("a", "b")),
    ),
    "a drained model stays the one to go": (
        [held("a", 4, **BUSY, last_used_s=9, is_draining=True), held("b", 4, **BUSY)],
        waiters("c", **LATE), {}, ((), (), (), ("a",)),
    ),
    "a due switch drains a model that loads, and does not stop it": (
        [held("a", 8, state="loading")], waiters("b", **LATE), {}, ((), (), (), ("a",)),
    ),
    "behind a due switch nothing takes its room": (
        [held("a", 6, **BUSY)], waiters(("b", 8), "c", **LATE), {}, ((), (), (), ("a",)),
    ),
    "behind a due switch what fits beside it is loaded": (
        [held("a", 5, **BUSY)], waiters(("b", 6), ("c", 3), **LATE), {}, ((1,), (), (), ("a",)),
    ),
    "a due switch of many requests drains for one": (
        [held("a", 5, **BUSY), held("b", 5, **BUSY)], waiters("c", "c", **LATE), {}, ((), (), (), ("a",)),
    ),
    "two switches are due at once": (
        [held("a", 5, **BUSY), held("b", 5, **BUSY)], waiters(("c", 5), ("d", 5), **LATE), {}, ((), (), (), ("a", "b")),
    ),
    "larger than the budget": ([held("a")], waiters(("b", 11), "a"), {}, ((1,), (0,), (), ())),
    "larger than what pinned models leave": (
        [held("a", 8, is_pinned=True)], waiters(("b", 3)), {}, ((), (0,), (), ()),
    ),
    "places are counted as memory is": (
        [held("a", 1)], waiters(("b", 1)), {"models_most": 1}, ((), (), ("a",), ()),
    ),
    "a place is free when its process is gone": (
        [held("a", 1, state="stopping")], waiters(("b", 1)), {"models_most": 1}, ((), (), (), ()),
    ),
    "all places are pinned": (
        [held("a", 1, is_pinned=True)], waiters(("b", 1)), {"models_most": 1}, ((), (0,), (), ()),
    ),
    "a model that was told to leave gets no request": (
        [held("a", is_leaving=True, **BUSY)], waiters("a"), {}, ((), (), (), ()),
    ),
    "and leaves when nobody uses it, also while it loads": (
        [held("a", is_leaving=True, state="loading")], waiters("a"), {}, ((), (), ("a",), ()),
    ),
    "idle for too long": (
        [held("a", last_used_s=89), held("b", last_used_s=91)], [], {"idle_unload_s": 10}, ((), (), ("a",), ()),
    ),
    "pinned, used, loading and asked for are not idle": (
        [
            held("a", 1, is_pinned=True), held("b", 1, **BUSY), held("c", 1, state="loading"), held("d", 1),
        ],
        waiters("d"), {"idle_unload_s": 10}, ((0,), (), (), ()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_what_is_done(name: str) -> None:
    here, waiting, fields, (granted, refused, evicted, draining) = TABLE[name]
    decision = decided(here, waiting, **fields)
    assert (decision.granted, decision.refused) == (granted, refused)
    assert decision.evicted == evicted
    assert decision.draining == frozenset(draining)


def test_who_goes_for_idleness_is_told_apart_from_who_goes_for_room() -> None:
    here = [held("a", 2, last_used_s=NOW_S - 11), held("b", 6, last_used_s=NOW_S - 3)]
    assert decided(here, waiters(("c", 6)), idle_unload_s=10).evicted == ("b", "a")
    assert decided(here, waiters(("c", 6)), idle_unload_s=10).idle == ("a",)


def test_a_decision_is_due_when_a_request_has_waited_long_enough() -> None:
    assert decided([held("a", 8, **BUSY)], waiters("b", arrived_s=NOW_S - 1)).next_s == NOW_S + 4
    assert decided([held("a", 8, **BUSY)], waiters("b", **LATE)).next_s == math.inf


def test_a_decision_is_due_when_a_model_has_been_idle_long_enough() -> None:
    here = [held("a", last_used_s=NOW_S - 1), held("b", last_used_s=NOW_S - 3)]
    assert decided(here, [], idle_unload_s=10).next_s == NOW_S + 7
    assert decided(here, []).next_s == math.inf


def test_without_patience_a_switch_is_due_at_once() -> None:
    decision = decided([held("a", 8, **BUSY)], waiters("b", "a"), queue_patience_s=0)
    assert (decision.granted, decision.draining) == ((), {"a"})


# What is held, who waits already, what the newcomer asks for → whether it may come.
ADMISSION: dict[str, tuple[list[Held], list[Waiter], str, bool]] = {
    "an idle slot": ([held("a")], [], "a", True),
    "a few wait": ([held("a", leases=5)], [], "a", True),
    "as many wait as may": ([held("a", leases=6)], [], "a", False),
    "those without a model are counted too": ([held("a", 8, leases=4)], waiters("b", "b"), "b", False),
    "a full queue keeps nobody from a free slot": ([held("a", leases=6), held("b")], [], "b", True),
    "nor from a model that can be loaded now": ([held("a", leases=6)], [], "b", True),
    "but from one whose room is still to be made": ([held("a", leases=6), held("b")], [], "c", False),
}


@pytest.mark.parametrize("name", ADMISSION)
def test_who_may_come(name: str) -> None:
    here, waiting, model_id, may_come = ADMISSION[name]
    newcomer = Waiter(ticket=99, model_id=model_id, memory_bytes=4, arrived_s=NOW_S)
    assert is_admitted(here, waiting, newcomer, limits(), NOW_S) is may_come


def test_a_queue_of_none_lets_in_what_is_served_at_once() -> None:
    newcomer = Waiter(ticket=99, model_id="a", memory_bytes=4, arrived_s=NOW_S)
    none = limits(queue_most=0)
    assert is_admitted([held("a", leases=1)], [], newcomer, none, NOW_S)
    assert not is_admitted([held("a", leases=2)], [], newcomer, none, NOW_S)


# What is held, how many wait in the queue, what the last answers took → the seconds after which to come again.
AGAIN: dict[str, tuple[list[Held], int, list[float], int]] = {
    "nothing was answered yet": ([held("a", leases=2)], 9, [], 5),
    "those before are served one after another": ([held("a", slots=1, leases=1)], 4, [2.5], 10),
    "or side by side": ([held("a", slots=4, leases=4)], 8, [2.5], 5),
    "by as many as work, of all models": ([held("a", leases=2), held("b", leases=2), held("c")], 8, [2.5], 5),
    "those count that wait in the engine": ([held("a", leases=7)], 0, [2.0], 5),
    "one long answer among many does not count": ([held("a", leases=2)], 4, [1.0, 1.0, 600.0], 2),
    "at least a second": ([held("a", leases=2)], 4, [0.001], 1),
    "at most a minute": ([held("a", leases=2)], 48, [600.0], 60),
    "nobody works while a model is loaded": ([held("a", state="loading")], 3, [2.0], 6),
}


@pytest.mark.parametrize("name", AGAIN)
def test_when_to_come_again_follows_from_who_waits_and_what_answers_take(name: str) -> None:
    here, count, served_s, seconds = AGAIN[name]
    assert retry_after_s(here, waiters(*["b"] * count), served_s) == seconds
