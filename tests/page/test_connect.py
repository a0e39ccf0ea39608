"""Shows how clients are pointed here: each one's steps, copied, for a chosen model and this very address."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import expect

from paddock.clients.known import CLIENTS, Target, needs
from tests.page.rig import PHONE, Tab

Another = Callable[..., AbstractContextManager[Tab]]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_is_shown_what_the_command_prints(tab: Tab, client: object) -> None:
    known = next(one for one in CLIENTS if one is client)
    tab.open("/connect")
    expect(tab.page.get_by_label("Model")).to_have_value("pocket-v0")
    tab.page.get_by_role("button", name=known.title, exact=False).first.click()
    card = tab.page.get_by_role("listitem").filter(has=tab.page.get_by_role("button", name=known.title)).first
    told = json.loads(tab.page.evaluate("async () => JSON.stringify(await (await fetch('/api/clients')).json())"))
    target = Target(url=tab.url, model="pocket-v0", context_tokens=told["context_length"], key="not-needed")
    wanted = needs(known, target)
    shown = [text.rstrip() for text in card.locator("pre").all_inner_texts()]
    if wanted["file"]:
        assert wanted["file"]["text"].rstrip() in shown
    exports = [text for text in shown if text.startswith("export ")]
    assert dict(line.removeprefix("export ").split("=", 1) for line in "\n".join(exports).splitlines()) == {
        name: shlex.quote(value) for name, value in wanted["environment"].items()
    }
    assert any(text.startswith(f"paddock connect {known.name} --model pocket-v0") for text in shown)
    assert tab.axe() == []


def test_what_is_copied_lets_a_library_answer(tab: Tab) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.open("/connect")
    tab.page.get_by_role("button", name="OpenAI's libraries").click()
    shown = tab.page.get_by_role("region", name="Set these variables in the terminal")
    shown.locator("..").get_by_role("button", name="Copy").click()
    tab.page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('export ')")
    lines = tab.page.evaluate("navigator.clipboard.readText()")
    program = "import openai; print([model.id for model in openai.OpenAI().models.list()])"
    command = f"{lines}\n{shlex.quote(sys.executable)} -c {shlex.quote(program)}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert "pocket-v0" in done.stdout


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_cards_are_free_of_barriers(tab: Tab, theme: str) -> None:
    tab.open("/connect")
    tab.theme(theme)
    tab.open("/connect")
    tab.page.get_by_role("button", name="Claude Code").click()
    expect(tab.page.get_by_role("main")).to_contain_text("begins with about 39,300 tokens")
    tab.shoot(f"connect-claude-{theme}")
    assert tab.axe() == []


def test_the_cards_fit_a_phone(another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open("/connect")
        tab.page.get_by_role("button", name="opencode").click()
        expect(tab.page.get_by_role("region", name="opencode.json")).to_be_visible()
        tab.shoot("phone-connect-opencode")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_server_that_is_gone_is_told(tab: Tab) -> None:
    tab.expected.append("Failed to load resource")
    tab.open("/keys")
    link = tab.page.get_by_role("link", name="Connect").first
    # Pointing at it loads the page's part that shows it.
    with tab.page.expect_event("requestfinished", lambda request: "/assets/connect-" in request.url):
        link.hover()
    tab.context.set_offline(True)
    link.click()
    expect(tab.page.get_by_text("paddock does not answer").first).to_be_visible()
    tab.context.set_offline(False)
    expect(tab.page.get_by_role("button", name="Claude Code")).to_be_visible()
