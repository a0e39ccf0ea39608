"""Owns talking with a program over its standard streams: one message a line, each bounded, the program ended with it.

The program has an environment of its own: what programs need to be found and to run, and what its record gives it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.abc import Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from paddock.toolservers import keeper

if TYPE_CHECKING:
    from paddock.toolservers.flood import Heard

LINE_MOST_BYTES = 8 * 2**20
_LAST_WORDS_BYTES = 4096
_ENV = (
    "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER",
    "APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATHEXT", "PROCESSOR_ARCHITECTURE", "PROGRAMDATA",
    "PROGRAMFILES", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERNAME", "USERPROFILE", "WINDIR",
)  # fmt: skip
# How long a program has to end of itself once its input is closed; then once it was asked to; then until it is gone.
_KINDLY_S, _ASKED_S, _KILLED_S = 1.0, 5.0, 2.0
_LOOKED_EVERY_S = 0.02

Item = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Item], MemoryObjectSendStream[SessionMessage]]


class LastWords:
    """The end of what a program wrote to its standard error."""

    def __init__(self) -> None:
        self._data = b""

    def add(self, data: bytes) -> None:
        """Go on with these bytes."""
        self._data = (self._data + data[-_LAST_WORDS_BYTES:])[-_LAST_WORDS_BYTES:]

    def text(self) -> str:
        """Its last line that says anything, in one line of what can be printed."""
        lines = [line.strip() for line in self._data.decode("utf-8", "replace").splitlines() if line.strip()]
        return "".join(one if one.isprintable() else " " for one in lines[-1])[:300] if lines else ""


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: nothing of paddock's but what every program needs, and its own."""
    return {**{name: os.environ[name] for name in _ENV if name in os.environ}, **own}


@asynccontextmanager
async def piped(
    words: Sequence[str], *, env: Mapping[str, str], folder: str, heard: Heard, said: LastWords
) -> AsyncGenerator[Streams]:
    """Run a program for the length of the block, and talk with it. Raises OSError.

    `heard.why` tells why it ended before; `said` gathers what it writes to its standard error.
    """
    kept = [sys.executable, "-I", "-S", str(Path(keeper.__file__)), str(os.getpid())] if os.name == "posix" else []
    process = await anyio.open_process(
        [*kept, *words], env=environment(env), cwd=folder or str(Path.home()), start_new_session=os.name == "posix"
    )
    # Nothing waits between this and the block below, which ends the process whatever happens.
    came, incoming = anyio.create_memory_object_stream[Item](0)
    outgoing, goes = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as group:
        group.start_soon(_read, process, came, heard)
        group.start_soon(_write, process, goes, came)
        group.start_soon(_listen, process, said)
        try:
            yield incoming, outgoing
        finally:
            with anyio.CancelScope(shield=True):
                outgoing.close()
                if heard.has_ended and not heard.why and await _is_gone(process, _KINDLY_S):
                    # It went by itself.
                    heard.why = _ending(process.returncode or 0, said.text())
                await _end(process, kindly_s=0.0 if heard.why else _KINDLY_S)
                for stream in (came, incoming, outgoing, goes):
                    await stream.aclose()
            group.cancel_scope.cancel()


def _ending(code: int, words: str) -> str:
    told = f": {words}" if words else ""
    return f"could not be started{told}" if code == keeper.NOT_STARTED else f"ended with status {code}{told}"


async def _read(process: Process, came: MemoryObjectSendStream[Item], heard: Heard) -> None:
    """Hand on what it says, a message a line; a line that is none as a ValueError."""
    assert process.stdout
    pieces: list[bytes] = []
    held_bytes = 0
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async with came:
            async for chunk in process.stdout:
                *lines, rest = chunk.split(b"\n")
                for line in lines:
                    if held_bytes + len(line) > LINE_MOST_BYTES:
                        break
                    await came.send(_message(b"".join([*pieces, line])))
                    pieces, held_bytes = [], 0
                else:
                    pieces.append(rest)
                    held_bytes += len(rest)
                    if held_bytes <= LINE_MOST_BYTES:
                        continue
                heard.over(f"sent a line of more than {LINE_MOST_BYTES // 2**20} MiB, and was ended")
                return


def _message(line: bytes) -> Item:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        return ValueError("a line that is no message")


async def _write(
    process: Process, goes: MemoryObjectReceiveStream[SessionMessage], came: MemoryObjectSendStream[Item]
) -> None:
    assert process.stdin
    try:
        async with goes:
            async for one in goes:
                data = one.message.model_dump_json(by_alias=True, exclude_unset=True)
                await process.stdin.send(data.encode("utf-8", "replace") + b"\n")
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        # Whoever waits for an answer to that is told that none comes.
        await came.aclose()


async def _listen(process: Process, said: LastWords) -> None:
    assert process.stderr
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async for chunk in process.stderr:
            said.add(chunk)


async def _end(process: Process, *, kindly_s: float) -> None:
    """End a program: its input first, then kindly, then at once. Bounded in time."""
    assert process.stdin
    with anyio.move_on_after(_KINDLY_S), contextlib.suppress(OSError, anyio.BrokenResourceError):
        await process.stdin.aclose()
    if not await _is_gone(process, kindly_s):
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        if not await _is_gone(process, _ASKED_S):
            with contextlib.suppress(OSError):
                if sys.platform != "win32":
                    os.killpg(process.pid, signal.SIGKILL)
                process.kill()
            await _is_gone(process, _KILLED_S)
    with anyio.move_on_after(_KILLED_S):
        await process.aclose()


async def _is_gone(process: Process, within_s: float) -> bool:
    # `wait` would wait for the pipes too, which others may hold.
    for _ in range(int(within_s / _LOOKED_EVERY_S)):
        if process.returncode is not None:
            return True
        await anyio.sleep(_LOOKED_EVERY_S)
    return process.returncode is not None
