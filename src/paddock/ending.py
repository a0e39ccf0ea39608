"""Owns how paddock ends: on whose word, what may finish before, and within which time."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import AsyncIterable

import anyio

from paddock.api.edge import Edge
from paddock.config import Settings
from paddock.listening import Server

_log = logging.getLogger(__name__)
# For what is left to be sent, once nothing is answered any more.
_SENT_S = 1
_LOOKED_EVERY_S = 0.05


def bound_s(settings: Settings) -> int:
    """The time after which the server ends what is open still."""
    return math.ceil(settings.shutdown_grace_s) + 3 * _SENT_S


async def signalled(
    signals: AsyncIterable[signal.Signals], scope: anyio.CancelScope, ended: anyio.Event, hurried: anyio.Event
) -> None:
    """The first signal asks for the end, the next one for it to be at once."""
    with scope:
        async for _ in signals:
            (hurried if ended.is_set() else ended).set()


async def end(edge: Edge, server: Server, hurried: anyio.Event) -> None:
    """End what serves, in order. Requests under way may finish within the grace, unless that is cut short."""
    server.should_exit = True
    edge.database.end_waits()
    edge.chats.close()
    edge.builds.close()
    edge.trainings.close()
    edge.exports.close()
    edge.pushes.close()
    edge.tries.close()
    edge.evaluations.close()
    await edge.downloads.close()
    await _finished(edge, hurried)
    with anyio.move_on_after(_SENT_S):
        await server.down.wait()
    # What is still open now learns of the stop from its engine's end, in its own dialect.
    await edge.pool.close()
    edge.tools.close()
    with anyio.move_on_after(_SENT_S):
        await server.down.wait()
    await edge.admission.close()


async def _finished(edge: Edge, hurried: anyio.Event) -> None:
    """Wait for the requests under way that do something; who only watches has no end of its own."""
    grace_s, answered = edge.settings.shutdown_grace_s, edge.answered
    if answered.working and grace_s:
        _log.warning(
            "stopping: %d requests have %g s to finish; a second signal ends them at once", answered.working, grace_s
        )
    with anyio.move_on_after(grace_s):
        while answered.working and not hurried.is_set():
            with anyio.move_on_after(_LOOKED_EVERY_S):
                await hurried.wait()
