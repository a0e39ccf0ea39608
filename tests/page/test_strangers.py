"""Shows what pages of other origins reach, in a real browser: nothing, whether anybody must sign in or not."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page import rig
from tests.page.rig import Served, Tab
from tests.page.test_users import PASSWORD, choose

pytestmark = pytest.mark.attack("pages of elsewhere")
_TRIES = """async url => {
    const told = {};
    const tried = async (name, ask) => {
        try {
            const answer = await ask();
            told[name] = answer.type === 'opaque' ? 'opaque' : `${answer.status} ${(await answer.text()).slice(0, 40)}`;
        } catch { told[name] = 'refused'; }
    };
    const body = JSON.stringify({messages: [{role: 'user', content: 'x'}]});
    const json = {'Content-Type': 'application/json'};
    await tried('read', () => fetch(`${url}/v1/models`));
    await tried('chats', () => fetch(`${url}/api/chats`, {credentials: 'include'}));
    await tried('ask', () => fetch(`${url}/v1/chat/completions`, {method: 'POST', body, headers: json}));
    await tried('plain', () => fetch(`${url}/api/chats`, {method: 'POST', body: '{}', credentials: 'include'}));
    await tried('end', () => fetch(`${url}/api/shutdown`, {method: 'POST', mode: 'no-cors', credentials: 'include'}));
    await tried('delete', () => fetch(`${url}/api/models/pocket-v0`, {method: 'DELETE', credentials: 'include'}));
    const shown = (tag, fields) => new Promise(done => {
        const one = Object.assign(document.createElement(tag), fields);
        one.onload = () => done('loaded');
        one.onerror = () => done('refused');
        document.body.append(one);
        setTimeout(() => done('refused'), 3000);
    });
    told.image = await shown('img', {src: `${url}/api/attachments/none-1234/content`});
    told.script = await shown('script', {src: `${url}/v1/models`});
    return told;
}"""
_FORM = """url => {
    const form = Object.assign(document.createElement('form'), {method: 'post', action: url, enctype: 'text/plain'});
    form.append(Object.assign(document.createElement('input'), {name: '{"title":"forged","x":"', value: '"}'}));
    document.body.append(form);
    form.submit();
}"""

_FRAME = "url => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))"


@contextmanager
def stranger(host: str = "127.0.0.1") -> Generator[str]:
    """A server of somebody else's page, on this machine."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title><body>")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{host}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def page_of(chromium: Browser, url: str, tab: Tab | None = None) -> Generator[Page]:
    """Somebody else's page, in the reader's own profile where there is one."""
    context = tab.context if tab else chromium.new_context()
    page = context.new_page()
    page.goto(url)
    try:
        yield page
    finally:
        page.close()
        if not tab:
            context.close()


def test_a_page_of_elsewhere_reaches_nothing_where_nobody_is_asked(scripted: Served, chromium: Browser) -> None:
    with stranger() as url, page_of(chromium, url) as page:
        told = page.evaluate(_TRIES, scripted.url)
        assert set(told.values()) <= {"refused", "opaque"}, told
    assert scripted.process.poll() is None


def test_a_page_of_elsewhere_reaches_nothing_of_who_is_signed_in(
    wheel: Path, scripted_engine: list[str], tmp_path: Path, chromium: Browser
) -> None:
    with (
        rig.served(wheel, tmp_path, scripted_engine, require_login=True) as studio,
        rig.tab(chromium, studio.url) as tab,
        # The same site to a browser: another port of the same host gets the cookie.
        stranger() as url,
        page_of(chromium, url, tab) as page,
    ):
        choose(tab, str(studio.link))
        told = page.evaluate(_TRIES, studio.url)
        assert set(told.values()) <= {"refused", "opaque"}, told
        page.evaluate(_FORM, f"{studio.url}/api/chats")
        page.wait_for_load_state()
        expect(page.locator("body")).to_contain_text("A web page of origin")
        assert studio.process.poll() is None
        chats = tab.page.request.get(f"{studio.url}/api/chats", headers={"sec-fetch-site": "same-origin"})
        assert json.loads(chats.text())["data"] == []
        # And it is shown in no frame of theirs.
        page.goto(url)
        page.evaluate(_FRAME, studio.url)
        page.wait_for_timeout(500)
        assert all("paddock" not in frame.content() for frame in page.frames[1:])
        assert PASSWORD not in page.content()


def test_a_name_that_is_made_to_point_here_reaches_nothing(scripted: Served, tmp_path: Path) -> None:
    port = scripted.url.rpartition(":")[2]
    words = [
        rig.chromium(), "--headless", *rig.FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom",
        "--host-resolver-rules=MAP evil.example 127.0.0.1", f"http://evil.example:{port}/v1/models",
    ]  # fmt: skip
    told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "is not a name of this server" in told
    assert "pocket" not in told


@pytest.mark.parametrize("path", ["/api/chats", "/openapi.json", "/v1/models"])
def test_what_is_no_page_runs_nothing_in_a_browser(scripted: Served, chromium: Browser, path: str) -> None:
    with page_of(chromium, "about:blank") as page:
        answer = page.goto(scripted.url + path)
        assert answer is not None
        headers = answer.headers
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert headers["cross-origin-resource-policy"] == "same-origin"
