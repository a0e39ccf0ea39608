"""Shows what a person evaluates by himself on the page: blind votes, sets of his own, and all of it in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from paddock.models.catalog import BUNDLED
from tests.page import rig
from tests.page.rig import DESK, PHONE, Served, Tab
from tests.page.test_exports import button
from tests.wire.rig import CHAT
from tests.wire.test_evaluations import said

ANSWERS = {
    "pocket-v0": "**Alpha** is the *first* letter.\n\n1. one\n2. two",
    "tuned": "Beta, the second letter of the alphabet, is what I say, and I say it at some length to fill a line.",
}
FAULTY = """{"prompt": "What is 2 + 2?", "contains": "4"}
{"prompt": "Hello", "regex": "("}
nothing of JSON"""
WHOLE = """{"name": "hello", "prompt": "Hello", "contains": "Alpha"}
{"name": "never", "prompt": "Hello", "exact": "Never."}"""


@pytest.fixture(scope="module")
def studio(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock before two scripted engines, each with words of its own."""
    folder = tmp_path_factory.mktemp("home")
    with rig.served(wheel, folder, scripted_engine) as served:
        file = folder / "tuned.gguf"
        file.write_bytes(BUNDLED["pocket-v0"].read_bytes())
        served.ask("/api/models/import", {"path": str(file)})
        known: list[int] = []
        for name, words in ANSWERS.items():
            served.ask(f"/api/models/{name}/load", {})
            (port,) = set(served.engine_ports()) - set(known)
            known.append(port)
            served.script({"routes": {CHAT: [said(words)]}}, port=port)
        yield served


@pytest.fixture
def page(chromium: Browser, studio: Served) -> Generator[Tab]:
    """A page before it."""
    with rig.tab(chromium, studio.url) as opened:
        yield opened


def looked_at(page: Tab, name: str) -> None:
    """Look at what is shown: in both themes, at a desk and on a phone."""
    # It breathes, which changes its colours.
    expect(page.page.get_by_text("Loading…")).to_have_count(0)
    for theme in ("dark", "light"):
        page.page.evaluate("theme => document.documentElement.classList.toggle('dark', theme === 'dark')", theme)
        for device, size in (("desk", DESK), ("phone", PHONE)):
            page.page.set_viewport_size({"width": size["width"], "height": size["height"]})
            # A screenshot in the middle of a change of colours shows neither theme.
            page.page.wait_for_timeout(300)
            page.shoot(f"{name}-{theme}-{device}")
            assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert page.axe() == []
    page.page.set_viewport_size({"width": DESK["width"], "height": DESK["height"]})


def begun(page: Tab, prompts: str, name: str) -> None:
    """Begin a vote on typed prompts, and wait for its first pair."""
    page.open("/evaluations")
    button(page, "New vote").click()
    window = page.page.get_by_role("dialog", name="New vote")
    expect(window.get_by_role("button", name="Begin")).to_be_disabled()
    window.get_by_label("One model").select_option("pocket-v0")
    window.get_by_label("Other model").select_option("tuned")
    window.get_by_label("Typed prompts").fill(prompts)
    window.get_by_label("Name", exact=True).fill(name)
    looked_at(page, "vote-new")
    window.get_by_role("button", name="Begin").click()
    expect(page.page).to_have_url(re.compile(r"/evaluations/job_\w+$"))
    expect(page.page.get_by_role("status").filter(has_text="Pair 1 of")).to_be_visible()


def side_of(page: Tab, words: str) -> str:
    """On which side an answer stands that holds these words."""
    answers = {side: page.page.get_by_role("region", name=f"{side} answer") for side in ("Left", "Right")}
    for one in answers.values():
        expect(one).to_contain_text(re.compile("Alpha|Beta"))
    return next(side for side, one in answers.items() if words in one.inner_text())


def far(page: Tab, words: str) -> Locator:
    """How far the vote is."""
    found = page.page.get_by_role("status").filter(has_text=words)
    expect(found).to_be_visible()
    return found


