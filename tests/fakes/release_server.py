"""Owns a program that serves releases as GitHub does, over real sockets, and misbehaves as told; imports no paddock.

    python release_server.py --root FOLDER          FOLDER/TAG/files…; prints its port

`/releases/tags/TAG` describes, `/releases/download/TAG/FILE` sends on to `/cdn/…` at another host name, as GitHub
does. It takes absolute addresses too, as a proxy gets them. `POST /__faults` and `GET /__record` are its controls.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypedDict, cast

_BLOCK_BYTES = 16 * 1024


class Faults(TypedDict, total=False):
    """How to misbehave. `cuts` of the next sendings end after `cut_after_bytes`; -1 is every one of them.

    `status` with `headers` answers each question for a description; `file_status` each for a file. `pause_s` comes
    before each block of 16 KiB. `digest` stands in every description in place of the right one.
    `newest` is the tag of the newest release; without it, nobody knows.
    """

    cuts: int
    cut_after_bytes: int
    wrong_bytes: bool
    ignore_range: bool
    new_version: bool
    status: int
    headers: dict[str, str]
    file_status: int
    body: str
    digest: str | None
    pause_s: float
    newest: str


class Seen(TypedDict):
    """One request."""

    path: str
    host: str
    authorization: str | None
    range: str | None
    if_range: str | None


class World:
    """What all requests share."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: Faults = {}
        self.seen: list[Seen] = []
        self.lock = threading.Lock()

    def is_cut(self) -> bool:
        """Whether this sending ends early."""
        with self.lock:
            left = self.faults.get("cuts", 0)
            if left > 0:
                self.faults["cuts"] = left - 1
            return left != 0


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    world: World

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        self.world.faults = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.world.seen.clear()
        self._say(200, b"{}")

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path == "/__record":
            self._say(200, json.dumps(self.world.seen).encode())
            return
        self.world.seen.append(
            {
                "path": path,
                "host": self.headers["Host"],
                "authorization": self.headers["Authorization"],
                "range": self.headers["Range"],
                "if_range": self.headers["If-Range"],
            }
        )
        if path == "/releases/latest" and "newest" in self.world.faults:
            self._say(200, json.dumps({"tag_name": self.world.faults["newest"]}).encode())
        elif described := re.fullmatch(r"/releases/tags/([^/]+)", path):
            self._describe(described[1])
        elif file := re.fullmatch(r"/releases/download/([^/]+/[^/]+)", path):
            _, port = cast("tuple[str, int]", self.server.server_address)
            self._say(302, b"", {"Location": f"http://localhost:{port}/cdn/{urllib.parse.quote(file[1])}?signed=yes"})
        elif sent := re.fullmatch(r"/cdn/(.+)", path):
            self._send(self.world.root / sent[1])
        else:
            self._say(404, b"{}")

    def _describe(self, tag: str) -> None:
        faults = self.world.faults
        folder = self.world.root / tag
        if "status" in faults:
            self._say(faults["status"], b"{}", faults.get("headers"))
        elif "body" in faults:
            self._say(200, faults["body"].encode())
        elif not folder.is_dir():
            self._say(404, b'{"message": "Not Found"}')
        else:
            assets: list[dict[str, Any]] = []
            for path in sorted(folder.iterdir()):
                raw = path.read_bytes()
                digest = faults["digest"] if "digest" in faults else f"sha256:{hashlib.sha256(raw).hexdigest()}"
                assets.append({"name": path.name, "size": len(raw), "digest": digest})
            self._say(200, json.dumps({"tag_name": tag, "assets": assets}).encode())

    def _send(self, path: Path) -> None:
        faults = self.world.faults
        if "file_status" in faults:
            self._say(faults["file_status"], b"no", faults.get("headers"))
            return
        if not path.is_file():
            self._say(404, b"no")
            return
        raw = path.read_bytes()
        etag = f'"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}{"-2" if faults.get("new_version") else ""}"'
        if faults.get("wrong_bytes"):
            raw = raw[:-1] + bytes([raw[-1] ^ 1])
        start, whole = 0, len(raw)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if asked and not faults.get("ignore_range") and self.headers["If-Range"] in (None, etag):
            start = int(asked[1])
        body = raw[start:]
        self.send_response(206 if start else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        if self.world.is_cut():
            body = body[: faults.get("cut_after_bytes", 0)]
            self.close_connection = True
        for begin in range(0, len(body), _BLOCK_BYTES):
            time.sleep(faults.get("pause_s", 0))
            self.wfile.write(body[begin : begin + _BLOCK_BYTES])

    def _say(self, status: int, body: bytes, about: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (about or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A server that takes a client's leaving for what it is."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of these tests leave on purpose."""


@dataclass(frozen=True)
class Releases:
    """A running release server, as tests see it."""

    address: str
    root: Path

    def misbehave(self, faults: Faults | None = None) -> None:
        """Set the faults and forget what was asked so far."""
        body = json.dumps(faults or {}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.address}/__faults", body), timeout=10).close()

    def seen(self) -> list[Seen]:
        with urllib.request.urlopen(f"{self.address}/__record", timeout=10) as answer:
            return json.load(answer)

    def files(self) -> list[Seen]:
        """The sendings of files."""
        return [seen for seen in self.seen() if seen["path"].startswith("/cdn/")]

    def add(self, tag: str, name: str, content: bytes) -> None:
        (self.root / tag).mkdir(parents=True, exist_ok=True)
        (self.root / tag / name).write_bytes(content)


@contextmanager
def running_releases(root: Path) -> Generator[Releases]:
    """A release server over `root` in a process of its own, which ends with the block."""
    root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Releases(address=f"http://127.0.0.1:{int(process.stdout.readline())}", root=root)
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    Answers.world = World(parser.parse_args().root)
    server = Server(("127.0.0.1", 0), Answers)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
