"""Owns a program that answers like the model hub over real sockets, and misbehaves as told; imports no paddock.

    python hub.py --root FOLDER          FOLDER/ORG/REPO/files…; prints its port

`/api/models?search=…` finds, `/api/models/ORG/REPO/revision/main?blobs=true` lists, `/ORG/REPO/resolve/COMMIT/FILE`
describes and sends on to `/cdn/…` at another host name, as the hub does for large files. What is written to it is
`hub_commits.py`'s. `POST /__faults` and `GET /__record` are its controls.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
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
from typing import Any, Literal, TypedDict, cast

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fakes.hub_commits import ABOUT, Pushed, is_plain, posted, put, read_slowly

READ_BYTES = 64 * 2**10
STALL_S = 60
# Who may write, unless the faults say otherwise.
TOKEN = "hf_writes"
COMMIT = hashlib.sha1(b"the only commit").hexdigest()


class Faults(TypedDict, total=False):
    """How to misbehave. `cuts` of the next sendings end after `cut_after_bytes`; -1 is every one of them.

    `stalls` fall silent there with the connection open, `trickles` go on byte by byte; all others take `slow_s`.
    `write_status` and `put_status` are answered to what would write, `put_slow_s` is how long a large file takes to
    come, in parts of `part_bytes` where that is said.
    """

    cuts: int
    stalls: int
    trickles: int
    slow_s: float
    cut_after_bytes: int
    wrong_bytes: bool
    ignore_range: bool
    status: int
    error_code: str
    cdn_status: int
    busy: int
    token: str
    body: str
    pause_s: float
    write_status: int
    put_status: int
    put_slow_s: float
    part_bytes: int
    hidden_once: int


class Seen(TypedDict):
    """One request, and how many bytes were sent for it."""

    method: str
    path: str
    host: str
    authorization: str | None
    range: str | None
    user_agent: str


class World:
    """What all requests share."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: Faults = {}
        self.seen: list[Seen] = []
        self.pushed = Pushed()
        self.lock = threading.Lock()

    def take(self, name: Literal["cuts", "busy", "stalls", "trickles", "hidden_once"]) -> bool:
        """Whether a counted fault strikes this time."""
        with self.lock:
            left = self.faults.get(name, 0)
            if left > 0:
                self.faults[name] = left - 1
            return left != 0


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    world: World

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        path = self._noted()
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/__faults":
            self.world.faults = json.loads(raw)
            self.world.seen.clear()
            self._say(200, b"{}")
            return
        token = self.world.faults.get("token", TOKEN)
        # A whole of parts is told at an address that is a secret of its own.
        if not path.startswith("/lfs/whole/") and self.headers["Authorization"] != f"Bearer {token}":
            self._say(401, b"{}")
            return
        faults = cast("dict[str, Any]", self.world.faults)
        said = posted(self.world.root, self.world.pushed, faults, path, self.headers["Host"], raw)
        self._say(said.status, json.dumps(said.body).encode(), said.about)

    def do_PUT(self) -> None:
        path, size_bytes = self._noted(), int(self.headers["Content-Length"])
        raw = read_slowly(self.rfile, size_bytes, self.world.faults.get("put_slow_s", 0))
        if len(raw) < size_bytes:
            self.close_connection = True
            return
        said = put(self.world.pushed, cast("dict[str, Any]", self.world.faults), path, raw)
        self._say(said.status, json.dumps(said.body).encode(), said.about)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self._noted()
        if path in ("/__record", "/__pushed"):
            told = self.world.seen if path == "/__record" else self.world.pushed.told()
            self._say(200, json.dumps(told).encode())
            return
        time.sleep(self.world.faults.get("pause_s", 0))
        if path == "/api/models":
            self._found(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query))
        elif listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+)?", path):
            self._listing(listing[1])
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._resolve(file[1], file[2])
        elif sent := re.fullmatch(r"/cdn/(.+)", path):
            self._send(self.world.root / sent[1])
        else:
            self._say(404, b"{}")

    def _noted(self) -> str:
        """The path that is asked for, which is written down unless it is a control's."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path.startswith("/__"):
            return path
        self.world.seen.append(
            {
                "method": self.command,
                "path": path,
                "host": self.headers["Host"],
                "authorization": self.headers["Authorization"],
                "range": self.headers["Range"],
                "user_agent": self.headers["User-Agent"] or "",
            }
        )
        return path

    def _found(self, query: dict[str, list[str]]) -> None:
        """The repositories whose name holds the words that are searched for."""
        if "status" in self.world.faults:
            self._say(self.world.faults["status"], b"{}")
            return
        if "body" in self.world.faults:
            self._say(200, self.world.faults["body"].encode())
            return
        words = query["search"][0].lower().split()
        repos = sorted(folder.relative_to(self.world.root).as_posix() for folder in self.world.root.glob("*/*"))
        found = [self._about(repo) for repo in repos if all(word in repo.lower() for word in words)]
        self._say(200, json.dumps(found[: int(query["limit"][0])]).encode())

    def _about(self, repo: str) -> dict[str, Any]:
        """What the hub says of a repository: what its `.about.json` holds, and what every one has."""
        path = self.world.root / repo / ABOUT
        more: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
        return {"_id": "0" * 24, "id": repo, "modelId": repo, "tags": ["gguf"], "gated": False, **more}

    def _listing(self, repo: str) -> None:
        if self.world.take("hidden_once"):
            self._say(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        if self._refused(repo):
            return
        if "body" in self.world.faults:
            self._say(200, self.world.faults["body"].encode())
            return
        folder = self.world.root / repo
        siblings: list[dict[str, Any]] = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ABOUT):
            raw = path.read_bytes()
            about: dict[str, Any] = {"rfilename": path.relative_to(folder).as_posix(), "size": len(raw)}
            about["blobId"] = hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()
            if path.suffix == ".gguf" and not is_plain(path):
                about["lfs"] = {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw), "pointerSize": 130}
            siblings.append(about)
        self._say(200, json.dumps({**self._about(repo), "sha": COMMIT, "siblings": siblings}).encode())

    def _resolve(self, repo: str, name: str) -> None:
        path = self.world.root / repo / name
        if self._refused(repo):
            return
        if not path.is_file():
            self._say(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        if self._about(repo)["gated"] and not self.headers["Authorization"]:
            self._say(401, b"", {"X-Error-Code": "GatedRepo"})
            return
        raw = path.read_bytes()
        about = {"X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if is_plain(path):
            self._send(path, about | {"ETag": f'"{hashlib.sha1(b"blob %d" % len(raw) + bytes(1) + raw).hexdigest()}"'})
            return
        about |= {"X-Linked-Size": str(len(raw)), "X-Linked-ETag": f'"{hashlib.sha256(raw).hexdigest()}"'}
        port = self.headers["Host"].rpartition(":")[2]
        location = f"http://localhost:{port}/cdn/{urllib.parse.quote(f'{repo}/{name}')}?signed=yes"
        self._say(302, b"", about | {"Location": location})

    def _refused(self, repo: str) -> bool:
        faults = self.world.faults
        wanted = faults.get("token")
        if "status" in faults:
            self._say(faults["status"], b"{}", {"X-Error-Code": faults.get("error_code", "")})
        elif wanted is not None and self.headers["Authorization"] != f"Bearer {wanted}":
            self._say(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif not (self.world.root / repo).is_dir() or (
            self._about(repo).get("private") and not self.headers["Authorization"]
        ):
            self._say(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        else:
            return False
        return True

    def _send(self, path: Path, about: dict[str, str] | None = None) -> None:
        faults, raw = self.world.faults, path.read_bytes()
        if "cdn_status" in faults and self.command == "GET":
            self._say(faults["cdn_status"], b"no")
            return
        if self.command == "GET" and self.world.take("busy"):
            self._say(503, b"busy")
            return
        if faults.get("wrong_bytes"):
            raw = raw[:-1] + bytes([raw[-1] ^ 1])
        start, whole = 0, len(raw)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if asked and not faults.get("ignore_range"):
            start = int(asked[1])
        body = raw[start:]
        self.send_response(206 if start else 200)
        for name, value in (about or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.world.take("cuts"):
            self.wfile.write(body[: faults.get("cut_after_bytes", 0)])
            self.wfile.flush()
            self.close_connection = True
            return
        if self.world.take("stalls"):
            self._drip(body[: faults.get("cut_after_bytes", 0)], piece=READ_BYTES, gap_s=0)
            time.sleep(STALL_S)
        elif self.world.take("trickles"):
            self._drip(body, piece=1, gap_s=0.1)
        else:
            self._drip(body, piece=READ_BYTES, gap_s=faults.get("slow_s", 0) * READ_BYTES / max(1, whole))

    def _drip(self, body: bytes, *, piece: int, gap_s: float) -> None:
        """Send in pieces, with gaps after them, until all is sent or the client has left."""
        for start in range(0, len(body), piece):
            try:
                self.wfile.write(body[start : start + piece])
                self.wfile.flush()
            except OSError:
                self.close_connection = True
                return
            time.sleep(gap_s)

    def _say(self, status: int, body: bytes, about: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (about or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A server that takes a client's leaving for what it is."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of these tests leave on purpose."""


