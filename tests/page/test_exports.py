"""Shows exports on the page, before a worker that does as it is told: begun, watched, proved, put among the models."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.page import rig
from tests.page.rig import PHONE, Served, Tab
from tests.page.test_training import DONE as TRAINED
from tests.page.test_training import begun as training_begun
from tests.wire.rig import FAKE
from tests.wire.test_export_files import LINKS, making
from tests.wire.test_exports import WAITING, WORKER, model

Json = dict[str, Any]
TEMPLATE = {
    "verdict": "fail",
    "says": "1 of 34 prompts are written otherwise: 'tools' from byte 7 on, 'other words' for 'the words'.",
}
FAILING: Json = {
    "verdict": "fail",
    "links": {**LINKS, "template": TEMPLATE},
    "figures": {
        "template": {
            "prompts": 34,
            "different": [{"name": "tools", "at": 7, "source": "the words", "file": "other words"}],
            "calls_lost": ["[['sum', {}]] is read as []"],
        },
        "conversion": {"type": "F16", "distributions": {"kl_mean": 0.00012, "positions": 340, "same_first": 339}},
    },
}


@pytest.fixture(scope="module")
def studio(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock before the scripted worker."""
    with rig.served(wheel, tmp_path_factory.mktemp("home"), scripted_engine, worker=WORKER) as served:
        yield served


@pytest.fixture
def page(chromium: Browser, studio: Served) -> Generator[Tab]:
    """A page before it."""
    with rig.tab(chromium, studio.url) as opened:
        yield opened


def begun(studio: Served, folder: Path, acts: list[Json], name: str) -> str:
    """An export that does these acts; its id."""
    body = {"source": model(folder, acts), "name": name, "types": ["F16"]}
    return str(studio.ask("/api/exports", body)["id"])


def button(tab: Tab, name: str) -> Locator:
    return tab.page.get_by_role("button", name=name, exact=True)


def state(tab: Tab, words: str) -> None:
    """Wait until the export that is shown is in this state."""
    expect(tab.page.get_by_role("main").get_by_text(words, exact=True).first).to_be_visible()


def both_themes(tab: Tab, name: str) -> None:
    """Look at what is shown in each theme: axe, and a screenshot to be looked at."""
    for theme in ("dark", "light"):
        tab.theme(theme)
        tab.page.reload()
        expect(tab.page.get_by_text("Loading…")).to_have_count(0)
        tab.page.wait_for_timeout(300)
        tab.shoot(f"{name}-{theme}")
        assert tab.axe() == []


def test_one_is_begun_by_hand_watched_and_its_file_put_among_the_models(
    page: Tab, studio: Served, tmp_path: Path
) -> None:
    source = model(tmp_path, making(tmp_path))
    page.open("/training")
    page.page.get_by_role("navigation", name="Training").get_by_role("link", name="Exports").click()
    button(page, "New export").click()
    page.page.get_by_role("textbox", name="Folder").fill(source)
    page.page.get_by_label("Name of the files").fill("by-hand")
    expect(page.page.get_by_role("status").filter(has_text="cannot reckon")).to_be_visible()
    page.page.get_by_label("Q8_0").uncheck()
    button(page, "Start").click()
    expect(page.page).to_have_url(re.compile(r"/exports/job_\w+$"))
    state(page, "done")
    main = page.page.get_by_role("main")
    expect(page.page.get_by_role("heading", level=1)).to_have_text("by-hand")
    expect(main).to_contain_text("step 1 of 2: F16 is written")
    expect(main).to_contain_text("Done after 1 s.")
    links = page.page.get_by_role("list", name="Links of the chain")
    expect(links).to_contain_text("Template passes")
    expect(links).to_contain_text("Merge does not apply")
    state(page, "ready")
    with page.page.expect_download() as fetched:
        page.page.get_by_role("link", name="Download x-F16.gguf").click()
    assert Path(fetched.value.path()).read_bytes() == (tmp_path / "x-F16.gguf").read_bytes()
    both_themes(page, "export-done")
    button(page, "Put among the models: x-F16.gguf").click()
    dialog = page.page.get_by_role("dialog", name="Put among the models: x-F16.gguf")
    expect(dialog).not_to_contain_text("does not pass")
    dialog.get_by_label("Name of the model").fill("by-hand")
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_text("by-hand is among the models.")).to_be_visible()
    button(page, "Remove by-hand").click()
    asked = page.page.get_by_role("dialog", name="Remove by-hand?")
    asked.get_by_role("button", name="Cancel").click()
    button(page, "Remove by-hand").click()
    asked.get_by_role("button", name="Remove").click()
    expect(page.page).to_have_url(re.compile("/exports$"))
    expect(page.page.get_by_role("link", name="by-hand", exact=True)).to_have_count(0)
    # What it is among the models outlives it.
    page.open("/models")
    row = page.page.get_by_role("listitem", name="by-hand", exact=True)
    expect(row.get_by_text("certified", exact=True)).to_be_visible()
    page.shoot("export-among-models")
    assert page.axe() == []


