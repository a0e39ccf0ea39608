"""Owns a program that acts like an installed llama-server, and archives that hold it; knows no model.

    llama-server --help | --version | --list-devices | FLAGS

It refuses flags that its `--help` does not list, as the real one does. `behaviour.json` beside it says how it differs
from a good one, and gets a line in `starts.jsonl` for each start. It imports nothing of paddock.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.fakes.scripted_llama_words import STREAMED, Behaviour, Refused, Words

# As the real one prints them: spellings with commas between, a value's name, words that hold dashes too.
HELP = """----- common params -----

-h,    --help, --usage                  print usage and exit
--version                               show version and build info
--list-devices                          print list of available devices and exit
-t,    --threads N                      number of CPU threads (default: -1)
-c,    --ctx-size N                     size of the prompt context, see --keep
-b,    --batch-size N                   logical maximum batch size
-ub,   --ubatch-size N                  physical maximum batch size
-fit,  --fit [on|off]                   whether to adjust unset arguments
-m,    --model FNAME                    model path to load
-a,    --alias STRING                   model name
-np,   --parallel N                     number of server slots
-mm,   --mmproj FILE                    path to a multimodal projector file
--host HOST                             ip address to listen
--port PORT                             port to listen
--api-key-file FNAME                    path to file containing API keys
--threads-http N                        number of threads used to process HTTP requests
--embedding, --embeddings               restrict to only support embedding use case
--rerank, --reranking                   enable reranking endpoint on server
--metrics                               enable prometheus compatible metrics endpoint
--slots, --no-slots                     expose slots monitoring endpoint
--jinja, --no-jinja                     whether to use jinja template engine
--no-ui, --no-webui                     disable the Web UI
-cram, --cache-ram N                    set the maximum cache size in MiB
"""
_ROOT = Path(__file__).resolve().parents[2]
_SWITCHES = {"--embedding", "--embeddings", "--rerank", "--reranking", "--metrics", "--slots", "--jinja", "--no-ui"}


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    api_key: str
    alias: str
    words: Words
    at_work: set[int]

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._say(200, {"status": "ok"})
        elif not self._is_allowed():
            self._say(401, {"error": {"message": "Invalid API Key"}})
        elif self.path == "/props":
            self._say(200, self.words.props())
        elif self.path == "/slots":
            self._say(200, [{"id": n, "is_processing": n < len(self.at_work)} for n in range(self.words.slots)])
        else:
            self._say(404, {"error": {"message": "File Not Found"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_allowed():
            self._say(401, {"error": {"message": "Invalid API Key"}})
            return
        self._fail_as_told()
        try:
            body: dict[str, Any] = json.loads(raw)
            if body.get("stream") and self.path in STREAMED:
                self._stream(self.words.frames(self.path, body))
            else:
                self._say(200, self.words.answer(self.path, body))
        except Refused as refused:
            self._say(refused.status, refused.body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"{type(error).__name__}: {error}"
            self._say(400, {"error": {"code": 400, "type": "invalid_request_error", "message": message}})

    def _fail_as_told(self) -> None:
        if self.words.behaviour.get("crashes_with") == self.alias:
            print("ggml_abort: scripted", file=sys.stderr, flush=True)
            os._exit(134)
        if self.words.behaviour.get("hangs_with") == self.alias:
            threading.Event().wait()

    def _is_allowed(self) -> bool:
        is_open = self.words.behaviour.get("lets_anyone_in", False)
        return is_open or self.headers["Authorization"] == f"Bearer {self.api_key}"

    def _stream(self, frames: Iterator[dict[str, Any]]) -> None:
        self.at_work.add(threading.get_ident())
        self.close_connection = True
        rate = self.words.behaviour.get("pieces_per_s", 0)
        gap_s = 1 / rate if rate else 0
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for frame in frames:
                self.wfile.write(f"data: {json.dumps(frame)}\n\n".encode())
                time.sleep(gap_s)
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            # Who asked has left.
            return
        finally:
            self.at_work.discard(threading.get_ident())

    def _say(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def parsed(words: list[str], behaviour: Behaviour) -> dict[str, str]:
    """The flags and their values; ends as the real one does on one it does not know."""
    known = {word.rstrip(",") for line in HELP.splitlines() for word in line.split("  ")[0].split() if word[:1] == "-"}
    given: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        listed = any(f" {word} " in f" {line.replace(',', ' ')} " for line in HELP.splitlines() if line[:1] == "-")
        if word in behaviour.get("lacks", []) or not (word in known or listed):
            print(f"error: invalid argument: {word}", file=sys.stderr)
            sys.exit(1)
        given[word] = "" if word in _SWITCHES else next(rest)
    return given


def main() -> None:
    beside = Path(sys.argv[0]).resolve().parent
    path = beside / "behaviour.json"
    behaviour: Behaviour = json.loads(path.read_text("utf-8")) if path.exists() else {}
    words = sys.argv[1:]
    if words == ["--help"]:
        lacks = behaviour.get("lacks", [])
        print("\n".join(line for line in HELP.splitlines() if not any(flag in line for flag in lacks)))
        return
    if words == ["--version"]:
        print(f"version: {behaviour.get('version', '11434 (scripted)')}", file=sys.stderr)
        return
    if words == ["--list-devices"]:
        print("Available devices:")
        for device in behaviour.get("devices", []):
            print(f"  {device}")
        return
    given = parsed(words, behaviour)
    if path.exists():
        with (beside / "starts.jsonl").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps({"words": words, "environment": dict(os.environ)}) + "\n")
    if "exit_status" in behaviour:
        print(behaviour.get("words", ""), file=sys.stderr, flush=True)
        os._exit(behaviour["exit_status"])
    key_file = given.get("--api-key-file")
    Answers.api_key = Path(key_file).read_text("utf-8").strip() if key_file else os.environ["LLAMA_API_KEY"]
    Answers.alias, Answers.at_work = given["--alias"], set()
    slots, context_tokens = int(given["--parallel"]), int(given["--ctx-size"])
    Answers.words = Words(behaviour=behaviour, slots=slots, context_tokens=context_tokens)
    server = ThreadingHTTPServer((given["--host"], int(given["--port"])), Answers)
    server.daemon_threads = True
    print("the real one would print its log here", flush=True)
    server.serve_forever()


def start(folder: str) -> str:
    """The script that starts this program where it lies in a folder, told in the shell's words."""
    return f'#!/bin/sh\nPYTHONPATH="{_ROOT}" exec "{sys.executable}" -P "{folder}/scripted_llama_server.py" "$@"\n'


