"""Shows that nothing runs of what is told as it happens: answers, trainings, readings of the machine."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.page import hostile, rig
from tests.page.chatting import answer, say, says, script, settled, words
from tests.page.hostile_studio import told, until
from tests.page.poison import Poisoner
from tests.page.rig import Served
from tests.wire.test_training import WORKER, asked

pytestmark = pytest.mark.attack("scripts in every field the page shows")
# What is spoilt as it comes, and must be there to be read.
SHOWN = {
    "/api/system/meters.processes[].name",
    "/api/training/ID/events.answer",
    "/api/training/ID/events.error.message",
    "/api/training/ID/events.name",
    "/api/training/ID/events.path",
    "/api/training/ID/events.prompt",
    "/api/training/ID/events.text",
    "/v1/responses/ID.delta",
}


@pytest.fixture(scope="module")
def studio(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock before the scripted engine and the scripted worker."""
    with rig.served(wheel, tmp_path_factory.mktemp("home"), scripted_engine, worker=WORKER) as served:
        served.ask("/api/models/pocket-v0/load", {})
        yield served


@pytest.fixture
def job(studio: Served, tmp_path: Path) -> Generator[str]:
    """A training whose worker has told what is hostile, and is at it still."""
    job = str(studio.ask("/api/training", asked(tmp_path, [*told(), {"until_wished": True}]))["id"])
    until(studio, f"/api/training/{job}", lambda one: one["state"] == "running" and "answer" in one["figures"])
    yield job
    studio.ask(f"/api/training/{job}/cancel", {})
    until(studio, f"/api/training/{job}", lambda one: one["state"] == "cancelled")


def test_nothing_that_is_told_as_it_happens_runs(studio: Served, job: str, chromium: Browser) -> None:
    with rig.tab(chromium, studio.url) as tab:
        trap, poisoner = hostile.set_up(tab), Poisoner()
        poisoner.watch(tab.context)
        tab.open(f"/training/{job}")
        expect(tab.page.get_by_role("region", name="What was told")).to_contain_text("Failed: m")
        trap.look(tab.page)
        tab.open("/system")
        expect(tab.page.get_by_role("table").get_by_role("row").filter(has_text="pocket-v0m")).to_be_visible()
        trap.look(tab.page)
        script(studio, says(*words(40), thoughts=("so ", "so"), every_s=0.05))
        tab.open()
        say(tab, "Say it")
        while answer(tab).get_attribute("data-status", timeout=20_000) != "complete":
            trap.look(tab.page)
        settled(tab)
        trap.look(tab.page)
        assert not trap.found, trap.told()
        assert "/api/chats/events" in poisoner.answered
        assert SHOWN - set(poisoner.shown(trap.seen)) == set()
