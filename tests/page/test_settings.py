"""Shows settings: the browser's own at once; paddock's with where each comes from, for the next start."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.page import rig
from tests.page.rig import PHONE, Served, Tab

Another = Callable[..., AbstractContextManager[Tab]]


@pytest.fixture
def own(wheel: Path, scripted_engine: list[str], tmp_path: Path) -> Generator[Served]:
    """A paddock whose file sets the slots, and whose command line bounds the queue."""
    (tmp_path / "config.toml").write_text("# mine\nslots = 3\n")
    with rig.served(wheel, tmp_path, scripted_engine, queue_most=50) as studio:
        yield studio


@pytest.fixture
def own_tab(chromium: Browser, own: Served) -> Generator[Tab]:
    with rig.tab(chromium, own.url) as opened:
        yield opened


def test_what_the_browser_prefers_holds_at_once_and_stays(tab: Tab) -> None:
    tab.open("/settings")
    tab.page.get_by_role("combobox", name="Theme").select_option("Dark")
    expect(tab.page.locator("html")).to_have_class("dark")
    tab.page.get_by_role("switch", name="Enter sends the message").click()
    tab.page.get_by_role("combobox", name="Language").select_option("Deutsch")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Einstellungen")
    tab.page.reload()
    expect(tab.page.get_by_role("combobox", name="Farbschema")).to_have_value("dark")
    expect(tab.page.get_by_role("switch", name="Eingabetaste sendet die Nachricht")).not_to_be_checked()
    tab.page.get_by_role("button", name="Rundgang noch einmal zeigen").click()
    expect(tab.page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_setting_is_found_changed_and_taken_back(own: Served, own_tab: Tab, theme: str) -> None:
    page = own_tab.page
    own_tab.open()
    own_tab.theme(theme)
    own_tab.open("/settings")
    expect(page.get_by_role("button", name=re.compile("Requests at once"))).to_contain_text("from the file")
    own_tab.shoot(f"settings-{theme}")
    page.get_by_role("searchbox", name="Find a setting").fill("slots engine works")
    row = page.get_by_role("button", name=re.compile("Requests at once"))
    expect(page.get_by_role("main").get_by_role("listitem").filter(has=page.get_by_role("button"))).to_have_count(1)
    row.click()
    editor = page.get_by_role("dialog", name="Requests at once (slots)")
    expect(editor).to_contain_text("Its value comes from the file. The default is: 2.")
    expect(editor).to_contain_text("PADDOCK_SLOTS")
    field = editor.get_by_role("textbox", name="From the next start on")
    field.fill("many")
    expect(editor).to_contain_text("This must be a number.")
    own_tab.expected.append("422")
    field.fill("65")
    editor.get_by_role("button", name="Save").click()
    expect(editor).to_contain_text("it must lie between 1 and 64")
    own_tab.shoot(f"setting-refused-{theme}")
    assert own_tab.axe() == []
    field.fill("4")
    page.keyboard.press("Enter")
    expect(editor).to_have_count(0)
    expect(page.get_by_text("Restart paddock to use what you changed: Requests at once (slots).")).to_be_visible()
    expect(row).to_contain_text("next start: 4")
    assert (own.home / "config.toml").read_text() == "# mine\nslots = 4\n"
    own_tab.shoot(f"setting-pending-{theme}")
    assert own_tab.axe() == []
    row.click()
    editor.get_by_role("button", name="Back to the default").click()
    expect(row).to_contain_text("next start: 2")
    assert (own.home / "config.toml").read_text() == "# mine\n"


def test_what_goes_before_the_file_is_said(own: Served, own_tab: Tab) -> None:
    own_tab.open("/settings")
    row = own_tab.page.get_by_role("button", name=re.compile("Requests that may wait"))
    expect(row).to_contain_text("from the command line")
    row.click()
    editor = own_tab.page.get_by_role("dialog")
    expect(editor).to_contain_text("It is set by --queue-most, which goes before the file")
    own_tab.shoot("setting-over")


def test_a_switch_and_a_choice_are_saved(own: Served, own_tab: Tab) -> None:
    page = own_tab.page
    own_tab.open("/settings")
    page.get_by_role("button", name=re.compile("Record every request")).click()
    page.get_by_role("dialog").get_by_role("switch").click()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name=re.compile("Record every request"))).to_contain_text("next start: On")
    page.get_by_role("button", name=re.compile("Level of the log")).click()
    page.get_by_role("dialog").get_by_role("combobox").select_option("info")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name=re.compile("Level of the log"))).to_contain_text("next start: info")
    assert (own.home / "config.toml").read_text() == '# mine\nslots = 3\nrecord = true\nlog_level = "info"\n'


def test_what_is_unsafe_is_shown_and_not_changed(tab: Tab) -> None:
    tab.open("/settings")
    tab.page.get_by_role("button", name=re.compile("^Address")).click()
    shown = tab.page.get_by_role("dialog", name="Address")
    expect(shown).to_contain_text("127.0.0.1")
    expect(shown).to_contain_text("changed by hand alone")
    expect(shown.get_by_role("button", name="Save")).to_have_count(0)
    tab.shoot("setting-fixed")
    assert tab.axe() == []


def test_a_search_without_a_find_says_so(tab: Tab) -> None:
    tab.open("/settings")
    tab.page.get_by_role("searchbox", name="Find a setting").fill("colour of the sky")
    expect(tab.page.get_by_text("No setting is like “colour of the sky”.")).to_be_visible()


def test_every_setting_has_a_name_in_words(tab: Tab) -> None:
    tab.open("/settings")
    expect(tab.page.get_by_role("heading", name="Who may reach paddock")).to_be_visible()
    expect(tab.page.get_by_role("heading", name="More", exact=True)).to_have_count(0)


def test_a_phone_shows_and_edits_settings(another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True, locale="de-DE") as tab:
        tab.open("/settings")
        # The help is in the reader's language too, and is searched.
        tab.page.get_by_role("searchbox").fill("zusammen belegen")
        expect(tab.page.get_by_text("Speicher, den geladene Modelle zusammen belegen dürfen")).to_be_visible()
        row = tab.page.get_by_role("button", name=re.compile("Speicher für Modelle"))
        row.tap()
        tab.shoot("phone-setting")
        assert tab.axe() == []
        tab.page.get_by_role("button", name="Schließen").tap()
        row.scroll_into_view_if_needed()
        tab.shoot("phone-settings-rows")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
