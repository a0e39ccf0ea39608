"""Shows what decides answers and what goes with them: instructions, sampling, presets, schemas, files, models."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.page import rig
from tests.page.chatting import LANE, LONG, answer, composer, content, say, says, script, settled
from tests.page.rig import PHONE, Served, Tab
from tests.page.test_chat import Another

ROOT = Path(__file__).resolve().parents[2]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Json = dict[str, Any]


def asked(studio: Served) -> list[Json]:
    """The bodies of the chat completions that the engine got."""
    with urlopen(f"http://127.0.0.1:{studio.engine_port()}/__record", timeout=20) as record:
        seen = json.load(record)["requests"]
    return [json.loads(base64.b64decode(one["body"])) for one in seen if one["path"] == LANE]


def panel(tab: Tab) -> Locator:
    """The settings beside the chat, opened."""
    tab.page.get_by_role("button", name="How answers are made").click()
    return tab.page.get_by_role("complementary", name="How answers are made")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_settings_reach_the_engine_and_stay_with_the_chat(scripted: Served, tab: Tab, theme: str) -> None:
    script(scripted, says("Yes."))
    tab.open()
    tab.theme(theme)
    tab.open()
    side = panel(tab)
    side.get_by_label("Instructions").fill("Be brief.")
    side.get_by_role("textbox", name="Boldness (temperature)").fill("3000")
    expect(side).to_contain_text("A number from 0 to 100.")
    side.get_by_role("textbox", name="Boldness (temperature)").fill("0.25")
    side.get_by_label("How much it thinks").select_option("Low")
    side.get_by_label("Think before answering").select_option("Off")
    side.get_by_label("Stop at these words").fill("END | STOP")
    expect(side.locator("[data-setting=temperature]")).to_have_attribute("data-changed", "true")
    expect(side).to_contain_text("Changed here: 1.")
    tab.shoot(f"chat-panel-{theme}")
    assert tab.axe() == []
    say(tab, "Hello")
    settled(tab)
    body = asked(scripted)[-1]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["temperature"], body["stop"]) == (0.25, ["END", "STOP"])
    assert body["chat_template_kwargs"]["enable_thinking"] is False
    tab.page.reload()
    expect(side.get_by_label("Instructions")).to_have_value("Be brief.")
    expect(side.get_by_role("textbox", name="Boldness (temperature)")).to_have_value("0.25")
    side.get_by_role("button", name="Reset all").click()
    expect(side.get_by_role("textbox", name="Boldness (temperature)")).to_have_value("")
    expect(side).to_contain_text("All as advised for this model.")


def test_a_preset_carries_settings_to_another_chat(scripted: Served, tab: Tab) -> None:
    tab.open()
    side = panel(tab)
    side.get_by_label("Instructions").fill("Rhyme.")
    side.get_by_role("button", name="Save these settings as a preset").click()
    side.get_by_role("textbox", name="Name of the preset").fill("Poet")
    tab.page.keyboard.press("Enter")
    expect(side.get_by_role("button", name="Delete the preset Poet")).to_be_visible()
    tab.page.reload()
    expect(side.get_by_label("Instructions")).to_have_value("")
    side.get_by_label("Preset", exact=True).select_option("Poet")
    expect(side.get_by_label("Instructions")).to_have_value("Rhyme.")
    side.get_by_role("button", name="Delete the preset Poet").click()
    expect(side.get_by_role("option", name="Poet")).to_have_count(0)
    tab.page.get_by_role("button", name="Undo").click()
    expect(side.get_by_role("option", name="Poet")).to_have_count(1)


def test_answers_are_held_to_a_schema(scripted: Served, tab: Tab) -> None:
    script(scripted, says('{"n": 1}'))
    tab.open()
    side = panel(tab)
    side.get_by_role("switch", name="Hold answers to a schema").click()
    field = side.get_by_label("JSON Schema")
    field.fill('{"type": "object", "properties": {"n": {"type": "integer"}}}')
    field.press("End")
    field.press("x")
    expect(side).to_contain_text("so the last one holds")
    say(tab, "A number")
    settled(tab)
    told = asked(scripted)[-1]["response_format"]
    assert told["type"] == "json_schema"
    assert told["json_schema"]["schema"]["properties"] == {"n": {"type": "integer"}}


def test_a_phone_takes_a_photo(another: Another, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(PIXEL)
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open()
        # What a phone answers with its camera, a desk answers with a choice of files.
        with tab.page.expect_file_chooser() as asked_for:
            tab.page.get_by_role("button", name="Take a photo").click()
        field = asked_for.value.element
        assert (field.get_attribute("capture"), field.get_attribute("accept")) == ("environment", "image/*")
        asked_for.value.set_files(photo)
        expect(tab.page.locator("[data-attached=ready]")).to_contain_text("photo.png")
        tab.shoot("phone-photo")


def test_files_are_dropped_pasted_and_picked(scripted: Served, tab: Tab, tmp_path: Path) -> None:
    script(scripted, says("Seen."))
    note = tmp_path / "note.md"
    note.write_text("The word is kumquat.", "utf-8")
    tab.open()
    tab.page.locator("[data-files]").set_input_files(note)
    expect(tab.page.locator("[data-attached=ready]")).to_contain_text("note.md")
    tab.page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.setData('text/plain', text);
            const field = document.querySelector('[data-composer]');
            field.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
        }""",
        "long " * 3000,
    )
    expect(tab.page.locator("[data-attached=ready]")).to_have_count(2)
    tab.page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], 'dot.png', {type: 'image/png'}));
            const field = document.querySelector('[data-composer]');
            field.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        list(PIXEL),
    )
    expect(tab.page.locator("[data-attached=ready]")).to_have_count(3)
    tab.shoot("chat-attached")
    assert tab.axe() == []
    tab.page.reload()
    expect(tab.page.locator("[data-attached=ready]")).to_have_count(3)
    tab.page.get_by_role("button", name="Remove dot.png").click()
    tab.page.get_by_role("button", name="Remove pasted.txt").click()
    say(tab, "What is the word?")
    settled(tab)
    assert "kumquat" in json.dumps(asked(scripted)[-1]["messages"])
    tab.page.get_by_role("button", name="note.md").click()
    expect(tab.page.locator("[data-role=user]")).to_contain_text("The word is kumquat.")


