"""Shows asking before a tool is called: the card, who sees it, what is decided, and what tools did."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.page.chatting import answer, content, say, says, script, settled
from tests.page.rig import PHONE, Served, Tab
from tests.page.test_chat import Another
from tests.page.test_chat_panel import panel
from tests.page.test_chat_tools import asks

CARD = "May the model call write_file?"
WRITE = json.dumps({"path": "plan.txt", "content": "One\nTwo\u202eThree"})


def card(tab: Tab) -> Locator:
    """What asks about a call."""
    return tab.page.get_by_role("region", name=CARD)


def decided(tab: Tab, value: str) -> None:
    """Decide about the files in the panel, which is open."""
    side = tab.page.get_by_role("complementary", name="How answers are made")
    side.get_by_role("combobox", name="Calls of files").select_option(value)
    expect(side.get_by_role("combobox", name="Calls of files")).to_have_value(value)


def begun(scripted: Served, tab: Tab, *answers: str, is_panel_open: bool = False) -> None:
    """A chat with files, in which a call waits."""
    script(scripted, asks("write_file", WRITE), *(says(one) for one in answers))
    tab.open()
    side = tab.page.get_by_role("complementary", name="How answers are made") if is_panel_open else panel(tab)
    side.get_by_role("switch", name="files").click()
    expect(side.get_by_role("switch", name="files")).to_be_checked()
    say(tab, "Write my plan")
    expect(card(tab)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_call_is_asked_about_with_its_arguments_after_a_reload_and_in_another_tab(
    scripted: Served, tab: Tab, another: Another, theme: str
) -> None:
    tab.open()
    tab.theme(theme)
    begun(scripted, tab, "It is written.")
    expect(card(tab)).to_contain_text("plan.txt")
    # What turns the words around it is spelled out.
    expect(card(tab)).to_contain_text("One\nTwo\\u{202e}Three")
    assert tab.axe() == []
    tab.shoot(f"chat-approval-{theme}")
    tab.page.reload()
    expect(card(tab)).to_be_visible()
    with another() as other:
        other.open(re.sub(r"^https?://[^/]+", "", tab.page.url))
        card(other).get_by_role("button", name="Allow once").click()
        expect(content(settled(other))).to_contain_text("It is written.")
        expect(card(other)).to_have_count(0)
    expect(content(settled(tab))).to_contain_text("It is written.")
    expect(card(tab)).to_have_count(0)
    tab.page.reload()
    done = settled(tab)
    done.get_by_role("button", name="write_file").click()
    expect(content(done).get_by_text('"path": "plan.txt"')).to_be_visible()


def test_who_says_no_is_answered_all_the_same(scripted: Served, another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        script(scripted, asks("write_file", WRITE), says("Then I will not."))
        tab.open()
        tab.page.get_by_role("button", name="How answers are made").click()
        sheet = tab.page.get_by_role("dialog", name="How answers are made")
        sheet.get_by_role("switch", name="files").click()
        sheet.get_by_role("button", name="Close").click()
        say(tab, "Write my plan")
        tab.page.get_by_role("button", name="Send").click()
        expect(card(tab)).to_be_visible()
        assert tab.axe() == []
        tab.shoot("phone-chat-approval")
        card(tab).get_by_role("button", name="No", exact=True).click()
        done = settled(tab)
        expect(content(done)).to_contain_text("Then I will not.")
        done.get_by_role("button", name=re.compile("failed", re.IGNORECASE)).click()
        expect(content(done).get_by_text("the user said no to this call")).to_be_visible()


def test_an_answer_that_is_stopped_asks_no_more(scripted: Served, tab: Tab) -> None:
    begun(scripted, tab, "Never read.")
    tab.page.get_by_role("button", name="Stop").click()
    expect(answer(tab)).to_have_attribute("data-status", "stopped")
    expect(card(tab)).to_have_count(0)
    tab.page.reload()
    expect(answer(tab)).to_have_attribute("data-status", "stopped")
    expect(card(tab)).to_have_count(0)


def test_what_is_allowed_in_a_chat_is_asked_in_the_next_one(scripted: Served, tab: Tab) -> None:
    begun(scripted, tab, "Written.")
    script(scripted, says("Written."), asks("write_file", WRITE), says("And again."))
    card(tab).get_by_role("button", name="Allow in this chat").click()
    expect(content(settled(tab))).to_contain_text("Written.")
    say(tab, "And again")
    expect(content(settled(tab))).to_contain_text("And again.")
    begun(scripted, tab, "No more.", is_panel_open=True)
    card(tab).get_by_role("button", name="No", exact=True).click()
    settled(tab)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_decided_for_good_is_shown_and_taken_back_and_calls_are_listed(
    scripted: Served, tab: Tab, theme: str
) -> None:
    tab.open()
    tab.theme(theme)
    begun(scripted, tab, "Written.")
    card(tab).get_by_role("button", name="Always allow").click()
    expect(content(settled(tab))).to_contain_text("Written.")
    side = tab.page.get_by_role("complementary", name="How answers are made")
    side.get_by_text("write_file: Always allow").scroll_into_view_if_needed()
    assert tab.axe() == []
    tab.shoot(f"chat-permission-{theme}")
    side.get_by_role("button", name="What tools did").click()
    listed = tab.page.get_by_role("dialog", name="What tools did")
    expect(listed.get_by_role("listitem")).to_have_count(1)
    expect(listed.get_by_role("listitem")).to_contain_text("always allowed · done")
    expect(listed.get_by_role("listitem")).to_contain_text("Two\\u{202e}Three")
    assert tab.axe() == []
    tab.shoot(f"chat-tool-calls-{theme}")
    listed.get_by_role("switch", name="In this chat alone").click()
    expect(listed.get_by_role("listitem").nth(1)).to_be_visible()
    listed.get_by_role("button", name="Close").click()
    side.get_by_role("button", name="Take back for write_file").click()
    expect(side.get_by_text("write_file: Always allow")).to_have_count(0)
    script(scripted, asks("write_file", WRITE), says("I may not."))
    decided(tab, "never")
    say(tab, "Once more")
    expect(content(settled(tab))).to_contain_text("I may not.")
    decided(tab, "")


def test_a_chat_that_nobody_keeps_asks_too(scripted: Served, tab: Tab) -> None:
    script(scripted, asks("write_file", WRITE), says("Written."))
    tab.open()
    tab.page.get_by_role("button", name="Temporary chat").click()
    side = panel(tab)
    side.get_by_role("switch", name="files").click()
    say(tab, "Write my plan")
    expect(card(tab).get_by_role("button", name="Allow once")).to_be_visible()
    expect(card(tab).get_by_role("button", name="Allow in this chat")).to_have_count(0)
    card(tab).get_by_role("button", name="Allow once").click()
    expect(content(settled(tab))).to_contain_text("Written.")
