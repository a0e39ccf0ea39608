"""Shows a chat as a tree on the page: editing, answering again, going between versions, going on, forking, deleting."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.page.chatting import LONG, answer, composer, content, say, says, script, settled
from tests.page.rig import Served, Tab


def act(message: Locator, name: str) -> None:
    """Press a button of a message."""
    message.get_by_role("button", name=name, exact=True).click()


def choose(tab: Tab, message: Locator, name: str) -> None:
    """Do something of a message's menu."""
    act(message, "More")
    tab.page.get_by_role("menuitem", name=name).click()


def test_versions_of_a_question_and_of_an_answer_are_kept(scripted: Served, tab: Tab) -> None:
    script(scripted, says("One."), says("Two."), says("Three."))
    tab.open()
    say(tab, "First try")
    expect(content(settled(tab))).to_have_text("One.")
    act(answer(tab), "Answer again")
    expect(content(answer(tab))).to_have_text("Two.")
    expect(settled(tab).locator("[data-branch]")).to_have_text("2 / 2")
    act(answer(tab), "Previous version")
    expect(content(answer(tab))).to_have_text("One.")
    composer(tab).press("ArrowUp")
    field = tab.page.get_by_role("textbox", name="Text of the message")
    expect(field).to_have_value("First try")
    expect(field).to_be_focused()
    field.fill("Second try")
    tab.shoot("chat-edit")
    tab.page.locator("[data-role=user]").get_by_role("button", name="Send").click()
    expect(content(answer(tab))).to_have_text("Three.")
    user = tab.page.locator("[data-role=user]")
    expect(user).to_have_count(1)
    expect(user.locator("[data-branch]")).to_have_text("2 / 2")
    settled(tab)
    tab.shoot("chat-branches")
    with tab.page.expect_response(lambda got: got.request.method == "PATCH"):
        act(user, "Previous version")
    # Of the answers to it the newest one is shown.
    expect(content(answer(tab))).to_have_text("Two.")
    tab.page.reload()
    expect(content(answer(tab))).to_have_text("Two.")
    expect(user.locator("[data-branch]")).to_have_text("1 / 2")


def test_an_answer_is_edited_in_its_place(scripted: Served, tab: Tab) -> None:
    script(scripted, says("Wrong."))
    tab.open()
    say(tab, "A question")
    act(settled(tab), "Edit message")
    tab.page.get_by_role("textbox", name="Text of the message").fill("Right.")
    act(answer(tab), "Save")
    expect(content(answer(tab))).to_have_text("Right.")
    tab.page.reload()
    expect(content(answer(tab))).to_have_text("Right.")


def test_a_stopped_answer_goes_on_where_it_ended(scripted: Served, tab: Tab) -> None:
    script(scripted, LONG, says("and the end."))
    tab.open()
    say(tab, "Begin")
    expect(content(answer(tab))).to_contain_text("w3 ")
    tab.page.keyboard.press("Escape")
    act(settled(tab, "stopped"), "Continue")
    expect(content(settled(tab))).to_have_text(re.compile(r"^w0 w1 .*and the end\.$"))
    expect(tab.page.locator("[data-role=assistant]")).to_have_count(1)


def test_a_chat_is_forked_from_a_message(scripted: Served, tab: Tab) -> None:
    script(scripted, says("One."), says("Two."))
    tab.open()
    say(tab, "First")
    settled(tab)
    say(tab, "Second")
    expect(content(settled(tab))).to_have_text("Two.")
    before = tab.page.url
    choose(tab, tab.page.locator("[data-role=assistant]").first, "Branch into a new chat")
    expect(tab.page).not_to_have_url(before)
    expect(tab.page.locator("[data-message]")).to_have_count(2)
    expect(content(answer(tab))).to_have_text("One.")


def test_a_message_is_deleted_and_comes_back(scripted: Served, tab: Tab) -> None:
    script(scripted, says("One."))
    tab.open()
    say(tab, "First")
    settled(tab)
    choose(tab, tab.page.locator("[data-role=user]"), "Delete")
    expect(tab.page.locator("[data-message]")).to_have_count(0)
    tab.page.get_by_role("button", name="Undo").click()
    expect(tab.page.locator("[data-message]")).to_have_count(2)
    tab.page.reload()
    expect(content(answer(tab))).to_have_text("One.")


def test_the_prompt_is_shown_as_the_template_writes_it(scripted: Served, tab: Tab) -> None:
    script(scripted, says("One."))
    tab.open()
    say(tab, "What do you read?")
    choose(tab, settled(tab), "What the model read")
    expect(tab.page.get_by_role("dialog")).to_contain_text("<|im_start|>user\nWhat do you read?<|im_end|>")
    tab.shoot("chat-prompt")
    assert tab.axe() == []


def test_the_prompt_holds_what_was_attached(scripted: Served, tab: Tab, tmp_path: Path) -> None:
    script(scripted, says("One."))
    note = tmp_path / "note.md"
    note.write_text("The word is kumquat.", "utf-8")
    tab.open()
    tab.page.locator("[data-files]").set_input_files(note)
    expect(tab.page.locator("[data-attached=ready]")).to_contain_text("note.md")
    say(tab, "Which word?")
    choose(tab, settled(tab), "What the model read")
    expect(tab.page.get_by_role("dialog")).to_contain_text("Document note.md:\n\nThe word is kumquat.")
