"""Shows builds: asked for on demand, installed with a live log, used, rolled back, removed; and what goes wrong."""

from __future__ import annotations

import platform
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from paddock.install.manifest import shipped
from tests.fakes.release_server import Releases, running_releases
from tests.fakes.scripted_llama_server import Behaviour, tar
from tests.page import rig
from tests.page.rig import PHONE, Served, Tab

TAG = shipped().tag
NAME = f"{TAG}-ubuntu-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"
ASSET = f"llama-{NAME.replace(TAG, f'{TAG}-bin', 1)}.tar.gz"
PAD = b"#" * 300_000
# A job is a program that has to start; a build is tried with the requests of a dozen clients.
STARTED_MS = 60_000
TRIED_MS = 240_000


@pytest.fixture
def releases(tmp_path: Path) -> Generator[Releases]:
    with running_releases(tmp_path / "releases") as releases:
        yield releases


@pytest.fixture
def own(wheel: Path, scripted_engine: list[str], tmp_path: Path, releases: Releases) -> Generator[Served]:
    """A paddock whose builds come from a server that misbehaves as told."""
    home = tmp_path / "home"
    home.mkdir()
    with rig.served(wheel, home, scripted_engine, engine_mirror=releases.address) as studio:
        yield studio


@pytest.fixture
def own_tab(chromium: Browser, own: Served) -> Generator[Tab]:
    with rig.tab(chromium, own.url) as opened:
        yield opened


def begin(tab: Tab) -> None:
    """Ask what there is, and install the one build that suits."""
    tab.page.get_by_role("button", name="Install a build…").click()
    tab.page.get_by_role("button", name="Ask what there is").click()
    tab.page.get_by_role("button", name=f"Install {NAME}").click(timeout=STARTED_MS)
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_a_build_is_installed_used_rolled_back_and_removed(own: Served, own_tab: Tab, releases: Releases) -> None:
    page = own_tab.page
    releases.add(TAG, ASSET, tar())
    releases.add(TAG, f"llama-{TAG}-bin-win-cpu-x64.zip", b"x")
    releases.misbehave({"newest": "b99999"})
    own_tab.open("/engines")
    expect(page.get_by_text("Comes with paddock")).to_be_visible()
    page.get_by_role("button", name="Install a build…").click()
    dialog = page.get_by_role("dialog", name="Install a build")
    expect(dialog).to_contain_text("only when you press the button")
    # Until then nobody was asked anything.
    assert releases.seen() == []
    dialog.get_by_role("button", name="Ask what there is").click()
    expect(dialog).to_contain_text("A newer release is out: b99999.", timeout=STARTED_MS)
    expect(dialog).to_contain_text("It runs on the processor.")
    dialog.get_by_text("that do not suit this machine").click()
    expect(dialog).to_contain_text("It is for windows; this is linux.")
    own_tab.shoot("engines-install")
    assert own_tab.axe() == []
    dialog.get_by_role("button", name=f"Install {NAME}").click()
    expect(page.get_by_role("heading", name=f"Installing: {NAME}")).to_be_visible()
    said = page.get_by_role("region", name="What it said")
    expect(said).to_contain_text("Trying it", timeout=STARTED_MS)
    own_tab.shoot("engines-installing")
    assert own_tab.axe() == []
    expect(page.get_by_text(f"Restart paddock to use {NAME}.")).to_be_visible(timeout=TRIED_MS)
    expect(said).to_contain_text("Canary, 3 of 3")
    expect(page.get_by_text("trial passed")).to_be_visible()
    own_tab.shoot("engines-installed")
    assert own_tab.axe() == []
    page.get_by_role("button", name=f"More about {NAME}").click()
    page.get_by_role("menuitem", name="What its trial showed").click()
    shown = page.get_by_role("dialog", name=f"Trial of {NAME}")
    expect(shown.get_by_role("region", name="What paddock relies on")).to_contain_text("works")
    own_tab.shoot("engines-trial")
    assert own_tab.axe() == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Go back to embedded").click()
    expect(page.get_by_text("Restart paddock to use")).to_have_count(0, timeout=STARTED_MS)
    expect(page.get_by_role("button", name=f"Go back to {NAME}")).to_be_enabled(timeout=STARTED_MS)
    page.get_by_role("button", name=f"More about {NAME}").click()
    page.get_by_role("menuitem", name="Remove").click()
    page.get_by_role("dialog", name=f"Remove {NAME}?").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name=f"More about {NAME}")).to_have_count(0, timeout=STARTED_MS)
    assert not (own.home / "engines" / NAME).exists()


