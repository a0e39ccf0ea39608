"""Shows that whatever a model says is text: nothing of it runs, leads to code, is loaded, or lies over the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.page import hostile
from tests.page.chatting import composer, say, says, script, settled
from tests.page.hostile_text import ALL, LARGE
from tests.page.rig import Served, Tab
from tests.page.test_chat import Another
from tests.page.test_chat_list import made

pytestmark = pytest.mark.attack("scripts in every field the page shows")
# So many messages are shown at once, in a window that needs no scrolling.
AT_ONCE = 15
TALL = {"width": 1280, "height": 9000}
SLICES = [ALL[at : at + AT_ONCE] for at in range(0, len(ALL), AT_ONCE)]


def test_there_are_many_shapes_and_no_two_the_same() -> None:
    assert len(set(ALL)) == len(ALL) >= 60


@pytest.mark.parametrize("texts", SLICES, ids=range(len(SLICES)))
def test_what_is_kept_is_text(scripted: Served, another: Another, texts: tuple[str, ...]) -> None:
    chat, ids = made(scripted, "hostile", *(word for text in texts for word in ("Say it", f"m1q\n\n{text}\n\nm2q")))
    with another(viewport=TALL) as tab:
        trap = hostile.set_up(tab)
        tab.open(f"/chat/{chat}")
        for answer in ids[1::2]:
            expect(tab.page.locator(f"[data-message='{answer}'] .rich")).to_contain_text("m1q")
        trap.look(tab.page)
        assert trap.found == []


def test_what_is_being_said_is_text_all_the_while(scripted: Served, tab: Tab) -> None:
    trap = hostile.set_up(tab)
    whole = "\n\n".join(text for text in ALL if text.count("```") % 2 == 0)
    script(scripted, says(*[whole[at : at + 11] for at in range(0, len(whole), 11)], every_s=0.001))
    tab.open()
    say(tab, "Say it all")
    while tab.page.locator("[data-role=assistant]").last.get_attribute("data-status", timeout=20_000) != "complete":
        trap.look(tab.page)
    settled(tab)
    trap.look(tab.page)
    assert trap.found == []


@pytest.mark.parametrize("text", LARGE)
def test_nothing_said_lies_over_the_page(scripted: Served, tab: Tab, text: str) -> None:
    chat, _ = made(scripted, "large", "Say it", f"{text}\n\nm2q")
    tab.open(f"/chat/{chat}")
    expect(tab.page.locator("[data-role=assistant] .katex").first).to_be_attached()
    covered = tab.page.evaluate(
        """() => [...document.querySelectorAll('button, textarea, a')].filter(one => {
            const box = one.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            if (!box.width || x < 0 || y < 0 || x > innerWidth || y > innerHeight) return false;
            return document.elementFromPoint(x, y)?.closest('.katex');
        }).map(one => one.outerHTML.slice(0, 120))"""
    )
    assert covered == []
    composer(tab).click()


def test_the_trap_would_notice(scripted: Served, tab: Tab) -> None:
    trap = hostile.set_up(tab)
    tab.expected.append("Content Security Policy|ERR_|404")
    tab.open()
    tab.page.evaluate("document.body.append(Object.assign(document.createElement('i'), {id: 'hole'}))")
    for text in (
        hostile.payload("m7q"), "<a href='javascript:__xss(1)'>a</a>", "<svg><use href='data:,x'></use></svg>",
        "<i style='background: url(x)'></i>", "<form action='//x'></form>", "<img src='data:image/svg+xml,x'>",
    ):  # fmt: skip
        before = len(trap.found)
        tab.page.evaluate("text => document.getElementById('hole').innerHTML = text", text)
        trap.look(tab.page)
        assert len(trap.found) > before, text
    tab.page.evaluate("__xss('by itself')")
    trap.look(tab.page)
    assert any("ran: by itself" in one for one in trap.found)
    assert any("the policy stopped script-src" in one for one in trap.found)
    tab.faults.clear()  # what the payload loads is what the trap is for
