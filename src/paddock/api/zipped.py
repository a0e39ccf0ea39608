"""Owns sending many files as one zip archive while it is written; refuses to know what is in them.

Nothing is packed: files of models do not become smaller. No more than a piece of a file is in memory, and none is
written anywhere.
"""

from __future__ import annotations

import zipfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import IO, cast

import anyio
import anyio.to_thread
from starlette.types import Receive, Scope, Send

_PIECE_BYTES = 2**20


class _Sink:
    """What an archive is written to: it keeps what was written since it was last asked, and cannot go back."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


class Zipped:
    """Files by their names in the archive, to one client. Call it as an ASGI application, once."""

    def __init__(self, files: Mapping[str, Path], name: str) -> None:
        self._files = files
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the archive ends or the client leaves."""
        headers = [
            (b"content-type", b"application/zip"),
            (b"content-disposition", f'attachment; filename="{self._name}.zip"'.encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with anyio.create_task_group() as group:
            group.start_soon(_until_left, receive, group.cancel_scope)
            async with aclosing(_pieces(self._files)) as pieces:
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()


async def _until_left(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _pieces(files: Mapping[str, Path]) -> AsyncGenerator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_STORED) as archive:
        for name, path in files.items():
            about = await anyio.to_thread.run_sync(zipfile.ZipInfo.from_file, path, name)
            # Its size is written behind it, and room for a large one is taken before it is known.
            with path.open("rb", buffering=0) as source, archive.open(about, "w", force_zip64=True) as into:
                while data := await anyio.to_thread.run_sync(source.read, _PIECE_BYTES):
                    into.write(data)
                    yield sink.taken()
    yield sink.taken()
