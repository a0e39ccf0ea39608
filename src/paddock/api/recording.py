"""Owns which requests are recorded, and copying what goes in and out; refuses to know how recordings are kept."""

from __future__ import annotations

import re

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock.recorder.recorder import Recorder
from paddock.recorder.recording import Recording

_PREFIXES = ("/v1/", "/api/generate", "/api/embed", "/infill", "/tokenize", "/apply-template")
# Of the page's chats, only what asks an engine.
_PATHS = re.compile(r"/api/chat\Z|/api/chats/[^/]+/answers\Z")
_WAIT_S = 5.0


class Recorded:
    """The layer behind the guard that records a request where its header, its key or the setting asks for it."""

    def __init__(self, app: ASGIApp, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, recorded or not."""
        recording = None
        if scope["type"] == "http" and scope["method"] == "POST" and _is_asking(scope["path"]):
            recording = self._recorder.begin(
                request_id=scope.get("paddock.request_id", ""),
                method=scope["method"],
                path=scope["path"],
                headers=scope["headers"],
                asked=_asked(scope),
            )
        if recording is None:
            await self._app(scope, receive, send)
            return
        scope["paddock.recording"] = recording

        async def send_copied(message: Message) -> None:
            if message["type"] == "http.response.start":
                recording.status(message["status"])
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-paddock-recording", recording.record_id.encode()),
                ]
                for name, value in message["headers"]:
                    if name.startswith(b"x-paddock-"):
                        recording.note(name.decode(), value.decode("latin-1"))
            else:
                recording.outbound(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_copied)
        finally:
            with anyio.move_on_after(_WAIT_S, shield=True):
                await recording.close()


def _is_asking(path: str) -> bool:
    return path.startswith(_PREFIXES) or _PATHS.match(path) is not None


def carried(exchange: ASGIApp, recording: Recording | None) -> ASGIApp:
    """An exchange that goes on after its request's answer, under the same recording, which must be held for it."""
    if recording is None:
        return exchange

    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await exchange({**scope, "paddock.recording": recording}, receive, send)
        finally:
            with anyio.move_on_after(_WAIT_S, shield=True):
                await recording.close()

    return recorded


def _asked(scope: Scope) -> bool | None:
    """What its key says, which whoever shows that cannot undo, else the request's own header; None for neither."""
    key = scope.get("paddock.key")
    if key is not None and key.is_recorded:
        return True
    for name, value in scope["headers"]:
        if name == b"x-paddock-record":
            return value.strip().lower() in (b"1", b"true", b"yes", b"on")
    return None
