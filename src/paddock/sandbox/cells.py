"""Owns an interpreter that lives on between cells: asking it, and having it rest; knows no cell's purpose.

Between cells it rests: it is stopped, and what it had started is ended. What it answers is believed about itself alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
from dataclasses import dataclass
from typing import Any, cast

import anyio
import anyio.to_thread

from paddock.sandbox.box import Box, Limits
from paddock.sandbox.output import Output
from paddock.sandbox.walls import Kind, Place

_BEGIN_S = 30.0
_ANSWER_MOST_BYTES = 2**17


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an interpreter says of a cell: a traceback, "" if all went well; how much of the output it dropped."""

    error: str
    dropped_bytes: int


@dataclass(kw_only=True)
class Asking:
    """A cell that is being sent: the word by which its answer is known, and what is left to be sent."""

    call: str
    left: bytes = b""


class Interpreter:
    """An interpreter within walls, and the two pipes by which it is asked and answers.

    Attributes:
        is_deceiving: whether it said what no answer is.
    """

    def __init__(self, box: Box, asks: int, hears: int) -> None:
        self.box = box
        self.is_deceiving = False
        self._pid = box.pid
        self._asks, self._hears = asks, hears
        self._rest = b""

    @classmethod
    async def opened(cls, kind: Kind, place: Place, limits: Limits) -> Interpreter:
        """Start one, and wait until it is ready. Raises OSError where none becomes that."""
        asked, asks = os.pipe()
        hears, told = os.pipe()
        found, is_ready = None, False
        try:
            os.set_blocking(hears, False)
            os.set_blocking(asks, False)
            box = await Box.opened(kind, place, limits, {"asked": asked, "told": told}, passed=(asked, told))
            found = cls(box, asks, hears)
            os.close(asked)
            os.close(told)
            asked = told = -1
            with anyio.move_on_after(_BEGIN_S):
                is_ready = await found.answer(Asking(call="")) is not None
            if not is_ready:
                said = Output(2**12)
                box.rest(said, None)
                raise OSError(f"No interpreter begins within the walls: {said.text.strip() or 'it ended at once'}.")
            found._pid = await anyio.to_thread.run_sync(box.innermost)
            return found
        finally:
            for descriptor in (asked, told):
                if descriptor >= 0:
                    os.close(descriptor)
            if found is None:
                os.close(asks)
                os.close(hears)
            elif not is_ready:
                await found.close()

    def ask(self, code: str, *, output_bytes: int) -> Asking:
        """Have it go on, for a cell that is to be sent; what it said since the last is nobody's."""
        self.box.forget()
        call = secrets.token_hex(16)
        self._signal(signal.SIGCONT)
        order = {"call": call, "code": code, "output_bytes": output_bytes}
        return Asking(call=call, left=json.dumps(order).encode() + b"\n")

    async def answer(self, asking: Asking) -> Answer | None:
        """Send what is left to be sent, and wait for the answer; None where there will be none."""
        while asking.left:
            try:
                asking.left = asking.left[os.write(self._asks, asking.left) :]
            except BlockingIOError:
                await anyio.wait_writable(self._asks)
            except BrokenPipeError:
                return None
        while b"\n" not in self._rest:
            await anyio.wait_readable(self._hears)
            part = os.read(self._hears, _ANSWER_MOST_BYTES)
            self._rest += part
            if not part:
                return None
            if len(self._rest) > _ANSWER_MOST_BYTES:
                self.is_deceiving = True
                return None
        line, _, self._rest = self._rest.partition(b"\n")
        answer = _read(line, asking.call)
        self.is_deceiving = answer is None or bool(self._rest)
        return None if self.is_deceiving else answer

    def interrupt(self) -> None:
        """Have a cell end by itself, if it will."""
        self._signal(signal.SIGINT)

    async def rest(self) -> bool:
        """Stop it, and end what it had started; false where it cannot go on afterwards."""
        return await self.box.freeze(self._pid)

    async def close(self) -> None:
        """End it and all that it started."""
        await self.box.end()
        for descriptor in (self._asks, self._hears):
            os.close(descriptor)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)


def _read(line: bytes, call: str) -> Answer | None:
    """The answer to that very call; None for whatever else it is."""
    try:
        said: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    told = cast("dict[str, Any]", said)
    error, dropped = told.get("error", ""), told.get("dropped_bytes", 0)
    if told.get("call") != call or not isinstance(error, str) or type(dropped) is not int or dropped < 0:
        return None
    return Answer(error=error, dropped_bytes=dropped)