def files(behaviour: Behaviour | None = None) -> dict[str, bytes]:
    """The files of a build: a llama-server that starts this program, and how it behaves."""
    return {
        "build/bin/llama-server": start('$(dirname "$0")').encode(),
        "build/bin/scripted_llama_server.py": Path(__file__).read_bytes(),
        "build/bin/behaviour.json": json.dumps(behaviour or {}).encode(),
        "build/LICENSE": b"none",
    }


def tar(behaviour: Behaviour | None = None) -> bytes:
    """The build as a tar archive, with links as libraries have them."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content in files(behaviour).items():
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(content), 0o755 if name.endswith("llama-server") else 0o644
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("./build/bin/libllama.so")
        link.type, link.linkname = tarfile.SYMTYPE, "../LICENSE"
        archive.addfile(link)
    return raw.getvalue()


def zipped(behaviour: Behaviour | None = None) -> bytes:
    """The build as a zip archive whose tool knew neither links nor rights."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files(behaviour).items():
            archive.writestr(name, content)
        archive.writestr("build/bin/libllama.so.1", b"\x7fELF")
        archive.writestr("build/bin/libllama.so", b"libllama.so.1")
    return raw.getvalue()


def lay_out(folder: Path, behaviour: Behaviour | None = None) -> Path:
    """The build, unpacked into a folder. Returns its llama-server."""
    for name, content in files(behaviour).items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    server = folder / "build" / "bin" / "llama-server"
    server.chmod(0o755)
    return server


if __name__ == "__main__":
    main()
