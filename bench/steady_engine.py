"""Owns an engine that answers at once and streams on a steady clock for little CPU; knows no model.

It speaks the child protocol of `paddock.engine.embedded` and imports nothing of paddock. A request says what it wants
in the field `bench`, which paddock passes on like any unknown field:

    {"chunks": N, "per_s": R}     N frames, R a second, each with the time at which it was sent
    {…, "timed": false}           the same without the time: byte for byte what the real engine writes
    {"calls": N}                  a call of `calculator` until the conversation holds N results, then a word; at once
    {"flood_bytes": N}            N bytes of frames as fast as the peer takes them, then silence

`POST /left` tells when each connection was closed that was still being streamed to, on the machine's monotonic clock.
Tokens are counted at no cost, so that what is left of a count is paddock's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import sys
import threading
import time
from typing import Any, cast

_SEND_BUFFER_BYTES = 64 * 1024
_FRAME = (
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" hello"}}],"created":1764000000,'
    b'"id":"chatcmpl-steadysteadysteadysteadysteady","model":"steady","system_fingerprint":"b1-bench",'
    b'"object":"chat.completion.chunk","sent_s":%.6f}\n\n'
)
_UNTIMED_FRAME = re.sub(rb',"sent_s":[^}]*', b"", _FRAME)
_PLAIN = {
    "choices": [{"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": "Hello there."}}],
    "created": 1764000000,
    "model": "steady",
    "object": "chat.completion",
    "usage": {"completion_tokens": 3, "prompt_tokens": 7, "total_tokens": 10},
    "id": "chatcmpl-steady",
}
_HEAD = {"id": "chatcmpl-steady", "object": "chat.completion.chunk", "created": 1764000000, "model": "steady"}
_PROPS: dict[str, Any] = {
    "default_generation_settings": {"params": {}, "n_ctx": 4096},
    "modalities": {"vision": False},
    "chat_template_caps": {"supports_tools": True},
}


_LEFT_S: list[float] = []
_BYTES_A_TOKEN = 4


class Connection(asyncio.Protocol):
    """One peer; its requests are answered one after another."""

    def __init__(self, api_key: str) -> None:
        self._bearer = f"bearer {api_key}".lower().encode()
        self._inbox = b""
        self._streaming = False
        self._paused = False
        self._flood_left = 0
        self._is_timed = True
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = cast(socket.socket, transport.get_extra_info("socket"))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        head, found, rest = self._inbox.partition(b"\r\n\r\n")
        low = head.lower()
        at = low.find(b"content-length:")
        length = int(low[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if not found or len(rest) < length:
            return
        self._inbox = rest[length:]
        path = head.split(b" ", 2)[1]
        if self._bearer not in low and path != b"/health":
            self._json({"error": {"code": 401, "message": "Invalid API Key"}}, status=b"401 Unauthorized")
        else:
            self._answer(path, rest[:length])

    def connection_lost(self, exc: Exception | None) -> None:
        if self._streaming:
            _LEFT_S.append(time.monotonic())
        self._streaming = False

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._flood_left > 0:
            self._loop.call_soon(self._flood)

    def _answer(self, path: bytes, body: bytes) -> None:
        if path == b"/props":
            self._json(_PROPS)
        elif path == b"/left":
            self._json({"left_s": _LEFT_S})
        elif path.endswith(b"/input_tokens"):
            self._json({"input_tokens": len(body) // _BYTES_A_TOKEN})
        elif path == b"/tokenize":
            self._json({"tokens": [0] * (len(body) // _BYTES_A_TOKEN)})
        elif path == b"/apply-template" and b"paddock_probe_call" not in body:
            self._json({"prompt": body.decode()})
        elif path == b"/apply-template":
            # Two renderings from which paddock learns how this template begins a call.
            before = '<call>{"name": "' if b'"tool_calls"' in body else ""
            self._json({"prompt": f"<|user|>probe<|bot|>{before}paddock_probe_call<|user|>probe"})
        elif path.startswith(b"/v1/"):
            request: dict[str, Any] = json.loads(body)
            if request.get("stream") and "calls" in (request.get("bench") or {}):
                self._turn(request)
            elif request.get("stream"):
                self._begin(request.get("bench") or {"chunks": 5, "per_s": 1000})
            else:
                self._json(_PLAIN)
        else:
            self._json({"status": "ok"})

    def _json(self, content: Any, *, status: bytes = b"200 OK") -> None:
        data = json.dumps(content).encode()
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(data))
        self._transport.write(head + data)

    def _begin(self, wish: dict[str, Any]) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self._streaming = True
        if "flood_bytes" in wish:
            sock = cast(socket.socket, self._transport.get_extra_info("socket"))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            self._flood_left = int(wish["flood_bytes"])
            self._flood()
            return
        self._left, self._gap_s = int(wish["chunks"]), 1 / float(wish["per_s"])
        self._is_timed = wish.get("timed", True)
        # Streams that begin together are spread over one gap, as the tokens of a real engine's slots are not.
        self._due_s = self._loop.time() + self._gap_s * (1 + (id(self) >> 6) % 64 / 64)
        self._loop.call_at(self._due_s, self._tick)

    def _turn(self, request: dict[str, Any]) -> None:
        """One turn of an answer that uses tools, whole and at once."""
        done = sum(message["role"] == "tool" for message in request["messages"])
        is_call = done < request["bench"]["calls"]
        function = {"name": "calculator", "arguments": json.dumps({"expression": f"{done} + 1"})}
        call = {"index": 0, "id": f"call_{done}", "type": "function", "function": function}
        deltas: list[dict[str, Any]] = [{"tool_calls": [call]} if is_call else {"content": "Done."}, {}]
        chunks = [
            {**_HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else reason}]}
            for delta in deltas
            for reason in ["tool_calls" if is_call else "stop"]
        ]
        chunks.append({**_HEAD, "choices": [], "usage": _PLAIN["usage"]})
        frames = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(frames)
        self._transport.write(head + frames)

    def _tick(self) -> None:
        if not self._streaming:
            return
        self._send(_FRAME % time.monotonic() if self._is_timed else _UNTIMED_FRAME)
        self._left -= 1
        if self._left <= 0:
            self._streaming = False
            self._send(b"data: [DONE]\n\n")
            self._transport.write(b"0\r\n\r\n")
            return
        self._due_s += self._gap_s
        self._loop.call_at(self._due_s, self._tick)

    def _flood(self) -> None:
        while self._streaming and not self._paused and self._flood_left > 0:
            frames = _FRAME % time.monotonic() * 16
            self._flood_left -= len(frames)
            self._send(frames)

    def _send(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%s\r\n" % (len(data), data))


async def _serve(api_key: str) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(api_key), "127.0.0.1", 0, backlog=2048)
    print(json.dumps({"event": "ready", "port": server.sockets[0].getsockname()[1]}), flush=True)
    async with server:
        await server.serve_forever()


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.parse_known_args()
    opening = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(opening["api_key"]))
    else:
        uvloop.run(_serve(opening["api_key"]))


if __name__ == "__main__":
    main()
