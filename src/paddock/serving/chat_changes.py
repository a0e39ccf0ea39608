"""Owns telling those who watch what changes in the page's chats; refuses to know why it does.

Covered: the changes that this paddock makes. Not covered: those of another one on the same database.
"""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio

_KEPT_MOST = 2000


class Changes:
    """What changed, in order. An event's id is the number of this run of paddock, and its own."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(3)
        self._number = 0
        # The number, the chat that it is about, and the event.
        self._kept: deque[tuple[int, str | None, bytes]] = deque(maxlen=_KEPT_MOST)
        self._changed = anyio.Event()
        self._is_over = False

    def tell(self, kind: str, **data: Any) -> None:
        """Something changed."""
        self._number += 1
        frame = f"id: {self._run}-{self._number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
        self._kept.append((self._number, data.get("chat_id"), frame.encode()))
        self._notify()

    def close(self) -> None:
        """Nothing changes any more: whoever watches is let go."""
        self._is_over = True
        self._notify()

    async def after(self, last_id: str | None, is_seen: Callable[[str], Awaitable[bool]]) -> AsyncGenerator[bytes]:
        """The events after one of these ids, or from now on without one, as they come; of chats that are seen."""
        place = self._number
        seen: dict[str | None, bool] = {None: True}
        if last_id is not None:
            known = self._place_of(last_id)
            if known is None:
                yield f"id: {self._run}-{place}\nevent: reset\ndata: {{}}\n\n".encode()
            else:
                place = known
        while not self._is_over:
            changed = self._changed
            if self._kept and self._kept[0][0] > place + 1:
                # The one who watches is too slow for what was kept.
                place = self._number
                yield f"id: {self._run}-{place}\nevent: reset\ndata: {{}}\n\n".encode()
            for number, chat_id, frame in [one for one in self._kept if one[0] > place]:
                if chat_id is not None and chat_id not in seen:
                    seen[chat_id] = await is_seen(chat_id)
                if seen[chat_id]:
                    yield frame
                place = number
            if changed is self._changed:
                await changed.wait()

    def _place_of(self, last_id: str) -> int | None:
        run, _, number = last_id.rpartition("-")
        if run != self._run or not number.isdecimal() or not number.isascii() or len(number) > 18:
            return None
        oldest = self._kept[0][0] if self._kept else self._number + 1
        return int(number) if oldest - 1 <= int(number) <= self._number else None

    def _notify(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
