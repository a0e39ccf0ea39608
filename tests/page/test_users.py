"""Shows people who sign in: the first by a link of the terminal, others by links of an admin; and who sees what."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.page import rig
from tests.page.chatting import content, say, says, script, settled
from tests.page.rig import PHONE, Served, Tab

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def closed(
    wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory, chromium: Browser
) -> Generator[Served]:
    """A paddock that asks who is there, and whose admin has chosen a password."""
    home = tmp_path_factory.mktemp("closed")
    with rig.served(wheel, home, scripted_engine, require_login=True) as studio:
        with rig.tab(chromium, studio.url) as tab:
            choose(tab, str(studio.link))
        yield studio


# What a user may hand on by a key.
MAY = ["Ask models", "Chats", "Load and unload models", "Have models use files and run code"]


def choose(tab: Tab, link: str) -> None:
    """Open a link, and choose the password by it."""
    tab.page.goto(link)
    tab.page.get_by_label("New password").fill(PASSWORD)
    tab.page.get_by_label("Once more").fill(PASSWORD)
    tab.page.get_by_role("button", name="Choose it and sign in").click()
    expect(tab.page.locator("[data-composer]")).to_be_visible()


def enter(tab: Tab, name: str, path: str = "/") -> None:
    """Sign in."""
    tab.expected.append("401")
    tab.open(path)
    dialog = tab.page.get_by_role("dialog", name="Sign in")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in", exact=True).click()
    expect(dialog).to_have_count(0)


def linked(tab: Tab, name: str, role: str = "user") -> str:
    """The link of an account that the admin makes."""
    tab.page.get_by_role("button", name="New account").click()
    dialog = tab.page.get_by_role("dialog", name="New account")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Role").select_option(role)
    dialog.get_by_role("button", name="New account").click()
    shown = tab.page.get_by_role("dialog", name=f"Link for {name}")
    link = shown.locator("pre").inner_text()
    shown.get_by_role("button", name="I have copied it").click()
    return link


def row(tab: Tab, name: str) -> Locator:
    """The line of an account."""
    return tab.page.get_by_role("list", name="Accounts").get_by_role("listitem").filter(has_text=name)


def act(tab: Tab, name: str, deed: str) -> None:
    """Choose a deed of an account's menu."""
    tab.page.get_by_role("button", name=f"More about {name}").click()
    tab.page.get_by_role("menuitem", name=deed).click()


def test_the_first_admin_comes_in_by_the_link_of_the_terminal(
    wheel: Path, scripted_engine: list[str], tmp_path: Path, chromium: Browser
) -> None:
    with (
        rig.served(wheel, tmp_path, scripted_engine, require_login=True) as studio,
        rig.tab(chromium, studio.url) as tab,
    ):
        tab.open("/welcome")
        expect(tab.page.get_by_role("main")).to_contain_text("holds no link")
        tab.page.goto(str(studio.link))
        expect(tab.page.get_by_role("main")).to_contain_text("Choose the password of admin")
        button = tab.page.get_by_role("button", name="Choose it and sign in")
        tab.page.get_by_label("New password").fill("short")
        expect(button).to_be_disabled()
        tab.page.get_by_label("New password").fill("passwordpassword")
        tab.page.get_by_label("Once more").fill("passwordpasswore")
        expect(tab.page.get_by_role("main")).to_contain_text("The two differ")
        tab.shoot("welcome")
        assert tab.axe() == []
        tab.expected.append("400")
        tab.page.get_by_label("New password").fill("password12")
        tab.page.get_by_label("Once more").fill("password12")
        button.click()
        expect(tab.page.get_by_role("alert")).to_contain_text("tried first")
        tab.page.get_by_label("New password").fill(PASSWORD)
        tab.page.get_by_label("Once more").fill(PASSWORD)
        button.click()
        expect(tab.page.locator("[data-composer]")).to_be_visible()
        expect(tab.page.get_by_role("link", name="admin")).to_be_visible()
        assert tab.page.evaluate("document.cookie") == ""
        # Going back does not lead to the link.
        tab.page.go_back()
        assert "#" not in tab.page.url
        tab.expected.append("410")
        tab.page.goto(str(studio.link))
        expect(tab.page.get_by_role("alert")).to_contain_text("used already")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_signing_in_is_asked_for_and_free_of_barriers(closed: Served, chromium: Browser, theme: str) -> None:
    with rig.tab(chromium, closed.url) as tab:
        tab.expected.append("401")
        tab.open()
        tab.theme(theme)
        tab.open()
        dialog = tab.page.get_by_role("dialog", name="Sign in")
        dialog.get_by_label("Name").fill("admin")
        dialog.get_by_label("Password").fill("wrong horse battery")
        dialog.get_by_role("button", name="Sign in", exact=True).click()
        expect(dialog.get_by_role("alert")).to_contain_text("let nobody in")
        tab.shoot(f"sign-in-{theme}")
        assert tab.axe() == []
        dialog.get_by_label("Password").fill(PASSWORD)
        dialog.get_by_role("button", name="Sign in", exact=True).click()
        expect(dialog).to_have_count(0)
        tab.open("/users")
        expect(tab.page.get_by_role("list", name="What was done")).to_contain_text("sign-in refused")
        tab.shoot(f"users-{theme}")
        assert tab.axe() == []


