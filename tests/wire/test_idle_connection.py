"""Tests that a connection outlives the rest that clients give it, so that none sends a request into its end."""

from __future__ import annotations

import anyio
import pytest
from anyio.abc import SocketStream

from tests.wire.rig import HANG_GUARD_S, Rig

pytestmark = pytest.mark.anyio
# httpx, and with it OpenAI's and Anthropic's SDKs, uses a connection again that has rested for up to five seconds.
_REST_S = 6.0


async def asked(stream: SocketStream, host: str) -> bytes:
    """The head of the answer to one more request on a connection."""
    await stream.send(f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    with anyio.fail_after(HANG_GUARD_S):
        return await stream.receive()


async def test_a_connection_that_rested_for_as_long_as_clients_keep_one_is_answered(rig: Rig) -> None:
    host = rig.studio.url.removeprefix("http://")
    async with await anyio.connect_tcp(host.split(":")[0], int(host.split(":")[1])) as stream:
        assert (await asked(stream, host)).startswith(b"HTTP/1.1 200 ")
        await anyio.sleep(_REST_S)
        assert (await asked(stream, host)).startswith(b"HTTP/1.1 200 ")
