"""Owns ending what goes on for one who is let in no longer; refuses to know how anybody is recognised.

A stream may go on for hours. Whoever reads one is looked at again every two seconds, and once he is let in no longer,
or may do less, the server leaves it as clients leave: it breaks off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock.errors import KeyRefused

_LOOK_EVERY_S = 2.0
IsStill = Callable[[], Awaitable[bool]]


async def while_let_in(app: ASGIApp, scope: Scope, receive: Receive, send: Send, is_still: IsStill) -> None:
    """Answer one request for as long as `is_still` says so. Raises KeyRefused where nothing of the answer is out."""
    is_read = is_started = is_over = False
    looks_s = anyio.current_time() + _LOOK_EVERY_S

    async def received() -> Message:
        nonlocal is_read, is_over, looks_s
        while is_read and not is_over:
            # Whoever waits here gives up now and then, and comes again.
            if anyio.current_time() >= looks_s:
                looks_s = anyio.current_time() + _LOOK_EVERY_S
                is_over = not await is_still()
                continue
            with anyio.CancelScope(deadline=looks_s):
                return await receive()
        if is_over:
            return {"type": "http.disconnect"}
        message = await receive()
        is_read = not message.get("more_body", False)
        return message

    async def sent(message: Message) -> None:
        nonlocal is_started
        is_started = True
        await send(message)

    await app(scope, received, sent)
    if is_over and not is_started:
        raise KeyRefused("Whoever asked this is let in no longer: the key was revoked, or one was signed out.")
