"""Owns a paddock into which everybody who could has put something hostile; refuses to know how the page shows it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import environ
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from paddock.models.catalog import BUNDLED
from tests.fakes.adapter_files import adapter
from tests.fakes.gguf_files import gguf
from tests.fakes.hub import Hub, running_hub
from tests.page import rig
from tests.page.hostile import payload, short
from tests.page.rig import Served
from tests.page.test_requests import recorded
from tests.unit.test_reading import CHATGPT
from tests.wire.rig import CHAT
from tests.wire.test_evaluations import said as answered
from tests.wire.test_export_files import making
from tests.wire.test_training import WORKER, asked

# Each text that somebody can put before the page, and its mark; `filled` puts it there, and a visit must meet it.
MARKS = {
    name: f"m{9000 + place}q"
    for place, name in enumerate(
        [
            "chat-title",
            "folder-name",
            "preset-name",
            "system-prompt",
            "message",
            "answer",
            "thought",
            "tool-name",
            "tool-arguments",
            "tool-output",
            "document-name",
            "imported-title",
            "draft",
            "key-name",
            "alias",
            "model-file",
            "adapter-file",
            "remote-model",
            "remote-error",
            "recorded-model",
            "recorded-message",
            "log-line",
            "refused-file",
            "training-name",
            "training-prompt",
            "training-sample",
            "training-artifact",
            "training-error",
            "training-answer",
            "training-output",
            "training-prompts",
            "export-source",
            "export-progress",
            "export-step",
            "export-artifact",
            "export-faults",
            "export-error",
            "export-says",
            "export-prompt",
            "export-told",
            "export-lost",
            "export-method",
            "data-set",
            "refused-data-set",
            "refused-row",
            "vote-name",
            "vote-asked",
            "vote-answered",
            "set-name",
            "set-lines",
            "collection-name",
            "collected-name",
            "passage-text",
            "hub-licence",
            "hub-file",
        ]
    )
}
REPO = "ours/pocket-GGUF"
Json = dict[str, Any]


def mark(name: str) -> str:
    return MARKS[name]


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """Such a paddock. `trainings` and `exports` are its two each, `refused_rows` a file that no training takes.

    `votes` are two as well: one that is blind, and one whose names are shown. `collection` is one of documents, and
    `passage` a passage of it.
    """

    served: Served
    trainings: tuple[str, str]
    exports: tuple[str, str]
    votes: tuple[str, str]
    collection: str
    passage: int
    refused_rows: Path

    def listed(self, path: str) -> list[Any]:
        """What a list of the API holds."""
        with urlopen(f"{self.served.url}{path}", timeout=20) as answer:
            return json.loads(answer.read())["data"]


@contextmanager
def far() -> Generator[str]:
    """A remote whose models are named by somebody hostile; its address."""

    class Far(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/broken"):
                self._say(500, {"error": {"message": payload("m6q")}})
            else:
                self._say(200, {"object": "list", "data": [{"id": short(mark("remote-model")), "object": "model"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say(500, {"error": {"message": payload(mark("remote-error")), "type": short("m8q")}})

        def _say(self, status: int, told: Any) -> None:
            body = json.dumps(told)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Far) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def studio(wheel: Path, engine: list[str], folder: Path) -> Generator[Hostile]:
    """The paddock, before the scripted engine and worker, with a remote and a hub that are hostile too."""
    home, models, rows = folder / "home", folder / "models", folder / "rows"
    for made in (home, models, rows):
        made.mkdir()
    names = {
        **{f"general.{name}": payload("m1q") for name in ("name", "author", "license", "url", "description")},
        "tokenizer.chat_template": f"{{{{ messages }}}} {payload('m5q')}",
    }
    # A name of a file holds no slash, which these do not either.
    (models / f"{short(mark('model-file'))}.gguf").write_bytes(gguf(more=names))
    (models / f"{short(mark('adapter-file'))}.gguf").write_bytes(adapter(more=names))
    (models / f"{short(mark('refused-file'))}.gguf").write_bytes(b"GGUF" + bytes(64))
    with far() as address, running_hub(folder / "hub") as hub:
        environment = {**environ, "PYTHONPATH": str(wheel), "PADDOCK_HOME": str(home)}
        for name, path in (("lab", "v1"), ("broken", "broken/v1")):
            words = [sys.executable, "-m", "paddock", "remotes", "add", name, f"{address}/{path}"]
            subprocess.run(words, env=environment, check=True, cwd=home, capture_output=True)
        at_hub = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder / "hf")}
        with rig.served(wheel, home, engine, at_hub, worker=WORKER, model_folders=str(models)) as served:
            served.ask("/api/models/pocket-v0/load", {})
            filled(served)
            fetched(served, hub)
            trainings = trained(served, rows)
            exports = exported(served, folder)
            votes = voted(served, folder)
            collection, passage = collected(served)
            refused = rows / f"{short(mark('refused-data-set'))}.jsonl"
            refused.write_text(json.dumps({"messages": [{"role": short(mark("refused-row")), "content": "x"}]}))
            yield Hostile(
                served=served, trainings=trainings, exports=exports, votes=votes, collection=collection,
                passage=passage, refused_rows=refused,
            )  # fmt: skip


def sent(studio: Served, method: str, path: str, body: Any) -> None:
    """Ask something that may well be refused."""
    request = Request(studio.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    try:
        with urlopen(request, timeout=30) as answer:
            answer.read()
    except HTTPError as error:
        error.close()


def attached(studio: Served, name: str, data: bytes) -> str:
    request = Request(f"{studio.url}/api/attachments?name={quote(name)}", data, method="POST")
    with urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["id"]


def filled(studio: Served) -> None:
    """Put each text of `MARKS` where it can be put."""
    folder = studio.ask("/api/folders", {"name": short(mark("folder-name"))})["id"]
    settings = {"system": payload(mark("system-prompt"))}
    studio.ask("/api/presets", {"name": short(mark("preset-name")), "settings": settings})
    chat = {"id": "hostile-chat", "title": short(mark("chat-title")), "folder_id": folder, "settings": settings}
    studio.ask("/api/chats", chat)
    document = attached(studio, f"{short('m4q')}.txt", payload("m2q").encode())
    said = [
        {"type": "text", "text": payload(mark("message"))},
        {"type": "document", "attachment_id": document, "name": short(mark("document-name"))},
    ]
    first = studio.ask("/api/chats/hostile-chat/messages", {"parent_id": None, "role": "user", "content": said})
    answer = [
        {"type": "reasoning", "text": payload(mark("thought"))},
        {"type": "text", "text": payload(mark("answer"))},
        {"type": "tool_call", "call_id": "c1", "name": short(mark("tool-name")),
         "arguments": json.dumps({"a": payload(mark("tool-arguments"))})},
        {"type": "tool_result", "call_id": "c1", "output": payload(mark("tool-output"))},
    ]  # fmt: skip
    body = {"parent_id": first["id"], "role": "assistant", "content": answer, "model": short("m3q")}
    studio.ask("/api/chats/hostile-chat/messages", body)
    exported = [{**CHATGPT, "conversation_id": "x", "title": short(mark("imported-title"))}]
    sent(studio, "POST", "/api/chats/import?all=true", exported)
    sent(studio, "PATCH", "/api/chats/hostile-chat", {"draft": {"text": payload(mark("draft"))}})
    studio.ask("/api/keys", {"name": short(mark("key-name"))})
    sent(studio, "PUT", f"/api/aliases/{quote(short(mark('alias')), safe='')}", {"model": "pocket-v0"})
    recorded(studio, {"model": short(mark("recorded-model")), "messages": [{"role": "user", "content": "x"}]})
    recorded(studio, {"messages": [{"role": "user", "content": payload(mark("recorded-message"))}]})
    far = {"model": f"lab/{short(mark('remote-model'))}", "messages": [{"role": "user", "content": "x"}]}
    recorded(studio, far)
    sent(studio, "GET", f"/{quote(short(mark('log-line')))}", None)
    sent(studio, "POST", "/api/remotes/check", {})


def fetched(studio: Served, hub: Hub) -> None:
    """A download that fails with what its hub calls a file, from a repository that says of itself what it likes."""
    hub.add(REPO, f"{short(mark('hub-file'))}-Q8_0.gguf", b"GGUF" + bytes(64))
    hub.describe(REPO, tags=["gguf", f"license:{short(mark('hub-licence'))}"])
    hub.misbehave({"wrong_bytes": True})
    job = studio.ask("/api/downloads", {"model": f"{REPO}:Q8_0"})
    failed(studio, f"/api/downloads/{job['id']}")


def trained(studio: Served, folder: Path) -> tuple[str, str]:
    """Two trainings whose workers tell hostile texts: one fails with one, the other ends and leaves some in its log."""
    said = told()
    first = {**asked(folder, [*said, {"exit": 1}], sample_prompts=payload(mark("training-prompts")))}
    rows = folder / f"{short(mark('data-set'))}.jsonl"
    (folder / "rows.jsonl").replace(rows)
    first["spec"]["data"] = str(rows)
    crashes = [*said[:-1], {"print": payload(mark("training-output"))}, {"exit": 9}]
    second = asked(folder, crashes, learning_rate=0.5)
    bodies = ({**first, "name": short(mark("training-name"))}, second)
    ids = [str(studio.ask("/api/training", body)["id"]) for body in bodies]
    for job_id in ids:
        failed(studio, f"/api/training/{job_id}")
    return ids[0], ids[1]


def told() -> list[Json]:
    """What a hostile worker tells, its failure last."""
    made = f"/made/{short(mark('training-artifact'))}"
    return [
        {"tell": "begins", "steps": 2, "step": 0},
        {"tell": "step", "step": 1, "loss": 3.0, "learning_rate": 2e-4},
        {"tell": "tried", "answer": payload(mark("training-answer"))},
        {"tell": "sample", "step": 1, "prompt": payload(mark("training-prompt")),
         "text": payload(mark("training-sample"))},
        {"tell": "artifact", "name": "adapter", "path": made, "size_bytes": 1},
        {"tell": "failed", "error": {"kind": "data", "message": payload(mark("training-error"))}},
    ]  # fmt: skip


def exported(studio: Served, folder: Path) -> tuple[str, str]:
    """Two exports of a folder called so: one whose file and certificate say hostile things, and one that fails so."""
    # A folder's name holds no slash, which this does not either.
    (folder / short(mark("export-source"))).mkdir()
    says = {"verdict": "fail", "says": payload(mark("export-says"))}
    differing = {"name": short(mark("export-prompt")), "at": 0, "source": payload(mark("export-told")), "file": 1}
    told = {"prompts": 1, "different": [differing], "calls_lost": [payload(mark("export-lost"))]}
    links = {"template": says, short("m7q"): says}
    method = payload(mark("export-method"))
    acts = making(folder, verdict="fail", links=links, figures={"template": told}, method=method)
    acts[0]["doing"] = short(mark("export-step"))
    acts[-2]["faults"] = [payload(mark("export-faults"))]
    made = {"tell": "artifact", "name": short("m8q"), "path": f"/a/{short(mark('export-artifact'))}", "size_bytes": 1}
    failing = {"tell": "failed", "error": {"kind": "export", "message": payload(mark("export-error"))}}
    progress = {"tell": "progress", "progress": payload(mark("export-progress"))}
    ids: list[str] = []
    for name, said in (("done", [*acts[:-1], made, acts[-1]]), ("fails", [progress, failing])):
        source = folder / short(mark("export-source")) / name
        source.mkdir()
        (source / "config.json").write_text("{}")
        (source / "script.json").write_text(json.dumps(said))
        ids.append(str(studio.ask("/api/exports", {"source": str(source), "types": ["F16"]})["id"]))
    until(studio, f"/api/exports/{ids[0]}", lambda job: job["state"] == "done")
    failed(studio, f"/api/exports/{ids[1]}")
    return ids[0], ids[1]


def voted(studio: Served, folder: Path) -> tuple[str, str]:
    """Two votes on hostile prompts and answers, and a set of such lines."""
    file = folder / "tuned.gguf"
    file.write_bytes(BUNDLED["pocket-v0"].read_bytes())
    studio.ask("/api/models/import", {"path": str(file)})
    studio.ask("/api/models/tuned/load", {})
    studio.script({"routes": {CHAT: [answered(payload(mark("vote-answered")))]}})
    row = {"prompt": payload(mark("vote-asked")), "contains": "x"}
    both = {"suite": "vote", "model": "pocket-v0", "against": "tuned"}
    ids: list[str] = []
    for name in (short(mark("vote-name")), "shown"):
        ids.append(str(studio.ask("/api/evaluations", {**both, "name": name, "set": [row]})["id"]))
        until(studio, f"/api/evaluations/{ids[-1]}", lambda job: job["state"] == "done")
    studio.ask(f"/api/evaluations/{ids[1]}/ballot", {"number": 1, "choice": "left"})
    studio.ask(f"/api/evaluations/{ids[1]}/show", {})
    studio.ask("/api/evaluation-sets", {
        "name": short(mark("set-name")), "lines": json.dumps({**row, "prompt": payload(mark("set-lines"))}),
    })  # fmt: skip
    studio.script({})
    return ids[0], ids[1]


def collected(studio: Served) -> tuple[str, int]:
    """A collection with a hostile name, of one document with a hostile name and text; and its passage."""
    one = str(studio.ask("/api/knowledge", {"name": short(mark("collection-name"))})["id"])
    name = quote(f"{short(mark('collected-name'))}.txt")
    text = payload(mark("passage-text")).encode()
    with urlopen(Request(f"{studio.url}/api/knowledge/{one}/documents?name={name}", text, method="POST"), timeout=30):
        pass
    until(studio, f"/api/knowledge/{one}", lambda told: set(told["states"]) <= {"ready", "failed"})
    found = studio.ask("/api/knowledge/search", {"collections": [one], "query": mark("passage-text")})
    return one, int(found["data"][0]["id"])


def failed(studio: Served, path: str) -> None:
    """Wait until a training or a download has failed."""
    until(studio, path, lambda job: job["state"] == "failed")


def until(studio: Served, path: str, is_so: Callable[[Json], bool]) -> None:
    end_s = time.monotonic() + 60
    while True:
        with urlopen(f"{studio.url}{path}", timeout=20) as answer:
            found = json.loads(answer.read())
        if is_so(found):
            return
        assert time.monotonic() < end_s, found
        time.sleep(0.1)
