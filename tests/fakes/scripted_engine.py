"""Owns a program that speaks the engine's child protocol and routes over real sockets and misbehaves as scripted.

It knows no models: without a script it answers like a small engine would, with fixed words. It imports nothing of
paddock, so that a fault of paddock's cannot hide in it. The shapes of a script are in `scripted_shapes.py`.

    python scripted_engine.py [--script FILE] --model PATH --alias ID ...      (as the parent starts it)

Control routes, without a key: `POST /__script` sets a script, `GET /__record` says what was asked and how each peer
left, `POST /__clear` forgets both, `POST /__rest` closes the connections that wait for a next request.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.fakes.scripted_shapes import Answer, Chunk, Script, Seen, Start  # noqa: E402
from tests.fakes.scripted_slots import slot_answer, write_half  # noqa: E402
from tests.fakes.scripted_words import default_answer, error_answer, generated  # noqa: E402


class PeerLeft(Exception):
    """The other side closed its connection while it was being answered."""


class World:
    """What all connections share: the script, the record and the key."""

    def __init__(self, script: Script, arguments: argparse.Namespace, api_key: str) -> None:
        self.script: Script = script
        self.arguments = arguments
        self.api_key = api_key
        self.turns: dict[str, int] = {}
        self.seen: list[Seen] = []
        self.connections: set[Connection] = set()
        self.all_connections = 0

    def next_answer(self, path: str) -> Answer | None:
        """The scripted answers of a path are given in turn; the last one stays."""
        answers = self.script.get("routes", {}).get(path)
        if not answers:
            return None
        turn = self.turns.get(path, 0)
        self.turns[path] = turn + 1
        return answers[min(turn, len(answers) - 1)]

    def drop_idle(self) -> None:
        """Close every connection that waits for its next request."""
        for connection in self.connections:
            if connection.current is None:
                connection.transport.close()

    def clear(self) -> None:
        self.script = {}
        self.turns.clear()
        self.seen.clear()

    def record(self) -> dict[str, Any]:
        hits: dict[str, int] = {}
        for seen in self.seen:
            hits[seen["path"]] = hits.get(seen["path"], 0) + 1
        return {
            "requests": self.seen,
            "hits": hits,
            "open_connections": len(self.connections) - 1,
            "all_connections": self.all_connections,
            "now_s": time.monotonic(),
        }


class Connection(asyncio.Protocol):
    """One peer: requests are read and answered in turn, and the moment it leaves is noted."""

    transport: asyncio.Transport

    def __init__(self, world: World) -> None:
        self.world = world
        self.inbox = bytearray()
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.current: Seen | None = None
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.sock().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.world.connections.add(self)
        self.world.all_connections += 1
        self.task = asyncio.get_running_loop().create_task(self.serve())

    def data_received(self, data: bytes) -> None:
        self.inbox += data
        self.arrived.set()

    def eof_received(self) -> bool:
        self.note_left("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.world.connections.discard(self)
        self.note_left("reset" if exc else "closed")
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def sock(self) -> socket.socket:
        return cast(socket.socket, self.transport.get_extra_info("socket"))

    def note_left(self, how: str) -> None:
        if self.current is not None and self.current["closed_s"] is None:
            self.current["closed_s"] = time.monotonic()
            self.current["closed_how"] = how
        self.left.set()
        self.arrived.set()

    async def until(self, marker: bytes = b"", size: int = 0) -> bytes:
        """The next bytes up to and with `marker`, or exactly `size` of them."""
        while True:
            end = self.inbox.find(marker) + len(marker) if marker and marker in self.inbox else size
            if end and len(self.inbox) >= end:
                taken = bytes(self.inbox[:end])
                del self.inbox[:end]
                return taken
            if self.left.is_set():
                raise PeerLeft
            self.arrived.clear()
            await self.arrived.wait()

    async def pause(self, seconds: float | None) -> None:
        """Wait (for ever, if None) and stop at once when the peer leaves."""
        if seconds is None:
            await self.left.wait()
        elif seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self.left.wait()
            except TimeoutError:
                pass
        if self.left.is_set():
            raise PeerLeft

    async def send(self, data: bytes) -> None:
        self.transport.write(data)
        await self.writable.wait()
        if self.left.is_set():
            raise PeerLeft

    async def serve(self) -> None:
        try:
            while not self.left.is_set():
                seen, body = await self.read_request()
                self.current = seen
                await self.play(self.decide(seen, body), seen)
                self.current = None
        except PeerLeft:
            pass
        finally:
            self.current = None
            self.transport.close()

    async def read_request(self) -> tuple[Seen, bytes]:
        head = (await self.until(marker=b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
        low = {name.lower(): value for name, value in headers}
        if low.get("transfer-encoding", "") == "chunked":
            body = b""
            while size := int(await self.until(marker=b"\r\n"), 16):
                body += (await self.until(size=size + 2))[:-2]
            await self.until(size=2)
        else:
            length = int(low.get("content-length", "0"))
            body = await self.until(size=length) if length else b""
        seen = Seen(
            method=method, path=path.partition("?")[0], query=path.partition("?")[2], headers=headers,
            body=base64.b64encode(body).decode(),
            began_s=time.monotonic(), answered_s=None, closed_s=None, closed_how=None, chunks_sent=0,
        )  # fmt: skip
        if not seen["path"].startswith("/__"):
            self.world.seen.append(seen)
        return seen, body

    def decide(self, seen: Seen, body: bytes) -> Answer:
        """Control routes, then the key, then the script, then the default words."""
        world, path = self.world, seen["path"]
        if path == "/__record":
            return {"json": world.record()}
        if path == "/__script":
            world.script = json.loads(body)
            world.turns.clear()
            return {"json": {}}
        if path == "/__clear":
            world.clear()
            return {"json": {}}
        if path == "/__rest":
            world.drop_idle()
            return {"json": {}, "framing": "close"}
        bearer = {name.lower(): value for name, value in seen["headers"]}.get("authorization")
        if path != "/health" and bearer != f"Bearer {world.api_key}":
            return error_answer(401, "authentication_error", "Invalid API Key")
        scripted = world.next_answer(path)
        if path.startswith("/slots/") and scripted is None:
            return slot_answer(int(path[7:]), seen["query"], body, world.script, world.arguments)
        if path.startswith("/slots/") and seen["query"] == "action=save":
            write_half(body, world.arguments)
        if scripted is not None and "generate" not in scripted:
            return scripted
        return default_answer(path, body, world.script, world.arguments, scripted)

    async def play(self, answer: Answer, seen: Seen) -> None:
        """Give one answer with its timing and its end."""
        await self.pause(answer.get("wait_s", 0.0))
        chunks = answer.get("chunks")
        spec = answer.get("generate")
        plain = json.dumps(answer["json"]).encode() if "json" in answer else base64.b64decode(answer.get("body", ""))
        stream = chunks is not None or spec is not None
        framing = answer.get("framing", "chunked" if stream else "length")
        if not answer.get("no_head"):
            await self.send(_head(answer, framing, len(plain), stream=stream))
        if spec is not None:
            await self.play_chunks(generated(spec), framing, seen)
        elif chunks is not None:
            await self.play_chunks(iter(chunks), framing, seen)
        elif plain:
            await self.send(plain)
        end = answer.get("end", "end")
        if end == "end" and framing == "chunked":
            await self.send(b"0\r\n\r\n")
        seen["answered_s"] = time.monotonic()
        if end != "end" or framing == "close":
            await self.finish(end, answer)

    async def play_chunks(self, chunks: Iterator[Chunk], framing: str, seen: Seen) -> None:
        """Send chunks on their own clock: delays add up from the first, so a slow reader does not shift the rate."""
        due_s = time.monotonic()
        for chunk in chunks:
            due_s += chunk.get("delay_s", 0.0)
            await self.pause(due_s - time.monotonic())
            await asyncio.sleep(0)
            data = chunk["text"].encode() if "text" in chunk else base64.b64decode(chunk.get("data", ""))
            if chunk.get("stamp"):
                data = data.replace(b"SENT_S", repr(time.monotonic()).encode())
            if framing == "chunked" and data:
                data = b"%x\r\n%s\r\n" % (len(data), data)
            await self.send(data)
            seen["chunks_sent"] += 1

    async def finish(self, end: str, answer: Answer) -> None:
        """Every way a connection can end but the right one; `drop` after "close" framing is the right one."""
        if end == "stall":
            await self.pause(None)
        elif end == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        elif end == "exit":
            os._exit(answer.get("code", 1))
        elif end == "reset":
            self.sock().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        elif end == "half":
            self.transport.write_eof()
            await self.pause(None)
        raise PeerLeft


def _head(answer: Answer, framing: str, length: int, *, stream: bool) -> bytes:
    status = answer.get("status", 200)
    headers = list(answer.get("headers", []))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "text/event-stream" if stream else "application/json; charset=utf-8"))
    if framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
    elif framing == "close":
        headers.append(("Connection", "close"))
    else:
        headers.append(("Content-Length", str(answer.get("declared_length", length))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {answer.get('reason', 'Scripted')}\r\n{lines}\r\n".encode("latin-1")


def _say(event: dict[str, object]) -> None:
    print(json.dumps(event), flush=True)


def _begin(start: Start) -> None:
    """Live through the scripted start; returns only if the engine is to become ready."""
    if start.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in start.get("stderr", []):
        print(line, file=sys.stderr, flush=True)
    for line in start.get("stdout", []):
        print(line, flush=True)
    time.sleep(start.get("delay_s", 0.0))
    then = start.get("then", "ready")
    if then == "fail":
        _say({"event": "failed", "message": start.get("message", "scripted failure")})
        os._exit(1)
    if then == "exit":
        os._exit(start.get("code", 1))
    if then == "signal":
        os.kill(os.getpid(), start.get("signal", signal.SIGKILL))
    if then == "silent":
        time.sleep(3600)


def _watch_parent(start: Start) -> None:
    """The end of stdin means that the parent is gone."""

    def read() -> None:
        sys.stdin.buffer.read()
        if not start.get("stubborn"):
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()


def _this_start(script: Script, journal: str | None) -> Start:
    """The n-th start takes the n-th scripted one (the last one stays); each start is a line in the journal."""
    turn = 0
    if journal is not None:
        path = Path(journal)
        turn = len(path.read_text("utf-8").splitlines()) if path.exists() else 0
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"pid": os.getpid(), "argv": sys.argv, "began_s": time.monotonic()}) + "\n")
    starts = script.get("starts", [])
    return starts[min(turn, len(starts) - 1)] if starts else {}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--script", default=os.environ.get("SCRIPTED_ENGINE_SCRIPT"))
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", default="scripted")
    parser.add_argument("--ctx-size", type=int, default=4096)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--ubatch-size", type=int, default=128)
    parser.add_argument("--ctx-checkpoints", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--embeddings", action="store_true")
    parser.add_argument("--reranking", action="store_true")
    for word in ("mmproj", "chat-template-file", "cache-type-k", "cache-type-v", "flash-attn", "rope-freq-base"):
        parser.add_argument(f"--{word}")
    for word in ("rope-freq-scale", "model-draft", "spec-type", "lora", "slot-save-path"):
        parser.add_argument(f"--{word}")
    parser.add_argument("--lora-init-without-apply", action="store_true")
    return parser.parse_args()


async def _serve(world: World, chatter_bytes: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(world), "127.0.0.1", 0, backlog=1024)
    _say({"event": "ready", "port": server.sockets[0].getsockname()[1]})
    for pipe in (sys.stdout, sys.stderr):
        pipe.write("chatter\n" * (chatter_bytes // 8))
        pipe.flush()
    async with server:
        await server.serve_forever()


def main() -> None:
    """Start as a child of paddock does: the key from stdin, the port to stdout."""
    arguments = _arguments()
    script: Script = json.loads(Path(arguments.script).read_text("utf-8")) if arguments.script else {}
    start = _this_start(script, script.get("journal"))
    first = sys.stdin.buffer.readline()
    if not first:
        os._exit(0)
    _watch_parent(start)
    _begin(start)
    world = World(script, arguments, str(json.loads(first)["api_key"]))
    asyncio.run(_serve(world, start.get("chatter_bytes", 0)))


if __name__ == "__main__":
    main()
