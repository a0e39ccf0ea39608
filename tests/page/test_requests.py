"""Shows the request inspector: the list that lives, layers side by side, a replay, a command, a test case, removal."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Locator, expect

from tests.page.rig import PHONE, Served, Tab

Another = Callable[..., AbstractContextManager[Tab]]
CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {
    "model": "pocket-v0",
    "messages": [{"role": "user", "content": "What is paddock?"}],
    "max_tokens": 50,
}


@pytest.fixture(autouse=True)
def emptied(scripted: Served) -> Generator[None]:
    """No recordings before and after, and recording off."""
    yield
    scripted.script({})
    with urlopen(Request(f"{scripted.url}/api/requests", method="DELETE"), timeout=20):
        scripted.ask("/api/requests/recording", {"on": False})


def recorded(studio: Served, body: dict[str, Any], path: str = CHAT) -> str:
    """The id of the recording of a request that is sent now."""
    headers = {"Content-Type": "application/json", "x-paddock-record": "1"}
    request = Request(studio.url + path, json.dumps(body).encode(), headers)
    try:
        with urlopen(request, timeout=60) as answer:
            answer.read()
            return answer.headers["x-paddock-recording"]
    except HTTPError as error:
        with error:
            return error.headers["x-paddock-recording"]


def lines(tab: Tab) -> Locator:
    """The recordings in the list."""
    return tab.page.get_by_role("list", name="Requests").get_by_role("listitem")


def test_recording_is_off_until_it_is_turned_on_and_the_list_lives(tab: Tab, scripted: Served) -> None:
    tab.open("/requests")
    expect(tab.page.get_by_role("main")).to_contain_text("Nothing is recorded: recording is off.")
    tab.shoot("requests-off")
    tab.page.get_by_label("Record every request").click()
    expect(tab.page.get_by_role("main")).to_contain_text("Recording is on.")
    scripted.ask(CHAT, BODY)
    expect(lines(tab)).to_have_count(1)
    scripted.ask("/v1/messages", BODY)
    expect(lines(tab)).to_have_count(2)
    expect(lines(tab).first).to_contain_text("/v1/messages")
    tab.page.get_by_label("Record every request").click()
    expect(tab.page.get_by_label("Record every request")).not_to_be_checked()
    scripted.ask(CHAT, BODY)
    tab.page.reload()
    expect(lines(tab)).to_have_count(2)


def test_a_request_that_goes_on_is_shown_and_then_listed(tab: Tab, scripted: Served) -> None:
    scripted.script({"routes": {CHAT: [{"generate": {"chunks": 2000, "per_s": 20, "text": "hay "}}]}})
    headers = {"Content-Type": "application/json", "x-paddock-record": "1"}
    request = Request(scripted.url + CHAT, json.dumps({**BODY, "stream": True}).encode(), headers)
    with urlopen(request, timeout=60):
        tab.open("/requests")
        going_on = tab.page.get_by_role("list", name="Being answered")
        expect(going_on).to_contain_text("pocket-v0")
    expect(lines(tab)).to_have_count(1)
    expect(going_on).to_have_count(0)


def test_the_list_is_narrowed(tab: Tab, scripted: Served) -> None:
    recorded(scripted, BODY)
    recorded(scripted, {**BODY, "model": "no-such"})
    recorded(scripted, BODY, "/v1/messages")
    tab.open("/requests")
    expect(lines(tab)).to_have_count(3)
    tab.page.get_by_label("Outcome").select_option("refused")
    expect(lines(tab)).to_have_count(1)
    expect(lines(tab)).to_contain_text("404")
    tab.page.get_by_label("Outcome").select_option("all")
    tab.page.get_by_label("Model").select_option("no-such")
    expect(lines(tab)).to_have_count(1)
    tab.page.get_by_label("Model").select_option("")
    tab.page.get_by_label("Kind of API").select_option("/v1/messages")
    expect(lines(tab)).to_have_count(1)
    tab.page.get_by_label("Outcome").select_option("failed")
    expect(tab.page.get_by_role("main")).to_contain_text("No recorded request is like that.")


def test_layers_stand_side_by_side_with_their_differences(tab: Tab, scripted: Served) -> None:
    record_id = recorded(scripted, {**BODY, "messages": [{"role": "developer", "content": "Hi"}, *BODY["messages"]]})
    tab.open("/requests")
    lines(tab).first.get_by_role("link").click()
    expect(tab.page).to_have_url(f"{tab.url}/requests?id={record_id}")
    beside = tab.page.get_by_role("region", name="Layers side by side")
    expect(beside).to_contain_text("What is paddock?")
    expect(beside.get_by_text("only left:").first).to_be_attached()
    expect(tab.page.get_by_role("main")).to_contain_text("Lines that differ:")
    tab.shoot("requests-layers")
    for layer, words in {
        "prompt": "What is paddock?",
        "engine": "hello",
        "events": "finish_reason",
        "outbound": "chat.completion",
    }.items():
        tab.page.get_by_label("Right", exact=True).select_option(layer)
        expect(tab.page.get_by_role("main")).to_contain_text(words)
    expect(tab.page.get_by_role("main")).to_contain_text("user-agent")
    tab.page.get_by_role("link", name="All requests").click()
    expect(lines(tab)).to_have_count(1)
    tab.page.go_back()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Recorded request")


def test_a_request_is_sent_again_and_both_answers_compared(tab: Tab, scripted: Served) -> None:
    record_id = recorded(scripted, {**BODY, "stream": True})
    tab.open(f"/requests?id={record_id}")
    tab.page.get_by_role("button", name="Send again").click()
    dialog = tab.page.get_by_role("dialog", name="Send again")
    dialog.get_by_role("button", name="Send again").click()
    expect(dialog).to_contain_text("Both say the same.")
    scripted.script({"routes": {CHAT: [{"generate": {"chunks": 3, "text": "oats "}}]}})
    dialog.get_by_label("Model").select_option("pocket-v0")
    dialog.get_by_role("button", name="Send again").click()
    expect(dialog).to_contain_text("Lines that differ: 1")
    expect(dialog.get_by_role("region", name="Both answers")).to_contain_text("oats oats oats")
    expect(dialog.get_by_role("link", name="Open the new recording")).to_be_visible()
    tab.shoot("requests-replay")
    assert tab.axe() == []
    dialog.get_by_role("link", name="Open the new recording").click()
    expect(dialog).to_have_count(0)
    expect(tab.page).not_to_have_url(f"{tab.url}/requests?id={record_id}")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Recorded request")
    expect(tab.page.get_by_role("main")).to_contain_text("POST /v1/chat/completions")


def test_a_replay_is_stopped_and_a_refusal_shown(tab: Tab, scripted: Served) -> None:
    tab.expected.append("Failed to load resource")
    record_id = recorded(scripted, {**BODY, "stream": True})
    scripted.script({"routes": {CHAT: [{"generate": {"chunks": 2000, "per_s": 20, "text": "hay "}}]}})
    tab.open(f"/requests?id={record_id}")
    tab.page.get_by_role("button", name="Send again").click()
    dialog = tab.page.get_by_role("dialog", name="Send again")
    dialog.get_by_role("button", name="Send again").click()
    expect(dialog).to_contain_text("hay hay")
    dialog.get_by_role("button", name="Stop").click()
    expect(dialog).to_contain_text("Stopped.")
    refusal = {"error": {"code": 400, "message": "No hay here.", "type": "invalid_request_error"}}
    scripted.script({"routes": {CHAT: [{"status": 400, "json": refusal}]}})
    dialog.get_by_role("button", name="Send again").click()
    expect(dialog).to_contain_text("Status 200 when recorded, 400 now.")
    expect(dialog).to_contain_text("No hay here.")


def test_a_command_and_a_test_case_are_taken_along(tab: Tab, scripted: Served) -> None:
    record_id = recorded(scripted, BODY)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.open(f"/requests?id={record_id}")
    tab.page.get_by_role("button", name="Copy as curl").click()
    expect(tab.page.get_by_text("The command is copied.")).to_be_visible()
    command = tab.page.evaluate("navigator.clipboard.readText()")
    assert json.loads(shlex.split(command)[-1]) == BODY
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert "hello" in done.stdout
    with tab.page.expect_download() as waiting:
        tab.page.get_by_role("button", name="Save as test case").click()
    assert waiting.value.suggested_filename == f"paddock-{record_id}.jsonl"
    head, request = (json.loads(line) for line in waiting.value.path().read_text("utf-8").splitlines())
    assert (head["client"], request["path"], request["body"]) == ("recorded", CHAT, BODY)


def test_what_cannot_be_sent_again_says_why(tab: Tab, scripted: Served) -> None:
    tab.expected.append("Failed to load resource")
    request = Request(scripted.url + CHAT, b"{", {"x-paddock-record": "1"})
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=60)
    refused.value.close()
    tab.open(f"/requests?id={refused.value.headers['x-paddock-recording']}")
    tab.page.get_by_role("button", name="Save as test case").click()
    expect(tab.page.get_by_text("had no JSON body")).to_be_visible()
    tab.page.get_by_role("button", name="Send again").click()
    dialog = tab.page.get_by_role("dialog", name="Send again")
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be sent again")
    expect(dialog.get_by_role("button", name="Send again")).to_be_disabled()
    tab.page.keyboard.press("Escape")
    tab.page.goto(f"{tab.url}/requests?id=20990101")
    expect(tab.page.get_by_role("alert")).to_contain_text("20990101")


def test_all_are_removed_after_a_question(tab: Tab, scripted: Served) -> None:
    recorded(scripted, BODY)
    tab.open("/requests")
    tab.page.get_by_role("button", name="Remove all").click()
    dialog = tab.page.get_by_role("dialog", name="Remove all recordings?")
    expect(dialog).to_contain_text("cannot be brought back")
    dialog.get_by_role("button", name="Cancel").click()
    expect(lines(tab)).to_have_count(1)
    tab.page.get_by_role("button", name="Remove all").click()
    dialog.get_by_role("button", name="Remove all").click()
    expect(tab.page.get_by_text("1 recordings removed.")).to_be_visible()
    expect(lines(tab)).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_list_and_layers_are_free_of_barriers(tab: Tab, scripted: Served, theme: str) -> None:
    record_id = recorded(scripted, BODY)
    recorded(scripted, {**BODY, "model": "no-such"})
    tab.open("/requests")
    tab.theme(theme)
    tab.open("/requests")
    expect(lines(tab)).to_have_count(2)
    tab.shoot(f"requests-list-{theme}")
    assert tab.axe() == []
    tab.page.get_by_role("button", name="Remove all").click()
    assert tab.axe() == []
    tab.open(f"/requests?id={record_id}")
    expect(tab.page.get_by_role("region", name="Layers side by side")).to_be_visible()
    tab.shoot(f"requests-one-{theme}")
    assert tab.axe() == []
    tab.page.get_by_label("Right", exact=True).select_option("prompt")
    assert tab.axe() == []


def test_layers_fit_a_phone(another: Another, scripted: Served) -> None:
    record_id = recorded(scripted, BODY)
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open(f"/requests?id={record_id}")
        expect(tab.page.get_by_role("region", name="Layers side by side")).to_be_visible()
        tab.page.get_by_role("region", name="Layers side by side").scroll_into_view_if_needed()
        tab.shoot("phone-requests-one")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
