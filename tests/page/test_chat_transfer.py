"""Shows chats that leave the page as files, and those of other programs that come in; documents that are attached."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.fakes.documents import pdf, word
from tests.page.chatting import composer, content, says, script, settled
from tests.page.rig import PHONE, Served, Tab
from tests.page.test_chat_list import made, row
from tests.page.test_chat_panel import asked
from tests.unit.test_reading import CHATGPT, SHAREGPT, STUDIO, WEBUI

Another = Callable[..., AbstractContextManager[Tab]]
FAULTY = {"mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": ["x" * 1_000_001]}}}}}


def opened(tab: Tab) -> Locator:
    """The dialog for files of chats."""
    tab.open()
    tab.page.get_by_role("button", name="Import and export").click()
    return tab.page.get_by_role("dialog", name="Import and export")


def give(dialog: Locator, *chats: Any) -> None:
    """Choose a file of these chats."""
    data = json.dumps(chats).encode()
    dialog.locator("input[type=file]").set_input_files(
        {"name": "c.json", "mimeType": "application/json", "buffer": data}
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_chats_of_another_program_are_chosen_and_come_in(tab: Tab, theme: str) -> None:
    tab.open()
    tab.theme(theme)
    chats = [{**CHATGPT, "conversation_id": f"{theme}-{place}", "title": f"{theme} tea {place}"} for place in range(3)]
    dialog = opened(tab)
    give(dialog, *chats, {**CHATGPT, **FAULTY, "conversation_id": f"{theme}-bad", "title": "Too long"})
    expect(dialog.get_by_role("status")).to_have_text("4 chats of ChatGPT")
    expect(dialog).to_contain_text("Not brought: ")
    expect(dialog).to_contain_text("at most 1000000 characters")
    tab.shoot(f"chat-import-{theme}")
    assert tab.axe() == []
    assert row(tab, f"{theme} tea 0").count() == 0
    dialog.get_by_role("checkbox", name=f"{theme} tea 1").uncheck()
    dialog.get_by_role("button", name="Bring in 2 chats").click()
    expect(dialog.get_by_role("status")).to_have_text("2 chats were brought in.")
    dialog.get_by_role("button", name="Close").click()
    expect(row(tab, f"{theme} tea 0")).to_be_visible()
    expect(row(tab, f"{theme} tea 1")).to_have_count(0)
    row(tab, f"{theme} tea 2").click()
    expect(content(tab.page.locator("[data-role=assistant]").last)).to_have_text("Four.")
    dialog = opened(tab)
    give(dialog, *chats)
    expect(dialog.get_by_text("here already")).to_have_count(2)
    expect(dialog.get_by_role("button", name="Bring in 1 chat")).to_be_visible()


def zipped(*chats: Any) -> bytes:
    """An export as ChatGPT sends it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("conversations.json", json.dumps(chats))
    return made.getvalue()