def test_what_a_certificate_finds_at_fault_is_looked_at(page: Tab, studio: Served, tmp_path: Path) -> None:
    job_id = begun(studio, tmp_path, making(tmp_path, **FAILING), "faulty")
    page.open(f"/exports/{job_id}")
    state(page, "failed")
    expect(page.page.get_by_role("list", name="Links of the chain")).to_contain_text("Template fails")
    button(page, "Certificate of x-F16.gguf").focus()
    page.page.keyboard.press("Enter")
    dialog = page.page.get_by_role("dialog", name="Certificate of x-F16.gguf")
    expect(dialog.get_by_text(TEMPLATE["says"])).to_be_visible()
    expect(dialog).to_contain_text("33 of 34 answers the same")
    template = dialog.get_by_role("region", name="Template")
    expect(template).to_contain_text("from place 7 on")
    expect(template).to_contain_text("other words")
    expect(template).to_contain_text("is read as []")
    conversion = dialog.get_by_role("region", name="Conversion")
    conversion.get_by_text("Figures").click()
    expect(conversion.get_by_role("row").filter(has_text="KL divergence")).to_contain_text("1.20e-4")
    for theme in ("dark", "light"):
        page.page.evaluate("theme => document.documentElement.classList.toggle('dark', theme === 'dark')", theme)
        page.shoot(f"export-certificate-{theme}")
        assert page.axe() == []
    page.page.keyboard.press("Escape")
    button(page, "Put among the models: x-F16.gguf").click()
    expect(page.page.get_by_role("dialog")).to_contain_text("Its certificate does not pass.")
    page.page.get_by_label("Name of the model").fill("a/b")
    page.expected.append("400")
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_role("alert")).to_contain_text("cannot be a model's name")
    page.page.get_by_label("Name of the model").fill("faulty")
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_text("faulty is among the models.")).to_be_visible()
    page.open("/models")
    row = page.page.get_by_role("listitem", name="faulty", exact=True)
    expect(row.get_by_text("certificate failed", exact=True)).to_be_visible()


def test_one_is_cancelled_gone_on_with_and_the_next_waits(page: Tab, studio: Served, tmp_path: Path) -> None:
    first = begun(studio, tmp_path, WAITING, "first")
    second = begun(studio, tmp_path, making(tmp_path), "second")
    page.open(f"/exports/{second}")
    state(page, "waits")
    expect(page.page.get_by_role("main")).to_contain_text("Waits until the export before it has ended.")
    expect(page.page.get_by_role("main")).to_contain_text("No file is whole yet.")
    page.open(f"/exports/{first}")
    expect(page.page.get_by_role("main")).to_contain_text("F16 is written now")
    page.page.reload()
    expect(page.page.get_by_role("main")).to_contain_text("F16 is written now")
    page.expected.append("ERR_")
    button(page, "Cancel first").click()
    state(page, "cancelled")
    expect(page.page.get_by_role("main")).to_contain_text("F16 is written ended here")
    button(page, "Resume first").click()
    expect(button(page, "Cancel first")).to_be_visible()
    page.open("/exports")
    both_themes(page, "export-list")
    button(page, "Cancel first").click()
    row = page.page.get_by_role("listitem").filter(has=page.page.get_by_role("link", name="second", exact=True))
    expect(row.get_by_text("done", exact=True)).to_be_visible()
    expect(row.get_by_text("ready", exact=True)).to_be_visible()
    button(page, "Verify second").click()
    page.open(f"/exports/{second}")
    state(page, "done")
    page.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    for path in ("/exports", "/exports/new", f"/exports/{second}"):
        page.open(path)
        expect(page.page.get_by_text("Loading…")).to_have_count(0)
        page.shoot(f"export-phone-{path.rpartition('/')[2][:4]}")
        assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


def test_a_failure_is_told_and_what_is_whole_is_kept(page: Tab, studio: Served, tmp_path: Path) -> None:
    words = "The disk is full. Free space, and resume."
    failed: Json = {"tell": "failed", "error": {"kind": "disk", "message": words}}
    job_id = begun(studio, tmp_path, [*making(tmp_path)[:4], failed], "too-large")
    page.open(f"/exports/{job_id}")
    expect(page.page.get_by_role("alert")).to_have_text(words)
    expect(button(page, "Resume too-large")).to_be_visible()
    # Made, and not compared: it is not called ready.
    state(page, "not compared")
    expect(button(page, "Certificate of x-F16.gguf")).to_have_count(0)


