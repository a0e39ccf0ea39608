"""Owns numbered events as a stream, and where a client stands in one; refuses to know what the events tell."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request

from paddock.errors import BadRequest

_DIGITS_MOST = 18


def after(request: Request) -> int:
    """The number of the last event that a client has: of its query, or of the header that browsers send.

    Raises BadRequest.
    """
    text = request.query_params.get("after") or request.headers.get("last-event-id") or "0"
    if not text.isdecimal() or not text.isascii() or len(text) > _DIGITS_MOST:
        raise BadRequest(f"after is '{text[:40]}', which is not the number of an event.", param="after")
    return int(text)


async def frames(events: AsyncGenerator[list[dict[str, Any]]]) -> AsyncGenerator[bytes]:
    """Events as they are sent, as many at once as come at once, and the end of them."""
    async with aclosing(events) as found:
        async for told in found:
            lines = (f"id: {one['number']}\nevent: {one['kind']}\ndata: {json.dumps(one)}\n\n" for one in told)
            yield "".join(lines).encode()
    yield b"data: [DONE]\n\n"
