"""Shows servers of tools on the page: added off, turned on after a question, their tools in a chat's panel, removed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.page.rig import Tab

FAKE = str(Path(__file__).parents[1] / "fakes" / "tool_server.py")


def test_a_server_is_added_off_turned_on_and_removed(tab: Tab) -> None:
    tab.open("/tool-servers")
    expect(tab.page.get_by_role("main")).to_contain_text("There are no servers of tools")
    tab.page.get_by_role("button", name="Add server").click()
    dialog = tab.page.get_by_role("dialog", name="Add server")
    dialog.get_by_label("Name").fill("hay")
    dialog.get_by_label("Command").fill(sys.executable)
    dialog.get_by_label("Arguments").fill(f"{FAKE}\nwell")
    dialog.get_by_label("Environment").fill("FAKE_KEY=very secret")
    tab.shoot("toolservers-add")
    dialog.get_by_role("button", name="Add server").click()
    server = tab.page.get_by_role("listitem").filter(has_text="hay").first
    expect(server).to_contain_text("off")
    server.get_by_role("button", name="Turn on hay").click()
    asked = tab.page.get_by_role("dialog", name="Turn hay on?")
    expect(asked).to_contain_text("outside the sandbox")
    expect(asked).to_contain_text(FAKE)
    asked.get_by_role("button", name="Turn on").click()
    expect(server).to_contain_text("ready")
    server.get_by_text("13 tools").click()
    expect(server).to_contain_text("mcp__hay__echo")
    tab.shoot("toolservers")
    assert "very secret" not in tab.page.content()
    server.get_by_role("button", name="Turn off hay").click()
    expect(server.get_by_role("button", name="Turn on hay")).to_be_visible()
    server.get_by_role("button", name="Remove hay").click()
    tab.page.get_by_role("dialog", name="Remove hay?").get_by_role("button", name="Remove").click()
    expect(tab.page.get_by_role("main")).to_contain_text("There are no servers of tools")


def test_a_file_is_imported_and_what_is_left_out_is_told(tab: Tab) -> None:
    tab.open("/tool-servers")
    tab.page.get_by_role("button", name="Import a file").click()
    dialog = tab.page.get_by_role("dialog", name="Import a file")
    servers = {
        "dead": {"command": sys.executable, "args": [FAKE, "dead"]},
        "asks": {"command": "x", "args": ["${input:key}"]},
    }
    dialog.get_by_label("Or its text").fill(json.dumps({"servers": servers}))
    dialog.get_by_role("button", name="Import").click()
    expect(dialog.get_by_role("status")).to_contain_text("asks is left out: it needs key")
    dialog.get_by_label("What the file leaves to be asked for").fill("key=s3cret")
    dialog.get_by_role("button", name="Import").click()
    expect(dialog).to_have_count(0)
    failing = tab.page.get_by_role("listitem").filter(has_text="dead").first
    failing.get_by_role("button", name="Turn on dead").click()
    tab.page.get_by_role("dialog", name="Turn dead on?").get_by_role("button", name="Turn on").click()
    expect(failing).to_contain_text("failed")
    expect(failing).to_contain_text("ended with status 4: no hay here")
    assert "s3cret" not in tab.page.content()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_servers_and_their_windows_are_free_of_barriers(tab: Tab, theme: str) -> None:
    tab.open("/tool-servers")
    tab.theme(theme)
    tab.open("/tool-servers")
    expect(tab.page.get_by_role("button", name="Add server")).to_be_visible()
    assert tab.axe() == []
    for name in ("Add server", "Import a file"):
        tab.page.get_by_role("button", name=name).click()
        expect(tab.page.get_by_role("dialog", name=name)).to_be_visible()
        assert tab.axe() == []
        tab.page.keyboard.press("Escape")
