"""Shows what the chat does when things die: the engine, paddock itself, the way between. Nothing is lost or silent."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.page import rig
from tests.page.chatting import LONG, answer, composer, content, say, says, script, settled, words
from tests.page.rig import Served, Tab


def test_an_engine_that_dies_in_mid_answer_is_started_anew_and_goes_on(scripted: Served, tab: Tab) -> None:
    script(scripted, says(*words(6), end="crash"))
    # The message may name the response that carries it on before that has begun.
    tab.expected.append("404")
    tab.open()
    say(tab, "Die once")
    # The engine that is started next has no script, and says its own words.
    expect(content(settled(tab))).to_have_text("w0 w1 w2 w3 w4 w5 hello hello hello hello hello")


def test_what_the_engine_refuses_is_told_where_it_happened(scripted: Served, tab: Tab) -> None:
    refusal = {"code": 400, "message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 9999}
    script(scripted, {"status": 400, "json": {"error": {**refusal, "n_ctx": 4096}}}, says("Better."))
    tab.open()
    say(tab, "Too much")
    expect(settled(tab, "failed").get_by_role("alert")).to_contain_text("9999")
    expect(answer(tab).get_by_role("alert")).to_contain_text("Start a new chat")
    tab.shoot("chat-failed")
    assert tab.axe() == []
    answer(tab).get_by_role("alert").get_by_role("button", name="Try again").click()
    expect(content(settled(tab))).to_have_text("Better.")


def test_what_does_not_reach_paddock_stays_until_it_does(scripted: Served, tab: Tab) -> None:
    script(scripted, says("Here."))
    tab.expected.append("ERR_FAILED|ERR_INTERNET_DISCONNECTED")
    tab.open()
    say(tab, "Warm up")
    settled(tab)
    tab.page.route("**/api/chats/*/messages", lambda route: route.abort())
    say(tab, "Into the void")
    alert = tab.page.locator("[data-role=user]").last.get_by_role("alert")
    expect(alert).to_contain_text("did not reach paddock")
    tab.page.unroute("**/api/chats/*/messages")
    alert.get_by_role("button", name="Try again").click()
    expect(tab.page.locator("[data-role=assistant]")).to_have_count(2)
    expect(content(settled(tab))).to_have_text("Here.")
    tab.page.reload()
    expect(tab.page.locator("[data-message]")).to_have_count(4)


def test_a_first_message_that_did_not_arrive_outlives_the_page(scripted: Served, tab: Tab) -> None:
    script(scripted, says("Here."))
    tab.expected.append("ERR_FAILED|404")
    tab.page.route("**/api/chats", lambda route: route.abort())
    tab.open()
    say(tab, "A long first thought")
    expect(tab.page.locator("[data-role=user]").get_by_role("alert")).to_contain_text("did not reach paddock")
    tab.page.unroute("**/api/chats")
    tab.open()
    expect(composer(tab)).to_have_value("A long first thought")
    composer(tab).press("Enter")
    expect(content(settled(tab))).to_have_text("Here.")
    tab.open()
    expect(tab.page.locator("[data-chat]").first).to_contain_text("A long first thought")
    expect(composer(tab)).to_have_value("")


@pytest.fixture
def mortal(wheel: Path, scripted_engine: list[str], tmp_path: Path) -> Generator[Served]:
    """A paddock that may be killed."""
    with rig.served(wheel, tmp_path, scripted_engine) as studio:
        studio.ask("/api/models/pocket-v0/load", {})
        yield studio


def test_a_killed_paddock_finishes_the_answer_when_it_is_back(
    wheel: Path, scripted_engine: list[str], mortal: Served, chromium: Browser
) -> None:
    port = int(mortal.url.rsplit(":", 1)[1])
    with rig.tab(chromium, mortal.url) as tab:
        tab.expected.append("ERR_|Failed to load resource")
        script(mortal, LONG)
        tab.open()
        say(tab, "Survive")
        expect(content(answer(tab))).to_contain_text("w60 ", timeout=60_000)
        os.kill(mortal.process.pid, signal.SIGKILL)
        mortal.process.wait()
        expect(answer(tab)).to_contain_text("Connection lost", timeout=30_000)
        composer(tab).fill("typed while it is away")
        tab.shoot("chat-lost")
        with rig.served(wheel, mortal.home, scripted_engine, port=port):
            done = settled(tab)
            said = content(done).inner_text()
            assert said.endswith("hello hello hello hello hello")
            kept = said.removesuffix("hello hello hello hello hello").split()
            assert kept == [word.strip() for word in words(len(kept))]
            assert len(kept) > 10
            expect(composer(tab)).to_have_value("typed while it is away")
            tab.page.reload()
            expect(content(settled(tab))).to_have_text(said)
