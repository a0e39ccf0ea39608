"""Owns reading a request's body into a JSON object within limits; refuses to know what the fields mean."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager
from typing import Any, NoReturn

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request

from paddock.errors import BadRequest, BodyTooLarge, BodyTooSlow, FieldInvalid, TooBusy
from paddock.protocol import halves
from paddock.protocol.shape import as_array, as_object

MOST_NESTING = 100
# The reader of JSON stops for nobody: each million of values holds up everybody for a second, and takes much memory.
MOST_VALUES = 500_000
_SEPARATORS = (b",", b"[", b"{")
# A body of this size takes longer to look through than others should wait.
_LARGE_BYTES = 2**20
# Of each body so much is let in, however much others hold.
_ALWAYS_BYTES = 2**20
_FULL_RETRY_S = 2


class Room:
    """What bodies may hold together while they come: `most_bytes`, beside the first MiB of each."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.held_bytes = 0

    @contextmanager
    def share(self) -> Generator[Callable[[int], None]]:
        """A body's part of it, which is told how many bytes the body has by now. Raises TooBusy where there is none."""
        mine = 0

        def grown(size_bytes: int) -> None:
            nonlocal mine
            more = max(0, size_bytes - _ALWAYS_BYTES) - mine
            if self.held_bytes + more > self._most_bytes:
                sentence = f"Bodies that came in part hold {self.held_bytes} bytes of {self._most_bytes} already."
                raise TooBusy(f"{sentence} Try again in a moment.", retry_after_s=_FULL_RETRY_S)
            mine += more
            self.held_bytes += more

        try:
            yield grown
        finally:
            self.held_bytes -= mine


async def read_bytes(
    request: Request, *, limit_bytes: int, timeout_s: float, room: Room, is_timed_in_all: bool = False
) -> bytes:
    """The body as it came. Raises as `pieces` does, and TooBusy where others leave it no `room`."""
    received = bytearray()
    coming = pieces(request, limit_bytes=limit_bytes, timeout_s=timeout_s, is_timed_in_all=is_timed_in_all)
    with room.share() as grown:
        async with aclosing(coming):
            async for piece in coming:
                grown(len(received) + len(piece))
                received += piece
        return bytes(received)


async def pieces(
    request: Request, *, limit_bytes: int, timeout_s: float, is_timed_in_all: bool = False
) -> AsyncGenerator[bytes]:
    """The body as it comes.

    Raises:
        BodyTooLarge: more than `limit_bytes`, announced or sent.
        BadRequest: cut short.
        BodyTooSlow: nothing more came for `timeout_s`, or not all of it where it `is_timed_in_all`.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise BodyTooLarge(limit_bytes=limit_bytes)
    received_bytes, until_s = 0, anyio.current_time() + timeout_s
    async with aclosing(request.stream()) as stream:
        while True:
            piece: bytes | None = None
            with anyio.CancelScope(deadline=until_s) as patience:
                piece = await _next(stream)
            if patience.cancelled_caught:
                raise BodyTooSlow(received_bytes=received_bytes, waited_s=timeout_s, is_in_all=is_timed_in_all)
            if piece is None:
                return
            received_bytes += len(piece)
            if received_bytes > limit_bytes:
                raise BodyTooLarge(limit_bytes=limit_bytes)
            yield piece
            if not is_timed_in_all:
                until_s = anyio.current_time() + timeout_s


async def _next(stream: AsyncGenerator[bytes]) -> bytes | None:
    try:
        return await anext(stream, None)
    except ClientDisconnect as error:
        raise BadRequest("The connection closed before the body was whole. Send it again.") from error


async def read_object(data: bytes, *, strict: bool = False) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body as a dict, whatever its content type says, as clients expect; a large one is read beside the loop.

    Returns:
        The body, and the names of the repairs that its texts needed; none is made where `strict`.

    Raises:
        BadRequest: not JSON, not an object, NaN or Infinity, nested deeper than 100, or with more than half a million
            values.
        FieldInvalid: a text holds half a character, and `strict`.
    """
    if len(data) > _LARGE_BYTES:
        return await anyio.to_thread.run_sync(_read, data, strict)
    return _read(data, strict)


def _read(data: bytes, strict: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    body = parse_object(data)
    if not halves.may_be_in(data) or (place := halves.first_in(body)) is None:
        return body, ()
    if strict:
        sentence = "holds half of a surrogate pair, which is no character. Do not cut texts within a character."
        raise FieldInvalid(f"{place}: {sentence}", param=place)
    return halves.replaced_in(body), (halves.REPAIR,)


def parse_object(data: bytes) -> dict[str, Any]:
    """JSON bytes as a dict. Raises BadRequest as `read_object` does."""
    if len(data) > MOST_VALUES and _are_too_many(data):
        raise BadRequest(f"The body holds too many values; at most {MOST_VALUES} are read. Send fewer at once.")
    try:
        text = data.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8 (byte {error.start}). Send JSON as UTF-8.") from error
    except RecursionError as error:
        raise BadRequest(f"The body is nested too deeply; at most {MOST_NESTING} levels are read.") from error
    except json.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except ValueError as error:
        # Python tells of its own limit on digits in words for programmers.
        reason = "it holds a number of too many digits" if "digits" in str(error) else str(error)[:200]
        raise BadRequest(f"The body is not JSON that can be used: {reason}.") from error
    body = as_object(value)
    if body is None:
        raise BadRequest(f"The body must be a JSON object, not {_kind_of(value)}.")
    _refuse_deep(body)
    return body


def _are_too_many(data: bytes) -> bool:
    """Whether JSON has more values than are read, by what stands between them; they are not looked at."""
    if _separators_in(data) <= MOST_VALUES:
        return False
    # Texts hold such signs too: code, above all.
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') > 4 * MOST_VALUES:
        return True
    return _separators_in(b"".join(bare.split(b'"')[::2])) > MOST_VALUES


def _separators_in(data: bytes) -> int:
    return sum(data.count(sign) for sign in _SEPARATORS)


_KINDS: dict[type, str] = {
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:40]} is too large for JSON readers")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed in JSON")


def _kind_of(value: object) -> str:
    return next(name for kind, name in _KINDS.items() if isinstance(value, kind))


def _items(value: object) -> list[Any]:
    found = as_object(value)
    return list(found.values()) if found is not None else as_array(value) or []


def _refuse_deep(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MOST_NESTING):
        level = [inner for outer in level for inner in _items(outer) if isinstance(inner, (dict, list))]
        if not level:
            return
    raise BadRequest(f"The body is nested too deeply; at most {MOST_NESTING} levels are read.")
