"""Shows the list of chats and the search: names, pins, folders, the archive, deleting, finding words, going there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.page.chatting import content, says, script, settled
from tests.page.rig import Served, Tab

Json = dict[str, object]


def made(studio: Served, title: str, *said: str) -> tuple[str, list[str]]:
    """A chat with messages, one under another, made by another client: its id, and theirs."""
    chat = studio.ask("/api/chats", {"title": title})["id"]
    ids: list[str] = []
    for place, text in enumerate(said):
        body = {
            "parent_id": ids[-1] if ids else None,
            "role": "assistant" if place % 2 else "user",
            "content": text,
        }
        ids.append(studio.ask(f"/api/chats/{chat}/messages", body)["id"])
    return chat, ids


def row(tab: Tab, title: str) -> Locator:
    """A chat in the list."""
    return tab.page.locator("[data-chat]").filter(has_text=re.compile(f"^{title}$"))


def choose(tab: Tab, title: str, name: str) -> None:
    """Do something of a chat's menu."""
    tab.page.get_by_role("button", name=f"More about {title}").click()
    tab.page.get_by_role("menuitem", name=name, exact=True).click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_chats_are_named_pinned_archived_and_deleted(scripted: Served, tab: Tab, theme: str) -> None:
    first, second = f"first {theme}", f"second {theme}"
    made(scripted, first, "a")
    made(scripted, second, "b")
    tab.open()
    tab.theme(theme)
    tab.open()
    expect(row(tab, second)).to_be_visible()
    choose(tab, first, "Pin")
    expect(tab.page.locator("[data-chat]").first).to_contain_text(first)
    tab.page.get_by_role("button", name=f"More about {first}").click()
    tab.shoot(f"chat-list-menu-{theme}")
    assert tab.axe() == []
    tab.page.get_by_role("menuitem", name="Rename").click()
    field = tab.page.get_by_role("textbox", name="Name of the chat")
    expect(field).to_have_value(first)
    field.fill(f"renamed {theme}")
    field.press("Enter")
    expect(row(tab, f"renamed {theme}")).to_be_visible()
    choose(tab, second, "Archive")
    expect(row(tab, second)).to_have_count(0)
    tab.page.get_by_role("button", name="Archived chats").click()
    expect(row(tab, second)).to_be_visible()
    choose(tab, second, "Take out of the archive")
    tab.page.get_by_role("button", name="Archived chats").click()
    choose(tab, second, "Delete")
    expect(row(tab, second)).to_have_count(0)
    tab.page.get_by_role("button", name="Undo").click()
    expect(row(tab, second)).to_be_visible()
    choose(tab, f"renamed {theme}", "Unpin")


def test_folders_hold_chats_and_leave_them(scripted: Served, tab: Tab) -> None:
    made(scripted, "to be filed", "a")
    tab.open()
    tab.page.get_by_role("button", name="New folder").click()
    tab.page.get_by_role("textbox", name="Name of the folder").fill("Work")
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("button", name="Work", exact=True)).to_be_visible()
    choose(tab, "to be filed", "Move to Work")
    expect(row(tab, "to be filed")).to_have_count(0)
    tab.page.get_by_role("button", name="Work", exact=True).click()
    expect(row(tab, "to be filed")).to_be_visible()
    tab.shoot("chat-folders")
    tab.page.get_by_role("button", name="More about the folder Work").click()
    tab.page.get_by_role("menuitem", name="Delete").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Its chats stay")
    dialog.get_by_role("button", name="Delete").click()
    expect(tab.page.get_by_role("button", name="Work", exact=True)).to_have_count(0)
    expect(row(tab, "to be filed")).to_be_visible()


def test_a_word_is_found_and_gone_to(scripted: Served, tab: Tab) -> None:
    said = [f"filler {number}" for number in range(120)]
    said[3] = "here lies the xylophone, under the stairs"
    chat, ids = made(scripted, "long ago", *said)
    tab.open()
    tab.page.keyboard.press("Control+k")
    tab.page.get_by_placeholder("Type a command").fill("xylophone")
    found = tab.page.locator("[data-snippet]")
    expect(found).to_contain_text("here lies the xylophone")
    expect(found.locator("mark")).to_have_text("xylophone")
    tab.shoot("chat-found")
    assert tab.axe() == []
    found.click()
    expect(tab.page).to_have_url(re.compile(f"/chat/{chat}#{ids[3]}$"))
    found_one = tab.page.locator(f"[data-message='{ids[3]}']")
    expect(found_one).to_be_in_viewport()
    # The same one is gone to again; and who answers it anew is not called back.
    tab.page.get_by_role("button", name="Jump to latest").click()
    expect(found_one).not_to_be_in_viewport()
    tab.page.keyboard.press("Control+k")
    tab.page.get_by_placeholder("Type a command").fill("xylophone")
    found.click()
    expect(found_one).to_be_in_viewport()
    script(scripted, says("A new answer."))
    found_one.get_by_role("button", name="Answer again").click()
    expect(content(settled(tab))).to_have_text("A new answer.")
    expect(found_one).to_have_count(0)


def test_a_long_list_is_read_as_it_is_scrolled(scripted: Served, tab: Tab) -> None:
    for number in range(60):
        made(scripted, f"many {number}")
    tab.open()
    expect(row(tab, "many 59")).to_be_visible()
    expect(row(tab, "many 0")).to_have_count(0)
    tab.page.locator("[data-chat]").last.scroll_into_view_if_needed()
    row(tab, "many 0").scroll_into_view_if_needed()
    expect(row(tab, "many 0")).to_be_visible()
