"""Shows evaluations on the page, before the scripted engine: of exports, from a model's entry, side by side."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from paddock.models.catalog import BUNDLED
from tests.page import rig
from tests.page.rig import PHONE, Served, Tab
from tests.page.test_exports import button, state
from tests.page.test_models_scores import WAIT_S, told
from tests.wire.test_export_files import making
from tests.wire.test_exports import WORKER, model


@pytest.fixture(scope="module")
def studio(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock before the scripted worker and the scripted engine."""
    with rig.served(wheel, tmp_path_factory.mktemp("home"), scripted_engine, worker=WORKER) as served:
        yield served


@pytest.fixture
def page(chromium: Browser, studio: Served) -> Generator[Tab]:
    """A page before it."""
    with rig.tab(chromium, studio.url) as opened:
        yield opened


def test_what_is_exported_is_scored_afterwards_where_that_is_switched_on(page: Tab, tmp_path: Path) -> None:
    source = model(tmp_path, making(tmp_path, data=BUNDLED["pocket-v0"].read_bytes()))

    def begin() -> None:
        page.open("/exports/new")
        page.page.get_by_role("textbox", name="Folder").fill(source)
        page.page.get_by_label("Name of the files").fill("x")
        page.page.get_by_role("checkbox", name="Q8_0").uncheck()
        switch = page.page.get_by_role("switch", name="Score how each model calls tools afterwards")
        expect(switch).not_to_be_checked()
        switch.click()
        button(page, "Start").click()

    begin()
    expect(page.page).to_have_url(re.compile(r"/exports/job_\w+$"))
    state(page, "done")
    scores = page.page.get_by_role("list", name="Evaluations", exact=True)
    badge = scores.get_by_role("button", name=re.compile(r"^tools \d+"))
    expect(badge).to_be_visible()
    page.shoot("export-evaluated")
    assert page.axe() == []
    badge.click()
    window = page.page.get_by_role("dialog", name="How x-F16 calls tools")
    expect(window.get_by_role("list", name="Tries that did not pass")).to_contain_text("60 tools")
    page.open("/models")
    row = page.page.get_by_role("listitem", name="x-F16", exact=True)
    expect(row.get_by_role("button", name=re.compile(r"^tools \d+"))).to_be_visible()
    # The name is taken now, and that is said at it.
    page.expected.append("422")
    begin()
    name = page.page.get_by_label("Name of the files")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description(re.compile("There is a model 'x-F16' already"))


def scored(studio: Served, name: str) -> None:
    """Have a model's tool calls scored, to the end."""
    job = studio.ask("/api/evaluations", {"suite": "tools", "model": name, "answer_tokens": 32})
    ends_s = time.monotonic() + WAIT_S
    while (job := told(f"{studio.url}/api/evaluations/{job['id']}"))["state"] != "done":
        assert time.monotonic() < ends_s, job
        time.sleep(0.2)


def opened(page: Tab, name: str) -> Locator:
    """The window of a model's evaluations."""
    page.open("/models")
    button(page, f"More about {name}").click()
    page.page.get_by_role("menuitem", name="Evaluations…").click()
    return page.page.get_by_role("dialog", name=f"Evaluations of {name}")


def test_a_model_is_evaluated_from_its_entry_cancelled_and_gone_on_with(page: Tab) -> None:
    window = opened(page, "pocket-v0")
    expect(window).to_contain_text("It was not evaluated here yet.")
    window.get_by_role("button", name="Try pocket's held-out prompts").click()
    window.get_by_role("button", name="Cancel pocket").click()
    expect(window.get_by_text("cancelled", exact=True)).to_be_visible()
    window.get_by_role("button", name="Resume pocket").click()
    window.get_by_role("button", name="Cancel pocket").click()
    expect(window.get_by_text("cancelled", exact=True)).to_be_visible()
    window.get_by_role("button", name="Score its tool calls").click()
    expect(window).to_contain_text(
        re.compile(r"\d+ of 73 passed: [\d.]+% \([\d.]+% to [\d.]+%\)"), timeout=WAIT_S * 1000
    )
    window.get_by_role("button", name="What failed in tools").click()
    failed = window.get_by_role("list", name="Tries that did not pass")
    expect(failed).to_contain_text("60 tools: Find deserts near Oslo.")
    expect(failed).to_contain_text("it calls no tool")
    page.shoot("evaluations-failed")
    assert page.axe() == []


def test_a_fine_tune_stands_beside_its_base_with_intervals(page: Tab, studio: Served, tmp_path: Path) -> None:
    file = tmp_path / "tuned.gguf"
    file.write_bytes(BUNDLED["pocket-v0"].read_bytes())
    studio.ask("/api/models/import", {"path": str(file)})
    for name in ("pocket-v0", "tuned"):
        scored(studio, name)
    window = opened(page, "tuned")
    window.get_by_role("button", name="Compare tools").click()
    before = window.get_by_label("Before", exact=True)
    expect(before.get_by_role("option").first).to_contain_text("pocket-v0")
    table = window.get_by_role("region", name="Side by side")
    expect(table.get_by_role("row", name=re.compile("^60 tools"))).to_be_visible()
    total = table.get_by_role("row", name=re.compile("^in all"))
    same = re.compile(r"(\d+)/73\s+\1/73\s+0\s+0\s+0 \(-[\d.]+ to \+[\d.]+\)\s+1")
    expect(total).to_contain_text(same, use_inner_text=True)
    for theme in ("dark", "light"):
        page.page.evaluate("theme => document.documentElement.classList.toggle('dark', theme === 'dark')", theme)
        page.shoot(f"evaluations-beside-{theme}")
        assert page.axe() == []
    page.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    page.shoot("evaluations-phone")
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.page.keyboard.press("Escape")
    page.prefer(language="de")
    page.open("/models")
    button(page, "Mehr zu tuned").click()
    page.page.get_by_role("menuitem", name="Bewertungen …").click()
    expect(page.page.get_by_role("dialog", name="Bewertungen von tuned")).to_contain_text("gelangen")
