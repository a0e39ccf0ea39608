"""Shows the hub on the page: searched when told to, variants that say whether they fit, downloads steered and kept."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from paddock.models.catalog import BUNDLED
from tests.fakes.hub import COMMIT, running_hub
from tests.fakes.hub import Hub as FakeHub
from tests.page import rig
from tests.page.rig import PHONE, Served, Tab

POCKET = BUNDLED["pocket-v0"].read_bytes()
REPO = "ours/pocket-GGUF"
MODEL = f"{REPO}:Q8_0"
GATED = "theirs/guarded-GGUF"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Generator[FakeHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as hub:
        hub.add(REPO, "pocket-v0-Q8_0.gguf", POCKET)
        hub.describe(
            REPO,
            downloads=1200,
            likes=7,
            lastModified="2026-03-04T05:06:07.000Z",
            tags=["gguf", "license:apache-2.0"],
            gguf={"total": 4_790_784, "context_length": 131_072},
        )
        hub.add(GATED, "guarded-Q8_0.gguf", POCKET[:-1] + b"\1")
        hub.describe(GATED, gated="manual", tags=["gguf", "license:other"])
        yield hub


@contextmanager
def paddock(wheel: Path, hub: FakeHub, folder: Path, engine: list[str]) -> Generator[Served]:
    environ = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder / "hf"), "HF_HUB_DOWNLOAD_TIMEOUT": "2"}
    home = folder / "home"
    home.mkdir(exist_ok=True)
    with rig.served(wheel, home, engine, environ) as studio:
        yield studio


@pytest.fixture
def studio(wheel: Path, hub: FakeHub, tmp_path: Path, scripted_engine: list[str]) -> Generator[Served]:
    hub.misbehave()
    with paddock(wheel, hub, tmp_path, scripted_engine) as studio:
        yield studio


@pytest.fixture
def hub_tab(chromium: Browser, studio: Served) -> Generator[Tab]:
    with rig.tab(chromium, studio.url) as tab:
        opened(tab)
        yield tab


def opened(tab: Tab) -> None:
    tab.open("/models")
    tab.page.get_by_role("tab", name="Get more models").click()


def search(tab: Tab, words: str) -> None:
    tab.page.get_by_label("Search the hub").fill(words)
    tab.page.get_by_role("button", name="Search", exact=True).click()


def item(tab: Tab, name: str) -> Locator:
    return tab.page.get_by_role("listitem", name=name, exact=True)


def look_into(tab: Tab, repo: str) -> None:
    item(tab, repo).get_by_role("button", expanded=False).click()


def begin(tab: Tab, hub: FakeHub, **faults: Any) -> Locator:
    """Start the download of the one model, and answer its row."""
    search(tab, "pocket")
    look_into(tab, REPO)
    button = tab.page.get_by_role("button", name=f"Download {MODEL}")
    expect(button).to_be_enabled()
    hub.misbehave(faults)  # pyright: ignore[reportArgumentType]
    button.click()
    return item(tab, MODEL)


def test_the_hub_is_asked_when_the_button_is_pressed_and_not_before(hub_tab: Tab, hub: FakeHub) -> None:
    hub_tab.page.get_by_label("Search the hub").press_sequentially("pocket")
    hub_tab.page.reload()
    opened(hub_tab)
    hub_tab.page.get_by_label("Search the hub").fill("pocket")
    expect(hub_tab.page.get_by_role("button", name="Search", exact=True)).to_be_enabled()
    assert hub.seen() == []
    hub_tab.page.keyboard.press("Enter")
    expect(item(hub_tab, REPO)).to_contain_text("1,200 downloads")
    expect(item(hub_tab, REPO)).to_contain_text("apache-2.0")
    assert [seen["path"] for seen in hub.seen()] == ["/api/models"]
    hub_tab.page.get_by_role("tab", name="On this machine").click()
    hub_tab.page.get_by_role("tab", name="Get more models").click()
    expect(item(hub_tab, REPO)).to_be_visible()
    look_into(hub_tab, REPO)
    variant = item(hub_tab, "Q8_0")
    expect(variant).to_contain_text("4.9 MiB (5,172,576 bytes)")
    expect(variant).to_contain_text("fits this machine")
    expect(item(hub_tab, REPO)).to_contain_text("free on the disk")
    hub_tab.shoot("models-hub")
    assert len(hub.seen()) == 2
    search(hub_tab, "nothing like it")
    expect(hub_tab.page.get_by_text("The hub has no model in GGUF form for “nothing like it”.")).to_be_visible()


def test_what_a_model_would_take_is_told_before_it_is_fetched(hub_tab: Tab) -> None:
    search(hub_tab, "pocket")
    look_into(hub_tab, REPO)
    item(hub_tab, "Q8_0").get_by_role("button", name="What would it take?").click()
    plan = hub_tab.page.get_by_role("region", name=f"What {MODEL} would take")
    expect(plan).to_contain_text("The conversation (KV cache)")
    plan.get_by_label("Context").select_option("4096")
    expect(plan).to_contain_text("with 4,096 tokens each")
    expect(plan).to_contain_text("It fits.")
    hub_tab.shoot("models-hub-fit")
    assert hub_tab.axe() == []
    expect(hub_tab.page.get_by_role("heading", name="Downloads")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_hub_is_free_of_barriers(hub_tab: Tab, hub: FakeHub, theme: str) -> None:
    hub_tab.theme(theme)
    hub_tab.page.reload()
    opened(hub_tab)
    row = begin(hub_tab, hub, slow_s=30)
    expect(row).to_contain_text("a second")
    hub_tab.shoot(f"models-hub-{theme}")
    assert hub_tab.axe() == []
    row.get_by_role("button", name="Cancel…").click()
    expect(hub_tab.page.get_by_role("dialog")).to_be_visible()
    assert hub_tab.axe() == []


def test_a_download_is_watched_paused_gone_on_with_and_ends_among_the_models(hub_tab: Tab, hub: FakeHub) -> None:
    row = begin(hub_tab, hub, slow_s=20)
    expect(row).to_contain_text("downloading")
    expect(row).to_contain_text("a second")
    expect(row).to_contain_text(re.compile(r"about .* left"))
    expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile(r"[1-9]\d?"))
    expect(item(hub_tab, "Q8_0").get_by_role("button", name="downloading")).to_be_disabled()
    hub_tab.shoot("models-downloading")
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("paused")
    hub.misbehave()
    row.get_by_role("button", name="Go on").click()
    expect(row).to_contain_text("downloaded and checked")
    ranges = [seen["range"] for seen in hub.seen() if seen["path"].startswith("/cdn/") and seen["method"] == "GET"]
    assert ranges, "the hub was asked for more"
    assert all(ranges), "it went on from what was there"
    expect(item(hub_tab, "Q8_0")).to_contain_text("on this machine")
    row.get_by_role("button", name="Take off the list").click()
    expect(hub_tab.page.get_by_role("heading", name="Downloads")).to_have_count(0)
    hub_tab.page.get_by_role("tab", name="On this machine").click()
    expect(item(hub_tab, MODEL)).to_contain_text("from the hub")
    item(hub_tab, MODEL).get_by_role("button", name=f"More about {MODEL}").click()
    hub_tab.page.get_by_role("menuitem", name="Remove…").click()
    expect(hub_tab.page.get_by_role("dialog")).to_contain_text("This frees 4.9 MiB.")
    hub_tab.page.get_by_role("button", name="Remove", exact=True).click()
    expect(item(hub_tab, MODEL)).to_have_count(0)


def test_a_cancelled_download_says_what_is_lost_and_stays_cancelled(hub_tab: Tab, hub: FakeHub) -> None:
    row = begin(hub_tab, hub, slow_s=30)
    expect(row).to_contain_text("a second")
    row.get_by_role("button", name="Cancel…").click()
    window = hub_tab.page.get_by_role("dialog")
    expect(window).to_contain_text("are deleted")
    window.get_by_role("button", name="Keep downloading").click()
    expect(row).to_contain_text("downloading")
    row.get_by_role("button", name="Cancel…").click()
    window.get_by_role("button", name="Cancel and delete").click()
    expect(row).to_contain_text("cancelled")
    hub_tab.page.reload()
    expect(item(hub_tab, MODEL)).to_contain_text("cancelled")
    item(hub_tab, MODEL).get_by_role("button", name="Take off the list").click()
    expect(item(hub_tab, MODEL)).to_have_count(0)


def test_a_download_outlives_a_paddock_that_was_killed(
    chromium: Browser, wheel: Path, hub: FakeHub, tmp_path: Path, scripted_engine: list[str]
) -> None:
    hub.misbehave()
    with paddock(wheel, hub, tmp_path, scripted_engine) as studio, rig.tab(chromium, studio.url) as tab:
        tab.expected.append(
            "ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING"
        )
        opened(tab)
        row = begin(tab, hub, slow_s=30)
        expect(row).to_contain_text("a second")
        row.get_by_role("button", name="Pause").click()
        expect(row).to_contain_text("paused")
        studio.process.send_signal(signal.SIGKILL)
        studio.process.wait(30)
        expect(tab.page.get_by_text("paddock does not answer.").first).to_be_visible()
    hub.misbehave()
    with paddock(wheel, hub, tmp_path, scripted_engine) as studio, rig.tab(chromium, studio.url) as tab:
        tab.open("/models")
        expect(item(tab, MODEL)).to_contain_text("paused")
        assert hub.seen() == []
        item(tab, MODEL).get_by_role("button", name="Go on").click()
        expect(item(tab, MODEL).first).to_contain_text("downloaded and checked")


def test_a_hub_that_is_away_is_told_of_with_a_way_on(hub_tab: Tab, hub: FakeHub) -> None:
    hub_tab.expected.append("502")
    hub.misbehave({"status": 500})
    search(hub_tab, "pocket")
    expect(hub_tab.page.get_by_role("alert")).to_contain_text("answered with status 500")
    hub_tab.shoot("models-hub-away")
    hub.misbehave()
    hub_tab.page.get_by_role("alert").get_by_role("button", name="Try again").click()
    expect(item(hub_tab, REPO)).to_be_visible()
    hub.misbehave({"status": 500})
    look_into(hub_tab, REPO)
    expect(item(hub_tab, REPO).get_by_role("alert")).to_contain_text("answered with status 500")
    hub.misbehave()
    item(hub_tab, REPO).get_by_role("button", name="Try again").click()
    expect(item(hub_tab, "Q8_0")).to_be_visible()


def test_a_search_that_takes_long_can_be_given_up(hub_tab: Tab, hub: FakeHub) -> None:
    hub.misbehave({"pause_s": 5})
    search(hub_tab, "pocket")
    expect(hub_tab.page.get_by_role("progressbar", name="Asking the hub…")).to_be_visible()
    hub_tab.page.get_by_role("button", name="Cancel").click()
    expect(hub_tab.page.get_by_role("progressbar")).to_have_count(0)
    hub.misbehave()
    search(hub_tab, "pocket")
    expect(item(hub_tab, REPO)).to_be_visible()


def test_a_download_that_fails_says_why_and_goes_on(hub_tab: Tab, hub: FakeHub) -> None:
    row = begin(hub_tab, hub, wrong_bytes=True)
    expect(row.get_by_role("alert")).to_contain_text("wrong checksum")
    expect(row).not_to_contain_text("downloaded")
    hub_tab.shoot("models-download-failed")
    hub.misbehave()
    row.get_by_role("button", name="Go on").click()
    expect(row).to_contain_text("downloaded and checked")


def vast(size_bytes: int) -> str:
    """A hub's answer about a repository whose one file is of that size."""
    file: dict[str, Any] = {"rfilename": "vast-Q8_0.gguf", "size": size_bytes, "blobId": "0" * 40}
    file["lfs"] = {"sha256": "0" * 64, "size": size_bytes, "pointerSize": 130}
    return json.dumps({"id": REPO, "modelId": REPO, "sha": COMMIT, "siblings": [file]})


