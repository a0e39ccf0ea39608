"""Owns the measuring end of streams in any dialect: when their first events come, and how soon many are over.

It reads no more of a stream than marks in its bytes, so that what it costs does not hide what is measured.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from bench.processes import Target
from bench.wire import Lost, connect, request_bytes

# With the line end before it, as a header may end in a nought too.
_END = b"\r\n0\r\n\r\n"
_TIMEOUT_S = 300.0
_TAIL_BYTES = 8192
_TOKENS = re.compile(rb'"(?:output|completion)_tokens":\s*(\d+)')


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One dialect. `event` is in its first event, `delta` in the first one that holds text; `most` limits tokens."""

    name: str
    path: str
    event: bytes
    delta: bytes
    most: str
    turn: dict[str, Any]

    def body(self, tokens: int) -> dict[str, Any]:
        """A streamed request for exactly so many tokens."""
        return {"model": "pocket-v0", **self.turn, self.most: tokens, "temperature": 0, "stream": True}

    def at(self, target: Target) -> Target:
        """Where this dialect is spoken."""
        return replace(target, path=self.path)


# The bundled model goes on with this for as long as it may, at temperature 0. The engine's own Messages and Responses
# take no `ignore_eos`.
_SAID = {"role": "user", "content": " ".join(["the"] * 10)}
CHAT = Lane(
    name="/v1/chat/completions",
    path="/v1/chat/completions",
    event=b'"chat.completion.chunk"',
    delta=b'"content":"',
    most="max_tokens",
    turn={"messages": [_SAID], "stream_options": {"include_usage": True}},
)
MESSAGES = Lane(
    name="/v1/messages",
    path="/v1/messages",
    event=b"event: message_start",
    delta=b"event: content_block_delta",
    most="max_tokens",
    turn={"messages": [_SAID]},
)
# Not stored, as an engine stores nothing.
RESPONSES = Lane(
    name="/v1/responses",
    path="/v1/responses",
    event=b"event: response.created",
    delta=b"event: response.output_text.delta",
    most="max_output_tokens",
    turn={"input": [{"type": "message", **_SAID}], "store": False},
)


def first_ms(target: Target, request: bytes, lane: Lane) -> tuple[float, float]:
    """Milliseconds from sending a request to the first event, and to the first text, of its stream, read to its end."""
    with closing(connect(target)) as sock:
        began = time.perf_counter()
        sock.sendall(request)
        data, found = b"", [0.0, 0.0]
        while not data.endswith(_END):
            data += _more(sock, data)
            now_ms = (time.perf_counter() - began) * 1000
            for place, mark in enumerate((lane.event, lane.delta)):
                if not found[place] and mark in data:
                    found[place] = now_ms
    if not all(found):
        raise Lost(f"{lane.name} ended without {lane.event!r} and {lane.delta!r}: {data[:500]!r}")
    return found[0], found[1]


def together_s(target: Target, lane: Lane, body: dict[str, Any], *, streams: int, tokens: int | None) -> float:
    """Seconds from the first of many requests sent at once to the end of the last stream.

    Raises:
        Lost: a stream broke off, or told of another number of `tokens`; with None none has to be told.
    """
    request = request_bytes(lane.at(target), body)
    tails: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(streams):
            sock = connect(target)
            selector.register(sock, selectors.EVENT_READ)
            tails[sock] = b""
        began = time.perf_counter()
        for sock in tails:
            sock.sendall(request)
        try:
            while selector.get_map():
                for key, _ in selector.select(_TIMEOUT_S):
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    tails[sock] = (tails[sock] + _more(sock, tails[sock]))[-_TAIL_BYTES:]
                    if tails[sock].endswith(_END):
                        selector.unregister(sock)
            took_s = time.perf_counter() - began
        finally:
            for sock in tails:
                sock.close()
    for tail in tails.values() if tokens is not None else ():
        told = _TOKENS.findall(tail)
        if not told or int(told[-1]) != tokens:
            raise Lost(f"{lane.name} told {told} tokens instead of {tokens}: {tail[-500:]!r}")
    return took_s


def _more(sock: socket.socket, before: bytes) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise Lost(f"closed before its end: {before[-500:]!r}")
    return data
