"""Owns what watching a request costs it: counts, times, its id, its line of the log, its span; judges nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.figures import Figure
from paddock import log
from paddock.api.observing import Answered, Observed
from paddock.recorder.secrets import text_without_secrets
from paddock.serving.accounts import Account, Accounts
from paddock.tracing.traces import Traces

_CHUNK_GOAL_US = 5.0
_CHAT = "/v1/chat/completions"
_CHUNKS = 100
_PIECE = b'data: {"choices":[{"index":0,"delta":{"content":" word"}}],"id":"x","object":"chat.completion.chunk"}\n\n'
_LAST = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":99,"total_tokens":108}}\n\n'
# Nobody listens there: spans are made, and lost.
_NO_COLLECTOR = "http://127.0.0.1:9"


def observing(quick: bool) -> list[Figure]:
    """What the outermost layer adds to an answer in one piece, and to a chunk of a stream; what a token costs."""
    return anyio.run(_observing, quick)


async def _observing(quick: bool) -> list[Figure]:
    count, runs = (1_000, 3) if quick else (20_000, 7)
    rows: list[Figure] = []
    for name, endpoint, has_line, goal_us in (
        ("counts and times", "", False, 20.0),
        ("with the line of the log", "", True, 100.0),
        ("with the line and spans", _NO_COLLECTOR, True, 300.0),
    ):
        found: list[float] = []
        for _ in range(runs):
            with _logging(has_line=has_line):
                found.append(await _added_us(endpoint, _whole, count))
        rows.append(_figure(f"request, {name}: CPU added", found, goal_us))
    chunks = [await _added_us("", _pieces, count // _CHUNKS) / _CHUNKS for _ in range(runs)]
    rows.append(_figure("chunk of a stream, counts and times: CPU added", chunks, _CHUNK_GOAL_US))
    tokens = [_token_us(count) for _ in range(runs)]
    rows.append(_figure("chunk of an engine's stream, counting its tokens: CPU", tokens, _CHUNK_GOAL_US))
    return rows


def _figure(name: str, runs: list[float], goal: float) -> Figure:
    return Figure(name=name, unit="µs", runs=(*runs,), total=True, goal=goal)


@contextmanager
def _logging(*, has_line: bool) -> Iterator[None]:
    """As served: the newest lines are kept. Without lines, the level of the log is above them."""
    with ExitStack() as stack:
        if has_line:
            stack.enter_context(log.kept(log.Ring(clean=text_without_secrets)))
        else:
            logging.getLogger("paddock").setLevel(logging.WARNING)
        yield


async def _added_us(endpoint: str, app: ASGIApp, count: int) -> float:
    """Microseconds of a processor that the layer adds to each request, in whichever thread."""
    traces = Traces(endpoint, version="bench")
    layer = Observed(app, routes={_CHAT: _CHAT}, answered=Answered(), traces=traces)
    bare_s, whole_s = await _timed(app, count), await _timed(layer, count)
    await traces.close()
    return (whole_s - bare_s) / count * 1e6


async def _whole(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def _pieces(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(_CHUNKS):
        await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _timed(app: ASGIApp, count: int) -> float:
    scope: Scope = {"type": "http", "method": "POST", "path": _CHAT, "headers": [], "scheme": "http"}
    began_s = time.process_time()
    for _ in range(count):
        await app(dict(scope), _nothing, _nowhere)
    return time.process_time() - began_s


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _nowhere(message: Message) -> None:
    pass


def _token_us(count: int) -> float:
    """Microseconds of one chunk, of streams of a hundred."""
    accounts = Accounts()
    began_s = time.process_time()
    for _ in range(count // _CHUNKS):
        account = Account(began_s)
        for _ in range(_CHUNKS - 1):
            account.feed(_PIECE)
        account.feed(_LAST)
        accounts.add("model", account)
    return (time.process_time() - began_s) / (count // _CHUNKS * _CHUNKS) * 1e6
