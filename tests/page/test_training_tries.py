"""Shows on the page that a checkpoint of a training that runs is tried, and chatted with beside its base."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.fakes.adapter_files import TINY, adapter
from tests.fakes.gguf_files import gguf
from tests.page import rig
from tests.page.rig import Served, Tab
from tests.wire.test_training import WAITING, WORKER, asked
from tests.wire.test_tries import MADE, checkpoint

Json = dict[str, Any]


@pytest.fixture(scope="module")
def studio(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock before the scripted worker."""
    with rig.served(wheel, tmp_path_factory.mktemp("home"), scripted_engine, worker=WORKER) as served:
        yield served


@pytest.fixture
def training(chromium: Browser, studio: Served) -> Generator[Tab]:
    """A page before it."""
    with rig.tab(chromium, studio.url) as opened:
        yield opened


def begun(studio: Served, folder: Path, files: dict[str, bytes], name: str) -> str:
    """A training that runs, with a checkpoint that becomes these files; its id."""
    wanted = asked(folder, WAITING)
    acts: list[Json] = []
    for at, data in files.items():
        (folder / f"{at}.gguf").write_bytes(data)
        acts.append({"lay": str(folder / f"{at}.gguf"), "at": at})
    (Path(wanted["spec"]["base"]) / "try.json").write_text(json.dumps([*acts, *MADE]))
    job_id = str(studio.ask("/api/training", {**wanted, "name": name})["id"])
    checkpoint(studio.home, job_id, 20)
    return job_id


def test_a_checkpoint_is_tried_and_chatted_with_beside_its_base(training: Tab, studio: Served, tmp_path: Path) -> None:
    files = {"base_target": gguf(), "target": adapter(TINY, architecture="llama")}
    job_id = begun(studio, tmp_path, files, "tried")
    page = training.page
    training.open(f"/training/{job_id}")
    page.get_by_role("button", name="Try step 20", exact=True).click()
    chat = page.get_by_role("button", name=re.compile("Chat with both: step 20 and base-"))
    expect(chat).to_be_visible()
    training.shoot("training-tried")
    assert training.axe() == []
    page.get_by_label("Scale").fill("11")
    expect(chat).to_be_disabled()
    page.get_by_label("Scale").fill("0.5")
    expect(page.get_by_role("main").get_by_text(re.compile(r"\+tried-\w{6}-step-20:0\.5$"))).to_be_visible()
    chat.click()
    expect(page.locator("[data-model-picker]")).to_have_text(re.compile(r"-step-20:0\.5 \+ 1$"))
    page.get_by_role("textbox", name="Message").fill("Hello")
    page.keyboard.press("Enter")
    expect(page.locator("[data-comparison] > div")).to_have_count(2)
    # The training was not disturbed, and what was made can be removed alone.
    assert studio.ask(f"/api/training/{job_id}/stop", {})["state"] == "stopping"
    training.open(f"/training/{job_id}")
    page.get_by_role("button", name="Remove the file of step 20").click()
    expect(page.get_by_role("button", name="Try step 20", exact=True)).to_be_visible()


def test_what_cannot_be_made_is_told_beside_the_checkpoint(training: Tab, studio: Served, tmp_path: Path) -> None:
    training.expected.append("Failed to load resource")
    job_id = begun(studio, tmp_path, {"base_target": gguf(), "target": adapter(architecture="gemma3")}, "unfit")
    training.open(f"/training/{job_id}")
    training.page.get_by_role("button", name="Try step 20", exact=True).click()
    expect(
        training.page.get_by_role("alert").filter(has_text="it was made for the architecture gemma3")
    ).to_be_visible()
    expect(training.page.get_by_role("button", name="Try step 20", exact=True)).to_be_enabled()
    studio.ask(f"/api/training/{job_id}/cancel", {})
