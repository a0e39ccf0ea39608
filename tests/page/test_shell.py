"""Shows what stands around every page: places, palette, keys, themes, languages, the tour, a phone's width."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import expect

from paddock.api.page import PATHS
from tests.page.rig import DESK, PHONE, ROOT, Tab

Another = Callable[..., AbstractContextManager[Tab]]
PLACES = [path for path in PATHS if "{" not in path]
# Names, which no language translates.
_NAMES = {"pocket-v0", "Chat Completions", "Responses", "Messages", "curl", "Python", "JavaScript", "JSON"}
_CUT = """() => [...document.querySelectorAll('button, h1, h2, label')]
    .filter(one => one.offsetParent && !one.closest('.sr-only, .truncate, [data-overflow]'))
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1
        && getComputedStyle(one.parentElement).overflowX === 'visible')
    .map(one => one.innerText.slice(0, 60))"""
_PLAIN = """() => [...document.querySelectorAll('main h1, main h2, main h3, main button, nav a, nav button, label')]
    .filter(one => one.translate)
    .map(one => one.innerText.trim())
    .filter(text => text && /[a-z]{3}/i.test(text) && !text.includes('·'))"""


def test_the_page_knows_the_paths_that_the_server_hands_it_out_for() -> None:
    text = (ROOT / "web" / "src" / "router.tsx").read_text("utf-8")
    assert {re.sub(r"\$(\w+)", r"{\1}", path) for path in re.findall(r'path: "([^"]+)"', text)} == set(PATHS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PLACES)
def test_every_place_is_free_of_barriers(tab: Tab, path: str, theme: str) -> None:
    tab.open()
    tab.theme(theme)
    tab.open(path)
    # The stream of changes stays open, so the network is never idle.
    expect(tab.page.get_by_text("Loading…")).to_have_count(0)
    expect(tab.page.locator("html")).to_have_class("dark" if theme == "dark" else "")
    tab.shoot(f"{path.strip('/') or 'chat'}-{theme}")
    assert tab.axe() == []


def test_the_palette_goes_to_a_page(tab: Tab) -> None:
    tab.open()
    tab.page.keyboard.press("Control+k")
    tab.page.get_by_placeholder("Type a command").fill("engin")
    tab.page.keyboard.press("Enter")
    expect(tab.page).to_have_url(re.compile("/engines$"))
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Engines")


def test_a_question_mark_lists_the_keys(tab: Tab) -> None:
    tab.open("/models")
    tab.page.keyboard.press("?")
    expect(tab.page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("New chat")
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_the_sidebar_hides_and_stays_hidden(tab: Tab) -> None:
    tab.open("/models")
    sidebar = tab.page.get_by_role("navigation", name="Main")
    expect(sidebar).to_be_visible()
    tab.page.keyboard.press("Control+b")
    expect(sidebar).to_be_hidden()
    tab.page.reload()
    expect(sidebar).to_be_hidden()
    tab.page.get_by_role("button", name="Show sidebar").click()
    expect(sidebar).to_be_visible()


def test_the_tour_ends_in_the_chat(another: Another) -> None:
    with another(is_new=True) as tab:
        tab.open()
        tour = tab.page.get_by_role("dialog", name="Welcome to paddock")
        expect(tour).to_contain_text("Step 1 of 3")
        tour.get_by_role("button", name="Next").click()
        expect(tour).to_contain_text("pocket-v0")
        tab.shoot("tour")
        tour.get_by_role("button", name="Next").click()
        tour.get_by_role("button", name="Start chatting").click()
        expect(tour).to_have_count(0)
        tab.page.reload()
        expect(tab.page.get_by_role("main")).to_be_visible()
        expect(tour).to_have_count(0)


def test_german_readers_get_german(another: Another) -> None:
    with another(locale="de-DE") as tab:
        tab.open("/models")
        expect(tab.page.get_by_role("heading", level=1)).to_have_text("Modelle")
        expect(tab.page.locator("html")).to_have_attribute("lang", "de")


@pytest.mark.parametrize("path", PLACES)
def test_a_phone_shows_everything_without_scrolling_sideways(another: Another, path: str) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open(path)
        # The stream of changes stays open, so the network is never idle.
        expect(tab.page.get_by_text("Loading…")).to_have_count(0)
        wide = tab.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        tab.shoot(f"phone-{path.strip('/') or 'chat'}")
        assert wide <= 0
        if path == "/welcome":
            # Whoever comes by a link is not in yet, and there is nowhere to go.
            return
        tab.page.get_by_role("button", name="Menu").click()
        expect(tab.page.get_by_role("navigation", name="Main")).to_be_visible()


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("path", PLACES)
def test_a_longer_language_fits_and_nothing_is_outside_the_catalogue(
    another: Another, path: str, viewport: dict[str, int]
) -> None:
    with another(viewport=viewport) as tab:
        tab.open()
        tab.prefer(language="xx")
        tab.open(path)
        expect(tab.page.locator("main")).to_contain_text("···")
        expect(tab.page.get_by_text("[Lôádïñg…")).to_have_count(0)
        tab.shoot(f"pseudo-{path.strip('/') or 'chat'}-{viewport['width']}")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        # What can be pressed must be seen whole, and its words come from the catalogue or from what is here.
        cut = tab.page.evaluate(_CUT)
        assert cut == []
        assert set(tab.page.evaluate(_PLAIN)) - _NAMES == set()


def test_an_unknown_address_says_so(tab: Tab) -> None:
    tab.expected.append("404")
    tab.page.goto(f"{tab.url}/assets/gone.js")
    expect(tab.page.locator("body")).to_contain_text("There is no such file")
