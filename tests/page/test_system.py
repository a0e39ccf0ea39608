"""Shows the machine's own page: meters while somebody looks, facts, the log, licences, and paddock's end."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Route, expect

from paddock.install.support import known
from tests.page import rig
from tests.page.rig import PHONE, Tab

Another = Callable[..., AbstractContextManager[Tab]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_meters_move_and_facts_are_told(tab: Tab, theme: str) -> None:
    tab.open()
    tab.theme(theme)
    tab.open("/system")
    memory = tab.page.get_by_role("region", name="Memory", exact=True)
    expect(memory).to_contain_text(re.compile(r"[\d.]+ GiB of [\d.]+ GiB"))
    expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    line = tab.page.get_by_role("region", name="Processor", exact=True).locator("polyline")
    expect(line).to_have_count(1)
    first = line.get_attribute("points")
    expect(line).not_to_have_attribute("points", first or "")
    row = tab.page.get_by_role("row", name=re.compile("Model pocket-v0"))
    expect(row).to_contain_text("MiB")
    expect(tab.page.get_by_text("paddock itself")).to_be_visible()
    expect(tab.page.get_by_text("free on its disk")).to_be_visible()
    tab.shoot(f"system-live-{theme}")
    assert tab.axe() == []


_NVIDIA_SMI = """#!{python}
import sys
fields = next((word for word in sys.argv if word.startswith("--query-gpu=")), "")
if "utilization.gpu" not in fields:
    sys.exit(1)