def test_two_models_are_voted_on_blind_by_pointer_and_keys_and_named_at_the_end(page: Tab) -> None:
    begun(page, "What is first?\n\n  What is second?  \nWhat is last?", "letters")
    far(page, "Pair 1 of 3; 0 voted on")
    expect(page.page.get_by_role("region", name="Asked")).to_contain_text("What is first?")
    looked_at(page, "vote")
    # Each stands once, under the name of its side alone.
    first = side_of(page, "Alpha")
    assert {first, side_of(page, "Beta")} == {"Left", "Right"}
    main = page.page.locator("main")
    for side in ("Left", "Right"):
        markup = page.page.get_by_role("region", name=f"{side} answer").evaluate("one => one.outerHTML")
        assert "pocket-v0" not in markup
        assert "tuned" not in markup
    button(page, f"{first} {'←' if first == 'Left' else '→'}").click()
    far(page, "Pair 2 of 3; 1 voted on")
    page.page.keyboard.press("ArrowLeft" if side_of(page, "Alpha") == "Left" else "ArrowRight")
    far(page, "Pair 3 of 3; 2 voted on")
    # What was voted is kept; the rest is gone on with.
    page.page.reload()
    far(page, "Pair 3 of 3; 2 voted on")
    page.page.keyboard.press("t")
    expect(main).to_contain_text("All is voted on.")
    page.page.keyboard.press("Backspace")
    far(page, "Pair 3 of 3; 3 voted on")
    expect(page.page.get_by_role("button", name="Neither better")).to_have_attribute("aria-pressed", "true")
    page.page.keyboard.press("b")
    expect(main).to_contain_text("All is voted on.")
    button(page, "Show the names").click()
    window = page.page.get_by_role("dialog", name="Show whose the answers are?")
    expect(window).to_contain_text("That ends the vote: what was chosen is chosen.")
    # Keys are the window's now.
    page.page.keyboard.press("t")
    looked_at(page, "vote-names")
    window.get_by_role("button", name="Show the names").click()
    expect(main).to_contain_text(re.compile(r"pocket-v0\s*2 of 3: 66\.7% \([\d.]+% to [\d.]+%\)"))
    expect(main).to_contain_text(re.compile(r"Both bad\s*1 of 3"))
    expect(main).not_to_contain_text("before the end")
    pairs = page.page.get_by_role("list", name="Every pair").get_by_role("listitem")
    expect(pairs.filter(has_text="Chosen: Both bad")).to_contain_text("What is last?")
    looked_at(page, "vote-report")
    with page.page.expect_download() as saved:
        button(page, "Save as JSON").click()
    told: dict[str, Any] = json.loads(Path(saved.value.path()).read_text("utf-8"))
    assert saved.value.suggested_filename == "letters.json"
    assert [one["count"] for one in told["report"]["models"]] == [2, 0]
    assert {told["data"][0][side]["model"] for side in ("left", "right")} == set(ANSWERS)


def test_names_that_are_shown_early_end_the_vote_and_the_report_says_so(page: Tab) -> None:
    begun(page, "One\nTwo", "early")
    page.page.keyboard.press("ArrowLeft")
    far(page, "Pair 2 of 2; 1 voted on")
    button(page, "Show the names").click()
    window = page.page.get_by_role("dialog", name="Show whose the answers are?")
    expect(window).to_contain_text("one pair stays without a vote")
    page.page.keyboard.press("Escape")
    far(page, "Pair 2 of 2; 1 voted on")
    button(page, "Show the names").click()
    window.get_by_role("button", name="Show the names").click()
    main = page.page.locator("main")
    expect(main).to_contain_text("The names were shown before the end: 1 of 2 were voted on.")
    expect(page.page.get_by_role("button", name=re.compile("^Left"))).to_have_count(0)
    button(page, "Remove early").click()
    page.page.get_by_role("dialog", name="Remove early?").get_by_role("button", name="Remove").click()
    expect(page.page).to_have_url(re.compile(r"/evaluations$"))
    expect(main).to_contain_text("Sets of your own")
    expect(main).not_to_contain_text("early")


def test_a_vote_whose_names_another_tab_shows_says_why_nothing_is_chosen_any_more(page: Tab, studio: Served) -> None:
    begun(page, "One\nTwo", "elsewhere")
    studio.ask(f"/api/evaluations/{page.page.url.rpartition('/')[2]}/show", {})
    page.expected.append("409")
    page.page.keyboard.press("ArrowLeft")
    fault = page.page.get_by_role("alert")
    expect(fault).to_contain_text("would not be blind")
    fault.get_by_role("button").click()
    expect(page.page.locator("main")).to_contain_text("0 of 2 were voted on")


