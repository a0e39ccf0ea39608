"""Owns where a client stands in a stream of numbered events; refuses to know what the events tell."""

from __future__ import annotations

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
