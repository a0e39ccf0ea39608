"""Owns one request while it is recorded; refuses to know what any of it means."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from paddock.recorder.secrets import header_shown, without_secrets

# Of one section, at most so much is kept; what was cut is told.
_SECTION_MOST_BYTES = 4 * 2**20
# A cut may fall within a key, whose beginning no form would match: the last word before it is left out.
_LAST_WORD_MOST_BYTES = 512
_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~+/=-"


class Recording:
    """The copies of one exchange. Nothing here waits, and nothing raises.

    Args:
        record_id: the recording's id, which sorts by time.
        head: what is known of the request so far.
        headers: the request's headers, as they came.
        keep: writes the finished recording; it makes it in a thread, as looking for secrets takes a while.
    """

    def __init__(
        self,
        record_id: str,
        head: dict[str, Any],
        headers: list[tuple[bytes, bytes]],
        keep: Callable[[str, Callable[[], dict[str, Any]]], Awaitable[None]],
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
        self._holders = 1

    def hold(self) -> None:
        """Something goes on under this recording: it is written once `close` was called for that as well."""
        self._holders += 1

    def inbound(self, body: bytes) -> None:
        """The client's body."""
        self._add("inbound", body)

    def asked(self, model: str) -> None:
        """The model that the client named, for lists."""
        self._head["model"] = without_secrets(model.encode("utf-8", "replace")).decode("utf-8", "replace")[:200]

    def upstream(self, path: str, body: bytes) -> None:
        """What the engine got."""
        self._upstream_path = path
        self._sections.pop("upstream", None)
        self._sizes.pop("upstream", None)
        self._add("upstream", body)

    def prompt(self, text: str) -> None:
        """The prompt as the model's template made it."""
        self._add("prompt", text.encode("utf-8", "replace"))

    def engine(self, data: bytes) -> None:
        """What the engine answered."""
        self._add("engine", data)

    def events(self, events: list[dict[str, Any]]) -> None:
        """What was understood of the engine's answer, as lines of JSON."""
        if events:
            self._add("events", b"\n".join(json.dumps(event).encode() for event in events))

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
        """Write the recording, at the end of the last of its holders."""
        self._holders -= 1
        if self._holders == 0:
            self._mark("end")
            await self._keep(self.record_id, self._record)

    def _record(self) -> dict[str, Any]:
        return {
            **self._head,
            "status": self._status,
            "headers": [[name, header_shown(name, value)] for name, value in self._headers],
            "upstream_path": self._upstream_path,
            "times_ms": self._times_ms,
            "size_bytes": self._sizes,
            "cut": [name for name, data in self._sections.items() if self._sizes[name] > len(data)],
            "notes": self._notes,
            "sections": {
                name: _text(data, is_cut=self._sizes[name] > len(data)) for name, data in self._sections.items()
            },
        }

    def _add(self, name: str, data: bytes) -> None:
        held = self._sections.setdefault(name, bytearray())
        if not held:
            self._mark(name)
        self._sizes[name] = self._sizes.get(name, 0) + len(data)
        held += data[: max(0, _SECTION_MOST_BYTES - len(held))]

    def _mark(self, name: str) -> None:
        self._times_ms[name] = round((time.monotonic() - self._began_s) * 1000, 3)


def _text(data: bytearray, *, is_cut: bool) -> str:
    kept = bytes(data)
    if is_cut:
        kept = kept[:-_LAST_WORD_MOST_BYTES] + kept[-_LAST_WORD_MOST_BYTES:].rstrip(_WORD)
    return without_secrets(kept).decode("utf-8", "replace")
