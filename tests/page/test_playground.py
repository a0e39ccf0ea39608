"""Shows the playground: three dialects, form and JSON of one body, answers and refusals in full, programs that run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.page import rig
from tests.page.rig import PHONE, Served, Tab

Another = Callable[..., AbstractContextManager[Tab]]
DIALECTS = ["Chat Completions", "Messages", "Responses"]
CHAT = "/v1/chat/completions"


def opened(tab: Tab, dialect: str) -> None:
    """The playground, with the first body of a dialect."""
    tab.open("/playground")
    tab.page.get_by_role("tab", name=dialect).click()
    expect(tab.page.get_by_label("Message", exact=True)).to_have_value("What is paddock?")


def editor(tab: Tab) -> Locator:
    """The body as text."""
    tab.page.get_by_role("tab", name="JSON", exact=True).click()
    return tab.page.get_by_label("Body", exact=True)


def send(tab: Tab) -> None:
    """Send the request."""
    tab.page.get_by_role("button", name="Send", exact=True).click()


def answer(tab: Tab) -> Locator:
    """Where the answer stands."""
    return tab.page.locator("section").filter(has=tab.page.get_by_role("heading", name="Answer"))


@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_is_answered(tab: Tab, scripted: Served, dialect: str, *, is_streamed: bool) -> None:
    scripted.script({})
    opened(tab, dialect)
    if not is_streamed:
        tab.page.get_by_label("Streamed").click()
    send(tab)
    card = answer(tab)
    expect(card).to_contain_text("Status 200")
    expect(card.get_by_text("Done.", exact=True)).to_be_visible()
    expect(card).to_contain_text("hello")
    card.get_by_role("tab", name="Events").click()
    count = card.get_by_role("region", name="Events").get_by_role("listitem").count()
    assert count == 1 if not is_streamed else count > 3
    card.get_by_role("tab", name="Headers").click()
    expect(card).to_contain_text("content-type")


def test_form_and_json_are_one_body(tab: Tab) -> None:
    opened(tab, "Messages")
    tab.page.get_by_label("Instructions").fill("Be brief.")
    tab.page.get_by_label("Message", exact=True).fill("Hi")
    tab.page.get_by_label("Longest answer").fill("7")
    tab.page.get_by_label("Temperature").fill("0.5")
    body = editor(tab)
    assert json.loads(body.input_value()) == {
        "model": "pocket-v0",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 7,
        "stream": True,
        "system": "Be brief.",
        "temperature": 0.5,
    }
    body.fill('{"system": "Be long.", "messages": [], "stream": false, "extra": 1}')
    tab.page.get_by_role("button", name="Tidy up").click()
    assert body.input_value().count("\n") == 5
    tab.page.get_by_role("tab", name="Form").click()
    expect(tab.page.get_by_label("Instructions")).to_have_value("Be long.")
    expect(tab.page.get_by_label("Longest answer")).to_have_value("")
    tab.page.reload()
    expect(tab.page.get_by_label("Instructions")).to_have_value("Be long.")


def test_wrong_json_is_told_by_line_and_not_sent(tab: Tab) -> None:
    opened(tab, "Chat Completions")
    body = editor(tab)
    body.fill('{\n  "model": "pocket-v0",\n  "messages": [],\n}')
    expect(tab.page.get_by_text("Line 4, column 1: a name in double quotes is missing")).to_be_visible()
    expect(body).to_have_attribute("aria-invalid", "true")
    expect(tab.page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    tab.shoot("playground-wrong")
    assert tab.axe() == []
    tab.page.get_by_role("button", name="Go to line 4").click()
    tab.page.keyboard.type('"n": 1}')
    expect(body).to_have_value('{\n  "model": "pocket-v0",\n  "messages": [],\n"n": 1}')
    expect(tab.page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    body.fill("[]")
    tab.page.get_by_role("tab", name="Form").click()
    expect(tab.page.get_by_role("main")).to_contain_text("not an object")
    body = editor(tab)
    body.fill("")
    expect(tab.page.get_by_text("Line 1, column 1")).to_be_visible()
    assert body.input_value() == ""


@pytest.mark.parametrize(
    ("dialect", "body", "words"),
    [
        ("Chat Completions", {"messages": [{"role": "user"}], "temperature": "hot"}, ["422", "temperature", '"param"']),
        ("Messages", {"model": "no-such", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]},
         ["404", "no-such", '"not_found_error"']),
        ("Responses", {"input": "x", "previous_response_id": "resp_gone"},
         ["404", "resp_gone", '"response_not_found"']),
    ],
)  # fmt: skip
def test_a_refusal_is_shown_in_full(tab: Tab, dialect: str, body: object, words: list[str]) -> None:
    tab.expected.append("Failed to load resource")
    opened(tab, dialect)
    editor(tab).fill(json.dumps(body))
    send(tab)
    card = answer(tab)
    for word in words:
        expect(card).to_contain_text(word)
    expect(card.get_by_text("Refused.", exact=True)).to_be_visible()
    expect(card.get_by_role("alert")).to_be_visible()
    tab.shoot(f"playground-refused-{dialect.lower().replace(' ', '-')}")
    assert tab.axe() == []


def test_an_answer_is_stopped(tab: Tab, scripted: Served) -> None:
    scripted.script({"routes": {CHAT: [{"generate": {"chunks": 2000, "per_s": 20, "text": "hay "}}]}})
    opened(tab, "Chat Completions")
    send(tab)
    card = answer(tab)
    expect(card).to_contain_text("hay hay hay")
    expect(card.get_by_text("Answering…", exact=True)).to_be_visible()
    tab.page.get_by_role("button", name="Stop").click()
    expect(card.get_by_text("Stopped.", exact=True)).to_be_visible()
    expect(tab.page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(tab.page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    scripted.script({})
    send(tab)
    expect(card).to_contain_text("hello")
    expect(card).not_to_contain_text("hay")


def test_an_engine_that_dies_in_the_middle_is_told(tab: Tab, scripted: Served) -> None:
    frames = [{"text": f'data: {{"choices":[{{"index":0,"delta":{{"content":"{word} "}}}}]}}\n\n'} for word in "ab"]
    scripted.script({"routes": {CHAT: [{"chunks": frames, "end": "crash"}]}})
    opened(tab, "Chat Completions")
    send(tab)
    expect(answer(tab).get_by_role("alert")).to_contain_text("engine")
    expect(answer(tab)).to_contain_text("a b")


def test_a_recorded_request_leads_to_its_recording(tab: Tab, scripted: Served) -> None:
    opened(tab, "Responses")
    tab.page.get_by_label("Record this request").click()
    send(tab)
    tab.page.get_by_role("link", name="Look at the recording").click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Recorded request")
    expect(tab.page.get_by_role("main")).to_contain_text("POST /v1/responses")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_programs_run_and_get_the_same_answer(tab: Tab, scripted: Served, dialect: str) -> None:
    opened(tab, dialect)
    tab.page.get_by_label("Message", exact=True).fill("it's “ü” \\ $HOME `x` true null")
    for tongue, words in {"curl": ["sh", "-c"], "Python": [sys.executable, "-c"]}.items():
        tab.page.get_by_role("tab", name=tongue).click()
        program = tab.page.get_by_role("region", name=tongue).inner_text()
        done = subprocess.run([*words, program], capture_output=True, text=True, check=True, timeout=60)
        assert "hello" in done.stdout, done.stderr
    tab.page.get_by_role("tab", name="JavaScript").click()
    expect(tab.page.get_by_role("region", name="JavaScript")).to_contain_text("await fetch(url")


def test_the_page_runs_its_own_javascript_program(tab: Tab, scripted: Served) -> None:
    opened(tab, "Chat Completions")
    tab.page.get_by_role("tab", name="JavaScript").click()
    program = tab.page.get_by_role("region", name="JavaScript").inner_text()
    with tab.page.expect_console_message(lambda said: "hello" in said.text):
        tab.page.evaluate(f"async () => {{ {program} }}")


def test_the_bundled_model_answers(real_tab: Tab) -> None:
    opened(real_tab, "Chat Completions")
    real_tab.page.get_by_label("Longest answer").fill("30")
    send(real_tab)
    card = answer(real_tab)
    expect(card.get_by_text("Done.", exact=True)).to_be_visible(timeout=60_000)
    expect(card).to_contain_text(re.compile(r"\w{3}"))
    real_tab.shoot("playground-answered")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_is_free_of_barriers(tab: Tab, scripted: Served, theme: str) -> None:
    tab.open("/playground")
    tab.theme(theme)
    opened(tab, "Chat Completions")
    send(tab)
    expect(answer(tab)).to_contain_text("hello")
    tab.shoot(f"playground-{theme}")
    assert tab.axe() == []
    for view in ("Events", "Headers"):
        answer(tab).get_by_role("tab", name=view).click()
        tab.shoot(f"playground-{view.lower()}-{theme}")
        assert tab.axe() == []
    editor(tab)
    tab.shoot(f"playground-json-{theme}")
    assert tab.axe() == []


def test_the_playground_works_on_a_phone(another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        opened(tab, "Messages")
        send(tab)
        expect(answer(tab)).to_contain_text("hello")
        answer(tab).scroll_into_view_if_needed()
        tab.shoot("phone-playground-answer")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_server_that_is_gone_is_told(
    wheel: Path, scripted_engine: list[str], tmp_path: Path, chromium: Browser
) -> None:
    with rig.served(wheel, tmp_path, scripted_engine) as studio, rig.tab(chromium, studio.url) as tab:
        tab.expected.append("Failed to load resource")
        opened(tab, "Chat Completions")
        studio.process.kill()
        send(tab)
        expect(answer(tab).get_by_role("alert")).to_contain_text("paddock does not answer")
        expect(answer(tab).get_by_text("Broken off.", exact=True)).to_be_visible()
