"""Shows, over thousands of arrivals on a simulated clock, that the pool's policy keeps its promises.

A policy that breaks one of them is caught.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.engine.policy import Decision, Held, Limits, Waiter, decide
from tests.unit.pool_world import WORK_S, Act, Arrival, Broken, Fate, Policy, Workload, World

MODELS = "abcde"
FATES: tuple[Fate, ...] = ("answered", "answered", "answered", "leaves", "crashes", "fails")
ACTS: tuple[Act, ...] = ("ask",) * 12 + ("pin", "unpin", "unload")  # fmt: skip

arrivals = st.builds(
    Arrival,
    gap_s=st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0, 20.0]),
    model_id=st.sampled_from(MODELS),
    act=st.sampled_from(ACTS),
    fate=st.sampled_from(FATES),
    works_s=st.floats(0.0, WORK_S),
)
limits = st.builds(
    Limits,
    memory_budget_bytes=st.integers(4, 16),
    models_most=st.integers(0, 3),
    queue_most=st.sampled_from([0, 2, 8, 64]),
    queue_patience_s=st.sampled_from([0.0, 1.0, 5.0]),
    idle_unload_s=st.sampled_from([0.0, 15.0]),
)
workloads = st.builds(
    Workload,
    sizes=st.fixed_dictionaries({model_id: st.integers(1, 8) for model_id in MODELS}),
    limits=limits,
    arrivals=st.lists(arrivals, max_size=60),
)


@settings(max_examples=300, deadline=None)
@given(workloads)
def test_no_lease_is_broken_no_budget_exceeded_nobody_starved_and_everything_ends(workload: Workload) -> None:
    World(workload=workload, policy=decide).run()


def crowd(seed: int, count: int, *, acts: tuple[Act, ...] = ACTS, patience_s: float = 5) -> Workload:
    """Many clients on five models of which two or three fit."""
    random = Random(seed)
    return Workload(
        sizes={"a": 3, "b": 4, "c": 5, "d": 6, "e": 7},
        limits=Limits(
            memory_budget_bytes=12, models_most=0, queue_most=40, queue_patience_s=patience_s, idle_unload_s=30
        ),
        arrivals=[
            Arrival(
                gap_s=random.expovariate(1.0),
                model_id=random.choice(MODELS),
                act=random.choice(acts),
                fate=random.choice(FATES),
                works_s=random.uniform(0, WORK_S),
            )
            for _ in range(count)
        ],
    )


def test_five_thousand_arrivals_of_five_models_share_room_for_two_or_three() -> None:
    world = World(workload=crowd(1, 5000), policy=decide).run()
    assert world.most_models == 3
    for end in ("answered", "left the queue", "left its answer", "told of a lost engine", "refused"):
        assert world.ends[end] > 20, world.ends


def flooded() -> Workload:
    """A flood of requests for one model, and one request for another that does not fit beside it."""
    flood = [Arrival(gap_s=0.5, model_id="a", works_s=5) for _ in range(400)]
    flood[100] = Arrival(gap_s=0.5, model_id="b")
    most = Limits(memory_budget_bytes=12, models_most=0, queue_most=400, queue_patience_s=5, idle_unload_s=30)
    return Workload(sizes={"a": 8, "b": 8}, limits=most, arrivals=flood)


def test_one_request_for_another_model_is_served_in_the_midst_of_a_flood() -> None:
    world = World(workload=FLOOD, policy=decide).run()
    assert world.ends["answered"] == 400
    assert world.longest_wait_s > 5


CROWD = crowd(2, 1000)
FLOOD = flooded()
# A request that leaves while its model loads, and one for another model.
LEFT_ALONE = replace(
    FLOOD,
    arrivals=[
        Arrival(gap_s=0, model_id="a", fate="leaves", works_s=1),
        Arrival(gap_s=2, model_id="b"),
    ],
)


def bent(
    held: Callable[[Held], Held | None] = lambda one: one,
    waiting: Callable[[list[Waiter]], list[Waiter]] = lambda waiting: waiting,
    limits: Callable[[Limits], Limits] = lambda limits: limits,
) -> Policy:
    """The policy, seeing something else than there is."""

    def policy(here: Iterable[Held], waiters: Iterable[Waiter], most: Limits, now_s: float) -> Decision:
        seen = [one for one in map(held, here) if one is not None]
        return decide(seen, waiting(list(waiters)), limits(most), now_s)

    return policy


# A policy, what is said of it, and the workload by which it is found out.
WRONG: dict[str, tuple[Policy, str, Workload]] = {
    "evicts what is leased": (bent(held=lambda one: replace(one, leases=0)), "was evicted", CROWD),
    "evicts what is pinned": (bent(held=lambda one: replace(one, is_pinned=False)), "was evicted", CROWD),
    "evicts what loads": (
        bent(held=lambda one: replace(one, state="ready" if one.state == "loading" else one.state)),
        "while it loaded", LEFT_ALONE,
    ),
    "forgets what is stopping": (
        bent(held=lambda one: None if one.state == "stopping" else one), "are taken|which is going", CROWD,
    ),
    "counts too little memory": (
        bent(held=lambda one: replace(one, memory_bytes=one.memory_bytes // 2)), "are taken", CROWD,
    ),
    "gives out what is leaving": (bent(held=lambda one: replace(one, is_leaving=False)), "which is going", CROWD),
    "knows no bound": (bent(limits=lambda most: replace(most, queue_patience_s=10**9)), "waits for", FLOOD),
    "serves the last first": (bent(waiting=lambda waiting: waiting[::-1]), "waits for", CROWD),
    "refuses what could fit": (bent(limits=lambda most: replace(most, memory_budget_bytes=6)), "was refused", CROWD),
    "never unloads": (bent(limits=lambda most: replace(most, idle_unload_s=0)), "not unloaded", FLOOD),
    "forgets who waits": (bent(waiting=lambda waiting: waiting[1:]), "waits for|wait,", CROWD),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_policy_that_breaks_a_promise_is_caught(name: str) -> None:
    policy, words, workload = WRONG[name]
    with pytest.raises(Broken, match=words):
        World(workload=workload, policy=policy).run()


def test_a_switch_that_forgets_what_it_drained_is_caught() -> None:
    """Without the bound on overtaking alone: whoever asks for a model that is there gets it, also while one is due."""

    def lets_in(here: Iterable[Held], waiters: Iterable[Waiter], most: Limits, now_s: float) -> Decision:
        held, waiting = list(here), list(waiters)
        decision = decide(held, waiting, most, now_s)
        there = {one.model_id for one in held if one.state == "ready" and not one.is_leaving} - set(decision.evicted)
        late = [one.ticket for one in waiting if one.model_id in there and one.ticket not in decision.granted]
        return replace(decision, granted=(*decision.granted, *late))

    with pytest.raises(Broken, match="waits for"):
        World(workload=FLOOD, policy=lets_in).run()