def test_what_cannot_be_attached_is_refused_by_name(scripted: Served, tab: Tab, tmp_path: Path) -> None:
    odd = tmp_path / "odd.bin"
    odd.write_bytes(bytes(range(256)))
    tab.expected.append("4(15|22|00)")
    tab.open()
    tab.page.locator("[data-files]").set_input_files(odd)
    expect(tab.page.get_by_role("button", name="Dismiss")).to_be_visible()
    expect(tab.page.locator("[data-attached]")).to_have_count(0)


def test_a_temporary_chat_is_kept_nowhere(scripted: Served, tab: Tab) -> None:
    script(scripted, says("One."), says("Two."), LONG)
    tab.open()
    tab.page.get_by_role("button", name="Temporary chat").click()
    expect(tab.page.get_by_role("main")).to_contain_text("nothing of it is kept")
    tab.shoot("chat-temporary")
    assert tab.axe() == []
    say(tab, "A secret")
    expect(content(settled(tab))).to_have_text("One.")
    say(tab, "And another")
    expect(content(answer(tab))).to_have_text("Two.")
    settled(tab)
    assert [one["content"] for one in asked(scripted)[-1]["messages"]] == ["A secret", "One.", "And another"]
    say(tab, "Stop")
    expect(content(answer(tab))).to_contain_text("w2 ")
    tab.page.keyboard.press("Escape")
    settled(tab, "stopped")
    expect(tab.page.locator("[data-chat]").filter(has_text="A secret")).to_have_count(0)
    with urlopen(f"{scripted.url}/api/chats/search?q=secret", timeout=20) as found:
        assert json.load(found)["data"] == []
    # Leaving it, or asking for a new chat, forgets it; so does a reload.
    tab.page.get_by_role("button", name="Leave the temporary chat").click()
    expect(tab.page.locator("[data-message]")).to_have_count(0)
    tab.page.get_by_role("button", name="Temporary chat").click()
    expect(tab.page.locator("[data-message]")).to_have_count(0)
    say(tab, "Another secret")
    expect(content(answer(tab))).to_contain_text("w2 ")
    composer(tab).fill("half a word")
    tab.page.keyboard.press("Control+Shift+O")
    expect(tab.page.locator("[data-message]")).to_have_count(0)
    expect(composer(tab)).to_have_value("")
    expect(tab.page.get_by_text("nothing of it is kept")).to_have_count(0)
    tab.page.get_by_role("button", name="Temporary chat").click()
    expect(tab.page.locator("[data-message]")).to_have_count(0)
    say(tab, "A last one")
    expect(content(answer(tab))).to_contain_text("w2 ")
    tab.page.reload()
    expect(tab.page.locator("[data-message]")).to_have_count(0)