def test_a_set_is_written_and_kept_once_every_line_of_it_can_be_tried(page: Tab, tmp_path: Path) -> None:
    page.open("/evaluations")
    button(page, "New set").click()
    window = page.page.get_by_role("dialog", name="New set")
    keep = window.get_by_role("button", name="Keep")
    window.get_by_label("Name", exact=True).fill("mine")
    window.get_by_label("Lines").fill(FAULTY)
    faults = window.get_by_role("region", name="Lines that cannot be tried")
    expect(faults).to_contain_text("2 lines cannot be tried:")
    expect(faults.get_by_role("listitem")).to_have_text(
        [re.compile("^Line 2 of the set has a regex that cannot be used"), re.compile("^Line 3 of the set is no JSON")]
    )
    expect(keep).to_be_disabled()
    looked_at(page, "set-faulty")
    file = tmp_path / "other.jsonl"
    file.write_text(WHOLE, "utf-8")
    window.get_by_label("Or from a file").set_input_files(file)
    expect(window.get_by_role("status")).to_have_text(re.compile(r"^2 tries: contains 1, exact 1\."))
    expect(window.get_by_label("Name", exact=True)).to_have_value("mine")
    keep.click()
    row = page.page.get_by_role("list", name="Sets of your own").get_by_role("listitem").filter(has_text="mine")
    expect(row).to_contain_text("2 tries")


def test_a_set_is_tried_changed_and_removed_while_what_was_found_stays(page: Tab, studio: Served) -> None:
    studio.ask("/api/evaluation-sets", {"name": "own", "lines": WHOLE})
    page.open("/evaluations")
    row = page.page.get_by_role("list", name="Sets of your own").get_by_role("listitem").filter(has_text="own")
    row.get_by_role("button", name="Try a model on own").click()
    window = page.page.get_by_role("dialog", name="New evaluation")
    expect(window.get_by_label("By which tries")).to_have_value(re.compile("^set_"))
    window.get_by_label("Model", exact=True).select_option("pocket-v0")
    looked_at(page, "evaluation-new")
    window.get_by_role("button", name="Begin").click()
    done = page.page.get_by_role("list", name="Evaluations", exact=True).get_by_role("listitem").filter(has_text="own")
    expect(done).to_contain_text(re.compile(r"pocket-v0 · 1 of 2 passed: 50%"))
    done.get_by_role("button", name="What failed in own").click()
    expect(done.get_by_role("list", name="Tries that did not pass")).to_contain_text("exact: never")
    looked_at(page, "evaluations")
    row.get_by_role("button", name="Change own").click()
    window = page.page.get_by_role("dialog", name="Change")
    expect(window.get_by_label("Lines")).to_have_value(WHOLE)
    window.get_by_label("Lines").fill(WHOLE.partition("\n")[0])
    expect(window.get_by_role("status")).to_have_text(re.compile("^One try: contains 1"))
    window.get_by_role("button", name="Keep").click()
    expect(row).to_contain_text("one try")
    row.get_by_role("button", name="Remove own").click()
    window = page.page.get_by_role("dialog", name="Remove own?")
    expect(window).to_contain_text("keep their own copy")
    window.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    # What was tried with it is there until it is removed itself, which asks.
    done.get_by_role("button", name="Remove own").click()
    page.page.get_by_role("dialog", name="Remove own?").get_by_role("button", name="Cancel").click()
    expect(done).to_be_visible()
    done.get_by_role("button", name="Remove own").click()
    page.page.get_by_role("dialog", name="Remove own?").get_by_role("button", name="Remove").click()
    expect(done).to_have_count(0)


def test_it_is_found_beside_trainings_and_exports_and_speaks_german(page: Tab) -> None:
    page.open("/training")
    page.page.get_by_role("navigation", name="Training").get_by_role("link", name="Evaluations").click()
    expect(page.page.get_by_role("heading", name="Evaluations", level=1)).to_be_visible()
    page.prefer(language="de")
    page.open("/evaluations")
    expect(page.page.get_by_role("heading", name="Bewertungen", level=1)).to_be_visible()
    button(page, "Neue Abstimmung").click()
    expect(page.page.get_by_role("dialog", name="Neue Abstimmung")).to_contain_text("wessen sie sind")
    page.shoot("vote-new-de")
