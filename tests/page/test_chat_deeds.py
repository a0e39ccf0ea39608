"""Shows the smaller deeds of a chat: copying, what waits, presets, folders, a full context, many models at once."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from paddock.models.catalog import BUNDLED
from tests.fakes.adapter_files import adapter
from tests.page import rig
from tests.page.chatting import LONG, answer, composer, content, frame, say, says, script, settled, words
from tests.page.rig import Served, Tab
from tests.page.test_chat_list import choose, made, row
from tests.page.test_chat_panel import panel


def test_a_message_is_copied_as_it_was_written(scripted: Served, tab: Tab) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    script(scripted, says("So **bold**."))
    tab.open()
    say(tab, "Write")
    settled(tab).get_by_role("button", name="Copy message").click()
    expect(answer(tab).get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert tab.page.evaluate("navigator.clipboard.readText()") == "So **bold**."


def test_what_waits_is_edited_and_removed(scripted: Served, tab: Tab) -> None:
    script(scripted, LONG)
    tab.open()
    say(tab, "First")
    expect(content(answer(tab))).to_contain_text("w1 ")
    say(tab, "Then this")
    tab.page.get_by_role("button", name="Edit the waiting message").click()
    expect(composer(tab)).to_have_value("Then this")
    expect(tab.page.locator("[data-queued]")).to_have_count(0)
    composer(tab).press("Enter")
    expect(tab.page.locator("[data-queued]")).to_contain_text("Then this")
    tab.page.get_by_role("button", name="Remove the waiting message").click()
    expect(tab.page.locator("[data-queued]")).to_have_count(0)
    tab.page.keyboard.press("Escape")
    settled(tab, "stopped")
    expect(tab.page.locator("[data-role=user]")).to_have_count(1)


def test_a_context_that_fills_is_told_before_it_is_full(scripted: Served, tab: Tab) -> None:
    usage = {"completion_tokens": 100, "prompt_tokens": 15_000, "total_tokens": 15_100}
    end = frame({}, "stop", usage=usage) + "data: [DONE]\n\n"
    script(scripted, {"chunks": [{"text": frame({"content": "Much."}) + end}]})
    tab.open()
    say(tab, "Read all of it")
    settled(tab)
    expect(tab.page.locator("[data-context]")).to_contain_text("15,100 of 16,384 tokens")
    expect(tab.page.get_by_text("This chat is about to fill")).to_be_visible()
    tab.shoot("chat-context-near")
    assert tab.axe() == []


def test_an_answer_is_not_followed_where_nobody_wants_that(scripted: Served, tab: Tab) -> None:
    tab.open("/settings")
    tab.page.get_by_role("switch", name="Follow answers").click()
    script(scripted, says(*[f"{word}\n\n" for word in words(120)], every_s=0.01))
    tab.open()
    say(tab, "Talk")
    expect(content(settled(tab))).to_contain_text("w119")
    box = tab.page.locator("[data-thread]")
    assert box.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") > 500
    tab.page.get_by_role("button", name="Jump to latest").click()
    expect(tab.page.get_by_role("button", name="Jump to latest")).to_have_count(0)


def test_a_preset_is_renewed(scripted: Served, tab: Tab) -> None:
    tab.open()
    side = panel(tab)
    side.get_by_label("Instructions").fill("Rhyme.")
    side.get_by_role("button", name="Save these settings as a preset").click()
    side.get_by_role("textbox", name="Name of the preset").fill("Bard")
    tab.page.keyboard.press("Enter")
    side.get_by_label("Instructions").fill("Rhyme well.")
    side.get_by_role("button", name="Update the preset Bard").click()
    tab.page.reload()
    expect(side.get_by_label("Instructions")).not_to_have_value("Rhyme well.")
    side.get_by_label("Preset", exact=True).select_option("Bard")
    expect(side.get_by_label("Instructions")).to_have_value("Rhyme well.")


def test_a_folder_is_renamed_and_a_chat_taken_out_of_it(scripted: Served, tab: Tab) -> None:
    made(scripted, "in and out", "a")
    tab.open()
    tab.page.get_by_role("button", name="New folder").click()
    tab.page.get_by_role("textbox", name="Name of the folder").fill("Wrok")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("button", name="More about the folder Wrok").click()
    tab.page.get_by_role("menuitem", name="Rename").click()
    tab.page.get_by_role("textbox", name="Name of the folder").fill("Deeds")
    tab.page.keyboard.press("Enter")
    choose(tab, "in and out", "Move to Deeds")
    expect(row(tab, "in and out")).to_have_count(0)
    tab.page.get_by_role("button", name="Deeds", exact=True).click()
    choose(tab, "in and out", "Take out of the folder")
    # It stands in both lists until each of them was asked for anew.
    expect(tab.page.get_by_text("No chats in this folder.")).to_be_visible()
    expect(row(tab, "in and out")).to_be_visible()


@pytest.fixture(scope="module")
def many_models(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock with five models to choose from."""
    folder = tmp_path_factory.mktemp("models")
    bundled = bytearray(BUNDLED["pocket-v0"].read_bytes())
    for number in range(4):
        bundled[-1] ^= number + 1
        (folder / f"other-{number}.gguf").write_bytes(bundled)
    with rig.served(wheel, tmp_path_factory.mktemp("home"), scripted_engine, model_folders=str(folder)) as studio:
        yield studio