@dataclass(frozen=True)
class Hub:
    """A running fake hub, as tests see it."""

    endpoint: str
    root: Path

    def misbehave(self, faults: Faults | None = None) -> None:
        """Set the faults and forget what was asked so far."""
        body = json.dumps(faults or {}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/__faults", body), timeout=10).close()

    def seen(self) -> list[Seen]:
        with urllib.request.urlopen(f"{self.endpoint}/__record", timeout=10) as answer:
            return json.load(answer)

    def pushed(self) -> dict[str, Any]:
        """What was written to it: `created`, `commits`, and the digests of the large files that came (`taken`)."""
        with urllib.request.urlopen(f"{self.endpoint}/__pushed", timeout=10) as answer:
            return json.load(answer)

    def describe(self, repo: str, **about: Any) -> None:
        """Let the hub say this of a repository, such as `gated="auto"` or `tags=["gguf", "license:mit"]`."""
        self.add(repo, ABOUT, json.dumps(about).encode())

    def add(self, repo: str, name: str, content: bytes) -> None:
        path = self.root / repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextmanager
def running_hub(root: Path) -> Generator[Hub]:
    """A hub over `root` in a process of its own, which ends with the block."""
    command = [sys.executable, __file__, "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Hub(endpoint=f"http://127.0.0.1:{int(process.stdout.readline())}", root=root)
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    Answers.world = World(parser.parse_args().root)
    # Both address families, because `localhost` may mean either.
    server = Server(("127.0.0.1", 0), Answers)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """The environment of a program that knows this hub only from what is given here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE", "XDG_"))}
    return (
        kept | {"PADDOCK_HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "hf"), "HOME": str(tmp_path)} | more
    )
