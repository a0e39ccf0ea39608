"""Owns writing down which calls were made, beside the answers that made them; refuses to hold an answer up."""

from __future__ import annotations

import anyio

from paddock.errors import StoreUnusable
from paddock.log import named
from paddock.store.tool_calls import ToolCall, ToolCallStore

_log = named(__name__)
# So many wait at most for a database that cannot be written; then the oldest are lost, and the log says so.
_WAITING_MOST = 1000


class Trail:
    """The calls of one paddock on their way to the database."""

    def __init__(self, store: ToolCallStore) -> None:
        self._store = store
        self._waiting: list[ToolCall] = []
        self._came = anyio.Event()
        self._writing = anyio.Lock()

    def note(self, call: ToolCall) -> None:
        """A call has ended, or was refused. It is written down in a moment."""
        self._waiting.append(call)
        self._came.set()

    async def flush(self) -> None:
        """Write down what has come until now. Where that cannot be, the log tells it, and it is tried again later."""
        async with self._writing:
            calls, self._waiting = self._waiting, []
            if not calls:
                return
            try:
                with anyio.CancelScope(shield=True):
                    await self._store.note(calls)
            except StoreUnusable as error:
                _log.error("%d calls of tools cannot be written down: %s", len(calls), error.message)
                self._waiting = [*calls, *self._waiting][-_WAITING_MOST:]

    async def keep(self, over: anyio.Event) -> None:
        """Write down what comes, until it is over."""
        while not over.is_set():
            async with anyio.create_task_group() as group:
                group.start_soon(self._until, over, group.cancel_scope)
                await self._came.wait()
                group.cancel_scope.cancel()
            self._came = anyio.Event()
            await self.flush()

    @staticmethod
    async def _until(over: anyio.Event, waiting: anyio.CancelScope) -> None:
        await over.wait()
        waiting.cancel()
