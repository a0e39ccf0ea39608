"""Tests who gets which model, and when, as far as no engine has to run: first need, refusals, failures, the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from paddock.engine.flags import EngineFlags
from paddock.engine.pool import Pool
from paddock.errors import EngineFailedToStart, EngineUnavailable, ModelUnknown, PaddockError

pytestmark = pytest.mark.anyio

# A program that the system cannot start: what follows is decided without a process.
MISSING = ("/nowhere/of/jane/no-such-engine",)


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


@asynccontextmanager
async def bench() -> AsyncGenerator[Bench]:
    def flags_for(model_id: str) -> EngineFlags:
        asked.append(model_id)
        if model_id == "unknown":
            raise ModelUnknown(model_id, known=["a", "b"])
        return EngineFlags(model_path="m", alias=model_id, context_tokens=1, slots=1, batch_tokens=1, ubatch_tokens=1)

    asked: list[str] = []
    async with anyio.create_task_group() as tasks:
        pool = Pool(flags_for=flags_for, tasks=tasks, load_timeout_s=5, program=MISSING)
        try:
            yield Bench(pool=pool, asked=asked)
        finally:
            await pool.close()


async def test_nothing_is_loaded_before_the_first_need() -> None:
    async with bench() as it:
        assert (it.pool.engine, it.pool.resident, it.asked) == (None, None, [])
        assert not it.pool.is_ready("a")


async def test_a_model_that_is_unknown_is_told_and_changes_nothing() -> None:
    async with bench() as it:
        assert isinstance(await it.failure("unknown"), ModelUnknown)
        assert it.pool.resident is None
        await it.failure("a")
        resident = it.pool.resident
        assert isinstance(await it.failure("unknown"), ModelUnknown)
        assert it.pool.resident is resident
        assert it.asked == ["unknown", "a", "unknown"]


async def test_an_engine_that_cannot_be_started_is_told_without_the_folder_it_is_in() -> None:
    async with bench() as it:
        error = await it.failure("a")
        assert isinstance(error, EngineFailedToStart)
        assert "'a'" in error.message
        assert "no-such-engine cannot be started" in error.message
        assert "jane" not in error.message
        resident = it.pool.resident
        assert resident
        assert (resident.engine.state, resident.engine.pid, resident.engine.port) == ("failed", None, None)
        assert resident.leases == 0
        assert not it.pool.is_ready("a")


async def test_an_engine_that_cannot_be_started_is_not_called_a_silent_one() -> None:
    async with bench() as it:
        error = await it.failure("a")
        assert isinstance(error, EngineFailedToStart)
        assert error.kind != "silent"
        assert "in time" not in error.message


async def test_a_failed_engine_is_not_started_again_at_once() -> None:
    async with bench() as it:
        first = await it.failure("a")
        assert it.pool.engine
        ended = it.pool.engine.last_exit
        assert ended
        second = await it.failure("a")
        assert (second.message, it.pool.engine.last_exit) == (first.message, ended)
        assert it.pool.engine.last_exit is ended
        assert it.asked == ["a"]


async def test_requests_for_one_model_share_one_engine() -> None:
    async with bench() as it:
        failures: list[PaddockError] = []

        async def one() -> None:
            failures.append(await it.failure("a"))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
        assert [type(failure) for failure in failures] == [EngineFailedToStart] * 5
        assert it.asked == ["a"]
        assert it.pool.resident
        assert it.pool.resident.leases == 0


async def test_another_model_takes_the_place_of_one_that_nobody_uses() -> None:
    async with bench() as it:
        await it.failure("a")
        first = it.pool.engine
        assert first
        await it.failure("b")
        assert it.pool.resident
        assert it.pool.resident.model_id == "b"
        assert first.state == "stopped"
        assert it.pool.engine is not first
        await it.failure("a")
        assert it.asked == ["a", "b", "a"]


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
        assert it.asked[:2] == ["a", "b"]


async def test_a_request_that_is_given_up_while_it_waits_leaves_no_lease() -> None:
    async with bench() as it:
        await it.failure("a")
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with it.pool.lease("a"):
                raise AssertionError("a lease without an engine")
        assert it.pool.resident
        assert it.pool.resident.leases == 0
        await it.failure("b")


async def test_after_the_end_every_lease_is_refused() -> None:
    async with bench() as it:
        await it.failure("a")
        engine = it.pool.engine
        assert engine
        await it.pool.close()
        assert engine.state == "stopped"
        for model_id in ("a", "b", "unknown"):
            assert isinstance(await it.failure(model_id), EngineUnavailable)
        assert it.asked == ["a"]
        with pytest.raises(EngineUnavailable):
            await it.pool.connect()


async def test_a_pool_that_was_never_used_ends_too() -> None:
    async with bench() as it:
        await it.pool.close()
        await it.pool.close()
        assert isinstance(await it.failure("a"), EngineUnavailable)
        assert it.asked == []


async def test_there_is_one_client_for_all_engines() -> None:
    async with bench() as it:
        clients = {await it.pool.connect() for _ in range(3)}
        assert len(clients) == 1
