"""Shows evaluations on the page, before the scripted engine: of what was exported."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from paddock.models.catalog import BUNDLED
from tests.page import rig
from tests.page.rig import Served, Tab
from tests.page.test_exports import button, state
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
