"""Shows the form of a new training on the page: what is refused, what is explained, and what outlasts a reload."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.page import rig
from tests.page.rig import Served, Tab
from tests.page.test_training import DONE, begun, button
from tests.wire.test_training import WORKER, asked


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


def test_what_cannot_be_used_is_told_at_its_field(training: Tab, tmp_path: Path) -> None:
    training.expected.append("422")
    spec = asked(tmp_path, DONE)["spec"]
    training.open("/training/new")
    page = training.page
    button(training, "Start").click()
    data = page.get_by_label("Data", exact=True)
    expect(data).to_be_focused()
    expect(data).to_have_attribute("aria-invalid", "true")
    expect(data).to_have_accessible_description(re.compile("^data is empty"))
    data.fill(spec["data"])
    expect(data).not_to_have_attribute("aria-invalid", "true")
    page.get_by_label("Every option").click()
    rank = page.get_by_label("lora_rank")
    expect(rank).to_have_accessible_description(re.compile(r"From 1 to 1024\. Default: 16"))
    rank.fill("5000")
    # What it is about is found again, wherever it stands.
    page.get_by_label("Every option").click()
    button(training, "Start").click()
    expect(rank).to_be_focused()
    expect(rank).to_have_accessible_description(re.compile("lora_rank is 5000"))
    training.shoot("training-fault")
    assert training.axe() == []
    rank.fill("sixteen")
    button(training, "Start").click()
    expect(rank).to_have_accessible_description(re.compile("sixteen"))
    page.get_by_label("method").select_option("dpo")
    expect(page.get_by_label("preference_weight")).to_be_visible()
    button(training, "Read YAML").click()
    read = page.get_by_role("dialog", name="Read YAML")
    read.get_by_role("textbox", name="YAML").fill("data: x\nlora_rnk: 4")
    read.get_by_role("button", name="Use it").click()
    expect(read.get_by_role("alert")).to_contain_text("Did you mean lora_rank?")
    read.get_by_role("textbox", name="YAML").fill(f"data: {spec['data']}\nepochs: 2\nlora_is_decomposed: true")
    read.get_by_role("button", name="Use it").click()
    expect(page.get_by_label("epochs")).to_have_value("2")
    expect(page.get_by_role("switch", name="lora_is_decomposed")).to_be_checked()
    expect(rank).to_have_value("")


def test_what_was_reckoned_is_gone_with_the_options_it_was_for(training: Tab, studio: Served, tmp_path: Path) -> None:
    spec = asked(tmp_path, DONE)["spec"]
    training.open("/training/new")
    page = training.page
    page.get_by_label("Base model").fill(spec["base"])
    page.get_by_label("Data", exact=True).fill(spec["data"])
    button(training, "What it would need").click()
    told = page.get_by_role("status").filter(has_text="cannot reckon")
    expect(told).to_be_visible()
    page.get_by_label("Method").select_option("cpt")
    expect(told).to_have_count(0)


def test_a_switch_that_cannot_be_on_is_led_to(training: Tab, studio: Served, tmp_path: Path) -> None:
    training.expected.append("422")
    spec = asked(tmp_path, DONE)["spec"]
    training.open("/training/new")
    page = training.page
    page.get_by_label("Data", exact=True).fill(spec["data"])
    page.get_by_label("Every option").click()
    for name in ("base_is_in_4_bits", "lora_is_decomposed"):
        page.get_by_role("switch", name=name).click()
    button(training, "Start").click()
    refused = page.get_by_role("switch", name="base_is_in_4_bits")
    expect(refused).to_be_focused()
    expect(refused).to_have_accessible_description(re.compile("exclude one another"))
    assert training.axe() == []


def test_what_is_filled_in_outlasts_a_reload(training: Tab, studio: Served, tmp_path: Path) -> None:
    spec = asked(tmp_path, DONE)["spec"]
    page = training.page
    data, name = page.get_by_label("Data", exact=True), page.get_by_label("Name", exact=True)
    training.open("/training/new")
    expect(button(training, "Start over")).to_have_count(0)
    data.fill(spec["data"])
    name.fill("kept")
    page.get_by_label("Every option").click()
    page.get_by_label("lora_rank").fill("8")
    page.get_by_label("base", exact=True).fill(spec["base"])
    page.reload()
    expect(name).to_have_value("kept")
    expect(page.get_by_label("lora_rank")).to_have_value("8")
    expect(page.get_by_label("data", exact=True)).to_have_value(spec["data"])
    # One that is begun from another has a form of its own.
    other = begun(studio, tmp_path, DONE, "another", lora_rank=4)
    training.open(f"/training/new?from={other}")
    expect(page.get_by_label("lora_rank")).to_have_value("4")
    page.get_by_label("lora_rank").fill("2")
    page.reload()
    expect(page.get_by_label("lora_rank")).to_have_value("2")
    button(training, "Start over").click()
    expect(page.get_by_label("lora_rank")).to_have_value("4")
    # What was only tried is still there to be begun; what was begun is not.
    training.open("/training/new")
    expect(page.get_by_label("lora_rank")).to_have_value("8")
    training.shoot("training-kept")
    assert training.axe() == []
    for deed, kept in (("Dry run only", "kept"), ("Start", "")):
        button(training, deed).click()
        expect(page).to_have_url(re.compile(r"/training/job_\w+$"))
        training.open("/training/new")
        expect(name).to_have_value(kept)
    expect(data).to_have_value("")


def test_what_another_version_kept_of_a_form_is_left_alone(training: Tab) -> None:
    training.open("/training")
    for kept in ("{", "[]", "7", '{"from": "", "values": null}', '{"from": "", "values": {"gone": 1}, "name": "x"}'):
        training.page.evaluate("kept => localStorage.setItem('paddock.training.draft', kept)", kept)
        training.open("/training/new")
        expect(button(training, "Start")).to_be_enabled()


def test_options_are_explained_in_german(training: Tab, studio: Served) -> None:
    training.open("/training")
    training.prefer(language="de")
    training.open("/training/new")
    training.page.get_by_label("Alle Optionen").click()
    expect(training.page.get_by_label("lora_rank")).to_have_accessible_description(re.compile("^Rang des Zusatzes"))
    # What is explained is what is searched.
    training.page.get_by_label("Option finden").fill("wurzel")
    expect(training.page.get_by_role("switch")).to_have_count(3)
