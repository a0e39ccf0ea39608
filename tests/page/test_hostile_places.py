"""Shows that no text runs, wherever it stands on the page: what others put there, and all that the API answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import environ
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page

from paddock.api.page import PATHS
from tests.fakes.adapter_files import adapter
from tests.fakes.gguf_files import gguf
from tests.page import hostile, rig
from tests.page.hostile import Poisoner, Trap, payload, short
from tests.page.rig import Served
from tests.page.test_requests import recorded
from tests.unit.test_reading import CHATGPT
from tests.wire.test_training import WORKER, asked

WEB = Path(__file__).resolve().parents[2] / "web" / "src"
# Each text that somebody can put before the page, and its mark; `filled` puts it there, `visited` must meet it.
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
        ]
    )
}
# Addresses that the page reads and that are read elsewhere, or here by other means.
UNREAD = {
    "/api/session/places": "where somebody is signed in: tests/page/test_users.py; the same list of rows as accounts",
    "/api/users": "names are of [a-z0-9._@-] alone: tests/wire/test_accounts.py",
    "/api/audit": "where somebody is signed in, and made of such names",
    "/health": "asked when paddock is gone; its words are the page's own",
}
# What is spoilt and must be there to be read, so that a page which hides all is not taken for a safe one.
SHOWN = {
    "/api/aliases.data[].pattern",
    "/api/chats/ID.messages[].content[].arguments",
    "/api/chats/ID.messages[].content[].name",
    "/api/chats/ID.messages[].content[].output",
    "/api/chats/ID.messages[].content[].text",
    "/api/chats/ID.messages[].model",
    "/api/chats/ID.title",
    "/api/clients.data[].file.text",
    "/api/clients.data[].note",
    "/api/engines.active",
    "/api/folders.data[].name",
    "/api/keys.data[].name",
    "/api/models.broken[].reason",
    "/api/models.models[].quantization",
    "/api/presets.data[].name",
    "/api/remotes.remotes[].name",
    "/api/requests.data[].model",
    "/api/requests/ID.headers[][]",
    "/api/requests/ID.sections.inbound",
    "/api/settings.settings[].help",
    "/api/settings.settings[].value",
    "/api/system.cpu.name",
    "/api/system.home.path",
}
# What is kept of a recorded request, beside what came in.
LAYERS = ("upstream", "prompt", "engine", "events", "outbound")
# What is opened, one after another, once a place has been looked at.
OPENED = {
    "/chat/hostile-chat": ("How answers are made",),
    "/models": (re.compile(r"^More about m\d+q"), "Settings…"),
}


def mark(name: str) -> str:
    return MARKS[name]


@pytest.fixture(scope="module")
def far() -> Generator[str]:
    """A remote whose models are named by somebody hostile."""

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
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def studio(
    wheel: Path, scripted_engine: list[str], far: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Served]:
    """A paddock that everybody who could has put something hostile into."""
    home, models = tmp_path_factory.mktemp("hostile"), tmp_path_factory.mktemp("models")
    names = {
        **{f"general.{name}": payload("m1q") for name in ("name", "author", "license", "url", "description")},
        "tokenizer.chat_template": f"{{{{ messages }}}} {payload('m5q')}",
    }
    # A name of a file holds no slash, which these do not either.
    (models / f"{short(mark('model-file'))}.gguf").write_bytes(gguf(more=names))
    (models / f"{short(mark('adapter-file'))}.gguf").write_bytes(adapter(more=names))
    (models / f"{short(mark('refused-file'))}.gguf").write_bytes(b"GGUF" + bytes(64))
    rows = tmp_path_factory.mktemp("rows")
    environment = {**environ, "PYTHONPATH": str(wheel), "PADDOCK_HOME": str(home)}
    for name, path in (("lab", "v1"), ("broken", "broken/v1")):
        words = [sys.executable, "-m", "paddock", "remotes", "add", name, f"{far}/{path}"]
        subprocess.run(words, env=environment, check=True, cwd=home, capture_output=True)
    with rig.served(wheel, home, scripted_engine, worker=WORKER, model_folders=str(models)) as served:
        served.ask("/api/models/pocket-v0/load", {})
        filled(served)
        trained(served, rows)
        yield served


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


def trained(studio: Served, folder: Path) -> None:
    """A training whose worker tells hostile texts, and fails with one."""
    made = f"/made/{short(mark('training-artifact'))}"
    acts = [
        {"tell": "begins", "steps": 2, "step": 0},
        {"tell": "step", "step": 1, "loss": 3.0, "learning_rate": 2e-4},
        {"tell": "sample", "step": 1, "prompt": payload(mark("training-prompt")),
         "text": payload(mark("training-sample"))},
        {"tell": "artifact", "name": "adapter", "path": made, "size_bytes": 1},
        {"tell": "failed", "error": {"kind": "data", "message": payload(mark("training-error"))}},
        {"exit": 1},
    ]  # fmt: skip
    body = {**asked(folder, acts, sample_prompts=payload("m7q")), "name": short(mark("training-name"))}
    studio.ask("/api/training", body)
    end_s = time.monotonic() + 60
    while listed(studio, "/api/training")[0]["state"] != "failed":
        assert time.monotonic() < end_s
        time.sleep(0.1)


def listed(studio: Served, path: str) -> list[Any]:
    with urlopen(f"{studio.url}{path}", timeout=20) as answer:
        return json.loads(answer.read())["data"]


def unfolded(page: Page) -> None:
    """Open what is folded, and look at each tab."""
    for _ in range(12):
        folded = page.locator("main [aria-expanded=false]:not([aria-haspopup])")
        if not folded.count():
            break
        folded.first.click(timeout=3000)


def visited(studio: Served, trap: Trap, page: Page, settle_ms: int = 400) -> None:
    """Go to every place of the page, open what can be opened, and look."""
    records = [one["id"] for one in listed(studio, "/api/requests")]
    ids = {"/chat/{id}": "hostile-chat", "/training/{id}": listed(studio, "/api/training")[0]["id"]}
    places = [path.replace("{id}", ids.get(path, "")) for path in PATHS]
    for path in [*places, *(f"/requests?id={record}" for record in records)]:
        page.goto(studio.url + path)
        page.locator("main").first.wait_for()
        page.wait_for_timeout(settle_ms)
        unfolded(page)
        page.wait_for_timeout(200)
        trap.look(page)
        for name in OPENED.get(path, ()):
            page.get_by_role("button", name=name).or_(page.get_by_role("menuitem", name=name)).last.click()
            page.wait_for_timeout(settle_ms)
            trap.look(page)
        if path.startswith("/requests?"):
            for layer in LAYERS:
                page.get_by_label("Right", exact=True).select_option(layer)
                page.wait_for_timeout(100)
                trap.look(page)


def test_nothing_that_others_put_there_runs(studio: Served, chromium: Browser) -> None:
    with rig.tab(chromium, studio.url) as tab:
        trap = hostile.set_up(tab)
        visited(studio, trap, tab.page)
        assert trap.found == []
        assert {name for name, mark in MARKS.items() if mark not in trap.seen} == set()


def test_nothing_that_the_api_answers_runs(studio: Served, chromium: Browser) -> None:
    with rig.tab(chromium, studio.url) as tab:
        trap, poisoner = hostile.set_up(tab), Poisoner()
        poisoner.watch(tab.context)
        visited(studio, trap, tab.page)
        assert trap.found == []
        assert SHOWN - set(poisoner.shown(trap.seen)) == set()
        assert len(asked_by_the_page()) > 10
        assert asked_by_the_page() - poisoner.answered - set(UNREAD) == set()


def asked_by_the_page() -> set[str]:
    """The addresses without parameters that the page's sources read."""
    sources = [*WEB.glob("services/*.ts"), *WEB.glob("stores/*.ts"), *WEB.glob("components/**/*.tsx")]
    read = re.compile(r"""\("GET", "(/(?:api|v1|health)[\w/-]*)\"""")
    return {path for file in sources if file.name != "schema.d.ts" for path in read.findall(file.read_text("utf-8"))}
