"""Owns talking with a server of tools at an address: only with addresses that were looked at, and within bounds.

What goes wrong beneath is told as an answer of the protocol, so that one broken request ends no other.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import httpx2

ANSWER_MOST_BYTES = 8 * 2**20
_STREAM_MOST_BYTES = 256 * 2**20
_CONNECT_S = 15.0
# Longer than any call may take; the one who calls watches the time.
_SILENT_S = 3700.0
# Of the codes that are left to those who implement the protocol, one that the SDK has no use for.
FAULT = -32059

# The addresses of a URL's host that may be connected to. Raises ValueError, with why there are none.
Reach = Callable[[str], Awaitable[Sequence[str]]]


def client(headers: Mapping[str, str], reach: Reach) -> httpx2.AsyncClient:
    """A client that sends these headers with each request, asks no proxy, and keeps no cookie for another."""
    timeout = httpx2.Timeout(_CONNECT_S, read=_SILENT_S)
    return httpx2.AsyncClient(headers=dict(headers), timeout=timeout, transport=Guarded(reach), trust_env=False)


class Guarded(httpx2.AsyncBaseTransport):
    """Connects to addresses that were looked at, and to what it looked at alone."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One exchange. What cannot be had is an answer that tells why."""
        try:
            addresses = await self._reach(str(request.url))
            response = await self._inner.handle_async_request(_aimed(request, addresses[0]))
        except ValueError as error:
            return _told(403, f"is not asked: {error}")
        except httpx2.TimeoutException:
            return _told(504, "did not answer in time")
        except (httpx2.HTTPError, OSError) as error:
            return _told(502, f"cannot be reached ({type(error).__name__})")
        if response.status_code >= 400 and not _is_json(response) and response.status_code != 404:
            await response.aclose()
            return _told(response.status_code, _refused(response.status_code))
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        most = _STREAM_MOST_BYTES if _is_stream(response) else ANSWER_MOST_BYTES
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(response.stream, most),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    """A body that is no longer than it may be. What breaks it is what its reader knows as a stream's fault."""

    def __init__(self, inner: httpx2.AsyncByteStream, most_bytes: int) -> None:
        self._inner = inner
        self._most_bytes = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        came_bytes = 0
        try:
            async for chunk in self._inner:
                came_bytes += len(chunk)
                if came_bytes > self._most_bytes:
                    raise httpx2.StreamError(f"its answer has more than {self._most_bytes // 2**20} MiB")
                yield chunk
        except (httpx2.HTTPError, OSError) as error:
            raise httpx2.StreamError(f"its answer broke off ({type(error).__name__})") from error

    async def aclose(self) -> None:
        """Close what it bounds."""
        await self._inner.aclose()


def _aimed(request: httpx2.Request, address: str) -> httpx2.Request:
    """The request to one address of its host; the host is still what is asked for, and what must prove itself."""
    host = f"[{address}]" if ":" in address else address
    extensions = {**request.extensions, "sni_hostname": request.url.host}
    assert isinstance(request.stream, httpx2.AsyncByteStream)
    # A body that comes compressed would be larger than it is counted.
    headers = [pair for pair in request.headers.raw if pair[0].lower() != b"accept-encoding"]
    headers.append((b"Accept-Encoding", b"identity"))
    url = request.url.copy_with(host=host)
    return httpx2.Request(request.method, url, headers=headers, stream=request.stream, extensions=extensions)


def _is_json(response: httpx2.Response) -> bool:
    return response.headers.get("content-type", "").lower().startswith("application/json")


def _is_stream(response: httpx2.Response) -> bool:
    return response.headers.get("content-type", "").lower().startswith("text/event-stream")


def _refused(status: int) -> str:
    if status in (401, 403):
        return f"answered with status {status}: it asks for a key, or for another. Give it one as a header"
    return f"answered with status {status}"


def _told(status: int, why: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": FAULT, "message": why}}
    return httpx2.Response(status, headers={"content-type": "application/json"}, content=json.dumps(body).encode())
