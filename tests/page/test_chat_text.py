"""Shows what an answer may hold on the page: Markdown, mathematics, code, thoughts, calls; and what it may not do."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.page.chatting import LONG, answer, composer, content, frame, say, says, script, settled
from tests.page.rig import PHONE, Served, Tab
from tests.page.test_chat import Another
from tests.page.test_chat_list import made

RICH = """# A heading

Text with **strong** words, `code` and [a link](https://example.invalid/a).

- [x] done
- [ ] to do

| name | value |
|---|---|
| one | a rather long cell that goes on and on, so that the table is wider than a phone |

```python
def f(x: int) -> str:
    # A comment
    return f"{x}" * 2
```

Euler: \\(e^{i\\pi} + 1 = 0\\), and a fraction

\\[ \\frac{a+b}{c} = \\sum_{i=1}^{n} x_i \\]

It costs $5 and $6.

![a cat](http://127.0.0.1:9/evil.png?q=secret) <img src=x onerror=alert(1)>
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_answer_is_shown_as_it_is_meant(scripted: Served, tab: Tab, theme: str) -> None:
    tab.open()
    tab.theme(theme)
    tab.open()
    pieces = [RICH[at : at + 7] for at in range(0, len(RICH), 7)]
    script(scripted, says(*pieces, every_s=0.002))
    say(tab, "Show me everything")
    body = content(settled(tab))
    expect(body.locator("h1")).to_have_text("A heading")
    expect(body.locator(".katex")).to_have_count(2)
    expect(body.locator(".katex-display")).to_have_count(1)
    expect(body.locator("pre .hljs-keyword").first).to_have_text("def")
    expect(body).to_contain_text("It costs $5 and $6.")
    expect(body.locator("img")).to_have_count(0)
    expect(body.get_by_role("link", name="Image elsewhere: a cat")).to_be_visible()
    expect(body).to_contain_text("onerror=alert(1)")
    assert tab.page.evaluate("document.fonts.check('16px KaTeX_Math')")
    tab.page.locator("[data-thread]").evaluate("box => box.scrollTop = 0")
    tab.shoot(f"chat-rich-{theme}")
    assert tab.axe() == []


def test_a_phone_scrolls_tables_and_code_alone(scripted: Served, another: Another) -> None:
    script(scripted, says(RICH))
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open()
        composer(tab).fill("Show me")
        tab.page.get_by_role("button", name="Send").click()
        settled(tab)
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        box = tab.page.locator("[data-thread]")
        assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
        tab.shoot("phone-chat-rich")


def test_code_is_copied(scripted: Served, tab: Tab) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    script(scripted, says("```js\nlet a = 1;\n```"))
    tab.open()
    say(tab, "Code")
    settled(tab).get_by_role("button", name="Copy code").click()
    expect(answer(tab).get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert tab.page.evaluate("navigator.clipboard.readText()") == "let a = 1;"


def test_thoughts_fold_and_stay_so(scripted: Served, tab: Tab) -> None:
    script(scripted, says("So.", thoughts=["Let me ", "think."]))
    tab.open()
    say(tab, "Think")
    settled(tab)
    fold = tab.page.get_by_role("button", name="Thought for")
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.click()
    expect(tab.page.locator("article").last).to_contain_text("Let me think.")
    tab.page.reload()
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(tab.page.locator("article").last).to_contain_text("Let me think.")
    tab.shoot("chat-thoughts")
    assert tab.axe() == []


def test_a_call_is_a_card(scripted: Served, tab: Tab) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"a": 1}'}}
    chunks = [frame({"content": "Wait. "}), frame({"tool_calls": [call]}), frame({}, "tool_calls"), "data: [DONE]\n\n"]
    script(scripted, {"chunks": [{"text": "".join(chunks)}]})
    tab.open()
    say(tab, "Call")
    settled(tab).get_by_role("button", name="Called look_up").click()
    expect(answer(tab)).to_contain_text('"a": 1')


def test_the_reader_is_followed_and_never_pulled(scripted: Served, tab: Tab) -> None:
    script(scripted, says(*[f"line {number}\n\n" for number in range(3000)], every_s=0.02))
    tab.open()
    say(tab, "Talk")
    box = tab.page.locator("[data-thread]")
    left = "box => box.scrollHeight - box.scrollTop - box.clientHeight"
    expect(content(answer(tab))).to_contain_text("line 40")
    assert box.evaluate(left) <= 60
    box.hover()
    tab.page.mouse.wheel(0, -300)
    jump = tab.page.get_by_role("button", name="Jump to latest")
    expect(jump).to_be_visible()
    top = box.evaluate("box => box.scrollTop")
    expect(content(answer(tab))).to_contain_text("line 80")
    assert box.evaluate("box => box.scrollTop") == top
    tab.page.keyboard.press("Escape")
    settled(tab, "stopped")
    assert box.evaluate("box => box.scrollTop") == top
    tab.shoot("chat-jump")
    jump.click()
    expect(jump).to_have_count(0)
    assert box.evaluate(left) <= 60


def test_of_a_long_chat_a_window_is_mounted_and_moves(scripted: Served, tab: Tab) -> None:
    chat, ids = made(scripted, "long", *[f"message {number} " + "word " * 40 for number in range(200)])
    tab.open(f"/chat/{chat}")
    expect(tab.page.locator(f"[data-message='{ids[-1]}']")).to_be_in_viewport()
    box = tab.page.locator("[data-thread]")
    for _ in range(60):
        if tab.page.locator(f"[data-message='{ids[0]}']").count():
            break
        box.evaluate("box => box.scrollTop = Math.max(0, box.scrollTop - 1500)")
        tab.page.wait_for_timeout(50)
        assert tab.page.locator("[data-message]").count() <= 40
    box.evaluate("box => box.scrollTop = 0")
    expect(tab.page.locator(f"[data-message='{ids[0]}']")).to_be_in_viewport()
    assert tab.page.evaluate("document.querySelectorAll('*').length") < 5000
    tab.page.get_by_role("button", name="Jump to latest").click()
    expect(tab.page.locator(f"[data-message='{ids[-1]}']")).to_be_in_viewport()


def test_a_screen_reader_hears_that_an_answer_is_made_and_is_done(scripted: Served, tab: Tab) -> None:
    script(scripted, LONG)
    tab.open()
    say(tab, "Talk")
    expect(tab.page.locator("[data-live-state]")).to_have_text("An answer is being generated.")
    expect(tab.page.locator("[data-live-read]")).to_be_empty()
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator("[data-live-state]")).to_have_text("The answer is done.")
    script(scripted, says("One sentence. ", "Another one! ", "The rest"))
    tab.page.get_by_role("button", name="How answers are made").click()
    tab.page.get_by_role("switch", name="Read answers to screen readers").click()
    say(tab, "Aloud")
    expect(tab.page.locator("[data-live-read] p")).to_have_text(["One sentence. ", "Another one! ", "The rest"])
