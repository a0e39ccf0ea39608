"""Shows trainings on the page, before a worker that does what it is told: begun, watched, stopped, gone on with."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.page import rig
from tests.page.rig import PHONE, Served, Tab
from tests.wire.test_training import WORKER, asked

Json = dict[str, Any]
STEPS_MOST = 3000


def step(number: int) -> Json:
    """What a worker tells of a step."""
    return {
        "tell": "step", "step": number, "loss": 3.0 / number, "learning_rate": 2e-4, "gradient": 1.5,
        "tokens_per_s": 812.0, "memory_bytes": 3 * 2**30,
    }  # fmt: skip


def begins(steps: int) -> Json:
    return {"tell": "begins", "steps": steps, "step": 0}


MADE = {"tell": "artifact", "name": "adapter", "path": "/made/adapter", "size_bytes": 2**20}
HELD = {"tell": "eval", "step": 3, "loss": 1.25}
DONE = [begins(3), *map(step, (1, 2, 3)), HELD, MADE, {"tell": "done", "took_s": 4.0}]
WAITING = [begins(40), *map(step, range(1, 21)), {"until_wished": True}]


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


def begun(studio: Served, folder: Path, acts: list[Json], name: str, **more: Any) -> str:
    """A training that does these acts; its id."""
    return str(studio.ask("/api/training", {**asked(folder, acts, **more), "name": name})["id"])


def button(tab: Tab, name: str) -> Locator:
    return tab.page.get_by_role("button", name=name, exact=True)


def figure(tab: Tab, name: str) -> Locator:
    return tab.page.locator(f"[data-figure={name}]")


def state(tab: Tab, words: str) -> None:
    """Wait until the training that is shown is in this state."""
    expect(tab.page.get_by_role("main").get_by_text(words, exact=True)).to_be_visible()


def steps_in_table(tab: Tab) -> list[int]:
    """The steps that the table shows, as they stand there."""
    if not tab.page.locator("figure details[open]").count():
        tab.page.get_by_text("The figures as a table").click()
    rows = tab.page.locator("figure tbody tr td:first-child")
    expect(rows).not_to_have_count(0)
    return [int(text) for text in rows.all_inner_texts()]


def test_one_is_begun_by_hand_watched_and_removed(training: Tab, studio: Served, tmp_path: Path) -> None:
    spec = asked(tmp_path, DONE)["spec"]
    training.open("/training")
    training.page.get_by_role("navigation", name="Main").get_by_role("link", name="Training").click()
    button(training, "New training").click()
    page = training.page
    page.get_by_label("Base model").fill(spec["base"])
    page.get_by_label("Data", exact=True).fill(spec["data"])
    page.get_by_label("Name", exact=True).fill("by hand")
    button(training, "What it would need").click()
    expect(page.get_by_role("status").filter(has_text="cannot reckon")).to_be_visible()
    button(training, "Start").click()
    expect(page).to_have_url(re.compile(r"/training/job_\w+$"))
    state(training, "done")
    expect(page.get_by_role("heading", level=1)).to_have_text("by hand")
    # The dry run came first, and its answer is shown apart from what was learnt.
    expect(page.get_by_role("main")).to_contain_text("The dry run's answer")
    expect(figure(training, "loss")).to_have_text("1")
    expect(figure(training, "eval_loss")).to_have_text("1.25")
    expect(figure(training, "memory_bytes")).to_have_text("3 GiB")
    expect(page.get_by_role("main")).to_contain_text("/made/adapter")
    expect(page.get_by_role("main")).to_contain_text("Done after 4 s.")
    assert steps_in_table(training) == [1, 2, 3]
    training.shoot("training-done")
    assert training.axe() == []
    button(training, "Remove by hand").click()
    asked_once = page.get_by_role("dialog", name="Remove by hand?")
    asked_once.get_by_role("button", name="Cancel").click()
    state(training, "done")
    button(training, "Remove by hand").click()
    asked_once.get_by_role("button", name="Remove").click()
    expect(page).to_have_url(re.compile("/training$"))
    expect(page.get_by_role("link", name="by hand", exact=True)).to_have_count(0)


def test_a_reload_in_mid_run_goes_on_and_no_figure_stands_twice(training: Tab, studio: Served, tmp_path: Path) -> None:
    job_id = begun(studio, tmp_path, WAITING, "reloaded")
    training.open(f"/training/{job_id}")
    expect(figure(training, "learning_rate")).to_have_text("2.00e-4")
    expect(training.page.get_by_role("main")).to_contain_text("step 20 of 40")
    assert steps_in_table(training) == list(range(1, 21))
    training.page.reload()
    expect(training.page.get_by_role("main")).to_contain_text("step 20 of 40")
    assert steps_in_table(training) == list(range(1, 21))
    # The stream breaks, and goes on behind what was seen.
    training.expected.append("ERR_")
    button(training, "Save and stop reloaded").click()
    state(training, "stopped")
    expect(training.page.get_by_role("main")).to_contain_text("Stopped, with a checkpoint.")
    button(training, "Resume reloaded").click()
    state(training, "runs")
    button(training, "Cancel reloaded").click()
    state(training, "cancelled")
    assert steps_in_table(training) == list(range(1, 21))
    for theme in ("dark", "light"):
        training.theme(theme)
        training.page.reload()
        expect(training.page.locator("canvas")).to_be_visible()
        training.shoot(f"training-{theme}")
        assert training.axe() == []


def test_a_worker_that_has_told_nothing_yet_is_said_to_start(training: Tab, studio: Served, tmp_path: Path) -> None:
    job_id = begun(studio, tmp_path, [{"until_wished": True}], "slow to start")
    training.open(f"/training/{job_id}")
    state(training, "runs")
    expect(training.page.get_by_role("status").filter(has_text="The worker starts.")).to_be_visible()
    button(training, "Cancel slow to start").click()
    state(training, "cancelled")
    expect(training.page.get_by_text("The worker starts.")).to_have_count(0)


def test_a_restart_of_the_server_goes_unseen(
    wheel: Path, scripted_engine: list[str], tmp_path: Path, chromium: Browser
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with rig.served(wheel, home, scripted_engine, worker=WORKER) as first:
        port = int(first.url.rpartition(":")[2])
        job_id = begun(first, tmp_path, WAITING, "outlives")
        with rig.tab(chromium, first.url) as tab:
            tab.expected.append("ERR_|Failed to load")
            tab.open(f"/training/{job_id}")
            expect(tab.page.get_by_role("main")).to_contain_text("step 20 of 40")
            first.process.kill()
            first.process.wait(20)
            with rig.served(wheel, home, scripted_engine, worker=WORKER, port=port):
                button(tab, "Cancel outlives").click()
                state(tab, "cancelled")
                assert steps_in_table(tab) == list(range(1, 21))


def test_models_that_go_for_a_training_are_told_and_that_they_come_back(
    training: Tab, studio: Served, tmp_path: Path
) -> None:
    asked_for: Json = {"messages": [{"role": "user", "content": "Hello"}]}
    studio.ask("/v1/chat/completions", asked_for)
    job_id = begun(studio, tmp_path, WAITING, "roomy", makes_room="always")
    training.page.goto(f"{studio.url}/training/{job_id}")
    expect(training.page.get_by_text(re.compile("Models were put down for this training: pocket-v0"))).to_be_visible()
    studio.ask(f"/api/training/{job_id}/stop", {})
    expect(training.page.get_by_text("Models are loaded again: pocket-v0.")).to_be_visible()
    state(training, "stopped")


def test_a_failure_is_told_with_what_helps_and_another_is_begun_from_it(
    training: Tab, studio: Served, tmp_path: Path
) -> None:
    words = "The disk is full. Free space, and resume."
    failed: Json = {"tell": "failed", "error": {"kind": "disk", "message": words}}
    job_id = begun(studio, tmp_path, [begins(9), step(1), failed], "too large", lora_rank=8)
    training.open(f"/training/{job_id}")
    expect(training.page.get_by_role("alert")).to_have_text(words)
    expect(button(training, "Resume too large")).to_be_visible()
    training.page.get_by_role("link", name="Clone too large").click()
    page = training.page
    expect(page.get_by_label("Name", exact=True)).to_have_value("too large")
    page.get_by_label("Find an option").fill("rank")
    expect(page.get_by_label("lora_rank")).to_have_value("8")
    button(training, "Write YAML").click()
    written = page.get_by_role("dialog", name="Write YAML")
    expect(written.locator("pre")).to_contain_text("lora_rank: 8")
    training.shoot("training-yaml")
    page.keyboard.press("Escape")
    button(training, "Dry run only").click()
    expect(page).to_have_url(re.compile(r"/training/job_\w+$"))
    state(training, "done")
    expect(page.get_by_role("main")).to_contain_text("The dry run's answer")
    expect(page.locator("canvas")).to_have_count(0)


def test_thousands_of_events_are_drawn_and_two_are_compared(training: Tab, studio: Served, tmp_path: Path) -> None:
    many = [begins(STEPS_MOST), *map(step, range(1, STEPS_MOST + 1)), {"tell": "done", "took_s": 1.0}]
    first = begun(studio, tmp_path, many, "many")
    second = begun(studio, tmp_path, DONE, "few", learning_rate=0.01)
    training.open(f"/training/{first}")
    state(training, "done")
    expect(training.page.get_by_role("main")).to_contain_text("step 3,000 of 3,000")
    shown = steps_in_table(training)
    assert (len(shown), shown[-1]) == (100, STEPS_MOST)
    assert shown == sorted(set(shown))
    training.page.get_by_label("Figure", exact=True).select_option("tokens_per_s")
    expect(training.page.locator("figure tbody")).to_contain_text("812")
    training.open("/training")
    for name in ("many", "few"):
        training.page.get_by_label(f"Choose {name} to compare").check()
    training.shoot("training-history")
    assert training.axe() == []
    button(training, "Compare").click()
    rows = training.page.get_by_role("row").filter(has_text="learning_rate")
    expect(rows).to_contain_text("0.01")
    expect(rows).to_contain_text("0.0002")
    expect(training.page.get_by_role("row").filter(has_text="lora_rank")).to_have_count(0)
    # The three of the one beside a hundred of the other.
    training.page.get_by_text("The figures as a table").click()
    expect(training.page.locator("figure tbody tr")).to_have_count(103)
    assert steps_in_table(training)[:3] == [1, 2, 3]
    training.shoot("training-compare")
    assert training.axe() == []
    training.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    for path in (f"/training?compare={first},{second}", f"/training/{second}", "/training"):
        training.open(path)
        expect(training.page.get_by_text("Loading…")).to_have_count(0)
        training.shoot(f"training-phone-{path[:15].strip('/').replace('/', '-').replace('?', '-')}")
        assert training.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


def test_without_the_libraries_it_is_said_what_to_do(tab: Tab) -> None:
    for path in ("/training", "/training/new"):
        tab.open(path)
        expect(tab.page.get_by_role("region", name="Command that installs them")).to_have_text(
            "paddock setup python-stack"
        )
    expect(button(tab, "Start")).to_be_disabled()
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button(tab, "Copy").click()
    tab.page.wait_for_function("async () => (await navigator.clipboard.readText()) === 'paddock setup python-stack'")


def test_who_may_not_train_is_not_offered_it(
    wheel: Path, scripted_engine: list[str], tmp_path: Path, chromium: Browser
) -> None:
    with rig.served(wheel, tmp_path, scripted_engine, worker=WORKER) as first:
        guest = str(first.ask("/api/keys", {"name": "guest", "may": ["ask", "chats"]})["key"])
    with rig.served(wheel, tmp_path, scripted_engine, require_key=True) as closed, rig.tab(chromium, closed.url) as tab:
        tab.expected.append("401|403")
        tab.context.add_init_script(f"sessionStorage.setItem('paddock.key', {json.dumps(guest)})")
        tab.open("/keys")
        main = tab.page.get_by_role("navigation", name="Main")
        expect(main.get_by_role("link", name="Models")).to_be_visible()
        expect(main.get_by_role("link", name="Training")).to_have_count(0)
        tab.page.keyboard.press("Control+k")
        tab.page.get_by_placeholder("Type a command").fill("training")
        expect(tab.page.get_by_text("Nothing found.")).to_be_visible()
        tab.open("/training")
        expect(tab.page.get_by_role("alert")).to_contain_text("train")


def test_a_loss_that_is_no_number_is_told_and_its_step_stands_without_one(
    training: Tab, studio: Served, tmp_path: Path
) -> None:
    words = "The loss is no number any more after step 2. Resume with a lower learning_rate."
    lost = {**step(2), "loss": None}
    failed: Json = {"tell": "failed", "error": {"kind": "diverged", "message": words}}
    job_id = begun(studio, tmp_path, [begins(9), step(1), lost, failed], "diverges")
    training.open(f"/training/{job_id}")
    expect(training.page.get_by_role("alert")).to_have_text(words)
    assert steps_in_table(training) == [1, 2]
    expect(training.page.locator("figure tbody tr").last).to_have_text("2––")
    # The newest that was one.
    expect(figure(training, "loss")).to_have_text("3")


def test_more_than_can_be_told_apart_are_not_left_out_in_silence(training: Tab, studio: Served, tmp_path: Path) -> None:
    jobs = [begun(studio, tmp_path, DONE, f"one of {number}") for number in range(7)]
    training.open(f"/training?compare={','.join(jobs)}")
    expect(training.page.get_by_role("status")).to_contain_text("6 of 7 are shown")
    expect(training.page.locator("figcaption > span")).to_have_count(6)
