"""Owns the HTTP connections to engines and the one mapping of the HTTP library's exceptions to ours."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Protocol, cast

import aiohttp

from paddock.errors import ContextOverflow, EngineNotConnected, EngineRefused, EngineUnreachable

_CONNECT_TIMEOUT_S = 5.0
# Below the engine's own 5 s, so that a pooled connection is never one that the engine is just closing.
_KEEPALIVE_S = 2.0
# Small on purpose: a slow client must not make us hold much of its answer. aiohttp pauses reading at twice this.
_READ_BUFFER_BYTES = 4096
_ERROR_BODY_BYTES = 64 * 1024
_NO_MORE: Mapping[str, str] = MappingProxyType({})
# A remote engine's word is not a measure of our memory.
_BODY_MOST_BYTES = 256 * 2**20

# What an HTTP client raises when the transport, not the request, is at fault. The asyncio time-out is OSError's child.
TRANSPORT_FAULTS: tuple[type[Exception], ...] = (aiohttp.ClientError, OSError, TimeoutError)


class Destination(Protocol):
    """Where an engine listens, on this machine or elsewhere. An empty `api_key` is not sent."""

    @property
    def api_key(self) -> str:
        """The word by which paddock is let in there."""
        ...

    def url_of(self, path: str) -> str:
        """The address of the engine's route that llama.cpp's server has at `path`."""
        ...


class Answer:
    """One open answer of the engine: its status, its headers and its body as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._broken: Exception | None = None
        self.status = response.status
        self.content_type = response.headers.get("Content-Type", "application/json")

    async def next_chunk(self) -> bytes:
        """The next bytes, or b"" at the end. Safe to cancel: nothing is lost. Raises EngineUnreachable."""
        if self._broken:
            raise EngineUnreachable() from self._broken
        content = self._response.content
        try:
            return await content.readany()
        except TRANSPORT_FAULTS as error:
            # aiohttp raises before it hands out what came just before the break; nothing received is to be lost.
            unread = b"".join(content._buffer)  # pyright: ignore[reportPrivateUsage]
            if not unread:
                raise EngineUnreachable() from error
            self._broken = error
            return unread

    async def body(self) -> bytes:
        """The whole body, of at most 256 MiB. Raises EngineUnreachable."""
        try:
            return await _whole(self._response)
        except TRANSPORT_FAULTS as error:
            raise EngineUnreachable() from error

    async def refusal(self) -> EngineRefused | ContextOverflow:
        """Why the engine answered with a status other than 200. Raises EngineUnreachable."""
        return refusal_of(self.status, (await self.body())[:_ERROR_BODY_BYTES].decode("utf-8", "replace"))


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket whose kernel buffer is small, since one read takes all that is in it into our memory."""
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _READ_BUFFER_BYTES)
    made.setblocking(False)
    return made


def _nobody(left: Destination) -> None:
    """Who is told where nobody wants to know what was left."""


class EngineClient:
    """One pool of connections to engines.

    `on_left` is told of each engine that was asked something, or was answering, when its connection was given up.
    """

    def __init__(self, *, on_left: Callable[[Destination], None] = _nobody) -> None:
        self._on_left = on_left
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=_socket, keepalive_timeout=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_BUFFER_BYTES,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    @asynccontextmanager
    async def open(
        self, endpoint: Destination, path: str, body: bytes, *, streamed: bool, headers: Mapping[str, str] = _NO_MORE
    ) -> AsyncGenerator[Answer]:
        """POST `body` (JSON) and yield the answer once its status is here; the connection is closed on leaving.

        `headers` are sent beside those that every question has.

        Raises:
            EngineNotConnected: the engine does not listen.
            EngineUnreachable: the connection broke.
        """
        headers = {**headers, **_headers(endpoint)}
        if streamed:
            # llama.cpp's server closes after each stream, although it promises to keep the connection: a pooled one
            # would break under the next request.
            headers["Connection"] = "close"
        is_answered = False
        try:
            response = await self._session.post(
                endpoint.url_of(path),
                data=body,
                headers=headers,
                allow_redirects=False,
            )
            is_answered = True
        except aiohttp.ClientConnectorError as error:
            raise EngineNotConnected() from error
        except TRANSPORT_FAULTS as error:
            raise EngineUnreachable() from error
        finally:
            if not is_answered:
                self._on_left(endpoint)
        # Sent: a suspended generator would hold it until the answer's last byte.
        del body
        try:
            yield Answer(response)
        finally:
            if not response.content.at_eof():
                self._on_left(endpoint)
            # Gives a finished connection back to the pool; closes any other at once, which is what stops the engine.
            response.close()

    async def ask(self, endpoint: Destination, path: str, body: dict[str, Any] | None = None) -> Any:
        """One small JSON question (GET without a body). Raises EngineRefused or EngineUnreachable."""
        is_answered = False
        try:
            async with self._session.request(
                "GET" if body is None else "POST",
                endpoint.url_of(path),
                data=None if body is None else json.dumps(body).encode(),
                headers=_headers(endpoint),
                allow_redirects=False,
            ) as response:
                text = (await _whole(response)).decode("utf-8", "replace")
                is_answered = True
                if response.status != 200:
                    raise refusal_of(response.status, text)
                return json.loads(text)
        except ValueError as error:
            raise EngineUnreachable(f"The engine answered {path} with something that is no JSON.") from error
        except aiohttp.ClientConnectorError as error:
            raise EngineNotConnected() from error
        except TRANSPORT_FAULTS as error:
            raise EngineUnreachable() from error
        finally:
            if not is_answered:
                self._on_left(endpoint)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _BODY_MOST_BYTES:
            raise EngineUnreachable(f"The engine's answer is longer than {_BODY_MOST_BYTES} bytes, and was given up.")
    return bytes(body)


def _headers(endpoint: Destination) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    return headers


# Engines tell an overflow in words of their own; the two token counts in them are what a caller needs.
_OVERFLOWS = tuple(
    re.compile(words, re.I | re.S)
    for words in (
        (
            r"(?<!\d)(?P<prompt>\d{1,12}) tokens\b.{0,40}?(?:exceeds?|(?:larger|greater|longer) than|>)"
            r".{0,60}?context.{0,20}?(?P<context>\d{1,12})"
        ),
        r"(?<!\d)(?P<prompt>\d{1,12}) tokens > (?P<context>\d{1,12}) maximum",
        r"maximum context length is (?P<context>\d{1,12}) tokens.{0,60}?(?P<prompt>\d{1,12})(?: input)? tokens",
    )
)


def refusal_of(status: int, text: str) -> EngineRefused | ContextOverflow:
    """What the engine's error body says: an overflow with both token counts, or its status and reason.

    Args:
        status: the engine's HTTP status, not 200.
        text: its body: `{"error": {"message", "type", "n_prompt_tokens", "n_ctx"}}`, `{"error": "…"}` or any text.
    """
    said = _said(text)
    reason = str(said.get("message") or "")
    try:
        if said.get("type") == "exceed_context_size_error":
            return ContextOverflow(prompt_tokens=int(said["n_prompt_tokens"]), context_tokens=int(said["n_ctx"]))
    except (KeyError, TypeError, ValueError):
        pass
    if status in (400, 413, 500):
        for words in _OVERFLOWS:
            if found := words.search(reason):
                return ContextOverflow(prompt_tokens=int(found["prompt"]), context_tokens=int(found["context"]))
    return EngineRefused(status=status, reason=reason)


def _said(text: str) -> dict[str, Any]:
    """The error object in an engine's answer; what has none is a message itself."""
    try:
        answer: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {"message": text.strip()}
    read = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    error = read.get("error", read if "message" in read else text.strip())
    return cast("dict[str, Any]", error) if isinstance(error, dict) else {"message": error}
