"""Plays a server of tools that speaks MCP: well, or in one of the ways in which such a server goes wrong.

Run as a program with the way as its argument it speaks over its standard streams; with `--port-file FILE` over HTTP.
It uses nothing but Python's own library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Json = dict[str, Any]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NONE: Json = {"type": "object", "properties": {}}
TOOLS: list[Json] = [
    {"name": "echo", "description": "Says it again.", "inputSchema": TEXT, "annotations": {"readOnlyHint": True}},
    {"name": "env", "description": "Tells its environment.", "inputSchema": NONE},
    {"name": "picture", "description": "Draws.", "inputSchema": NONE},
    {"name": "slow", "description": "Never ends.", "inputSchema": NONE},
    {"name": "die", "description": "Ends itself.", "inputSchema": NONE},
    {"name": "line", "description": "Sends a line that never ends.", "inputSchema": NONE},
    {"name": "flood", "description": "Notifies without end.", "inputSchema": NONE},
    {"name": "sample", "description": "Asks for sampling without end.", "inputSchema": NONE},
    {"name": "wrong", "description": "Answers nonsense.", "inputSchema": NONE},
    {"name": "fails", "description": "Fails.", "inputSchema": NONE},
    {"name": "changes", "description": "Changes its tools.", "inputSchema": NONE},
    {"name": "large", "description": "Answers with much.", "inputSchema": NONE},
    {"name": "progress", "description": "Tells how far it is.", "inputSchema": NONE},
]
LIES: list[Json] = [
    {"name": "good", "inputSchema": NONE},
    {"name": "array", "inputSchema": {"type": "array"}},
    {"name": "unknown", "inputSchema": {"type": "object", "properties": {"x": {"type": "banana"}}}},
    {"name": "far", "inputSchema": {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:1/x"}}}},
    {"name": "huge", "inputSchema": {"type": "object", "properties": {"x": {"description": "y" * 100_000}}}},
    {"name": "good", "inputSchema": NONE},
    {"name": "späte Wörter; rm -rf /", "inputSchema": NONE},
    {"name": "n" * 200, "inputSchema": NONE},
]


class Server:
    """What it knows of its one client. `send` takes a message to it."""

    def __init__(self, way: str, send: Any) -> None:
        self.way = way
        self.send = send
        self.has_changed = False

    def hear(self, message: Json) -> None:
        """Answer one message."""
        method, number = message.get("method"), message.get("id")
        if method == "notifications/cancelled":
            note("cancelled")
        if number is None or method is None:
            return
        if method == "initialize" and self.way == "silent":
            return
        found = self.answer(str(method), message.get("params") or {}, number)
        if found is not None:
            self.send({"jsonrpc": "2.0", "id": number, **found})

    def answer(self, method: str, params: Json, number: Any) -> Json | None:
        """The answer to a request; None where there is none."""
        if method == "initialize":
            told = {"tools": {"listChanged": True}, "resources": {}, "prompts": {}}
            version = params["protocolVersion"]
            return {"result": {"protocolVersion": version, "capabilities": told,
                               "serverInfo": {"name": "fake", "version": "1"}}}  # fmt: skip
        if method == "tools/list":
            return {"result": self.tools(params)}
        if method == "tools/call":
            return self.call(params["name"], params.get("arguments") or {}, params, number)
        if method == "resources/list":
            return {"result": {"resources": [{"uri": "note://one", "name": "one", "mimeType": "text/plain"}]}}
        if method == "resources/read":
            if params["uri"] != "note://one":
                return {"error": {"code": -32002, "message": "no such resource"}}
            return {"result": {"contents": [{"uri": params["uri"], "mimeType": "text/plain", "text": "first note"}]}}
        if method == "prompts/list":
            return {"result": {"prompts": [{"name": "greet", "description": "Greets."}]}}
        return {"error": {"code": -32601, "message": "Method not found"}}

    def tools(self, params: Json) -> Json:
        """Its tools, as its way is."""
        if self.way == "lies":
            return {"tools": LIES}
        if self.way == "no list":
            return {"tools": [{"name": 5, "inputSchema": "?"}]}
        if self.way == "endless list":
            return {"tools": [{"name": f"t{params.get('cursor', 0)}", "inputSchema": NONE}],
                    "nextCursor": str(int(params.get("cursor", 0)) + 1)}  # fmt: skip
        return {"tools": [*TOOLS, *([{"name": "new", "inputSchema": NONE}] if self.has_changed else [])]}

    def call(self, name: str, arguments: Json, params: Json, number: Any) -> Json | None:
        """The result of a tool."""
        if name == "echo":
            return said(arguments["text"])
        if name == "env":
            return said(json.dumps(dict(os.environ)))
        if name == "picture":
            picture = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
            return {"result": {"content": [{"type": "text", "text": "Here."}, picture]}}
        if name == "fails":
            return {"result": {"content": [{"type": "text", "text": "out of hay"}], "isError": True}}
        if name == "wrong":
            return {"result": {"content": "?"}}
        if name == "large":
            return said("x" * 300_000)
        if name == "changes":
            self.has_changed = True
            for _ in range(5):
                self.send({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
            return said("changed")
        if name == "progress":
            token: Any = params.get("_meta", {}).get("progressToken")
            told: Json = {"progressToken": token, "progress": 1, "total": 2, "message": "half done"}
            self.send({"jsonrpc": "2.0", "method": "notifications/progress", "params": told})
            time.sleep(0.1)
            return said("all done")
        return self.misbehave(name)

    def misbehave(self, name: str) -> Json | None:
        """What a server that is broken does."""
        if name == "die":
            print("the hay is on fire", file=sys.stderr, flush=True)
            os._exit(3)
        if name == "line":
            while True:
                sys.stdout.buffer.write(b"x" * 2**20)
        if name == "flood":
            while True:
                self.send({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}})
        if name == "sample":
            for place in range(10**9):
                asked: Json = {"messages": [], "maxTokens": 10}
                self.send({"jsonrpc": "2.0", "id": f"s{place}", "method": "sampling/createMessage", "params": asked})
        note("began slow")
        return None


def said(text: str) -> Json:
    """A result of one text."""
    return {"result": {"content": [{"type": "text", "text": text}]}}


def note(what: str) -> None:
    """Leave word of something that a test waits for."""
    if path := os.environ.get("FAKE_NOTES"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{what}\n")


def over_streams(way: str) -> None:
    """Speak over the standard streams, a message a line."""
    lock = threading.Lock()

    def send(message: Json) -> None:
        with lock:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    if way == "noisy":
        print("Welcome to the fake server!\n{broken", flush=True)
    if way == "dead":
        print("no hay here", file=sys.stderr)
        sys.exit(4)
    if way == "stubborn":
        # A grandchild in a session of its own, which does not end with its input.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
        note(f"child {child.pid} {os.getpid()}")
    server = Server(way, send)
    for line in sys.stdin:
        message = json.loads(line)
        threading.Thread(target=server.hear, args=(message,), daemon=True).start()
    if way == "stubborn":
        time.sleep(3600)


def over_http(way: str, port_file: Path) -> None:
    """Speak over HTTP: each request is answered by its own response, as an event stream where the way is `stream`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            note(f"authorization {self.headers.get('Authorization')}")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if way == "closed":
                return self.reply(401, b"go away", "text/plain")
            if way == "redirects":
                self.send_response(307)
                self.send_header("Location", "http://127.0.0.1:9/mcp")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            sent: list[Json] = []
            message = json.loads(body)
            if message.get("params", {}).get("name") == "large":
                return self.reply(200, b'{"x": "' + b"x" * 2**24 + b'"}', "application/json")
            Server(way, sent.append).hear(message)
            if not sent:
                return self.reply(202, b"", "application/json")
            if way == "stream":
                frames = "".join(f"event: message\ndata: {json.dumps(one)}\n\n" for one in sent)
                return self.reply(200, frames.encode(), "text/event-stream")
            return self.reply(200, json.dumps(sent[-1]).encode(), "application/json")

        def do_GET(self) -> None:
            self.reply(405, b"", "text/plain")

        def reply(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port_file.with_suffix(".draft").write_text(str(server.server_address[1]))
        port_file.with_suffix(".draft").rename(port_file)
        server.serve_forever()


if __name__ == "__main__":
    way = sys.argv[1] if len(sys.argv) > 1 else "well"
    if "--port-file" in sys.argv:
        over_http(way, Path(sys.argv[sys.argv.index("--port-file") + 1]))
    else:
        over_streams(way)
