"""Shows a chat from the first key to the last word: writing, sending, watching, stopping, leaving and coming back."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

from playwright.sync_api import expect

from tests.page.chatting import LONG, answer, composer, content, count, say, says, script, settled
from tests.page.rig import PHONE, Served, Tab

Another = Callable[..., AbstractContextManager[Tab]]


def test_a_message_is_answered_and_stays(scripted: Served, tab: Tab) -> None:
    script(scripted, says("Hello, ", "**friend**."))
    tab.open()
    expect(composer(tab)).to_be_focused()
    say(tab, "Who goes there?")
    expect(tab.page).to_have_url(re.compile("/chat/chat_"))
    expect(tab.page.locator("[data-role=user]")).to_contain_text("Who goes there?")
    done = settled(tab)
    expect(content(done)).to_have_text("Hello, friend.")
    expect(content(done).locator("strong")).to_have_text("friend")
    expect(done.locator("[data-meta]")).to_contain_text("pocket-v0")
    expect(done.locator("[data-meta]")).to_contain_text("12 tokens")
    expect(done.locator("[data-meta]")).to_contain_text("75% of the input reused")
    expect(tab.page.locator("[data-context]")).to_contain_text("52 of")
    expect(composer(tab)).to_have_value("")
    tab.shoot("chat-answered")
    tab.page.reload()
    expect(content(settled(tab))).to_have_text("Hello, friend.")
    expect(tab.page.locator("[data-title]")).to_have_text("Who goes there?")


def test_the_real_engine_answers(real_tab: Tab) -> None:
    real_tab.open()
    say(real_tab, "Count to three.")
    expect(content(answer(real_tab))).to_contain_text(re.compile(r"\w"), timeout=60_000)
    real_tab.page.keyboard.press("Escape")
    expect(answer(real_tab)).to_have_attribute("data-status", re.compile("stopped|complete"))


def test_what_was_kept_of_a_prompt_stands_out(real_tab: Tab) -> None:
    real_tab.open()
    for text in ("Say one word.", "Say another one."):
        say(real_tab, text)
        expect(answer(real_tab)).to_have_attribute("data-status", "complete", timeout=60_000)
    expect(real_tab.page.locator("[data-role=assistant]")).to_have_count(2)
    answer(real_tab).get_by_role("button", name="More").click()
    real_tab.page.get_by_role("menuitem", name="What the model read").click()
    shown = real_tab.page.get_by_role("dialog")
    told = re.search(r"(\d+) of (\d+) tokens", shown.locator("[data-kept-tokens]").inner_text())
    assert told
    assert 0 < int(told[1]) < int(told[2])
    # What was read anew is the end of the prompt: the second question.
    kept, whole = shown.locator("mark").inner_text(), shown.locator("pre").inner_text()
    assert whole.startswith(kept.rstrip())
    assert "Say one word." in kept
    assert "Say another one." not in kept
    real_tab.shoot("chat-prompt-kept")
    assert real_tab.axe() == []


def test_an_answer_is_written_where_nothing_is_drawn(scripted: Served, tab: Tab) -> None:
    # A page in a tab that nobody looks at has no frames.
    tab.page.add_init_script("window.requestAnimationFrame = () => 0")
    script(scripted, says(*(f"w{n} " for n in range(40)), every_s=0.02))
    tab.open()
    say(tab, "Talk while I am away")
    expect(content(answer(tab))).to_contain_text("w5 ")
    expect(content(settled(tab))).to_contain_text("w39")


def test_an_answer_is_stopped_by_its_button_and_by_a_key(scripted: Served, tab: Tab) -> None:
    script(scripted, LONG)
    tab.open()
    for how in ("button", "key"):
        say(tab, f"Talk until the {how}")
        expect(content(answer(tab))).to_contain_text("w3 ")
        if how == "button":
            tab.page.get_by_role("button", name="Stop the answer").click()
        else:
            tab.page.keyboard.press("Escape")
        expect(content(settled(tab, "stopped"))).to_contain_text("w3 ")
        expect(answer(tab)).to_contain_text("Stopped.")


def test_a_reload_in_mid_answer_goes_on_from_the_beginning_of_the_text(scripted: Served, tab: Tab) -> None:
    script(scripted, LONG)
    tab.open()
    say(tab, "Go on")
    expect(content(answer(tab))).to_contain_text("w5 ")
    tab.page.reload()
    expect(content(answer(tab))).to_contain_text("w0 w1 ")
    seen = count(answer(tab))
    expect(content(answer(tab))).to_contain_text(f"w{seen + 3} ")
    tab.page.keyboard.press("Escape")
    assert count(settled(tab, "stopped")) > seen


def test_a_closed_tab_loses_nothing_and_a_second_one_follows_and_stops(
    scripted: Served, tab: Tab, another: Another
) -> None:
    script(scripted, LONG)
    tab.open()
    say(tab, "Go on without me")
    expect(content(answer(tab))).to_contain_text("w2 ")
    with another() as second:
        second.page.goto(tab.page.url)
        expect(second.page.locator("[data-running=true]")).to_have_count(1)
        expect(content(answer(second))).to_contain_text("w0 w1 w2 ")
        tab.page.close()
        seen = count(answer(second))
        expect(content(answer(second))).to_contain_text(f"w{seen + 3} ")
        second.page.keyboard.press("Escape")
        assert count(settled(second, "stopped")) > seen
        expect(second.page.locator("[data-running=true]")).to_have_count(0)


def test_a_second_tab_sees_what_the_first_one_says(scripted: Served, tab: Tab, another: Another) -> None:
    script(scripted, says("One."), says("Two."))
    tab.open()
    say(tab, "First")
    settled(tab)
    with another() as second:
        second.page.goto(tab.page.url)
        expect(content(settled(second))).to_have_text("One.")
        say(tab, "Second")
        expect(second.page.locator("[data-role=user]")).to_have_count(2)
        expect(content(answer(second))).to_have_text("Two.")


def test_composing_is_never_sent(scripted: Served, tab: Tab) -> None:
    tab.open()
    composer(tab).fill("に")
    composer(tab).dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    composer(tab).dispatch_event("keydown", {"key": "Enter", "keyCode": 229})
    composer(tab).press("Shift+Enter")
    expect(composer(tab)).to_have_value("に\n")
    expect(tab.page.locator("[data-message]")).to_have_count(0)
    composer(tab).press("Enter")
    expect(tab.page.locator("[data-role=user]")).to_contain_text("に")
    settled(tab)


def test_enter_is_a_new_line_on_a_phone(another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open()
        composer(tab).fill("one")
        composer(tab).press("Enter")
        expect(composer(tab)).to_have_value("one\n")
        tab.page.get_by_role("button", name="Send").click()
        settled(tab)
        tab.shoot("phone-chat-answered")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_drafts_survive_a_reload_in_a_new_chat_and_in_an_old_one(scripted: Served, tab: Tab) -> None:
    script(scripted, says("Yes."))
    tab.open()
    composer(tab).fill("a new thought")
    tab.page.reload()
    expect(composer(tab)).to_have_value("a new thought")
    composer(tab).press("Enter")
    settled(tab)
    composer(tab).fill("a second thought")
    with tab.page.expect_response(lambda got: got.request.method == "PATCH"):
        pass
    tab.page.reload()
    expect(composer(tab)).to_have_value("a second thought")
    composer(tab).fill("a third one, just before the tab goes")
    tab.page.reload()
    expect(composer(tab)).to_have_value("a third one, just before the tab goes")
    tab.page.get_by_role("link", name="Chat", exact=True).click()
    expect(composer(tab)).to_have_value("")


def test_a_message_waits_for_the_answer_before_it(scripted: Served, tab: Tab) -> None:
    script(scripted, LONG, says("Second."))
    tab.open()
    say(tab, "First")
    expect(content(answer(tab))).to_contain_text("w1 ")
    say(tab, "Then this")
    expect(tab.page.locator("[data-queued]")).to_contain_text("Then this")
    tab.page.reload()
    expect(tab.page.locator("[data-queued]")).to_contain_text("Then this")
    tab.page.get_by_role("button", name="Stop the answer").click()
    expect(tab.page.locator("[data-role=user]")).to_have_count(2, timeout=30_000)
    expect(tab.page.locator("[data-queued]")).to_have_count(0)
    expect(content(settled(tab))).to_have_text("Second.")
