"""Shows the models of this machine on the page: loading with a plan, live figures, settings, templates, removal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Locator, expect

from paddock.models.catalog import BUNDLED
from tests.fakes.adapter_files import adapter
from tests.fakes.gguf_files import gguf
from tests.page import rig
from tests.page.chatting import frame
from tests.page.rig import PHONE, Served, Tab
from tests.wire.rig import CHAT

_HELLO = frame({"content": "Hello from elsewhere"}) + frame({}, "stop") + "data: [DONE]\n\n"
Another = Callable[..., AbstractContextManager[Tab]]
POCKET = BUNDLED["pocket-v0"]


def row(tab: Tab, name: str = "pocket-v0") -> Locator:
    return tab.page.get_by_role("listitem", name=name, exact=True)


def window(tab: Tab) -> Locator:
    return tab.page.get_by_role("dialog")


def more(tab: Tab, entry: str, name: str = "pocket-v0") -> None:
    row(tab, name).get_by_role("button", name=f"More about {name}").click()
    tab.page.get_by_role("menuitem", name=entry).click()


@pytest.fixture
def quiet(tab: Tab, scripted: Served) -> Tab:
    """The page of models with nothing loaded."""
    scripted.ask("/api/models/pocket-v0/unload", {})
    tab.open("/models")
    return tab


def test_a_model_is_loaded_as_planned_changed_and_unloaded(quiet: Tab) -> None:
    expect(row(quiet)).to_contain_text("4.9 MiB · 4.8 M parameters · Q8_0 · up to 131,072 tokens")
    expect(row(quiet)).to_contain_text("Not loaded")
    quiet.shoot("models-here")
    row(quiet).get_by_role("button", name="Load…").click()
    expect(window(quiet)).to_contain_text("It fits.")
    expect(window(quiet)).to_contain_text("The model itself (weights)")
    window(quiet).get_by_label("Context", exact=True).select_option("2048")
    window(quiet).get_by_label("Slots").select_option("1")
    expect(window(quiet)).to_contain_text("Slots: 1, with 2,048 tokens each")
    quiet.shoot("models-load")
    window(quiet).get_by_role("button", name="Load", exact=True).click()
    expect(window(quiet)).to_have_count(0)
    expect(row(quiet)).to_contain_text("Loaded")
    expect(row(quiet)).to_contain_text("0 of 1 slots answering")

    row(quiet).get_by_role("button", name="Change…").click()
    window(quiet).get_by_label("Slots").select_option("4")
    window(quiet).get_by_role("button", name="Load anew").click()
    expect(row(quiet)).to_contain_text("0 of 4 slots answering")
    quiet.shoot("models-loaded")

    row(quiet).get_by_role("button", name="Unload").click()
    expect(quiet.page.get_by_text("pocket-v0 is unloaded.")).to_be_visible()
    expect(row(quiet)).to_contain_text("Not loaded")


def test_a_load_is_stopped(wheel: Path, scripted_engine: list[str], chromium: Browser, tmp_path: Path) -> None:
    slow = json.dumps({"starts": [{"delay_s": 120}, {}]})
    (tmp_path / "script.json").write_text(slow)
    environ = {"SCRIPTED_ENGINE_SCRIPT": str(tmp_path / "script.json")}
    (tmp_path / "home").mkdir()
    with (
        rig.served(wheel, tmp_path / "home", scripted_engine, environ) as studio,
        rig.tab(chromium, studio.url) as tab,
    ):
        tab.open("/models")
        row(tab).get_by_role("button", name="Load…").click()
        window(tab).get_by_role("button", name="Load", exact=True).click()
        tab.shoot("models-loading")
        window(tab).get_by_role("button", name="Stop loading").click()
        expect(window(tab).get_by_role("button", name="Load", exact=True)).to_be_visible()
        window(tab).get_by_role("button", name="Cancel").click()
        expect(row(tab)).to_contain_text("Not loaded")
        assert studio.engine_ports() == []


def test_models_elsewhere_are_told_and_answer(
    wheel: Path, scripted_engine: list[str], scripted: Served, chromium: Browser, tmp_path: Path
) -> None:
    scripted.ask("/api/models/pocket-v0/load", {})
    scripted.script({"routes": {CHAT: [{"chunks": [{"text": _HELLO}]}]}})
    home = tmp_path / "home"
    home.mkdir()
    named = [sys.executable, "-m", "paddock", "remotes", "add", "lab", f"{scripted.url}/v1"]
    environment = {**os.environ, "PYTHONPATH": str(wheel), "PADDOCK_HOME": str(home)}
    subprocess.run(named, env=environment, check=True, cwd=home, capture_output=True)
    with rig.served(wheel, home, scripted_engine) as studio, rig.tab(chromium, studio.url) as tab:
        tab.open()
        tab.page.locator("[data-model-picker]").click()
        entry = tab.page.get_by_role("menuitemradio", name="lab/pocket-v0")
        expect(entry).to_contain_text("on lab")
        tab.shoot("chat-remote")
        entry.click()
        tab.page.locator("[data-composer]").fill("Who answers?")
        tab.page.locator("[data-composer]").press("Enter")
        answer = tab.page.locator("[data-role=assistant]")
        expect(answer).to_have_attribute("data-status", "complete")
        expect(answer).to_contain_text("Hello from elsewhere")
        expect(answer.locator("[data-meta]")).to_contain_text("lab/pocket-v0")


def test_what_is_loaded_is_told_as_it_happens(quiet: Tab, scripted: Served) -> None:
    row(quiet).get_by_role("button", name="Load…").click()
    window(quiet).get_by_role("button", name="Load", exact=True).click()
    expect(row(quiet)).to_contain_text("Loaded")
    scripted.script({"routes": {CHAT: [{"generate": {"chunks": 60, "per_s": 15}}]}})
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "stream": True}).encode()
    with urlopen(Request(scripted.url + CHAT, body), timeout=60) as answer:
        expect(row(quiet)).to_contain_text(re.compile(r"1 of \d slots answering"))
        answer.read()
    expect(row(quiet)).to_contain_text(re.compile(r"0 of \d slots answering · idle for"))


def test_a_model_is_pinned_and_let_go(quiet: Tab) -> None:
    more(quiet, "Load and keep loaded")
    expect(row(quiet)).to_contain_text("stays loaded")
    more(quiet, "Let it go when room is needed")
    expect(row(quiet)).not_to_contain_text("stays loaded")
    row(quiet).get_by_role("button", name="Unload").click()
    expect(row(quiet)).to_contain_text("Not loaded")


def test_settings_are_checked_kept_and_cleared(quiet: Tab) -> None:
    more(quiet, "Settings…")
    expect(window(quiet).get_by_label("Temperature")).to_be_visible()
    save = window(quiet).get_by_role("button", name="Save")
    expect(save).to_be_disabled()
    window(quiet).get_by_label("Temperature").fill("7")
    expect(window(quiet)).to_contain_text("From 0 to 5.")
    expect(save).to_be_disabled()
    window(quiet).get_by_label("Temperature").fill("0.4")
    window(quiet).get_by_label("Keep it loaded").click()
    window(quiet).get_by_label("Chat template in place of its own").fill("{{ messages[0].content }}")
    quiet.shoot("models-settings")
    save.click()
    expect(quiet.page.get_by_text("The settings of pocket-v0 are saved.")).to_be_visible()

    more(quiet, "Chat template…")
    expect(window(quiet)).to_contain_text("set by you in its place")
    window(quiet).get_by_role("button", name="Close").click()

    more(quiet, "Settings…")
    expect(window(quiet).get_by_label("Temperature")).to_have_value("0.4")
    window(quiet).get_by_label("Temperature").fill("")
    window(quiet).get_by_label("Keep it loaded").click()
    window(quiet).get_by_label("Chat template in place of its own").fill("")
    save.click()
    more(quiet, "Settings…")
    expect(window(quiet).get_by_label("Temperature")).to_have_value("")
    expect(window(quiet).get_by_label("Chat template in place of its own")).to_have_value("")


def test_a_setting_that_contradicts_another_is_refused_in_the_window(quiet: Tab) -> None:
    quiet.expected.append("400")
    more(quiet, "Settings…")
    window(quiet).get_by_label("Memory for context (KV type)").select_option("q4_0")
    window(quiet).get_by_label("Flash attention").select_option("off")
    window(quiet).get_by_role("button", name="Save").click()
    expect(window(quiet).get_by_role("alert")).to_contain_text("needs flash attention")


def test_a_file_is_added_by_its_path_and_removed_with_a_word_on_what_stays(quiet: Tab, tmp_path: Path) -> None:
    (tmp_path / "added.gguf").write_bytes(POCKET.read_bytes())
    (tmp_path / "style.gguf").write_bytes(adapter())
    (tmp_path / "torn.gguf").write_bytes(b"GGUF")
    quiet.expected.append("400")
    quiet.page.get_by_role("button", name="Add a file").click()
    window(quiet).get_by_label("Path").fill("added.gguf")
    window(quiet).get_by_role("button", name="Add", exact=True).click()
    expect(window(quiet).get_by_role("alert")).to_contain_text("must be a whole path")
    window(quiet).get_by_label("Path").fill(str(tmp_path))
    window(quiet).get_by_role("button", name="Add", exact=True).click()
    expect(window(quiet).get_by_role("alert")).to_contain_text("torn.gguf")
    quiet.shoot("models-import")
    window(quiet).get_by_role("button", name="Close").last.click()
    expect(quiet.page.get_by_text("Added: added, style.")).to_be_visible()

    row(quiet, "style").get_by_role("button", name="Use…").click()
    window(quiet).get_by_label(re.compile("Strength")).fill("0.5")
    expect(window(quiet)).to_contain_text("pocket-v0+style:0.5")
    window(quiet).get_by_label("Model").select_option("added")
    expect(window(quiet)).to_contain_text("added+style:0.5")
    quiet.shoot("models-adapter")
    window(quiet).get_by_role("button", name="Close").click()

    for name in ("added", "style"):
        if name == "added":
            more(quiet, "Remove…", name)
        else:
            row(quiet, name).get_by_role("button", name="Remove…").click()
        expect(window(quiet)).to_contain_text("the same bytes have another name")
        quiet.shoot("models-remove")
        window(quiet).get_by_role("button", name="Cancel").click()
        expect(row(quiet, name)).to_be_visible()
        if name == "added":
            more(quiet, "Remove…", name)
        else:
            row(quiet, name).get_by_role("button", name="Remove…").click()
        window(quiet).get_by_role("button", name="Remove", exact=True).click()
        expect(quiet.page.get_by_text(f"{name} is removed.")).to_be_visible()
        expect(row(quiet, name)).to_have_count(0)
    assert (tmp_path / "added.gguf").is_file()


def test_the_model_that_comes_with_paddock_offers_no_removal(quiet: Tab) -> None:
    row(quiet).get_by_role("button", name="More about pocket-v0").click()
    expect(quiet.page.get_by_role("menuitem", name="Remove…")).to_have_attribute("data-disabled", "")


def test_another_name_is_given_forgotten_and_brought_back(quiet: Tab, scripted: Served) -> None:
    quiet.expected.append("400")
    quiet.page.get_by_label("Name", exact=True).fill("claude-[")
    quiet.page.get_by_role("button", name="Add", exact=True).click()
    expect(quiet.page.get_by_text("opens a '['")).to_be_visible()
    quiet.page.get_by_label("Name", exact=True).fill("claude-*")
    quiet.page.get_by_role("button", name="Add", exact=True).click()
    expect(row(quiet, "claude-*")).to_contain_text("pocket-v0")
    with urlopen(f"{scripted.url}/v1/models/claude-opus", timeout=30) as answer:
        assert answer.status == 200
    row(quiet, "claude-*").get_by_role("button", name="Forget").click()
    expect(row(quiet, "claude-*")).to_have_count(0)
    quiet.page.get_by_role("button", name="Undo").click()
    expect(row(quiet, "claude-*")).to_be_visible()
    row(quiet, "claude-*").get_by_role("button", name="Forget").click()
    expect(row(quiet, "claude-*")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("entry", ["Load…", "Settings…", "Chat template…", "Add a file"])
def test_every_window_is_free_of_barriers(quiet: Tab, entry: str, theme: str) -> None:
    quiet.theme(theme)
    quiet.page.reload()
    if entry in ("Load…", "Add a file"):
        quiet.page.get_by_role("button", name=entry).click()
    else:
        more(quiet, entry)
    expect(window(quiet)).to_be_visible()
    expect(window(quiet).get_by_text("Loading…")).to_have_count(0)
    quiet.shoot(f"models-{entry.strip('…').lower().replace(' ', '-')}-{theme}")
    assert quiet.axe() == []


def test_on_a_phone_every_deed_is_there_without_scrolling_sideways(another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open("/models")
        row(tab).get_by_role("button", name=re.compile("Load…|Change…")).tap()
        expect(window(tab)).to_contain_text("It fits.")
        tab.shoot("models-phone-load")
        window(tab).get_by_role("button", name="Cancel").tap()
        row(tab).get_by_role("button", name="More about pocket-v0").tap()
        tab.page.get_by_role("menuitem", name="Settings…").tap()
        expect(window(tab).get_by_label("Temperature")).to_be_visible()
        tab.shoot("models-phone-settings")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_template_is_read_at_once_and_tried_when_asked(real_tab: Tab) -> None:
    real_tab.open("/models")
    more(real_tab, "Chat template…")
    expect(window(real_tab)).to_contain_text("speaks of tools")
    expect(row_under(real_tab)).to_contain_text("Not loaded")
    window(real_tab).get_by_role("button", name="Load the model and check what it can do").click()
    expect(window(real_tab).get_by_role("listitem").filter(has_text="Several turns")).to_contain_text("yes")
    real_tab.shoot("models-template")
    assert real_tab.axe() == []


def row_under(tab: Tab) -> Locator:
    """The model's row while a window hides it from those who listen."""
    return tab.page.locator("li[aria-label='pocket-v0']")