def test_a_training_leads_here_and_what_it_takes_is_told_before(page: Tab, studio: Served, tmp_path: Path) -> None:
    page.expected.append("422")
    job_id = training_begun(studio, tmp_path, TRAINED, "a training")
    page.open(f"/training/{job_id}")
    page.page.get_by_role("link", name="Export a training").click()
    expect(page.page).to_have_url(re.compile(rf"/exports/new\?from={job_id}$"))
    source = page.page.get_by_label("What is exported")
    expect(source).to_have_value(job_id)
    expect(source).to_have_accessible_description(re.compile("made nothing yet"))
    source.select_option(label="A folder…")
    page.page.get_by_role("textbox", name="Folder").fill("pocket-v0")
    page.page.get_by_label("Base model").focus()
    status = page.page.get_by_role("status").filter(has_text="on the disk")
    expect(status).to_contain_text("are free")
    expect(page.page.get_by_text(re.compile(r"about 4\.9 MiB"))).to_be_visible()
    # What cannot be made here is named once, and cannot be chosen.
    expect(page.page.get_by_label("Q4_K_M")).to_have_count(0)
    expect(page.page.get_by_text(re.compile("Q4_K_M.* need llama-quantize beside the engine"))).to_be_visible()
    expect(page.page.get_by_label("Name of the files")).to_have_accessible_description(
        re.compile(r"Empty: pocket-v0\.")
    )
    both_themes(page, "export-new")
    page.page.get_by_label("What is exported").select_option(label="A folder…")
    page.page.get_by_role("textbox", name="Folder").fill("pocket-v0")
    page.page.get_by_label("Name of the files").fill("no/name")
    button(page, "Start").click()
    name = page.page.get_by_label("Name of the files")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description(re.compile("letters, digits"))
    name.fill("")
    for kind in ("F16", "Q8_0"):
        page.page.get_by_role("checkbox", name=re.compile(f"^{kind}")).uncheck()
    button(page, "Start").click()
    expect(page.page.get_by_role("group", name="Types of files")).to_have_accessible_description(
        re.compile("^types is")
    )


