"""Owns an engine that nobody else uses, for as long as some work with it lasts; refuses to judge the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from paddock.engine.flags import EngineFlags
from paddock.engine.process import Endpoint, EngineProcess
from paddock.errors import EngineUnreachable, PaddockError

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient

T = TypeVar("T")
Work = Callable[[Endpoint, "EngineClient"], Awaitable[T]]
# An exit is noticed by its owner soon after its connections broke.
_NOTICED_WITHIN_S = 2.0


def with_engine(program: Sequence[str], flags: EngineFlags, work: Work[T], *, load_s: float, work_s: float) -> T:
    """Start an engine, do `work` with it, and end it. Blocking; from no event loop.

    Args:
        program: the words that start it, before its flags.
        flags: what it loads, and how.
        work: what is done once it is ready.
        load_s: how long it may take to be ready.
        work_s: how long the work may take.

    Raises:
        TimeoutError: the work took longer.
        PaddockError: the engine failed to start, or the work raised it.
    """
    return anyio.run(partial(engine_for, program, flags, work, load_s=load_s, work_s=work_s))


async def engine_for(program: Sequence[str], flags: EngineFlags, work: Work[T], *, load_s: float, work_s: float) -> T:
    """The same within an event loop."""
    engine = EngineProcess(program=program, flags=flags, load_timeout_s=load_s)
    done: list[T] = []
    failure: PaddockError | TimeoutError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(engine.own)
        try:
            done.append(await _worked(engine, work, work_s))
        except (PaddockError, TimeoutError) as error:
            failure = error
        finally:
            with anyio.CancelScope(shield=True):
                await engine.stop()
    # Raised out here, since a task group would wrap it.
    if failure is not None:
        raise failure
    return done[0]


async def _worked(engine: EngineProcess, work: Work[T], work_s: float) -> T:
    from paddock.engine.client import EngineClient

    endpoint = await engine.ensure_ready()
    client = EngineClient()
    try:
        with anyio.fail_after(work_s):
            return await work(endpoint, client)
    except EngineUnreachable as error:
        await engine.settle(endpoint.generation, timeout_s=_NOTICED_WITHIN_S)
        if engine.last_exit is None:
            raise
        raise EngineUnreachable(engine.last_exit.message) from error
    finally:
        with anyio.CancelScope(shield=True):
            await client.close()
