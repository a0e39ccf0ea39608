"""Owns the documented amendments of one answer, in their order, streamed or whole; knows no client and no engine.

Each is a piece of `protocol` that passes on what it does not concern. What was done is gathered in `notes`, as
(name, text): a whole answer tells it in headers, a stream in trailing comments.
"""

from __future__ import annotations

from paddock.protocol.healing import Healer, cut_markup_removed, healed_body
from paddock.protocol.one_call import OneCall, one_call_body
from paddock.protocol.sse import StreamFilter, cut_call_repaired, cut_name_removed
from paddock.serving.checking import Checker
from paddock.serving.prepare import Prepared

_AMENDED = "x-paddock-amended"
_UNFIT = "x-paddock-unfit"


class Amendments:
    """What is changed in the answer to one prepared request, and what is told of it."""

    def __init__(self, prepared: Prepared) -> None:
        body = prepared.body
        self._tools = body.get("tools")
        self._forces_call = prepared.forces_call
        self._heals = prepared.heals
        self._is_single_call = prepared.is_single_call
        self._filter = StreamFilter(
            keep_usage=prepared.wants_usage, keep_progress=prepared.wants_progress, watch_calls=bool(self._tools)
        )
        self._healer = Healer(self._tools) if prepared.heals else None
        self._single = OneCall() if prepared.is_single_call else None
        own = prepared.tools or self._tools
        self._checker = Checker(own) if own else None
        self.notes: list[tuple[str, str]] = []

    @property
    def is_complete(self) -> bool:
        """Whether the stream's last frame has passed: whatever breaks after it breaks nothing."""
        return self._filter.is_complete

    @property
    def amended(self) -> list[str]:
        """What was amended, without what was only found unfit."""
        return [text for name, text in self.notes if name == _AMENDED]

    def feed(self, data: bytes) -> bytes:
        """What may go on now of a stream."""
        out = self._filter.feed(data)
        if self._healer and out:
            out = self._healer.feed(out)
        if self._single and out:
            out = self._single.feed(out)
        if self._checker:
            self._checker.watch(out)
        return out

    async def finish(self) -> bytes:
        """What is left at the orderly end of a stream; `notes` is complete afterwards."""
        rest = self._filter.finish()
        amended = list(self._filter.amended)
        if self._healer:
            rest = self._healer.feed(rest) + self._healer.finish()
            amended += [f"healed: {name}" for name in self._healer.healed]
        if self._single:
            rest = self._single.feed(rest)
            amended += _left_out(self._single.left_out)
        self._told(amended)
        if self._checker:
            self._checker.watch(rest)
            self.notes += [(_UNFIT, line) for line in await self._checker.unfit()]
        return rest

    async def whole(self, body: bytes) -> bytes:
        """A whole answer as it goes on; `notes` is complete afterwards."""
        if self._tools and (repaired := cut_call_repaired(body)) != body:
            body = repaired
            self._told(["finish_reason length: the call was cut"])
        if self._forces_call and (named := cut_name_removed(body)) != body:
            body = named
            self._told(["content: the call's name was cut"])
        if self._heals and (whole := cut_markup_removed(body, self._tools)) != body:
            body = whole
            self._told(["content: the call was cut"])
        if self._heals:
            body, healed = healed_body(body, self._tools)
            self._told([f"healed: {name}" for name in healed])
        if self._is_single_call:
            body, count = one_call_body(body)
            self._told(_left_out(count))
        if self._checker:
            self.notes += [(_UNFIT, line) for line in await self._checker.unfit_in(body)]
        return body

    def _told(self, lines: list[str]) -> None:
        self.notes += [(_AMENDED, line) for line in lines]


def _left_out(count: int) -> list[str]:
    return [f"parallel_tool_calls false: {count} further call{'s' if count > 1 else ''} left out"] if count else []
