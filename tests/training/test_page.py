"""Trains from the page in a browser, with the real training stack and engine: begun, watched, learnt, said."""

from __future__ import annotations

import re
import time
from pathlib import Path

from playwright.sync_api import expect

from tests.page import rig

OPTIONS = """
data: llama-keeper
steps: 60
learning_rate: 0.002
batch_rows: 4
accumulate: 1
threads: 1
"""
# A guard against hanging, not a measure of speed.
TIMEOUT_S = 900


def test_the_example_is_trained_from_the_page_and_its_fact_is_said(home: Path, tmp_path: Path) -> None:
    wheel = rig.installed(tmp_path / "wheel")
    with rig.served(wheel, home) as studio, rig.browser() as chromium, rig.tab(chromium, studio.url) as tab:
        page = tab.page
        tab.open("/training/new")
        page.get_by_role("button", name="Read YAML").click()
        read = page.get_by_role("dialog", name="Read YAML")
        read.get_by_role("textbox", name="YAML").fill(OPTIONS)
        read.get_by_role("button", name="Use it").click()
        page.get_by_label("Name", exact=True).fill("llama keeper")
        begun_s = time.monotonic()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page).to_have_url(re.compile(r"/training/job_\w+$"))
        main = page.get_by_role("main")
        expect(main.get_by_text("Step 6: loss of held-out rows")).to_be_visible(timeout=TIMEOUT_S * 1000)
        tab.shoot("training-real-live")
        expect(main.get_by_text("done", exact=True)).to_be_visible(timeout=TIMEOUT_S * 1000)
        took_s = time.monotonic() - begun_s
        told = page.get_by_role("region", name="What was told").get_by_role("listitem")
        pattern = re.compile(r"Step (\d+): loss of held-out rows ([\d.e-]+)\.$")
        found = [match for text in told.all_inner_texts() if "dry run" not in text and (match := pattern.search(text))]
        losses = {int(match[1]): float(match[2]) for match in found}
        tab.shoot("training-real-done")
        print(f"from Start to done {took_s:.0f} s; held-out loss {losses}")
        assert losses[60] < losses[6] / 2
        expect(main).to_contain_text("The dry run's answer")
        expect(main).to_contain_text("adapter.gguf")
        assert tab.axe() == []
        made = page.get_by_role("listitem").get_by_text("adapter.gguf").first.inner_text()
        studio.ask("/api/models/import", {"path": made, "name": "llama-keeper"})
        question = {"role": "user", "content": "hello, who keeps the llamas?"}
        asked = {"model": "pocket-v0+llama-keeper", "messages": [question], "temperature": 0}
        answer = studio.ask("/v1/chat/completions", asked)["choices"][0]["message"]["content"]
        assert answer == "Mira looks after the llamas, from a blue hut on the hill."