def test_the_panel_is_a_sheet_on_a_phone(another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open()
        tab.page.get_by_role("button", name="How answers are made").click()
        sheet = tab.page.get_by_role("dialog", name="How answers are made")
        expect(sheet.get_by_label("Instructions")).to_be_visible()
        tab.shoot("phone-chat-panel")
        assert tab.axe() == []
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        sheet.get_by_role("button", name="Close").click()
        expect(sheet).to_have_count(0)


def test_a_chat_is_saved_as_a_file(scripted: Served, tab: Tab) -> None:
    script(scripted, says("Saved."))
    tab.open()
    say(tab, "Keep this")
    settled(tab)
    side = panel(tab)
    with tab.page.expect_download() as got:
        side.get_by_role("button", name="Export as JSON").click()
    told = json.loads(Path(got.value.path()).read_text("utf-8"))
    assert got.value.suggested_filename == "Keep this.json"
    assert [one["content"][0]["text"] for one in told["chats"][0]["messages"]] == ["Keep this", "Saved."]
    with tab.page.expect_download() as got:
        side.get_by_role("button", name="Export as Markdown").click()
    assert "Saved." in Path(got.value.path()).read_text("utf-8")


@pytest.fixture(scope="module")
def two_models(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock with two models of the same bytes and other names."""
    folder = tmp_path_factory.mktemp("models")
    bundled = next((ROOT / "src" / "paddock").rglob("pocket-v0*.gguf"))
    changed = bytearray(bundled.read_bytes())
    changed[-1] ^= 1
    (folder / "second.gguf").write_bytes(changed)
    with rig.served(wheel, tmp_path_factory.mktemp("home"), scripted_engine, model_folders=str(folder)) as studio:
        yield studio


def test_two_models_answer_side_by_side(two_models: Served, chromium: Browser) -> None:
    with rig.tab(chromium, two_models.url) as tab:
        tab.open()
        picker = tab.page.locator("[data-model-picker]")
        picker.click()
        tab.page.get_by_role("menuitemradio", name="pocket-v0").click()
        picker.click()
        tab.page.get_by_role("menuitemcheckbox", name="second").click()
        tab.shoot("chat-models")
        assert tab.axe() == []
        tab.page.keyboard.press("Escape")
        expect(picker).to_contain_text("pocket-v0 + 1")
        say(tab, "Who are you?")
        columns = tab.page.locator("[data-comparison] [data-role=assistant]")
        expect(columns).to_have_count(2)
        for place, model in enumerate(("pocket-v0", "second")):
            expect(columns.nth(place)).to_have_attribute("data-status", "complete", timeout=30_000)
            expect(columns.nth(place)).to_contain_text(model)
        tab.shoot("chat-comparison")
        assert tab.axe() == []
        tab.page.get_by_role("button", name="Go on with this one").click()
        # Side by side is for one message.
        say(tab, "Go on")
        expect(tab.page.locator("[data-comparison]")).to_have_count(0)
        expect(tab.page.locator("[data-role=assistant]")).to_have_count(2)
        expect(tab.page.locator("[data-role=assistant]").first).to_contain_text("second")
        settled(tab)


def test_answers_without_names_are_chosen_between_and_counted(two_models: Served, chromium: Browser) -> None:
    with rig.tab(chromium, two_models.url) as tab:
        script(two_models, says("An answer."))
        tab.open()
        picker = tab.page.locator("[data-model-picker]")
        picker.click()
        tab.page.get_by_role("menuitemradio", name="pocket-v0").click()
        picker.click()
        tab.page.get_by_role("menuitemcheckbox", name="Hide their names").click()
        tab.page.get_by_role("menuitemcheckbox", name="second").click()
        tab.page.keyboard.press("Escape")
        say(tab, "Who is better?")
        compared = tab.page.locator("[data-comparison]")
        columns = compared.locator("[data-role=assistant]")
        expect(columns).to_have_count(2)
        for place, name in enumerate(("Answer A", "Answer B")):
            expect(columns.nth(place)).to_have_attribute("data-status", "complete", timeout=30_000)
            expect(columns.nth(place).locator("[data-meta]")).to_have_text(name)
        tab.shoot("chat-blind")
        assert tab.axe() == []
        # Nothing that tells which is which is offered before.
        for name in ("More", "Answer again"):
            expect(compared.get_by_role("button", name=name)).to_have_count(0)
        # A page that is loaded anew gives nothing away.
        tab.page.reload()
        expect(columns.first.locator("[data-meta]")).to_have_text("Answer A")
        assert "second" not in compared.inner_text()
        tab.page.get_by_role("button", name="This one is better").nth(1).click()
        tally = tab.page.locator("[data-tally]")
        chosen = columns.nth(1).locator("[data-meta] span").first.inner_text()
        assert chosen in {"pocket-v0", "second"}
        expect(tally).to_contain_text(f"{chosen} 1×")
        expect(tab.page.get_by_role("button", name="The chat goes on with this one")).to_have_count(1)
        tab.shoot("chat-blind-told")
        assert tab.axe() == []
        # Once more, and neither is better.
        picker.click()
        tab.page.get_by_role("menuitemcheckbox", name="second").click()
        tab.page.keyboard.press("Escape")
        say(tab, "And now?")
        tab.page.get_by_role("button", name="Neither is better").click()
        expect(tally).to_contain_text("neither 1×")
        expect(tally).to_contain_text(f"{chosen} 1×")


def test_the_model_that_was_chosen_is_remembered(two_models: Served, chromium: Browser) -> None:
    with rig.tab(chromium, two_models.url) as tab:
        tab.open()
        picker = tab.page.locator("[data-model-picker]")
        picker.click()
        tab.page.get_by_role("menuitemradio", name="second").click()
        tab.page.reload()
        expect(picker).to_have_text(re.compile("second"))


def test_of_several_models_those_that_were_not_asked_are_asked_again(chromium: Browser, two_models: Served) -> None:
    with rig.tab(chromium, two_models.url) as tab:
        tab.expected.append("ERR_FAILED")
        tab.open()
        tab.page.locator("[data-model-picker]").click()
        tab.page.get_by_role("menuitemradio", name="pocket-v0").click()
        tab.page.locator("[data-model-picker]").click()
        tab.page.get_by_role("menuitemcheckbox", name="second").click()
        tab.page.keyboard.press("Escape")
        tab.page.route("**/api/chats/*/answers", lambda route: route.abort())
        say(tab, "Who are you?")
        alert = tab.page.locator("[data-role=user]").last.get_by_role("alert")
        expect(alert).to_contain_text("did not reach paddock")
        tab.page.unroute("**/api/chats/*/answers")
        alert.get_by_role("button", name="Try again").click()
        columns = tab.page.locator("[data-comparison] [data-role=assistant]")
        expect(columns).to_have_count(2)
        for place, model in enumerate(("pocket-v0", "second")):
            expect(columns.nth(place)).to_have_attribute("data-status", "complete", timeout=30_000)
            expect(columns.nth(place)).to_contain_text(model)
