"""Shows the keys: made and shown once, used, revoked; and what a paddock that others reach lets a key do."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.page import rig
from tests.page.rig import Tab


def status_with(url: str, key: str) -> int:
    """The status that a client with this key gets."""
    try:
        with urlopen(Request(url, headers={"Authorization": f"Bearer {key}"}), timeout=20) as answer:
            return answer.status
    except HTTPError as error:
        return error.code


def make(tab: Tab, name: str, *rights: str) -> str:
    """Make a key by the page, which may ask, and these; its text."""
    tab.page.get_by_role("button", name="Create key").first.click()
    dialog = tab.page.get_by_role("dialog", name="Create key")
    dialog.get_by_label("Name").fill(name)
    for right in rights:
        dialog.get_by_role("checkbox", name=right).check()
    dialog.get_by_role("button", name="Create key").click()
    made = tab.page.get_by_role("dialog", name="Your new key")
    text = made.locator("pre").inner_text()
    made.get_by_role("button", name="I have copied it").click()
    return text


def test_a_key_is_made_shown_once_used_and_revoked(tab: Tab) -> None:
    tab.open("/keys")
    expect(tab.page.get_by_role("main")).to_contain_text("There are no keys")
    tab.page.get_by_role("button", name="Create key").click()
    dialog = tab.page.get_by_role("dialog", name="Create key")
    dialog.get_by_label("Name").fill("laptop")
    dialog.get_by_label("Valid for").select_option("30")
    dialog.get_by_label("Record its requests").click()
    tab.shoot("keys-create")
    dialog.get_by_role("button", name="Create key").click()
    made = tab.page.get_by_role("dialog", name="Your new key")
    text = made.locator("pre").inner_text()
    assert re.fullmatch(r"pdk-[\w-]{43}", text)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    made.get_by_role("button", name="Copy").click()
    expect(made.get_by_role("button", name="Copy")).to_be_visible()
    tab.page.wait_for_function("async text => (await navigator.clipboard.readText()) === text", arg=text)
    tab.shoot("keys-made")
    made.get_by_role("button", name="I have copied it").click()
    key = tab.page.get_by_role("listitem").filter(has_text="laptop")
    for words in ("valid", "recorded", f"…{text[-4:]}", "Never used", "Expires"):
        expect(key).to_contain_text(words)
    assert text not in tab.page.content()
    models = f"{tab.url}/v1/models"
    assert status_with(models, text) == 200
    tab.page.reload()
    expect(key).to_contain_text("Last used")
    key.get_by_role("button", name="Revoke laptop").click()
    asked = tab.page.get_by_role("dialog", name="Revoke laptop?")
    expect(asked).to_contain_text("refused at once")
    asked.get_by_role("button", name="Cancel").click()
    assert status_with(models, text) == 200
    key.get_by_role("button", name="Revoke laptop").click()
    asked.get_by_role("button", name="Revoke").click()
    expect(key).to_contain_text("revoked")
    expect(key.get_by_role("button")).to_have_count(0)
    assert status_with(models, text) == 401


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_keys_and_their_windows_are_free_of_barriers(tab: Tab, theme: str) -> None:
    tab.open("/keys")
    tab.theme(theme)
    tab.open("/keys")
    make(tab, f"by {theme}")
    tab.shoot(f"keys-list-{theme}")
    assert tab.axe() == []
    tab.page.get_by_role("button", name="Create key").click()
    assert tab.axe() == []
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name=f"Revoke by {theme}").click()
    tab.shoot(f"keys-revoke-{theme}")
    assert tab.axe() == []


def test_a_key_gets_the_rights_and_limits_that_were_chosen(tab: Tab) -> None:
    tab.open("/keys")
    tab.page.get_by_role("button", name="Create key").first.click()
    dialog = tab.page.get_by_role("dialog", name="Create key")
    dialog.get_by_label("Name").fill("narrow")
    expect(dialog.get_by_role("checkbox", name="Ask models")).to_be_checked()
    dialog.get_by_role("checkbox", name="Ask models").uncheck()
    expect(dialog.get_by_role("button", name="Create key")).to_be_disabled()
    dialog.get_by_role("checkbox", name="Ask models").check()
    dialog.get_by_role("checkbox", name="Chats").check()
    dialog.get_by_text("Limits").click()
    dialog.get_by_role("textbox", name="Models").fill("pocket-*, other")
    dialog.get_by_label("Requests a minute").fill("2")
    tab.shoot("keys-terms")
    assert tab.axe() == []
    dialog.get_by_role("button", name="Create key").click()
    made = tab.page.get_by_role("dialog", name="Your new key")
    text = made.locator("pre").inner_text()
    made.get_by_role("button", name="I have copied it").click()
    key = tab.page.get_by_role("main").get_by_role("listitem").filter(has_text="narrow")
    expect(key).to_contain_text("Ask models, Chats")
    expect(key).to_contain_text("Only pocket-*, other")
    assert [status_with(f"{tab.url}{path}", text) for path in ("/api/chats", "/api/requests")] == [200, 403]


def test_what_fails_is_told_in_the_window(tab: Tab) -> None:
    tab.expected.append("ERR_INTERNET_DISCONNECTED|Failed to load resource")
    tab.open("/keys")
    tab.page.get_by_role("button", name="Create key").click()
    dialog = tab.page.get_by_role("dialog", name="Create key")
    tab.context.set_offline(True)
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("does not answer")
    tab.context.set_offline(False)
    dialog.get_by_role("button", name="Create key").click()
    expect(tab.page.get_by_role("dialog", name="Your new key")).to_be_visible()


def test_a_key_sees_itself_and_makes_none(
    wheel: Path, scripted_engine: list[str], tmp_path: Path, chromium: Browser
) -> None:
    with rig.served(wheel, tmp_path, scripted_engine) as first, rig.tab(chromium, first.url) as tab:
        tab.open("/keys")
        every = ("Chats", "Load and unload models", "Read requests and the log")
        guest, _ = make(tab, "guest", *every), make(tab, "other")
    with rig.served(wheel, tmp_path, scripted_engine, require_key=True) as closed, rig.tab(chromium, closed.url) as tab:
        tab.expected.append("401")
        tab.open("/keys")
        tab.page.get_by_role("button", name="Use a key instead").click()
        tab.page.get_by_label("API key").fill(guest)
        tab.page.get_by_role("button", name="Use key").click()
        expect(tab.page.get_by_role("main")).to_contain_text("paddock keys create")
        expect(tab.page.get_by_role("listitem").filter(has_text="guest")).to_have_count(1)
        expect(tab.page.get_by_role("main").get_by_role("listitem").filter(has_text="other")).to_have_count(0)
        expect(tab.page.get_by_role("button", name="Create key")).to_have_count(0)
        tab.shoot("keys-guest")
        tab.page.goto(f"{tab.url}/requests")
        expect(tab.page.get_by_label("Record every request")).to_be_disabled()
        tab.page.goto(f"{tab.url}/connect")
        expect(tab.page.get_by_role("main")).to_contain_text("Put yours where pdk-YOUR-KEY stands")
        assert tab.axe() == []


def test_what_was_asked_without_the_key_and_comes_late_neither_asks_again_nor_holds_up(
    wheel: Path, scripted_engine: list[str], tmp_path: Path, chromium: Browser
) -> None:
    with rig.served(wheel, tmp_path, scripted_engine) as first, rig.tab(chromium, first.url) as tab:
        tab.open("/keys")
        guest = make(tab, "guest", "Chats")
    late: dict[str, Route] = {}

    def keep(route: Route) -> None:
        place = urlsplit(route.request.url).path
        if "authorization" in route.request.headers or place not in {"/api/keys", "/api/chats/events"}:
            route.continue_()
        else:
            late.setdefault(place, route)

    with rig.served(wheel, tmp_path, scripted_engine, require_key=True) as closed, rig.tab(chromium, closed.url) as tab:
        tab.expected.append("401")
        tab.context.route("**/api/**", keep)
        tab.open("/keys")
        tab.page.get_by_role("button", name="Use a key instead").click()
        dialog = tab.page.get_by_role("dialog", name="This paddock asks for a key")
        expect(tab.page.locator("main")).to_contain_text("Loading")
        assert late.keys() == {"/api/keys", "/api/chats/events"}
        tab.page.get_by_label("API key").fill(guest)
        tab.page.get_by_role("button", name="Use key").click()
        expect(tab.page.get_by_role("main")).to_contain_text("paddock keys create")
        with tab.page.expect_response("**/api/chats/events") as refused:
            late["/api/chats/events"].continue_()
        assert refused.value.status == 401
        expect(tab.page.get_by_role("list", name="Keys")).to_be_visible()
        expect(dialog).to_have_count(0)