def test_a_disk_that_is_too_small_is_told_of_before_the_first_byte(hub_tab: Tab, hub: FakeHub) -> None:
    hub_tab.expected.append("507")
    search(hub_tab, "pocket")
    expect(item(hub_tab, REPO)).to_be_visible()
    hub.misbehave({"body": vast(10**15)})
    look_into(hub_tab, REPO)
    expect(item(hub_tab, "Q8_0")).to_contain_text("needs more memory than there is")
    expect(item(hub_tab, "Q8_0")).to_contain_text("The disk lacks")
    expect(hub_tab.page.get_by_role("button", name=f"Download {MODEL}")).to_be_disabled()
    hub_tab.shoot("models-hub-too-large")
    # The disk may fill, or the file grow, between the look and the press.
    hub_tab.page.reload()
    opened(hub_tab)
    hub.misbehave()
    begin(hub_tab, hub, body=vast(10**15))
    expect(item(hub_tab, "Q8_0").get_by_role("alert")).to_contain_text("Free space, or move the cache")
    expect(hub_tab.page.get_by_role("heading", name="Downloads")).to_have_count(0)


def test_a_gated_repository_says_how_to_get_access(hub_tab: Tab, hub: FakeHub) -> None:
    search(hub_tab, "guarded")
    expect(item(hub_tab, GATED)).to_contain_text("needs access")
    look_into(hub_tab, GATED)
    expect(item(hub_tab, GATED)).to_contain_text("accept the terms")
    hub_tab.shoot("models-hub-gated")
    assert hub_tab.axe() == []
    hub_tab.page.get_by_role("button", name=f"Download {GATED}:Q8_0").click()
    expect(item(hub_tab, f"{GATED}:Q8_0").get_by_role("alert")).to_contain_text("Accept its terms")


def test_a_repository_that_is_named_can_be_looked_into(hub_tab: Tab) -> None:
    hub_tab.expected.append("404")
    search(hub_tab, "ours/nobody")
    look_into(hub_tab, "ours/nobody")
    expect(item(hub_tab, "ours/nobody").get_by_role("alert")).to_contain_text("There is no repository")


def test_the_hub_fits_a_phone(chromium: Browser, studio: Served, hub: FakeHub) -> None:
    with rig.tab(chromium, studio.url, viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        opened(tab)
        row = begin(tab, hub, slow_s=30)
        expect(row).to_contain_text("a second")
        tab.shoot("models-phone-hub")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
