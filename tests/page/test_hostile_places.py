"""Shows that no text runs, wherever it stands on the page: what others put there, and all that the API answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from paddock.api.page import PATHS
from tests.page import hostile, rig
from tests.page.hostile import Trap, unfolded
from tests.page.hostile_studio import MARKS, Hostile, studio
from tests.page.poison import Poisoner
from tests.page.test_hostile_accounts import SIGNED_IN

pytestmark = pytest.mark.attack("scripts in every field the page shows")
WEB = Path(__file__).resolve().parents[2] / "web" / "src"
# Addresses that the page reads, and that nothing of can be spoilt.
UNREAD = {
    "/health": "asked when paddock is gone; its words are the page's own",
    "/api/tools/permissions": "asked where a tool is on; names of tools are looked up in it, and its words are three",
}
# What is spoilt and must be there to be read, so that a page which hides all is not taken for a safe one.
SHOWN = {
    "/api/aliases.data[].pattern",
    "/api/chats/ID.messages[].content[].arguments",
    "/api/chats/ID.messages[].content[].name",
    "/api/chats/ID.messages[].content[].output",
    "/api/chats/ID.messages[].content[].text",
    "/api/chats/ID.messages[].model",
    "/api/chats/ID.title",
    "/api/clients.data[].file.text",
    "/api/clients.data[].note",
    "/api/downloads.data[].error.message",
    "/api/downloads.data[].model",
    "/api/engines.active",
    "/api/evaluation-sets.data[].name",
    "/api/evaluation-sets/ID.lines",
    "/api/evaluations.data[].name",
    "/api/evaluations/ID.name",
    "/api/evaluations/ID/ballot.pair.asked[].content",
    "/api/evaluations/ID/ballot.pair.left.text",
    "/api/evaluations/ID/votes.data[].right.model",
    "/api/evaluations/ID/votes.report.models[].model",
    "/api/knowledge.data[].name",
    "/api/knowledge/ID.data[].name",
    "/api/knowledge/ID.name",
    "/api/exports.data[].error.message",
    "/api/exports.data[].name",
    "/api/exports.data[].spec.source",
    "/api/exports/ID.error.message",
    "/api/exports/ID.figures.certificates.F16.links.template",
    "/api/exports/ID.name",
    "/api/exports/ID.spec.source",
    "/api/exports/ID/events.doing",
    "/api/exports/ID/events.error.message",
    "/api/exports/ID/events.faults[]",
    "/api/exports/ID/events.name",
    "/api/exports/ID/events.progress",
    "/api/exports/ID/files/ID/certificate.figures.template.calls_lost[]",
    "/api/exports/ID/files/ID/certificate.figures.template.different[].name",
    "/api/exports/ID/files/ID/certificate.links.template.says",
    "/api/exports/ID/files/ID/certificate.method",
    "/api/exports/estimate.error.message",
    "/api/folders.data[].name",
    "/api/hub/ours/pocket-GGUF.licence",
    "/api/hub/ours/pocket-GGUF.variants[].quantization",
    "/api/hub/search.data[].licence",
    "/api/keys.data[].name",
    "/api/models.broken[].reason",
    "/api/models.models[].quantization",
    "/api/presets.data[].name",
    "/api/remotes.remotes[].name",
    "/api/requests.data[].model",
    "/api/requests/ID.headers[][]",
    "/api/requests/ID.sections.inbound",
    "/api/settings.settings[].help",
    "/api/settings.settings[].value",
    "/api/system.cpu.name",
    "/api/system.home.path",
    "/api/system/log.lines[].message",
    "/api/training.data[].error.message",
    "/api/training.data[].name",
    "/api/training.data[].spec.data",
    "/api/training.data[].spec.method",
    "/api/training/ID.error.message",
    "/api/training/estimate.error.message",
    "/api/training/ID.figures.answer",
    "/api/training/ID.name",
    "/api/training/ID.spec.base",
    "/api/training/ID.spec.sample_prompts",
    "/api/training/ID.yaml",
    "/api/training/ID/events.error.message",
    "/api/training/ID/events.name",
    "/api/training/ID/events.path",
    "/api/training/ID/events.prompt",
    "/api/training/ID/events.text",
    "/api/training/options.data[].group",
    "/api/training/options.data[].help",
}
# What is kept of a recorded request, beside what came in.
LAYERS = ("upstream", "prompt", "engine", "events", "outbound")
MORE = re.compile(r"^More about m\d+q")
# What is opened, one after another, once a place has been looked at.
OPENED = {
    "/chat/hostile-chat": ("How answers are made",),
    "/models": (MORE, "Settings…", "Close", MORE, "Evaluations…"),
    "/training/new": ("Every option", "Write YAML"),
    "/evaluations": (re.compile(r"^Change m\d+q"),),
}


@pytest.fixture(scope="module")
def there(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Hostile]:
    """A paddock that everybody who could has put something hostile into."""
    with studio(wheel, scripted_engine, tmp_path_factory.mktemp("hostile")) as there:
        yield there


def searched(page: Page, there: Hostile) -> None:
    """Ask the hub for what it has."""
    page.get_by_role("tab", name="Get more models").click()
    page.get_by_label("Search the hub").fill("pocket")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("list", name="Found on the hub").get_by_role("button").first).to_be_visible()
    unfolded(page)
    expect(page.get_by_role("list", name="Variants of").get_by_role("listitem").first).to_be_visible()


def reckoned(page: Page, there: Hostile) -> None:
    """Ask what a training would need whose rows cannot be read."""
    # What was typed outlasts a reload, and so does the view of every option.
    page.get_by_label(re.compile("^data$", re.IGNORECASE)).fill(str(there.refused_rows))
    page.get_by_role("button", name="What it would need").click()
    expect(page.get_by_role("alert")).to_be_visible()


def misnamed(page: Page, there: Hostile) -> None:
    """Ask what an export would make of what is not there."""
    page.get_by_label("What is exported").select_option(value="")
    page.get_by_role("textbox", name="Folder").fill("/nowhere")
    page.get_by_label("Base model").focus()
    expect(page.locator("[aria-invalid]")).to_be_visible()


def proved(page: Page, there: Hostile) -> None:
    """Open the certificate of a file, and all that is in it."""
    page.get_by_role("button", name="Certificate of x-F16.gguf").click()
    folded = page.get_by_role("dialog").locator("summary")
    expect(folded.first).to_be_visible()
    for one in folded.all():
        one.click()


# What is done at a place, once it has been looked at.
DONE: dict[str, Callable[[Page, Hostile], None]] = {
    "/models": searched,
    "/training/new": reckoned,
    "/exports/new": misnamed,
}


def places(there: Hostile) -> list[str]:
    """Every place of the page, those of single things with what is hostile in them."""
    first, second = there.trainings
    ids = {
        "/chat/{id}": "hostile-chat", "/training/{id}": first, "/exports/{id}": there.exports[1],
        "/evaluations/{id}": there.votes[0], "/knowledge/{id}": there.collection,
    }  # fmt: skip
    records = [one["id"] for one in there.listed("/api/requests")]
    return [
        *(path.replace("{id}", ids.get(path, "")) for path in PATHS),
        *(f"/requests?id={record}" for record in records),
        f"/knowledge/{there.collection}?passage={there.passage}",
        f"/training/{second}",
        f"/exports/{there.exports[0]}",
        f"/evaluations/{there.votes[1]}",
        f"/training/new?from={first}",
        f"/training?compare={first},{second}",
    ]


def visited(there: Hostile, trap: Trap, page: Page, missing: Callable[[], set[str]]) -> None:
    """Go to every place of the page and look; on a busy machine more slowly once more, while something is missing."""
    for settle_ms in (400, 2500):
        if missing():
            gone_through(there, trap, page, settle_ms)


def gone_through(there: Hostile, trap: Trap, page: Page, settle_ms: int) -> None:
    """Go to every place of the page, open what can be opened, and look."""

    def gone_to(path: str) -> None:
        page.goto(there.served.url + path)
        page.locator("main").first.wait_for()
        expect(page.get_by_text("Loading…")).to_have_count(0)
        page.wait_for_timeout(settle_ms)

    for path in places(there):
        gone_to(path)
        unfolded(page)
        page.wait_for_timeout(200)
        trap.look(page)
        done = proved if path == f"/exports/{there.exports[0]}" else DONE.get(path)
        if done:
            done(page, there)
            page.wait_for_timeout(settle_ms)
            trap.look(page)
            gone_to(path)
        for name in OPENED.get(path, ()):
            roles = [page.get_by_role(role, name=name) for role in ("button", "menuitem", "switch")]
            roles[0].or_(roles[1]).or_(roles[2]).last.click()
            page.wait_for_timeout(settle_ms)
            trap.look(page)
        if path.startswith("/requests?"):
            for layer in LAYERS:
                page.get_by_label("Right", exact=True).select_option(layer)
                page.wait_for_timeout(100)
                trap.look(page)


def test_nothing_that_others_put_there_runs(there: Hostile, chromium: Browser) -> None:
    with rig.tab(chromium, there.served.url) as tab:
        tab.expected.append("422")
        trap = hostile.set_up(tab)

        def missing() -> set[str]:
            return {name for name, mark in MARKS.items() if mark not in trap.seen}

        visited(there, trap, tab.page, missing)
        assert not trap.found, trap.told()
        assert missing() == set()


def test_nothing_that_the_api_answers_runs(there: Hostile, chromium: Browser) -> None:
    with rig.tab(chromium, there.served.url) as tab:
        tab.expected.append("422")
        trap, poisoner = hostile.set_up(tab), Poisoner()
        poisoner.watch(tab.context)

        def missing() -> set[str]:
            return SHOWN - set(poisoner.shown(trap.seen))

        visited(there, trap, tab.page, missing)
        assert not trap.found, trap.told()
        assert missing() == set()
        assert len(asked_by_the_page()) > 10
        assert asked_by_the_page() - poisoner.answered - SIGNED_IN - set(UNREAD) == set()


def asked_by_the_page() -> set[str]:
    """The addresses without parameters that the page's sources read."""
    sources = [*WEB.glob("services/*.ts"), *WEB.glob("stores/*.ts"), *WEB.glob("components/**/*.tsx")]
    read = re.compile(r"""\("GET", "(/(?:api|v1|health)[\w/-]*)\"""")
    return {path for file in sources if file.name != "schema.d.ts" for path in read.findall(file.read_text("utf-8"))}
