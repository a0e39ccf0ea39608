"""Owns bytes on a socket: one request as it is, its answer read to the end, clients that leave; judges nothing."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Literal

# No answer may take longer: a guard against hanging, not a measure of speed.
HANG_GUARD_S = 30.0
_PIECE_BYTES = 65536

Address = tuple[str, int]
Leaving = Literal["close", "reset", "half"]


class Hung(Exception):
    """An answer did not come, or did not end, within the guard."""


class Broken(Exception):
    """The connection ended before the answer did."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request, to the byte. `is_http` is false where a server may close or answer in words instead."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = field(default=b"", repr=False)
    is_chunked: bool = False
    is_http: bool = True

    @property
    def path(self) -> str:
        """The path as it was sent, without its query and its fragment."""
        return re.split(r"[?#]", self.target.decode("latin-1"), maxsplit=1)[0]

    def raw(self, address: Address) -> bytes:
        """All of it, with the headers that make it a request."""
        names = {name.lower() for name, _ in self.headers}
        lines = [b"%s %s HTTP/1.1" % (self.method.encode("latin-1"), self.target)]
        if b"host" not in names:
            lines.append(b"Host: %s:%d" % (address[0].encode(), address[1]))
        lines += [b"%s: %s" % header for header in self.headers]
        lines.append(b"Connection: close")
        body = self.body
        if self.is_chunked:
            lines.append(b"Transfer-Encoding: chunked")
            cut = max(1, len(body) // 3)
            parts = [body[n : n + cut] for n in range(0, len(body), cut)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif body or self.method not in ("GET", "HEAD"):
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass(frozen=True, kw_only=True)
class Got:
    """One whole answer; `status` 0 is a connection that was closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0]


def exchange(address: Address, sent: Sent) -> Got:
    """Send a request and read its answer to the end. Raises Hung or Broken."""
    with socket.create_connection(address, timeout=HANG_GUARD_S) as sock:
        deadline = time.monotonic() + HANG_GUARD_S
        # A server may answer, and close, before it has read everything.
        with contextlib.suppress(ConnectionError):
            sock.sendall(sent.raw(address))
        answer = http.client.HTTPResponse(sock, method=sent.method)
        try:
            with contextlib.closing(answer):
                answer.begin()
                body = bytearray()
                while piece := answer.read1(_PIECE_BYTES):
                    body += piece
                    if time.monotonic() > deadline:
                        raise Hung(f"{len(body)} bytes came, and no end")
        except TimeoutError as error:
            raise Hung("nothing came") from error
        except http.client.RemoteDisconnected:
            return Got(status=0, headers={}, body=b"")
        except (http.client.HTTPException, ConnectionError) as error:
            raise Broken(repr(error)) from error
        if answer.length:
            raise Broken(f"{answer.length} bytes of the answer are missing")
        return Got(status=answer.status, headers={k.lower(): v for k, v in answer.getheaders()}, body=bytes(body))


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A client that leaves: after `sent_share` of its request and at most `read_bytes` of the answer."""

    sent: Sent
    sent_share: float
    read_bytes: int
    leaving: Leaving


def visit_all(address: Address, visits: list[Visit]) -> None:
    """Clients that are there at once, and leave in turn."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(address, timeout=HANG_GUARD_S)) for _ in visits]
        for sock, visit in zip(socks, visits, strict=True):
            raw = visit.sent.raw(address)
            with contextlib.suppress(ConnectionError):
                sock.sendall(raw[: round(len(raw) * visit.sent_share)])
        for sock, visit in zip(socks, visits, strict=True):
            _leave(sock, visit)


def _leave(sock: socket.socket, visit: Visit) -> None:
    whole = visit.sent_share == 1
    with contextlib.suppress(ConnectionError):
        if visit.leaving == "half":
            sock.shutdown(socket.SHUT_WR)
        if visit.read_bytes and (whole or visit.leaving == "half"):
            try:
                sock.recv(visit.read_bytes)
            except TimeoutError as error:
                raise Hung("nothing came for a client that waited") from error
        if visit.leaving == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