def test_a_download_shows_how_far_it_is_and_its_cancel_leaves_the_active_build(
    own: Served, own_tab: Tab, releases: Releases
) -> None:
    page = own_tab.page
    releases.add(TAG, ASSET, tar() + PAD)
    releases.misbehave({"pause_s": 0.6})
    own_tab.open("/engines")
    begin(own_tab)
    expect(page.get_by_text(re.compile(r"KiB of \d+ KiB · [\d.]+ \w+/s · [\d.]+ \w+ left"))).to_be_visible(
        timeout=STARTED_MS
    )
    expect(page.get_by_role("progressbar", name="Installing")).to_have_attribute("aria-valuenow", re.compile(r"\d"))
    expect(page.get_by_role("button", name="Install a build…")).to_be_disabled()
    own_tab.shoot("engines-fetching")
    assert own_tab.axe() == []
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled", exact=True)).to_be_visible(timeout=STARTED_MS)
    expect(page.get_by_text("Nothing changed: embedded stays in use.")).to_be_visible()
    assert not (own.home / "engines" / "active.json").exists()
    assert list((own.home / "engines" / "downloads").glob("*.partial"))


def test_what_goes_wrong_is_said_where_it_happened(own: Served, own_tab: Tab, releases: Releases) -> None:
    page = own_tab.page
    own_tab.open("/engines")
    page.get_by_role("button", name="Install a build…").click()
    page.get_by_role("button", name="Ask what there is").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        f"has no release '{TAG}'", timeout=STARTED_MS
    )
    assert own_tab.axe() == []
    page.keyboard.press("Escape")
    releases.add(TAG, ASSET, tar())
    releases.misbehave({"wrong_bytes": True})
    begin(own_tab)
    expect(page.get_by_role("alert")).to_contain_text("checksum", timeout=STARTED_MS)
    expect(page.get_by_text("Nothing changed: embedded stays in use.")).to_be_visible()
    own_tab.shoot("engines-wrong")
    assert own_tab.axe() == []


def test_a_build_that_fails_its_trial_is_used_only_by_insisting(own: Served, own_tab: Tab, releases: Releases) -> None:
    page = own_tab.page
    own_tab.open()
    own_tab.theme("dark")
    own_tab.open("/engines")
    behaviour: Behaviour = {"lets_anyone_in": True}
    releases.add(TAG, ASSET, tar(behaviour))
    begin(own_tab)
    expect(page.get_by_role("alert")).to_contain_text("was not activated", timeout=TRIED_MS)
    expect(page.get_by_text("trial failed")).to_be_visible()
    own_tab.shoot("engines-failed-dark")
    assert own_tab.axe() == []
    page.get_by_role("button", name="Use it anyway").click()
    dialog = page.get_by_role("dialog", name=f"Use {NAME} anyway?")
    expect(dialog).to_contain_text("Its trial found faults")
    own_tab.shoot("engines-anyway-dark")
    assert own_tab.axe() == []
    dialog.get_by_role("button", name="Use it anyway").click()
    expect(page.get_by_text(f"Restart paddock to use {NAME}.")).to_be_visible(timeout=TRIED_MS)


def test_no_network_is_said(chromium: Browser, wheel: Path, scripted_engine: list[str], tmp_path: Path) -> None:
    with (
        rig.served(wheel, tmp_path, scripted_engine, engine_mirror="http://127.0.0.1:9") as studio,
        rig.tab(chromium, studio.url, viewport=PHONE, has_touch=True, is_mobile=True) as tab,
    ):
        tab.open("/engines")
        tab.page.get_by_role("button", name="Install a build…").tap()
        tab.page.get_by_role("button", name="Ask what there is").tap()
        expect(tab.page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
            "cannot be reached", timeout=STARTED_MS
        )
        tab.shoot("phone-engines-no-network")
        assert tab.axe() == []
