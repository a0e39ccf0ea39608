"""Owns the listening socket and the HTTP server on it: its limits, its TLS, whose word on clients it takes.

Refuses to know the application behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http
import ipaddress
import math
import socket
import ssl
import sys
import time
from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from paddock import log
from paddock.api.tries import network_of
from paddock.config import Settings
from paddock.errors import PortBusy, SettingInvalid
from paddock.store.certificates import SELF_SIGNED, self_signed

_log, _access = log.named(__name__), log.named(log.ACCESS)
# The files of a certificate and of its key.
Certificate = tuple[str, str]
_BACKLOG = 2048
_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
# Of a request's head: more than browsers and proxies send, less than would hurt.
_HEAD_MOST_BYTES = 65_536
_HEADERS_MOST = 200
_WHY = {
    400: "what came is no request of HTTP.",
    408: "the head of a request was not whole in time.",
    503: "too many connections are open. Try again in a moment.",
    431: f"at most {_HEADERS_MOST} headers and {_HEAD_MOST_BYTES} bytes of them are read.",
}
# Longer than clients keep a connection that rests (httpx 5 s, aiohttp 15 s, Go 90 s): the side that closes it first
# must be theirs, or a request that crosses the close is lost without an answer.
_IDLE_CONNECTION_S = 100
# Each write waits until the one before has gone: one frame is held for a client that does not read, not many.
_WRITE_BUFFER_BYTES = 0
# At once; fewer where the system allows fewer files than twice as many: what is asked may need a file or a connection
# to an engine as well.
_CONNECTIONS_MOST = 2048
_FILES_MOST = 65_536
_TOLD_EVERY_S = 600.0


class _HeadTooLarge(Exception):
    """Raised within the parser, which turns it into an error of its own."""


class _Crowd:
    """The connections of one server: so many at once, and of them so many from one address.

    Whoever comes when there are so many takes the place of one that rests: of the address that has most, the one that
    has been there longest. So whoever only holds connections keeps nobody out. Of IPv6 a network is one address.
    """

    def __init__(self, *, most: int, of_one_most: int) -> None:
        self._most, self._of_one_most = most, of_one_most
        self._held: dict[str, dict[_Protocol, None]] = {}
        self._told_s = -math.inf

    def let_in(self, one: _Protocol) -> bool:
        """Whether there is room, or was made, for a connection."""
        place = network_of(one.client[0]) if one.client else ""
        count, mine = sum(map(len, self._held.values())), len(self._held.get(place, ()))
        if mine >= self._of_one_most:
            self._tell(count, place)
            if not self._made_room([place]):
                return False
        elif count >= self._most:
            by_size = sorted(self._held, key=lambda place: len(self._held[place]), reverse=True)
            self._tell(count, by_size[0])
            if not self._made_room(by_size):
                return False
        self._held.setdefault(place, {})[one] = None
        return True

    def leave(self, one: _Protocol) -> None:
        """A connection is over, or never came in."""
        place = network_of(one.client[0]) if one.client else ""
        mine = self._held.get(place, {})
        mine.pop(one, None)
        if not mine:
            self._held.pop(place, None)

    def _made_room(self, places: Iterable[str]) -> bool:
        resting = next((one for place in places for one in self._held[place] if one.is_resting), None)
        if resting is not None:
            self.leave(resting)
            resting.transport.close()
        return resting is not None

    def _tell(self, count: int, place: str) -> None:
        """Once in a while, that there are too many: each of them must not be a line."""
        if time.monotonic() - self._told_s >= _TOLD_EVERY_S:
            self._told_s = time.monotonic()
            words = "%d connections are open, %d of them from %s: those that rest make room, else new ones are refused"
            _log.warning(words, count, len(self._held[place]), place or "nowhere known")


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, holding little for a client that reads slowly: the engine is made to wait instead.

    A request's head is bounded in size and in time, so that nobody fills the memory with it, or keeps a connection by
    sending a byte now and then.
    """

    _head_bytes = 0
    _head_lines = 0
    _is_in_head = True
    _refusal = 400
    _patience: asyncio.TimerHandle | None = None

    def __init__(self, *, receive_timeout_s: float, crowd: _Crowd, **rest: Any) -> None:
        super().__init__(**rest)
        self._receive_timeout_s = receive_timeout_s
        self._crowd = crowd

    @property
    def is_resting(self) -> bool:
        """Whether no request of it is being answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or (cycle.response_complete and not self.pipeline)

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client connected."""
        super().connection_made(transport)
        if not self._crowd.let_in(self):
            self._refuse(503)
            return
        self._await_head()
        # What encrypts has a buffer of its own, and never tells that it is empty where that may hold nothing.
        if transport.get_extra_info("sslcontext") is None:
            transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_waiting()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        if self._is_in_head:
            # What is cut off within a line is held by the parser, however long it grows.
            self._head_bytes += len(data)
        if self.parser is None:
            return  # the connection is gone
        self._unset_keepalive_if_required()
        # As uvicorn does, which warns of each: strangers would push all else out of the log.
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
        except httptools.HttpParserUpgrade:
            pass  # no other protocol is spoken: what was asked is answered in this one
        if self._is_in_head and self._head_bytes > _HEAD_MOST_BYTES and not self.transport.is_closing():
            self._refuse(431)

    def on_message_begin(self) -> None:
        """The first byte of a request's head."""
        super().on_message_begin()
        self._is_in_head, self._head_lines = True, 0
        if self._patience is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """A piece of the request's line."""
        super().on_url(url)
        if len(self.url) > _HEAD_MOST_BYTES:
            self._refusal = 431
            raise _HeadTooLarge

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._head_lines += 1
        if self._head_lines > _HEADERS_MOST or len(value) > _HEAD_MOST_BYTES:
            self._refusal = 431
            raise _HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_in_head, self._head_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole; what follows is another head."""
        super().on_message_complete()
        self._is_in_head = True

    def send_400_response(self, msg: str) -> None:
        """Tell that the head cannot be read, and close."""
        if not self.transport.is_closing():
            self._refuse(self._refusal)

    def _await_head(self) -> None:
        self._patience = self.loop.call_later(self._receive_timeout_s, self._refuse, 408)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _refuse(self, status: int) -> None:
        self._stop_waiting()
        address = self.client[0] if self.client else "nowhere known"
        _access.info("%d to %s: %s", status, address, _WHY[status], extra=log.fields(status=status))
        self.transport.write(_refused(status))
        self.transport.close()


def _refused(status: int) -> bytes:
    """A whole answer to what is not read as a request: in no dialect, since nobody knows which was meant."""
    phrase = http.HTTPStatus(status).phrase
    body = f"{phrase}: {_WHY[status]}"
    head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode("ascii")


class Server(uvicorn.Server):
    """uvicorn that tells when it is up and leaves signals to the command line."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = anyio.Event()
        self.down = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting, then say so."""
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open requests finish within the grace, then say so."""
        await super().shutdown(sockets)
        self.down.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave them alone."""
        yield


def listen(settings: Settings) -> socket.socket:
    """The listening socket. Raises PortBusy when the address is taken, SettingInvalid when it is not ours."""
    host = settings.host
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingInvalid(f"host is {host!r}, which is no address of this machine. Use 127.0.0.1.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(f"Port {settings.port} on {host} is taken by another program.") from error
        raise SettingInvalid(
            f"Cannot listen on {host} port {settings.port}: {error.strerror}. Choose another."
        ) from error
    return listener


def url_of(settings: Settings, port: int, *, host: str = "") -> str:
    """The address of a paddock that listens on `port`: by the host it listens on, or by another."""
    host = host or settings.host
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{shown}:{port}"


def server_of(app: ASGIApp, settings: Settings, certificate: Certificate | None, *, grace_s: int) -> Server:
    """The HTTP server of an application."""
    proxies = settings.listed("trusted_proxies")
    most = min(_CONNECTIONS_MOST, files_most() // 2)
    # Proxies bring everybody from one address.
    crowd = _Crowd(most=most, of_one_most=most if proxies else most // 2)
    config = uvicorn.Config(
        app,
        http=partial(_Protocol, receive_timeout_s=settings.receive_timeout_s, crowd=crowd),  # pyright: ignore[reportArgumentType]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=certificate[1] if certificate else None,
        backlog=_BACKLOG,
        # Who asks on one connection is not who asked on it before.
        reset_contextvars=True,
        timeout_keep_alive=_IDLE_CONNECTION_S,
        timeout_graceful_shutdown=grace_s,
    )
    return Server(config)


def files_most() -> int:
    """How many files and connections may be open; as many as the system allows are, from now on, up to a bound."""
    if sys.platform == "win32":
        return _FILES_MOST
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES_MOST if hard == resource.RLIM_INFINITY else min(hard, _FILES_MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):
            return soft  # macOS has a bound of its own beneath that
        return most
    return most if soft == resource.RLIM_INFINITY else min(soft, _FILES_MOST)


def reached_at(settings: Settings, port: int) -> str:
    """An address that a browser elsewhere can open, where paddock listens on every one."""
    return url_of(settings, port, host=[*settings.listed("server_names"), *_addresses(settings.host)][0])


def _addresses(host: str) -> list[str]:
    """The address that is listened on; of every address, those of this machine that others reach, IPv4 first."""
    if host not in _ANY:
        return [host]
    import psutil

    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    found = [
        (one.family != socket.AF_INET, one.address.partition("%")[0])
        for name, each in psutil.net_if_addrs().items()
        for one in each
        if name in up and one.family in (socket.AF_INET, socket.AF_INET6)
    ]
    others = [address for _, address in sorted(found) if not ipaddress.ip_address(address).is_loopback]
    return [address for address in others if not ipaddress.ip_address(address).is_link_local] or ["127.0.0.1"]


def certificate_of(settings: Settings) -> Certificate | None:
    """What the server needs to speak HTTPS, where it shall; tried before anything is listened on.

    Raises SettingInvalid or HomeUnusable.
    """
    if not settings.tls_cert:
        return None
    if settings.tls_cert == SELF_SIGNED:
        names = [*settings.listed("server_names"), *_addresses(settings.host)]
        cert, key = self_signed(settings.home, names)
    else:
        cert, key = Path(settings.tls_cert), Path(settings.tls_key or settings.tls_cert)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or error
        raise SettingInvalid(
            f"tls_cert is {settings.tls_cert!r}, which cannot be used with its key ({reason}). Give a certificate in "
            "PEM and its key, or say self-signed."
        ) from error
    return str(cert), str(key)