@pytest.fixture(scope="module")
def cramped(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock with its own engine, little memory, and files that are no good."""
    home = tmp_path_factory.mktemp("cramped")
    (home / "models").mkdir()
    (home / "models" / "hollow.gguf").write_bytes(gguf())
    (home / "models" / "torn.gguf").write_bytes(b"GGUF")
    with rig.served(wheel, home, memory_budget_bytes=2 * 2**30) as studio:
        yield studio


def test_what_cannot_be_loaded_says_why_and_what_would_do(chromium: Browser, cramped: Served) -> None:
    with rig.tab(chromium, cramped.url) as tab:
        tab.expected.append("400|502")
        tab.open("/models")
        expect(tab.page.get_by_role("heading", name="Files that cannot be used")).to_be_visible()
        expect(tab.page.get_by_text("torn", exact=True)).to_be_visible()

        row(tab).get_by_role("button", name="Load…").click()
        window(tab).get_by_label("Context", exact=True).select_option("131072")
        window(tab).get_by_label("Slots").select_option("16")
        expect(window(tab)).to_contain_text("It needs more memory than is free.")
        tab.shoot("models-too-large")
        window(tab).get_by_role("button", name=re.compile("tokens of context, which fits")).click()
        expect(window(tab)).to_contain_text(re.compile("It fits.|It just fits"))
        window(tab).get_by_role("button", name="Cancel").click()

        row(tab, "hollow").get_by_role("button", name="Load…").click()
        window(tab).get_by_role("button", name=re.compile("^(Load|Try anyway)$")).click()
        expect(window(tab).get_by_role("alert")).to_be_visible()
        tab.shoot("models-load-fails")
        assert tab.axe() == []
