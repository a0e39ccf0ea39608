"""Shows that nothing runs of what the page tells an admin who is signed in: accounts, devices, what was done."""

from __future__ import annotations

import json
from collections.abc import Generator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, expect

from tests.page import hostile, rig
from tests.page.hostile import Trap, payload, short, unfolded
from tests.page.poison import Poisoner
from tests.page.rig import Served, Tab
from tests.page.test_users import PASSWORD, choose, enter

pytestmark = pytest.mark.attack("scripts in every field the page shows")
# Each text that somebody can put before an admin, and its mark. A name of an account is of a few letters alone.
MARKS = {
    "device": "m9100q",
    "refused-name": "m9101q",
    "key-name": "m9102q",
    "alias": "m9103q",
    "chat-title": "m9104q",
}
# What the page reads for those alone who are signed in.
SIGNED_IN = frozenset(["/api/users", "/api/audit", "/api/session/places"])
# What of that is spoilt and must be there to be read.
SHOWN = {
    "/api/audit.data[].about",
    "/api/audit.data[].address",
    "/api/audit.data[].deed",
    "/api/audit.data[].who",
    "/api/session.account",
    "/api/session/places.data[].address",
    "/api/session/places.data[].program",
    "/api/users.data[].name",
}
PLACES = ("/users", "/keys", "/models", "/system", "/")


@pytest.fixture(scope="module")
def closed(
    wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory, chromium: Browser
) -> Generator[Served]:
    """A paddock that asks who is there, and into which others have put something hostile."""
    with rig.served(wheel, tmp_path_factory.mktemp("closed"), scripted_engine, require_login=True) as served:
        with rig.tab(chromium, served.url) as tab:
            choose(tab, str(served.link))
        filled(served)
        yield served


def filled(studio: Served) -> None:
    """Put each text of `MARKS` where it can be put."""
    asked(studio, "POST", "/api/session", {"name": short(MARKS["refused-name"]), "password": PASSWORD})
    device = {"User-Agent": payload(MARKS["device"])}
    cookie = asked(studio, "POST", "/api/session", {"name": "admin", "password": PASSWORD}, device)
    signed_in = {"Cookie": cookie, **device}
    asked(studio, "POST", "/api/users", {"name": "ben"}, signed_in)
    asked(studio, "POST", "/api/keys", {"name": short(MARKS["key-name"])}, signed_in)
    asked(studio, "PUT", f"/api/aliases/{quote(short(MARKS['alias']), safe='')}", {"model": "pocket-v0"}, signed_in)
    asked(studio, "POST", "/api/chats", {"title": short(MARKS["chat-title"])}, signed_in)


def asked(studio: Served, method: str, path: str, body: Any, headers: dict[str, str] | None = None) -> str:
    """Ask as the page does, and be refused or not; the cookie of what is answered."""
    said = {"Content-Type": "application/json", "Origin": studio.url, **(headers or {})}
    try:
        with urlopen(Request(studio.url + path, json.dumps(body).encode(), said, method=method), timeout=30) as answer:
            cookies = SimpleCookie(answer.headers["Set-Cookie"] or "")
            return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
    except HTTPError as error:
        error.close()
        return ""


def visited(trap: Trap, tab: Tab) -> None:
    """Go where the page tells of accounts, open what is closed, and look."""
    for path in PLACES:
        tab.open(path)
        expect(tab.page.get_by_text("Loading…")).to_have_count(0)
        tab.page.wait_for_timeout(400)
        unfolded(tab.page)
        trap.look(tab.page)
    tab.open("/users")
    ben = tab.page.get_by_role("list", name="Accounts").get_by_role("listitem").filter(has_text="no password yet")
    ben.get_by_role("button").click()
    trap.look(tab.page)
    tab.page.get_by_role("menuitem", name="Remove").click()
    expect(tab.page.get_by_role("dialog")).to_contain_text("ben")
    trap.look(tab.page)
    tab.page.keyboard.press("Escape")


def test_nothing_that_others_put_before_an_admin_runs(closed: Served, chromium: Browser) -> None:
    with rig.tab(chromium, closed.url) as tab:
        enter(tab, "admin", "/users")
        trap = hostile.set_up(tab)
        visited(trap, tab)
        assert not trap.found, trap.told()
        assert {name for name, mark in MARKS.items() if mark not in trap.seen} == set()


def test_nothing_that_the_api_tells_an_admin_runs(closed: Served, chromium: Browser) -> None:
    with rig.tab(chromium, closed.url) as tab:
        enter(tab, "admin", "/users")
        trap, poisoner = hostile.set_up(tab), Poisoner()
        poisoner.watch(tab.context)
        visited(trap, tab)
        assert not trap.found, trap.told()
        assert SHOWN - set(poisoner.shown(trap.seen)) == set()
        assert SIGNED_IN - poisoner.answered == set()
