"""Owns a relay that does nothing but relay, with the HTTP client named on the command line; for choosing one.

python -m bench.bare_relay CLIENT ENGINE_PORT ENGINE_KEY      prints the port it listens on
"""

from __future__ import annotations

import importlib
import socket
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

Open = Any


class Aiohttp:
    """aiohttp with paddock's settings."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url, self._headers = url, headers
        self._session: Any = None

    @asynccontextmanager
    async def open(self, path: str, body: bytes) -> AsyncGenerator[tuple[int, str, Any]]:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        # The real engine closes after each stream, although it promises to keep the connection.
        ends = {"Connection": "close"} if b'"stream": true' in body else {}
        async with self._session.post(self._url + path, data=body, headers={**self._headers, **ends}) as response:
            yield response.status, response.headers["content-type"], response.content.iter_any()


class Httpx:
    """httpx, or httpx2, which has the same interface."""

    def __init__(self, module: str, url: str, headers: dict[str, str]) -> None:
        self._httpx: Any = importlib.import_module(module)
        limits = self._httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = self._httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)
        self._url, self._headers = url, headers

    @asynccontextmanager
    async def open(self, path: str, body: bytes) -> AsyncGenerator[tuple[int, str, Any]]:
        async with self._client.stream("POST", self._url + path, content=body, headers=self._headers) as response:
            yield response.status_code, response.headers["content-type"], response.aiter_raw()


class BareRelay:
    """An ASGI application: the request's bytes on to the engine, its bytes back."""

    def __init__(self, client: Aiohttp | Httpx) -> None:
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay one request."""
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        opened: AbstractAsyncContextManager[tuple[int, str, Any]] = self._client.open(scope["path"], body)
        async with opened as (status, content_type, chunks):
            if "json" in content_type:
                whole = b"".join([chunk async for chunk in chunks])
                headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(whole)).encode())]
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": whole})
                return
            headers = [(b"content-type", content_type.encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def main() -> None:
    name, port, key = sys.argv[1:]
    url, headers = f"http://127.0.0.1:{port}", {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    client = Aiohttp(url, headers) if name == "aiohttp" else Httpx(name, url, headers)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f'{{"port": {listener.getsockname()[1]}}}', flush=True)
    server = uvicorn.Server(
        uvicorn.Config(BareRelay(client), http="httptools", loop="uvloop", log_config=None, access_log=False)
    )

    def leave_with_parent() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=leave_with_parent, daemon=True).start()
    server.run([listener])


if __name__ == "__main__":
    main()
