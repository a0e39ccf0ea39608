"""Shows how a model calls tools on the page: a badge with its score, and the tries that did not pass."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import expect

from tests.page.rig import Served, Tab

WAIT_S = 120.0


def told(url: str) -> Any:
    with urlopen(url, timeout=20) as answer:
        return json.load(answer)


def test_a_model_wears_its_score_which_opens_what_failed(tab: Tab, scripted: Served) -> None:
    tab.open("/models")
    row = tab.page.get_by_role("listitem", name="pocket-v0", exact=True)
    expect(row.get_by_role("button", name="tools")).to_have_count(0)
    job = scripted.ask("/api/evaluations", {"suite": "tools", "answer_tokens": 32})
    ends_s = time.monotonic() + WAIT_S
    while (job := told(f"{scripted.url}/api/evaluations/{job['id']}"))["state"] != "done":
        assert time.monotonic() < ends_s, job
        time.sleep(0.2)
    total = job["figures"]["report"]["total"]
    tab.open("/models")
    row.get_by_role("button", name="tools").click()
    window = tab.page.get_by_role("dialog", name="How pocket-v0 calls tools")
    expect(window).to_contain_text(f"{total['passed']} of {total['of']} tries passed")
    tries = window.get_by_role("list", name="Tries that did not pass").get_by_role("listitem")
    expect(tries).to_have_count(total["of"] - total["passed"])
    wrong = tries.filter(has_text="60 tools: Find deserts near Oslo.")
    expect(wrong).to_contain_text("it calls no tool")
    expect(wrong).to_contain_text("The scripted engine says hello.")
    tab.shoot("models-tools-score")