def test_an_account_is_made_used_and_ended(closed: Served, chromium: Browser) -> None:
    with rig.tab(chromium, closed.url) as admin, rig.tab(chromium, closed.url) as ben:
        enter(admin, "admin", "/users")
        link = linked(admin, "ben")
        expect(row(admin, "ben")).to_contain_text("no password yet")
        choose(ben, link)
        # He sees what is his to see.
        ben.open("/users")
        expect(ben.page.get_by_role("navigation", name="Machine")).to_contain_text("Accounts")
        expect(ben.page.get_by_role("navigation", name="Machine")).not_to_contain_text("Engines")
        expect(ben.page.get_by_role("button", name="New account")).to_have_count(0)
        expect(ben.page.get_by_role("list", name="Where you are signed in")).to_contain_text("here")
        ben.shoot("users-own")
        assert ben.axe() == []
        # Changing what he may ends what he reads.
        ben.expected += ["403", "ERR_INCOMPLETE_CHUNKED_ENCODING"]
        ben.open("/settings")
        expect(ben.page.get_by_role("alert").first).to_contain_text("an admin has")
        ben.open("/keys")
        ben.page.get_by_role("button", name="Create key").first.click()
        dialog = ben.page.get_by_role("dialog", name="Create key")
        # He hands on what he may himself, so nothing of the machine.
        expect(dialog.get_by_role("group").first.locator("label")).to_have_text(MAY)
        ben.page.keyboard.press("Escape")
        admin.page.reload()
        expect(row(admin, "ben")).to_contain_text("Last signed in")
        act(admin, "ben", "Make it an admin")
        expect(row(admin, "ben")).to_contain_text("admin")
        act(admin, "ben", "Make it a user")
        act(admin, "ben", "Disable")
        expect(row(admin, "ben")).to_contain_text("disabled")
        admin.shoot("users-disabled")
        ben.expected.append("401")
        ben.open("/")
        expect(ben.page.get_by_role("dialog", name="Sign in")).to_be_visible()
        act(admin, "ben", "Enable")
        act(admin, "ben", "Link for a new password")
        shown = admin.page.get_by_role("dialog", name="Link for ben")
        link = shown.locator("pre").inner_text()
        shown.get_by_role("button", name="I have copied it").click()
        choose(ben, link)
        act(admin, "ben", "Remove")
        asked = admin.page.get_by_role("dialog", name="Remove ben?")
        assert admin.axe() == []
        asked.get_by_role("button", name="Remove").click()
        expect(row(admin, "ben")).to_have_count(0)
        admin.expected.append("409")
        act(admin, "admin", "Disable")
        expect(admin.page.get_by_text("is the last admin")).to_be_visible()


def test_chats_stay_with_their_account(closed: Served, chromium: Browser) -> None:
    with rig.tab(chromium, closed.url) as admin, rig.tab(chromium, closed.url) as cleo:
        enter(admin, "admin", "/users")
        choose(cleo, linked(admin, "cleo"))
        admin.open()
        say(admin, "Load the model")
        settled(admin)
        script(closed, says("Between us."))
        say(cleo, "A very private question")
        expect(content(settled(cleo))).to_have_text("Between us.")
        expect(cleo.page.locator("[data-chat]").first).to_contain_text("A very private question")
        where = cleo.page.url.removeprefix(closed.url)
        admin.page.reload()
        expect(admin.page.locator("[data-chat]").first).to_contain_text("Load the model")
        expect(admin.page.get_by_text("A very private question")).to_have_count(0)
        admin.expected.append("404")
        admin.open(where)
        expect(admin.page.get_by_role("main")).not_to_contain_text("Between us.")


def test_signing_out_leaves_nothing_on_the_page(closed: Served, chromium: Browser) -> None:
    with rig.tab(chromium, closed.url) as here, rig.tab(chromium, closed.url) as there:
        enter(here, "admin", "/users")
        enter(there, "admin", "/users")
        # Who is signed out elsewhere is told no more: what was being read breaks off.
        for tab in (here, there):
            tab.expected.append("ERR_INCOMPLETE_CHUNKED_ENCODING")
        here.page.reload()
        elsewhere = here.page.get_by_role("list", name="Where you are signed in")
        expect(elsewhere.get_by_role("button", name="Sign out there").first).to_be_visible()
        count = elsewhere.get_by_role("listitem").count()
        elsewhere.get_by_role("button", name="Sign out there").first.click()
        expect(elsewhere.get_by_role("listitem")).to_have_count(count - 1)
        here.page.get_by_text("Change the password").click()
        here.page.get_by_label("Present password").fill(PASSWORD)
        here.page.get_by_label("New password").fill(PASSWORD)
        here.page.get_by_label("Once more").fill(PASSWORD)
        here.page.get_by_role("button", name="Change it").click()
        expect(here.page.get_by_text("The password is changed")).to_be_visible()
        here.page.get_by_role("button", name="Sign out", exact=True).click()
        expect(here.page.get_by_role("dialog", name="Sign in")).to_be_visible()
        expect(here.page.locator("[data-chat]")).to_have_count(0)
        there.open("/users")
        expect(there.page.get_by_role("dialog", name="Sign in")).to_be_visible()


def test_signing_in_fits_a_phone(closed: Served, chromium: Browser) -> None:
    with rig.tab(chromium, closed.url, viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        enter(tab, "admin", "/users")
        expect(tab.page.get_by_role("list", name="Accounts")).to_be_visible()
        tab.shoot("phone-users")
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