def test_four_models_answer_and_a_fifth_cannot_be_chosen(many_models: Served, chromium: Browser) -> None:
    with rig.tab(chromium, many_models.url) as tab:
        tab.open()
        picker = tab.page.locator("[data-model-picker]")
        picker.click()
        tab.page.get_by_role("menuitemradio", name="pocket-v0").click()
        picker.click()
        for number in range(3):
            tab.page.get_by_role("menuitemcheckbox", name=f"other-{number}").click()
        expect(tab.page.get_by_role("menuitemcheckbox", name="other-3")).to_be_disabled()
        tab.page.keyboard.press("Escape")
        expect(picker).to_contain_text("pocket-v0 + 3")
        say(tab, "Who are you all?")
        columns = tab.page.locator("[data-comparison] [data-role=assistant]")
        expect(columns).to_have_count(4)
        for place, name in enumerate(("pocket-v0", "other-0", "other-1", "other-2")):
            expect(columns.nth(place)).to_have_attribute("data-status", "complete", timeout=60_000)
            expect(columns.nth(place)).to_contain_text(name)
        tab.shoot("chat-four-models")
        assert tab.axe() == []


def test_a_model_answers_beside_itself_with_an_adapter(wheel: Path, chromium: Browser, tmp_path: Path) -> None:
    for name in ("models", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "models" / "style.gguf").write_bytes(adapter())
    folder = str(tmp_path / "models")
    with rig.served(wheel, tmp_path / "home", model_folders=folder) as studio, rig.tab(chromium, studio.url) as tab:
        tab.open()
        picker = tab.page.locator("[data-model-picker]")
        picker.click()
        tab.page.get_by_role("menuitemradio", name="pocket-v0", exact=False).first.click()
        picker.click()
        tab.page.get_by_role("menuitemcheckbox", name="pocket-v0+style").click()
        tab.page.keyboard.press("Escape")
        side = panel(tab)
        side.get_by_label("Longest answer (tokens)").fill("8")
        say(tab, "Say one word.")
        columns = tab.page.locator("[data-comparison] [data-role=assistant]")
        expect(columns).to_have_count(2)
        for place, name in enumerate(("pocket-v0", "pocket-v0+style")):
            expect(columns.nth(place)).to_have_attribute("data-status", "complete", timeout=60_000)
            expect(columns.nth(place).locator("[data-meta] span").first).to_have_text(name)
        tab.shoot("chat-adapter")
        with_adapter = json.loads(tab.page.request.get(f"{studio.url}/api/chats").text())["data"][0]
        assert with_adapter["message_count"] == 3
