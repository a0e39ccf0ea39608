"""Shows collections of documents: made, filled, looked in, a passage opened, given to a chat, removed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.fakes.documents import pdf
from tests.page.chatting import content, say, says, script, settled
from tests.page.rig import PHONE, Served, Tab
from tests.page.test_chat import Another
from tests.page.test_chat_panel import panel
from tests.page.test_chat_tools import asks


def filled(tab: Tab, folder: Path, name: str) -> None:
    """Make a collection on the page, and put two documents into it."""
    (folder / "farm.pdf").write_bytes(pdf("Llamas eat hay.", "The barn burnt down."))
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nonsense")
    page = tab.page
    tab.open("/knowledge")
    page.get_by_label("Name of a new collection").fill(name)
    page.get_by_role("button", name="New collection").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    expect(page.get_by_text("Nothing is in it yet.")).to_be_visible()
    page.get_by_label("Add documents", exact=True).set_input_files([folder / "farm.pdf", folder / "bad.pdf"])
    documents = page.get_by_role("list", name="Documents")
    expect(documents.get_by_role("listitem").filter(has_text="farm.pdf")).to_contain_text("ready")
    expect(documents.get_by_role("listitem").filter(has_text="bad.pdf")).to_contain_text("This PDF cannot be read")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_documents_are_added_found_and_opened_where_they_stand(
    scripted: Served, tab: Tab, tmp_path: Path, theme: str
) -> None:
    tab.open()
    tab.theme(theme)
    filled(tab, tmp_path, f"Farm {theme}")
    page = tab.page
    page.get_by_label("What to look for").fill("what became of the barns?")
    page.get_by_role("button", name="Look", exact=True).click()
    found = page.get_by_role("list", name="Passages that were found")
    expect(found.get_by_role("listitem")).to_have_count(1)
    assert tab.axe() == []
    tab.shoot(f"knowledge-{theme}")
    found.get_by_role("link", name="farm.pdf · page 2").click()
    window = page.get_by_role("dialog")
    expect(window.locator("mark")).to_have_text("The barn burnt down.")
    expect(window).to_contain_text("Llamas eat hay.")
    assert tab.axe() == []
    tab.shoot(f"knowledge-passage-{theme}")
    # The address is the citation: it opens the passage by itself.
    page.reload()
    expect(page.get_by_role("dialog").locator("mark")).to_have_text("The barn burnt down.")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Remove bad.pdf").click()
    expect(page.get_by_text("bad.pdf")).to_have_count(0)
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("heading", name="Documents", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=f"Farm {theme}")).to_have_count(0)


def test_a_chat_is_given_a_collection_and_its_answer_used_it(scripted: Served, tab: Tab, tmp_path: Path) -> None:
    script(scripted, asks("search_knowledge", '{"query": "llamas"}'), says("Hay."))
    filled(tab, tmp_path, "Given")
    tab.open()
    switch = panel(tab).get_by_role("switch", name="Given")
    switch.click()
    expect(switch).to_be_checked()
    say(tab, "What do llamas eat?")
    done = settled(tab)
    expect(content(done)).to_contain_text("Hay.")
    done.get_by_role("button", name=re.compile("result", re.IGNORECASE)).click()
    expect(content(done)).to_contain_text("farm.pdf, page 1")


def test_it_is_used_on_a_phone(scripted: Served, another: Another, tmp_path: Path) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open()
        filled(tab, tmp_path, "Small")
        assert tab.axe() == []
        tab.shoot("knowledge-phone")