def of_adapter(folder: Path) -> str:
    """An adapter whose export makes one folder, one file with what Ollama reads, and one in pieces."""
    acts = [
        {"tell": "step", "step": 1, "steps": 1, "doing": "copy ADAPTER"},
        {"write": "files/x-adapter/adapter_config.json", "text": "{}"},
        {"tell": "artifact", "name": "ADAPTER", "path": "/a/x-adapter", "size_bytes": 2},
        *({"write": f"files/x-IQ2_XS-0000{one}-of-00002.gguf", "text": "GGUF"} for one in (1, 2)),
        {"write": "files/x-F16.gguf", "text": "GGUF"},
        {"write": "files/x-F16.Modelfile", "text": "FROM ./x-F16.gguf"},
        {"tell": "artifact", "name": "F16", "path": "/a/x-F16.gguf", "size_bytes": 4},
        {"tell": "artifact", "name": "IQ2_XS", "path": "/a/x-IQ2_XS-00001-of-00002.gguf", "size_bytes": 8},
        {"tell": "done", "took_s": 1.0},
    ]
    source = folder / "adapter"
    source.mkdir()
    (source / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": model(folder, acts)}))
    return str(source)


def test_what_few_exports_need_is_chosen_and_refused_by_its_field(
    wheel: Path, tmp_path: Path, chromium: Browser
) -> None:
    # An engine of llama.cpp, with its programs beside it.
    for name in ("llama-quantize.py", "llama-imatrix.py"):
        (tmp_path / name).touch()
    (tmp_path / "llama-server.py").symlink_to(FAKE)
    source = of_adapter(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    with (
        rig.served(wheel, home, [sys.executable, str(tmp_path / "llama-server.py")], worker=WORKER) as served,
        rig.tab(chromium, served.url) as tab,
    ):
        tab.expected.append("422")
        tab.open("/exports/new")
        main = tab.page.get_by_role("main")
        main.get_by_role("textbox", name="Folder").fill(source)

        def choose(*kinds: str) -> None:
            for kind in kinds:
                main.get_by_role("checkbox", name=re.compile(f"^{kind} |^{kind}$")).click()

        expect(main.get_by_role("checkbox", name="F16", exact=True)).to_be_checked()
        expect(main.get_by_role("checkbox", name=re.compile("^IQ2_XS"))).to_have_count(0)
        rows, split = main.get_by_label("Rows that tell which weights matter"), main.get_by_label("larger than (MB)")
        rows.fill("llama-keeper")
        choose("Q8_0", "IQ2_XS", "ADAPTER", "LORA")
        split.fill("0.5")
        button(tab, "Start").click()
        expect(split).to_be_focused()
        expect(split).to_have_accessible_description(re.compile("at least 1000000"))
        split.fill("2000")
        rows.fill("")
        button(tab, "Start").click()
        expect(rows).to_be_focused()
        expect(rows).to_have_accessible_description(re.compile("IQ2_XS is not made without"))
        tab.shoot("export-new-refused")
        assert tab.axe() == []
        rows.fill("llama-keeper")
        button(tab, "Start").click()
        expect(tab.page).to_have_url(re.compile(r"/exports/job_\w+$"))
        state(tab, "done")
        spec = json.loads(next(home.glob("jobs/job_*/order.json")).read_text())["spec"]
        assert spec["types"] == ["F16", "IQ2_XS", "ADAPTER", "LORA"]
        assert (spec["importance"], spec["split_bytes"]) == ("llama-keeper", 2 * 10**9)
        expect(main).to_contain_text("step 1 of 1: the adapter is copied")
        fetched = ("x-F16.gguf", "x-F16.Modelfile", *(f"x-IQ2_XS-0000{one}-of-00002.gguf" for one in (1, 2)))
        for name in fetched:
            expect(tab.page.get_by_role("link", name=f"Download {name}")).to_be_visible()
        # A folder is fetched with everything, and is no model.
        expect(tab.page.get_by_role("button", name="Put among the models: x")).to_have_count(2)
        with tab.page.expect_download() as whole:
            tab.page.get_by_role("link", name="Download all as one archive").click()
        with ZipFile(whole.value.path()) as archive:
            assert sorted(archive.namelist()) == sorted([*fetched, "x-adapter/adapter_config.json"])
        both_themes(tab, "export-pieces")


def test_it_speaks_german(page: Tab, studio: Served, tmp_path: Path) -> None:
    job_id = begun(studio, tmp_path, making(tmp_path, **FAILING), "deutsch")
    page.open("/exports")
    page.prefer(language="de")
    page.open(f"/exports/{job_id}")
    expect(page.page.get_by_role("list", name="Glieder der Kette")).to_contain_text("Vorlage fällt durch")
    state(page, "durchgefallen")
    expect(page.page.get_by_role("main")).to_contain_text("Schritt 1 von 2: F16 wird geschrieben")
    button(page, "Zertifikat von x-F16.gguf").click()
    expect(page.page.get_by_role("dialog")).to_contain_text("Was anders gesagt wird")
    page.shoot("export-german")
    page.open("/exports/new")
    expect(page.page.get_by_role("main")).to_contain_text("Dateitypen")


def test_without_the_libraries_it_is_said_what_to_do(tab: Tab) -> None:
    for path in ("/exports", "/exports/new"):
        tab.open(path)
        expect(tab.page.get_by_role("region", name="Command that installs them")).to_have_text(
            "paddock setup python-stack"
        )
    expect(button(tab, "Start")).to_be_disabled()


def test_who_shows_a_key_is_offered_no_link_that_does_not_carry_it(
    wheel: Path, scripted_engine: list[str], tmp_path: Path, chromium: Browser
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with rig.served(wheel, home, scripted_engine, worker=WORKER) as first:
        trainer = str(first.ask("/api/keys", {"name": "t", "may": ["ask", "train"]})["key"])
        job_id = begun(first, tmp_path, making(tmp_path), "closed")
        with rig.tab(chromium, first.url) as tab:
            tab.open(f"/exports/{job_id}")
            state(tab, "done")
            expect(tab.page.get_by_role("link", name="Download x-F16.gguf")).to_be_visible()
    with (
        rig.served(wheel, home, scripted_engine, worker=WORKER, require_key=True) as closed,
        rig.tab(chromium, closed.url) as tab,
    ):
        tab.expected.append("401|403")
        tab.context.add_init_script(f"sessionStorage.setItem('paddock.key', {json.dumps(trainer)})")
        tab.open(f"/exports/{job_id}")
        state(tab, "done")
        expect(button(tab, "Put among the models: x-F16.gguf")).to_be_visible()
        expect(tab.page.get_by_role("link", name="Download x-F16.gguf")).to_have_count(0)
        button(tab, "Put among the models: x-F16.gguf").click()
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_role("alert")).to_contain_text("download")