@pytest.mark.parametrize(
    ("form", "data", "title"),
    [
        # Its picture is none, and would keep the chat out.
        ("Open WebUI", json.dumps({**WEBUI, "id": "page-1", "title": "From Open WebUI"}).replace("files", "n").encode(),
         "From Open WebUI"),
        ("LM Studio", json.dumps({**STUDIO, "createdAt": 1800000000000, "name": "From LM Studio"}).encode(),
         "From LM Studio"),
        ("ShareGPT", json.dumps({**SHAREGPT, "title": "From ShareGPT"}).encode(), "From ShareGPT"),
        ("ChatGPT", zipped({**CHATGPT, "conversation_id": "zip-1", "title": "From a zip"}), "From a zip"),
    ],
)  # fmt: skip
def test_each_form_comes_in_by_being_dropped(tab: Tab, form: str, data: bytes, title: str) -> None:
    dialog = opened(tab)
    dialog.locator("label").filter(has=tab.page.locator("input[type=file]")).evaluate(
        """(field, bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], 'chats', {type: ''}));
            field.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        list(data),
    )
    expect(dialog.get_by_role("status")).to_contain_text(form)
    dialog.get_by_role("button", name="Choose none").click()
    expect(dialog.get_by_role("button", name="Bring in 0 chats")).to_be_disabled()
    dialog.get_by_role("button", name="All chats").click()
    dialog.get_by_role("button", name="Bring in 1 chat").click()
    expect(dialog.get_by_role("status")).to_have_text("1 chat was brought in.")
    dialog.get_by_role("button", name="Close").click()
    expect(row(tab, title)).to_be_visible()


def test_a_file_that_is_none_says_why(tab: Tab) -> None:
    tab.expected.append("400")
    dialog = opened(tab)
    dialog.locator("input[type=file]").set_input_files({"name": "a.json", "mimeType": "text/plain", "buffer": b"hello"})
    expect(dialog.get_by_role("alert")).to_contain_text("It is no JSON")
    tab.shoot("chat-import-refused")


def test_all_chats_leave_and_come_back(scripted: Served, tab: Tab) -> None:
    chat, _ = made(scripted, "leaves and returns", "A question", "An answer")
    dialog = opened(tab)
    with tab.page.expect_download() as got:
        dialog.get_by_role("button", name="Save the file").click()
    file = Path(got.value.path()).read_bytes()
    assert any(one["title"] == "leaves and returns" for one in json.loads(file)["chats"])
    dialog.get_by_label("Form").select_option("markdown")
    with tab.page.expect_download() as got:
        dialog.get_by_role("button", name="Save the file").click()
    assert got.value.suggested_filename.endswith(".md")
    assert "# leaves and returns\n\n## User\n\nA question\n" in Path(got.value.path()).read_text("utf-8")
    dialog.get_by_label("Form").select_option("sharegpt")
    with tab.page.expect_download() as got:
        dialog.get_by_role("button", name="Save the file").click()
    assert got.value.suggested_filename.endswith(".jsonl")
    lines = Path(got.value.path()).read_text("utf-8").splitlines()
    assert any(json.loads(line)["conversations"][-1] == {"from": "gpt", "value": "An answer"} for line in lines)
    tab.page.request.delete(f"{scripted.url}/api/chats/{chat}")
    dialog = opened(tab)
    dialog.locator("input[type=file]").set_input_files(
        {"name": "a.json", "mimeType": "application/json", "buffer": file}
    )
    expect(dialog.get_by_role("status")).to_contain_text("of paddock")
    dialog.get_by_role("button", name="Bring in 1 chat").click()
    expect(dialog.get_by_role("status")).to_have_text("1 chat was brought in.")
    dialog.get_by_role("button", name="Close").click()
    row(tab, "leaves and returns").click()
    expect(content(tab.page.locator("[data-role=assistant]").last)).to_have_text("An answer")


def test_an_export_that_takes_long_is_told_and_given_up(tab: Tab) -> None:
    dialog = opened(tab)
    tab.expected.append("ERR_FAILED|ERR_ABORTED")
    tab.page.route("**/api/chats/export*", lambda route: None)
    save = dialog.get_by_role("button", name="Save the file")
    save.click()
    expect(dialog.get_by_role("progressbar", name="Writing the file")).to_be_visible()
    expect(dialog).to_contain_text("0 B so far, 0 B a second")
    expect(save).to_be_disabled()
    tab.shoot("chat-export-under-way")
    assert tab.axe() == []
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog.get_by_role("progressbar")).to_have_count(0)
    expect(save).to_be_enabled()
    expect(tab.page.get_by_role("alert")).to_have_count(0)
    tab.page.unroute("**/api/chats/export*")


def test_the_files_fit_a_phone(another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open()
        tab.page.get_by_role("button", name="Menu").click()
        tab.page.get_by_role("button", name="Import and export").click()
        dialog = tab.page.get_by_role("dialog", name="Import and export")
        give(dialog, {**CHATGPT, "conversation_id": "phone", "title": "A rather long title of a chat " * 5})
        expect(dialog.get_by_role("button", name="Bring in 1 chat")).to_be_visible()
        tab.shoot("phone-chat-import")
        assert tab.axe() == []
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("form", ["pdf", "docx"])
def test_a_document_is_attached_and_its_text_reaches_the_engine(scripted: Served, tab: Tab, form: str) -> None:
    script(scripted, says("Three minutes."))
    data = pdf("Tea takes three minutes.") if form == "pdf" else word()
    tab.open()
    tab.page.locator("input[type=file]").first.set_input_files({"name": f"tea.{form}", "mimeType": "", "buffer": data})
    expect(tab.page.locator("[data-attached=ready]")).to_contain_text(f"tea.{form}")
    composer(tab).fill("How long?")
    composer(tab).press("Enter")
    expect(content(settled(tab))).to_have_text("Three minutes.")
    tab.shoot(f"chat-document-{form}")
    assert "Tea takes three minutes." in json.dumps(asked(scripted)[-1]["messages"])


def test_a_document_that_cannot_be_read_says_so_where_it_was_attached(tab: Tab) -> None:
    tab.expected.append("400")
    tab.open()
    broken = pdf("x")[:150]
    tab.page.locator("input[type=file]").first.set_input_files({"name": "a.pdf", "mimeType": "", "buffer": broken})
    expect(tab.page.get_by_text("'a.pdf'")).to_contain_text("cannot be read")
    tab.shoot("chat-document-refused")
