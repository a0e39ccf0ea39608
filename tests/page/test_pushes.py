"""Shows pushing an export to the hub on the page, before a hub over sockets: what is sent is seen first."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.fakes.hub import TOKEN, running_hub
from tests.fakes.hub import Hub as FakeHub
from tests.page import rig
from tests.page.rig import Served, Tab
from tests.page.test_exports import begun, both_themes, button, state
from tests.wire.test_export_files import making
from tests.wire.test_exports import WORKER

REPO = "me/x-GGUF"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Generator[FakeHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture(scope="module")
def studio(
    wheel: Path, hub: FakeHub, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Generator[Served]:
    """Paddock before the scripted worker and the hub, with a token by which it may write there."""
    environ = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN}
    with rig.served(wheel, tmp_path_factory.mktemp("home"), scripted_engine, environ, worker=WORKER) as served:
        yield served


@pytest.fixture
def page(chromium: Browser, studio: Served) -> Generator[Tab]:
    with rig.tab(chromium, studio.url) as opened:
        yield opened


def test_an_export_is_pushed_once_what_is_sent_was_seen(
    page: Tab, studio: Served, hub: FakeHub, tmp_path: Path
) -> None:
    job_id = begun(studio, tmp_path, making(tmp_path), "x")
    page.open(f"/exports/{job_id}")
    state(page, "done")
    button(page, "Push to the hub: x").click()
    dialog = page.page.get_by_role("dialog", name="Push to the hub: x")
    expect(dialog.get_by_role("switch", name="Private")).to_be_checked()
    repo = dialog.get_by_label("Repository")
    repo.fill(REPO)
    dialog.get_by_role("button", name="Show what is sent").click()
    expect(dialog.get_by_role("list", name="What is sent")).to_contain_text("x-F16.certificate.json")
    expect(dialog.get_by_role("region", name="The card")).to_contain_text("model_name: x")
    assert hub.seen() == []
    page.shoot("push-dialog")
    assert page.axe() == []
    # A hub that refuses is told in words, and what it refused is gone on with.
    hub.misbehave({"write_status": 403})
    dialog.get_by_role("button", name="Push to the hub", exact=True).click()
    expect(dialog).to_have_count(0)
    main = page.page.get_by_role("main")
    expect(main).to_contain_text(f"does not let this token write to '{REPO}'")
    hub.misbehave({"put_slow_s": 8})
    button(page, f"Resume the push to {REPO}").click()
    expect(page.page.get_by_role("progressbar", name=f"Sent to {REPO}")).to_be_visible()
    button(page, f"Cancel the push to {REPO}").click()
    state(page, "cancelled")
    hub.misbehave()
    button(page, f"Resume the push to {REPO}").click()
    expect(main).to_contain_text(f"It is there, private: {hub.endpoint}/{REPO}")
    assert sorted(hub.pushed()["commits"][0]["files"]) == ["README.md", "x-F16.certificate.json", "x-F16.gguf"]
    both_themes(page, "export-pushed")
