"""Shows the server's own tools in a chat: turned on in its panel, their calls and results told, kept, gone on from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, expect

from paddock.sandbox import probing
from tests.fakes.scripted_shapes import Answer
from tests.page.chatting import USAGE, content, frame, say, says, script, settled
from tests.page.rig import PHONE, Served, Tab
from tests.page.test_chat import Another
from tests.page.test_chat_panel import panel

WALLED = pytest.mark.skipif(probing.available() is not None, reason=f"no walls here: {probing.available()}")


def asks(name: str, arguments: str) -> Answer:
    """An engine's answer that calls a tool."""
    function = {"name": name, "arguments": arguments}
    call = {"index": 0, "id": "c1", "type": "function", "function": function}
    chunks = [frame({"content": "Let me see."}), frame({"tool_calls": [call]}), frame({}, "tool_calls", usage=USAGE)]
    return {"chunks": [{"text": chunk} for chunk in [*chunks, "data: [DONE]\n\n"]]}


def let(tab: Tab, name: str) -> None:
    """Allow the call that is asked about, once."""
    card = tab.page.get_by_role("region", name=f"May the model call {name}?")
    card.get_by_role("button", name="Allow once").click()


def turned_on(tab: Tab, *names: str) -> None:
    side = panel(tab)
    for name in names:
        side.get_by_role("switch", name=name).click()
        expect(side.get_by_role("switch", name=name)).to_be_checked()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_tool_is_turned_on_and_what_it_does_is_shown_and_kept(scripted: Served, tab: Tab, theme: str) -> None:
    script(scripted, asks("calculator", '{"expression": "23 * 19"}'), says("It is 437."), says("Less one: 436."))
    tab.open()
    tab.theme(theme)
    tab.open()
    turned_on(tab, "calculator")
    tab.shoot(f"chat-tools-panel-{theme}")
    say(tab, "What is 23 * 19?")
    done = settled(tab)
    for _ in range(2):
        expect(content(done)).to_contain_text("Let me see.")
        expect(content(done)).to_contain_text("It is 437.")
        done.get_by_role("button", name="calculator").click()
        expect(content(done).get_by_text('"expression": "23 * 19"')).to_be_visible()
        done.get_by_role("button", name=re.compile("result", re.IGNORECASE)).click()
        expect(content(done).get_by_text("437", exact=True)).to_be_visible()
        assert tab.axe() == []
        tab.shoot(f"chat-tools-{theme}")
        tab.page.reload()
        done = settled(tab)
    say(tab, "Less one?")
    expect(content(settled(tab))).to_have_text("Less one: 436.")


def test_a_tool_that_fails_says_why(scripted: Served, another: Another) -> None:
    script(scripted, asks("read_file", '{"path": "../secret"}'), says("I cannot."))
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open()
        tab.page.get_by_role("button", name="How answers are made").click()
        sheet = tab.page.get_by_role("dialog", name="How answers are made")
        sheet.get_by_role("switch", name="files").click()
        sheet.get_by_role("button", name="Close").click()
        say(tab, "Read it")
        tab.page.get_by_role("button", name="Send").click()
        done = settled(tab)
        expect(content(done)).to_contain_text("I cannot.")
        done.get_by_role("button", name=re.compile("failed", re.IGNORECASE)).click()
        expect(content(done).get_by_text("is no path of a file here")).to_be_visible()
        tab.shoot("phone-chat-tools")


@WALLED
def test_a_plot_of_the_models_code_is_a_picture_in_the_chat(scripted: Served, tab: Tab) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.title('squares')\nprint('drawn')"
    script(scripted, asks("python", json.dumps({"code": code})), says("There it is."))
    tab.open()
    turned_on(tab, "python")
    say(tab, "Plot squares")
    let(tab, "python")
    done = settled(tab)
    expect(content(done)).to_contain_text("There it is.")
    for _ in range(2):
        picture = content(done).get_by_role("img")
        expect(picture).to_be_visible()
        size = picture.evaluate("async (it) => { await it.decode(); return [it.naturalWidth, it.naturalHeight]; }")
        assert min(size) > 200, size
        assert tab.axe() == []
        tab.shoot("chat-tools-plot")
        tab.page.reload()
        done = settled(tab)


@WALLED
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_files_are_put_where_the_tools_of_a_chat_find_them(
    scripted: Served, tab: Tab, theme: str, tmp_path: Path
) -> None:
    query = "SELECT city, sum(sold) AS sold FROM sales GROUP BY city ORDER BY sold DESC LIMIT 1"
    script(scripted, says("Hello."), asks("sql", json.dumps({"query": query})), says("Rome sold most."))
    tab.open()
    tab.theme(theme)
    tab.open()
    turned_on(tab, "sql")
    side = tab.page.get_by_role("complementary", name="How answers are made")
    work = side.get_by_role("region", name="Files for the tools")
    expect(work).to_contain_text("Say something first")
    say(tab, "Hello")
    settled(tab)
    sales: FilePayload = {"name": "sales.csv", "mimeType": "text/csv", "buffer": b"city,sold\nRome,3\nOslo,5\nRome,4\n"}
    other: FilePayload = {**sales, "name": "other.csv"}
    work.locator("input[type=file]").set_input_files([sales, other])
    row = work.get_by_role("listitem").filter(has_text="sales.csv")
    expect(row).to_contain_text("31 B")
    with tab.page.expect_download() as saving:
        row.get_by_role("button", name="Save sales.csv").click()
    assert saving.value.path().read_bytes() == sales["buffer"]
    work.get_by_role("button", name="Remove other.csv").click()
    expect(work.get_by_role("listitem")).to_have_count(1)
    tab.shoot(f"chat-tools-files-{theme}")
    assert tab.axe() == []
    say(tab, "Who sold most?")
    let(tab, "sql")
    done = settled(tab)
    done.get_by_role("button", name=re.compile("result", re.IGNORECASE)).click()
    expect(content(done).get_by_text("Rome | 7")).to_be_visible()
    tab.expected.append("413")
    huge = tmp_path / "huge.csv"
    huge.write_bytes(bytes(2**26 + 1))
    work.locator("input[type=file]").set_input_files(huge)
    expect(work.get_by_role("alert")).to_contain_text("67108864")
