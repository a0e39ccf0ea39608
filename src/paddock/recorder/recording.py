"""Owns one request while it is recorded; refuses to know what any of it means."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from paddock.recorder.secrets import header_shown, without_secrets

# Of one section, at most so much is kept; what was cut is told.
_SECTION_MOST_BYTES = 4 * 2**20


class Recording:
    """The copies of one exchange. Nothing here waits, and nothing raises.

    Args:
        record_id: the recording's id, which sorts by time.
        head: what is known of the request so far.
        headers: the request's headers, as they came.
        keep: writes the finished recording.
    """

    def __init__(
        self,
        record_id: str,
        head: dict[str, Any],
        headers: list[tuple[bytes, bytes]],
        keep: Callable[[str, dict[str, Any]], Awaitable[None]],
    ) -> None:
        self.record_id = record_id
        self._head = head
        self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        self._keep = keep
        self._began_s = time.monotonic()
        self._sections: dict[str, bytearray] = {}
        self._sizes: dict[str, int] = {}
        self._times_ms: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._upstream_path = ""
        self._status = 0

    def inbound(self, body: bytes) -> None:
        """The client's body."""
        self._add("inbound", body)

    def upstream(self, path: str, body: bytes) -> None:
        """What the engine got."""
        self._upstream_path = path
        self._sections.pop("upstream", None)
        self._add("upstream", body)

    def prompt(self, text: str) -> None:
        """The prompt as the model's template made it."""
        self._add("prompt", text.encode("utf-8", "replace"))

    def engine(self, data: bytes) -> None:
        """What the engine answered."""
        self._add("engine", data)

    def outbound(self, data: bytes) -> None:
        """What the client got."""
        if data:
            self._add("outbound", data)

    def note(self, name: str, value: str) -> None:
        """Something to be known of the exchange, such as what was adapted."""
        self._notes[name] = value

    def status(self, code: int) -> None:
        """The answer's HTTP status."""
        self._status = code
        self._mark("status")

    async def close(self) -> None:
        """Write the recording. Called once, at the exchange's end."""
        self._mark("end")
        record = {
            **self._head,
            "status": self._status,
            "headers": [[name, header_shown(name, value)] for name, value in self._headers],
            "upstream_path": self._upstream_path,
            "times_ms": self._times_ms,
            "size_bytes": self._sizes,
            "notes": self._notes,
            "sections": {name: _text(data) for name, data in self._sections.items()},
        }
        await self._keep(self.record_id, record)

    def _add(self, name: str, data: bytes) -> None:
        held = self._sections.setdefault(name, bytearray())
        if not held:
            self._mark(name)
        self._sizes[name] = self._sizes.get(name, 0) + len(data)
        held += data[: max(0, _SECTION_MOST_BYTES - len(held))]

    def _mark(self, name: str) -> None:
        self._times_ms[name] = round((time.monotonic() - self._began_s) * 1000, 3)


def _text(data: bytearray) -> str:
    return without_secrets(bytes(data)).decode("utf-8", "replace")
