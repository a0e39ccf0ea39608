"""Owns giving up what is done for a client that has left, outside exchanges; knows nothing of the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.requests import Request

from paddock.errors import BadRequest, PaddockError

Result = TypeVar("Result")


async def attended(request: Request, work: Callable[[], Awaitable[Result]]) -> Result:
    """What `work` comes to, which is cancelled when the client leaves first. The body must have been read.

    Raises:
        BadRequest: the client has left, and nobody reads this.
        PaddockError: as `work` does.
    """
    outcome: list[Result] = []
    failed: list[PaddockError] = []
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        try:
            outcome.append(await work())
        except PaddockError as error:
            # Raised from within, it would come out as a group.
            failed.append(error)
        group.cancel_scope.cancel()
    if failed:
        raise failed[0]
    if not outcome:
        raise BadRequest("The client left before its answer was there.")
    return outcome[0]