print("0, NVIDIA RTX 5090, 42, 8192, 32768, 61")
print("1, NVIDIA T4, [N/A], 1024, 16384, [N/A]")
"""


def test_the_cards_of_a_machine_have_meters(
    wheel: Path, scripted_engine: list[str], chromium: Browser, tmp_path: Path
) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(_NVIDIA_SMI.format(python=sys.executable))
    tool.chmod(0o755)
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "home").mkdir()
    with (
        rig.served(wheel, tmp_path / "home", scripted_engine, {"PATH": path}) as studio,
        rig.tab(chromium, studio.url) as tab,
    ):
        tab.open("/system")
        first = tab.page.get_by_role("region", name="NVIDIA RTX 5090", exact=True)
        expect(first).to_contain_text("42%")
        expect(first).to_contain_text("61 °C")
        expect(tab.page.get_by_role("region", name="Memory of NVIDIA RTX 5090")).to_contain_text("8 GiB of 32 GiB")
        # A card that does not say how busy it is still has its memory.
        expect(tab.page.get_by_role("region", name="NVIDIA T4", exact=True)).not_to_contain_text("%")
        expect(tab.page.get_by_role("region", name="Memory of NVIDIA T4")).to_contain_text("1 GiB of 16 GiB")
        tab.shoot("system-cards")
        assert tab.axe() == []


def test_meters_rest_while_nobody_looks(tab: Tab) -> None:
    stream = f"{tab.url}/api/system/meters?stream=true"
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.open("/system")
    expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    with tab.page.expect_event("requestfailed", lambda request: request.url == stream):
        tab.page.get_by_role("link", name="Settings").click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Settings")
    assert asked.count(stream) == 1


def test_the_log_is_filtered_and_followed(tab: Tab) -> None:
    tab.open("/system")
    log = tab.page.get_by_role("region", name="Log", exact=True)
    expect(log).to_contain_text("engine pocket-v0: ready")
    tab.page.get_by_role("searchbox", name="Containing").fill("STARTING")
    expect(log).not_to_contain_text("ready")
    expect(log).to_contain_text("engine pocket-v0: starting")
    tab.page.get_by_role("combobox", name="From level").select_option("Error")
    expect(tab.page.get_by_text("No news is good news")).to_be_visible()
    tab.page.get_by_role("combobox", name="From level").select_option("Info")
    tab.page.get_by_role("searchbox", name="Containing").fill("engine pocket-v0")
    expect(log).to_contain_text("engine pocket-v0: ready")
    before = log.get_by_role("listitem").count()
    tab.page.request.post(f"{tab.url}/api/models/pocket-v0/unload", data={})
    tab.page.request.post(f"{tab.url}/api/models/pocket-v0/load", data={})
    expect(log.get_by_role("listitem")).not_to_have_count(before)
    tab.page.get_by_role("switch", name="Follow").click()
    expect(tab.page.get_by_role("switch", name="Follow")).not_to_be_checked()


def test_the_id_of_a_request_leaves_the_lines_about_it(tab: Tab) -> None:
    tab.open("/system")
    answer = tab.page.request.get(f"{tab.url}/v1/models/nope")
    request_id = answer.headers["x-request-id"]
    log = tab.page.get_by_role("region", name="Log", exact=True)
    log.get_by_role("button", name=request_id).click()
    expect(tab.page.get_by_role("searchbox", name="Containing")).to_have_value(request_id)
    expect(log.get_by_role("listitem")).to_have_count(1)
    expect(log).to_contain_text("GET /v1/models/nope 404")


def test_a_phone_shows_meters_and_log(another: Another) -> None:
    with another(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.open("/system")
        expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
        tab.shoot("phone-system-live")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_licences_of_the_pages_packages_are_there(tab: Tab) -> None:
    tab.open("/system")
    expect(tab.page.get_by_text(re.compile(r"paddock \d+\.\d+"))).to_be_visible()
    link = tab.page.get_by_role("link", name="Licences of the packages")
    with urlopen(f"{tab.url}{link.get_attribute('href')}", timeout=30) as answer:
        text = answer.read().decode("utf-8")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    for package in ("react", "radix-ui", "zustand", "lucide-react"):
        assert re.search(rf"^{package} \d", text, re.MULTILINE), package
    assert "Permission is hereby granted" in text


def test_paddock_is_ended_from_its_page_and_found_again(
    chromium: Browser, wheel: Path, scripted_engine: list[str], tmp_path: Path
) -> None:
    with rig.served(wheel, tmp_path, scripted_engine) as studio, rig.tab(chromium, studio.url) as tab:
        tab.expected.append("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET")
        tab.open("/system")
        tab.page.get_by_role("button", name="Shut down").click()
        asked = tab.page.get_by_role("dialog", name="Shut down paddock?")
        expect(asked).to_contain_text("Your data stays")
        tab.shoot("shut-down")
        assert tab.axe() == []
        asked.get_by_role("button", name="Cancel").click()
        expect(asked).to_have_count(0)
        tab.page.get_by_role("button", name="Shut down").click()
        asked.get_by_role("button", name="Shut down").click()
        expect(tab.page.get_by_role("heading", name="paddock has ended")).to_be_visible()
        assert studio.process.wait(30) == 0
        tab.page.get_by_role("button", name="It runs again").click()
        expect(tab.page.get_by_text("It does not answer yet")).to_be_visible()
        expect(tab.page.get_by_text("paddock does not answer.")).to_have_count(0)
        tab.shoot("ended")
        assert tab.axe() == []
        port = int(studio.url.rsplit(":", 1)[1])
        with rig.served(wheel, tmp_path, scripted_engine, port=port):
            tab.page.get_by_role("button", name="It runs again").click()
            expect(tab.page.get_by_role("heading", level=1)).to_have_text("System")
            expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()


def test_what_was_never_run_on_such_a_machine_is_experimental(tab: Tab) -> None:
    tab.open("/system")
    main = tab.page.get_by_role("main")
    expect(main).to_contain_text("Running since")
    expect(main).not_to_contain_text("Experimental")

    def strange(route: Route) -> None:
        told = route.fetch().json()
        told["platform"] = {"name": "Windows, Arm", "experimental": list(known().features)}
        route.fulfill(json=told)

    tab.page.route("**/api/system", strange)
    tab.open("/system")
    expect(main).to_contain_text("Experimental Written, and never run on such a machine (Windows, Arm)")
    expect(main).to_contain_text("the container file")
    expect(main).not_to_contain_text("feature.")
    main.get_by_text("the container file").scroll_into_view_if_needed()
    tab.shoot("system-experimental")
    assert tab.axe() == []
