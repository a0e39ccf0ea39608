"""Tests how the pool carries decisions out, as far as no engine has to run: first need, refusals, failures, the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from paddock.engine.flags import EngineFlags
from paddock.engine.plan import EnginePlan
from paddock.engine.policy import Limits
from paddock.engine.pool import Pool
from paddock.engine.resident import Resident
from paddock.errors import (
    EngineFailedToStart,
    EngineUnavailable,
    ModelTooLarge,
    ModelUnknown,
    ModelUnloaded,
    PaddockError,
    TooBusy,
)

pytestmark = pytest.mark.anyio

# A program that the system cannot start: what follows is decided without a process.
MISSING = ("/nowhere/of/jane/no-such-engine",)


# What each model takes of a budget of 10 bytes.
SIZES = {"a": 6, "b": 6, "small": 2, "large": 11}


@dataclass(kw_only=True)
class Bench:
    """A pool and what it asked for."""

    pool: Pool
    asked: list[str] = field(default_factory=list[str])

    async def failure(self, model_id: str) -> PaddockError:
        """Why there is no lease."""
        with pytest.raises(PaddockError) as caught:
            async with self.pool.lease(model_id):
                raise AssertionError("a lease without an engine")
        return caught.value

    def resident(self, model_id: str) -> Resident:
        return self.pool.residents[model_id]


@asynccontextmanager
async def bench(queue_most: int = 8, queue_patience_s: float = 5) -> AsyncGenerator[Bench]:
    def plan_for(model_id: str) -> EnginePlan:
        asked.append(model_id)
        if model_id == "unknown":
            raise ModelUnknown(model_id, known=["a", "b"])
        flags = EngineFlags(model_path="m", alias=model_id, context_tokens=1, slots=1, batch_tokens=1, ubatch_tokens=1)
        return EnginePlan(flags=flags, memory_bytes=SIZES[model_id])

    limits = Limits(
        memory_budget_bytes=10, models_most=0, queue_most=queue_most, queue_patience_s=queue_patience_s, idle_unload_s=0
    )
    asked: list[str] = []
    async with anyio.create_task_group() as tasks:
        pool = Pool(plan_for=plan_for, limits=lambda: limits, tasks=tasks, load_timeout_s=5, program=MISSING)
        try:
            yield Bench(pool=pool, asked=asked)
        finally:
            await pool.close()


async def test_nothing_is_loaded_before_the_first_need() -> None:
    async with bench() as it:
        assert (dict(it.pool.residents), it.pool.waiting, it.asked) == ({}, [], [])
        assert it.pool.ready("a") is None


async def test_a_model_that_is_unknown_is_told_and_changes_nothing() -> None:
    async with bench() as it:
        assert isinstance(await it.failure("unknown"), ModelUnknown)
        assert not it.pool.residents
        await it.failure("a")
        resident = it.resident("a")
        assert isinstance(await it.failure("unknown"), ModelUnknown)
        assert it.resident("a") is resident
        assert it.asked == ["unknown", "a", "unknown"]


async def test_an_engine_that_cannot_be_started_is_told_without_the_folder_it_is_in() -> None:
    async with bench() as it:
        error = await it.failure("a")
        assert isinstance(error, EngineFailedToStart)
        assert "'a'" in error.message
        assert "no-such-engine cannot be started" in error.message
        assert "jane" not in error.message
        resident = it.resident("a")
        assert (resident.engine.state, resident.engine.pid, resident.engine.port) == ("failed", None, None)
        assert (resident.leases, resident.state) == (0, "down")
        assert it.pool.ready("a") is None


async def test_an_engine_that_cannot_be_started_is_not_called_a_silent_one() -> None:
    async with bench() as it:
        error = await it.failure("a")
        assert isinstance(error, EngineFailedToStart)
        assert error.kind != "silent"
        assert "in time" not in error.message


async def test_a_failed_engine_is_not_started_again_at_once() -> None:
    async with bench() as it:
        first = await it.failure("a")
        engine = it.resident("a").engine
        ended = engine.last_exit
        assert ended
        second = await it.failure("a")
        assert second.message == first.message
        assert it.resident("a").engine is engine
        assert engine.last_exit is ended


async def test_requests_for_one_model_share_one_engine() -> None:
    async with bench() as it:
        failures: list[PaddockError] = []
        engines: set[int] = set()

        async def one() -> None:
            failures.append(await it.failure("a"))
            engines.add(id(it.resident("a").engine))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
        assert [type(failure) for failure in failures] == [EngineFailedToStart] * 5
        assert len(engines) == 1
        assert it.resident("a").leases == 0


async def test_another_model_takes_the_place_of_one_that_nobody_uses() -> None:
    async with bench() as it:
        await it.failure("a")
        first = it.resident("a").engine
        await it.failure("b")
        assert list(it.pool.residents) == ["b"]
        assert (first.state, first.is_gone) == ("stopped", True)
        await it.failure("a")
        assert it.asked == ["a", "b", "a"]


async def test_models_that_fit_together_stay_together() -> None:
    async with bench() as it:
        await it.failure("a")
        await it.failure("small")
        assert list(it.pool.residents) == ["a", "small"]


async def test_requests_for_two_models_take_turns_and_none_waits_for_ever() -> None:
    async with bench() as it:
        told: list[str] = []

        async def one(model_id: str) -> None:
            told.append((await it.failure(model_id)).message)

        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                for model_id in ("a", "b", "a", "b"):
                    group.start_soon(one, model_id)
        assert len(told) == 4
        assert not it.pool.waiting


async def test_a_model_that_can_never_fit_is_refused_at_once_with_both_numbers() -> None:
    async with bench() as it:
        error = await it.failure("large")
        assert isinstance(error, ModelTooLarge)
        assert (error.need_bytes, error.budget_bytes) == (11, 10)
        assert "'large'" in error.message
        assert "memory_budget_bytes" in error.message
        assert not it.pool.residents


async def test_a_model_that_does_not_fit_beside_pinned_ones_is_told_of_them() -> None:
    async with bench() as it:
        await it.failure("a")
        it.resident("a").is_pinned = True
        error = await it.failure("b")
        assert isinstance(error, ModelTooLarge)
        assert "a is pinned" in error.message
        it.pool.unpin("a")
        assert isinstance(await it.failure("b"), EngineFailedToStart)


async def test_what_waits_is_refused_when_a_pin_takes_its_room_for_good() -> None:
    async with bench() as it, it.pool.queued("a"), it.pool.queued("b") as waits:
        it.resident("a").is_pinned = True
        it.pool.unpin("small")  # nothing of the kind is held, and nothing happens
        assert it.pool.waiting == ["b"]
        async with it.pool.queued("small"):
            pass
        assert it.pool.waiting == []
        with pytest.raises(ModelTooLarge):
            async with it.pool.leased(waits):
                raise AssertionError("a lease without room")


async def test_a_full_queue_is_told_at_once_and_empties_again() -> None:
    async with bench(queue_most=1) as it, it.pool.queued("a"):
        async with it.pool.queued("b") as waiting:
            assert it.pool.progress(waiting) == "waiting for room to load b: 0 before it in the queue"
            error = await it.failure("b")
            assert isinstance(error, TooBusy)
            assert error.retry_after_s > 0
            assert it.pool.waiting == ["b"]
        assert it.pool.waiting == []
        async with it.pool.queued("b"):
            assert it.pool.waiting == ["b"]


async def test_a_request_that_is_given_up_while_it_waits_leaves_no_trace() -> None:
    async with bench(queue_patience_s=0) as it, it.pool.queued("a") as lease:
        with anyio.move_on_after(0.01):
            async with it.pool.lease("b"):
                raise AssertionError("a lease without room")
        assert it.pool.waiting == []
        assert list(it.pool.residents) == ["a"]
        assert (it.resident("a").leases, it.resident("a").is_draining) == (1, False)
        assert lease.resident is it.resident("a")


async def test_a_due_switch_lets_no_new_request_in_until_its_sender_leaves() -> None:
    async with bench(queue_patience_s=0.01) as it, it.pool.queued("a"):
        async with it.pool.queued("b") as switch:
            with anyio.fail_after(5):
                while not it.resident("a").is_draining:
                    await anyio.sleep(0.001)
            async with it.pool.queued("a") as late:
                assert late.resident is None
                assert it.pool.waiting == ["b", "a"]
            assert switch.resident is None
        assert not it.resident("a").is_draining
        async with it.pool.queued("a") as early:
            assert early.resident


async def test_a_request_that_is_given_up_at_once_leaves_no_lease() -> None:
    async with bench() as it:
        await it.failure("a")
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with it.pool.lease("a"):
                raise AssertionError("a lease without an engine")
        assert it.resident("a").leases == 0
        await it.failure("b")


async def test_to_unload_a_model_that_is_not_ready_refuses_who_waits_and_the_next_request_loads_anew() -> None:
    async with bench(queue_patience_s=0) as it, it.pool.queued("a") as granted, it.pool.queued("b") as switch:
        async with it.pool.queued("a") as queued:
            assert (granted.resident, queued.resident) == (it.resident("a"), None)
            with anyio.fail_after(5):
                await it.pool.unload("a")
            for place in (granted, queued):
                with pytest.raises(ModelUnloaded):
                    async with it.pool.leased(place):
                        raise AssertionError("a lease of what was unloaded")
        assert switch.resident is it.resident("b")
        assert list(it.pool.residents) == ["b"]
    async with bench() as it:
        await it.pool.unload("unknown")


async def test_after_the_end_every_lease_is_refused() -> None:
    async with bench() as it:
        await it.failure("a")
        await it.failure("small")
        engines = [resident.engine for resident in it.pool.residents.values()]
        await it.pool.close()
        assert [engine.state for engine in engines] == ["stopped", "stopped"]
        for model_id in ("a", "b", "unknown"):
            assert isinstance(await it.failure(model_id), EngineUnavailable)
        assert it.asked == ["a", "small"]
        with pytest.raises(EngineUnavailable):
            await it.pool.connect()


async def test_what_waits_at_the_end_is_told_so() -> None:
    async with bench() as it, it.pool.queued("a"), it.pool.queued("b") as waits:
        await it.pool.close()
        with pytest.raises(EngineUnavailable):
            async with it.pool.leased(waits):
                raise AssertionError("a lease after the end")


async def test_a_pool_that_was_never_used_ends_too() -> None:
    async with bench() as it:
        await it.pool.close()
        await it.pool.close()
        assert isinstance(await it.failure("a"), EngineUnavailable)


async def test_there_is_one_client_for_all_engines() -> None:
    async with bench() as it:
        clients = {await it.pool.connect() for _ in range(3)}
        assert len(clients) == 1
