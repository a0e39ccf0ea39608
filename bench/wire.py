"""Owns the measuring ends of the wire: a blocking request over a kept connection, and many streams at once.

It reads no more of HTTP than its counterparts send, so that what it costs does not hide what is measured.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from typing import Any

from bench.processes import Target

_SENT = b'"sent_s":'
_TIMEOUT_S = 300.0


class Lost(Exception):
    """The other side closed the connection, or refused."""


def request_bytes(target: Target, body: dict[str, Any]) -> bytes:
    """A whole HTTP request."""
    data = json.dumps(body).encode()
    return (
        f"POST {target.path} HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {target.api_key}\r\nContent-Length: {len(data)}\r\n\r\n"
    ).encode() + data


def connect(target: Target, *, receive_bytes: int = 0) -> socket.socket:
    """A blocking connection without Nagle's delay."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(_TIMEOUT_S)
    sock.connect(("127.0.0.1", target.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Kept:
    """One kept connection for plain requests. Use it in a `with`."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._sock = connect(target)

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def ask(self, request: bytes) -> bytes:
        """Send a request, return the body of its answer. Raises Lost unless the status is 200."""
        self._sock.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        if b" 200 " not in head[:16]:
            raise Lost((head + body)[:500].decode("latin-1"))
        low = head.lower()
        at = low.find(b"content-length:")
        length = int(low[at + 15 :].split(b"\r\n", 1)[0])
        while len(body) < length:
            body += self._more()
        if b"connection: close" in low:
            # The real engine ends a kept connection after a hundred requests.
            self._sock.close()
            self._sock = connect(self.target)
        return body

    def timed_ms(self, request: bytes) -> float:
        """How long one request takes, from its first byte sent to the last received, in milliseconds."""
        began = time.perf_counter()
        self.ask(request)
        return (time.perf_counter() - began) * 1000

    def _more(self) -> bytes:
        data = self._sock.recv(65536)
        if not data:
            raise Lost("the connection was closed")
        return data


def open_stream(target: Target, body: dict[str, Any], *, receive_bytes: int = 0) -> socket.socket:
    """Send a streamed request and return its connection without reading anything."""
    sock = connect(target, receive_bytes=receive_bytes)
    sock.sendall(request_bytes(target, {**body, "stream": True}))
    return sock


def until(sock: socket.socket, mark: bytes) -> float:
    """Read until `mark` was received; the time of that on the monotonic clock. Raises Lost if it never is."""
    tail = b""
    while True:
        data = sock.recv(65536)
        if not data:
            raise Lost(f"closed before {mark!r}: {tail[-300:]!r}")
        if mark in tail + data:
            return time.monotonic()
        tail = (tail + data)[-4096:]


def chunk_delays_ms(target: Target, *, streams: int, chunks: int, per_s: float) -> list[float]:
    """Run streams side by side; for every chunk, the milliseconds from the engine's write to our read."""
    body = {"messages": [{"role": "user", "content": "hello"}], "bench": {"chunks": chunks, "per_s": per_s}}
    delays: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(streams):
            sock = open_stream(target, body)
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_TIMEOUT_S):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                data = sock.recv(65536)
                now = time.monotonic()
                at = data.find(_SENT)
                while at >= 0:
                    delays.append((now - float(data[at + 9 : data.index(b"}", at)])) * 1000)
                    at = data.find(_SENT, at + 9)
                if not data or data.endswith(b"0\r\n\r\n"):
                    selector.unregister(sock)
                    sock.close()
    if len(delays) < streams * chunks * 0.99:
        raise Lost(f"{len(delays)} of {streams * chunks} chunks arrived whole")
    return delays
